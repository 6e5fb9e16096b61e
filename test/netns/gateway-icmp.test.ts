import { afterEach, describe, expect, it } from "vitest";
import type { TrackGatewayConfig } from "../../src/config/model.ts";
import { IcmpGatewayTracker } from "../../src/daemon/trackers/icmp-gateway-tracker.ts";
import type { TrackerUpdate } from "../../src/daemon/trackers/types.ts";
import { ms } from "../../src/units.ts";

const running: IcmpGatewayTracker[] = [];
afterEach(() => {
  for (const tracker of running.splice(0)) tracker.stop();
});

const watch = (over: Partial<TrackGatewayConfig>): TrackerUpdate[] => {
  const updates: TrackerUpdate[] = [];
  const config: TrackGatewayConfig = {
    name: "gw",
    address: "127.0.0.1",
    interface: "lo",
    method: "icmp",
    interval: ms(50),
    timeout: ms(500),
    rise: 1,
    fall: 1,
    ...over,
  };
  const tracker = new IcmpGatewayTracker(config, (update) => updates.push(update));
  running.push(tracker);
  tracker.start();
  return updates;
};

describe("track_gateway by ICMP (root: the socket is bound to the interface)", () => {
  it("is good while the address answers, again and again", async () => {
    const updates = watch({});
    await expect.poll(() => updates.length, { timeout: 5_000 }).toBeGreaterThan(2);
    expect(updates.every((update) => update.good)).toBe(true);
    expect(updates[0]).toMatchObject({
      kind: "gateway",
      name: "gw",
      detail: expect.stringContaining("127.0.0.1"),
    });
  });

  it("is bad, with the reason, where the interface does not exist", async () => {
    const updates = watch({ interface: "vw-none0" });
    await expect.poll(() => updates[0], { timeout: 5_000 }).toMatchObject({ good: false });
  });

  it("is bad after the time limit where nobody answers", async () => {
    // TEST-NET-1 bound to the loopback interface: it cannot leave this machine.
    const updates = watch({ address: "192.0.2.1", timeout: ms(100) });
    await expect.poll(() => updates[0], { timeout: 5_000 }).toMatchObject({ good: false });
  });
});
