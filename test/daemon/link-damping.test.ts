import { describe, expect, it } from "vitest";
import { LinkDamping } from "../../src/daemon/vrrp/link-damping.ts";
import type { LinkInfo } from "../../src/net/rtnetlink.ts";
import { us } from "../../src/units.ts";

const link = (up: boolean): LinkInfo => ({
  index: 2,
  name: "eth0",
  mac: new Uint8Array(6),
  flags: 0,
  up: true,
  running: up,
  mtu: 1500,
});

/** Feeds what the kernel says at these milliseconds; returns what is believed after each. */
function believed(changes: readonly (readonly [ms: number, up: boolean])[]): boolean[] {
  const damping = new LinkDamping();
  return changes.map(([ms, up]) => damping.apply([link(up)], us(ms * 1000))[0]?.running === true);
}

describe("a flapping link", () => {
  it("up and down a few times is believed each time", () => {
    const changes = [0, 1, 2, 3, 4].flatMap((n) => [
      [n * 100, n > 0] as const,
      [n * 100 + 50, n < 1] as const,
    ]);
    expect(believed(changes)).toEqual(changes.map(([, up]) => up));
  });

  it("at the fifth time within 10 s counts as down, until it has been up for a second", () => {
    const damping = new LinkDamping();
    const see = (ms: number, up: boolean) => damping.apply([link(up)], us(ms * 1000))[0];
    for (let n = 0; n < 5; n++) {
      expect(see(n * 10, true)?.running).toBe(true);
      expect(see(n * 10 + 5, false)?.running).toBe(false);
    }
    expect(see(100, true)).toMatchObject({ running: false, flapping: 5 });
    expect(damping.deadline).toBe(1_100_000);
    // Down once more: the second starts anew, and nothing is waited for while it is down.
    see(500, false);
    expect(damping.deadline).toBeUndefined();
    expect(see(600, true)).toMatchObject({ running: false, flapping: 6 });
    expect(see(1_599, true)?.running).toBe(false);
    expect(see(1_600, true)?.running).toBe(true);
    expect(see(1_600, true)).not.toHaveProperty("flapping");
    expect(damping.deadline).toBeUndefined();
  });

  it("slow changes are no flapping, however many", () => {
    const changes = Array.from({ length: 40 }, (_, n) => [n * 2_600, n % 2 === 0] as const);
    expect(believed(changes)).toEqual(changes.map(([, up]) => up));
  });

  it("a link that was made anew has no history", () => {
    const damping = new LinkDamping();
    for (let n = 0; n < 10; n++) damping.apply([link(n % 2 === 0)], us(n * 1000));
    damping.apply([], us(20_000));
    expect(damping.apply([link(true)], us(21_000))[0]?.running).toBe(true);
  });
});
