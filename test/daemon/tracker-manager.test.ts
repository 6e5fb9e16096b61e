import { describe, expect, it } from "vitest";
import type { Config } from "../../src/config/model.ts";
import { TrackerManager } from "../../src/daemon/trackers/manager.ts";
import type { TrackerUpdate } from "../../src/daemon/trackers/types.ts";

/** One instance that tracks these services; the manager reads nothing else of a configuration without trackers. */
const tracking = (...names: string[]) =>
  ({
    global: {},
    services: [],
    instances: [{ trackers: names.map((name) => ({ kind: "virtual_server", name, reverse: false })) }],
  }) as unknown as Config;
const quorum = (name: string, good: boolean): TrackerUpdate => ({
  kind: "virtual_server",
  name,
  good,
  detail: "",
});

describe("trackers of services (track_virtual_server)", () => {
  it("the vrrp process hears of tracked services only, however many there are", () => {
    const heard: TrackerUpdate[] = [];
    const manager = new TrackerManager(
      (update) => heard.push(update),
      () => {},
    );
    manager.apply(tracking("tcp 10.0.0.1:80"));
    for (let n = 1; n <= 50; n++) manager.tell(quorum(`tcp 10.0.0.${n}:80`, true));
    expect(heard).toEqual([quorum("tcp 10.0.0.1:80", true)]);
    expect(manager.last()).toEqual(heard);
  });

  it("a service tracked since a reload counts with its last word", () => {
    const heard: TrackerUpdate[] = [];
    const manager = new TrackerManager(
      (update) => heard.push(update),
      () => {},
    );
    manager.apply(tracking());
    manager.tell(quorum("tcp 10.0.0.1:80", true));
    manager.tell(quorum("tcp 10.0.0.1:80", false));
    expect(heard).toEqual([]);
    manager.apply(tracking("tcp 10.0.0.1:80"));
    manager.apply(tracking("tcp 10.0.0.1:80"));
    expect(heard).toEqual([quorum("tcp 10.0.0.1:80", false)]);
  });
});
