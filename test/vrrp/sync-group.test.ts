/** Sync groups (spec section 3): master together or not at all. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { InstanceConfig } from "../../src/config/model.ts";
import { us } from "../../src/units.ts";
import type { Event, Fault } from "../../src/vrrp/machine.ts";
import { combinedFaults, type GroupState, initialGroup, settleGroup } from "../../src/vrrp/sync-group.ts";
import { advert, LINK_DOWN, OWN, Router, S } from "./support.ts";

const DOWN = 3.609375;
const BAD_TRACKER: Fault = { kind: "tracker", detail: "gateway gw is down" };

/** What a runtime does with a group: events to members, then settle until nothing more is to be done. */
class Group {
  readonly members: Record<string, Router> = {};
  readonly own: Record<string, Fault[]> = {};
  faults: Fault[] = [];
  state: GroupState = initialGroup(us(0));
  readonly log: string[] = [];
  rounds = 0;

  constructor(...overs: Partial<InstanceConfig>[]) {
    for (const [index, over] of overs.entries()) this.add(`VI_${index + 1}`, over);
  }
  add(name: string, over: Partial<InstanceConfig> = {}): Router {
    const router = new Router({ name, ...over });
    router.config = { ...router.config, grouped: true } as InstanceConfig;
    this.members[name] = router;
    this.own[name] = [];
    return router;
  }
  input() {
    const members = Object.entries(this.members).map(([name, router]) => ({
      name,
      state: router.state,
      faults: this.own[name]!,
    }));
    return { name: "G", members, faults: this.faults };
  }
  feed(at: number, name: string, event: Event): void {
    this.log.push(...this.members[name]!.at(at, event).map((text) => `${name} ${text}`));
  }
  settle(at: number): void {
    for (let round = 1; ; round++) {
      const settled = settleGroup(this.state, this.input(), us(Math.round(at * S)));
      this.state = settled.group;
      if (settled.transition) this.log.push(`G ${settled.transition.from} -> ${settled.transition.to}`);
      if (settled.events.length === 0) return;
      this.rounds = Math.max(this.rounds, round);
      if (round > 5) throw new Error("the group does not settle");
      for (const { member, event } of settled.events) this.feed(at, member, event);
    }
  }
  /** One event, then what a runtime does; returns what came of it. */
  at(at: number, name: string, event: Event): string[] {
    this.log.length = 0;
    this.feed(at, name, event);
    this.settle(at);
    return [...this.log];
  }
  start(at = 0): void {
    for (const name of Object.keys(this.members)) {
      const faults = combinedFaults(this.input())[name]!;
      this.feed(at, name, { kind: "startup", faults });
    }
    this.settle(at);
  }
  hear(at: number, name: string, over: Parameters<typeof advert>[0]): string[] {
    return this.at(at, name, { kind: "advert", advert: advert(over), ownAddress: OWN });
  }
  tick(at: number, name: string): string[] {
    return this.at(at, name, { kind: "tick" });
  }
  check(at: number): string[] {
    this.log.length = 0;
    this.settle(at);
    return [...this.log];
  }
  get states(): string {
    return Object.values(this.members)
      .map((router) => (router.state.state === "BACKUP" && router.state.wish ? "WISH" : router.state.state))
      .join(" ");
  }
  static master(...overs: Partial<InstanceConfig>[]): Group {
    const group = new Group(...overs);
    group.start();
    for (const name of Object.keys(group.members)) group.tick(DOWN, name);
    return group;
  }
}

describe("becoming master", () => {
  it("waits until the last member wants to; each advertises and announces", () => {
    const group = new Group({}, {});
    group.start();
    expect(group.tick(DOWN, "VI_1")).toEqual([]);
    expect(group.states).toBe("WISH BACKUP");
    expect(group.tick(DOWN + 1, "VI_2")).toEqual([
      "VI_1 send-advert 100",
      "VI_1 add-addresses",
      "VI_1 announce 5",
      "VI_1 BACKUP -> MASTER",
      "VI_2 send-advert 100",
      "VI_2 add-addresses",
      "VI_2 announce 5",
      "VI_2 BACKUP -> MASTER",
      "G BACKUP -> MASTER",
    ]);
    expect(group.members.VI_1?.state.reason).toBe("no master heard since start; sync group G is ready");
  });
  it("a member that hears a better master keeps all of them back", () => {
    const group = new Group({}, {});
    group.start();
    group.tick(DOWN, "VI_1");
    for (let at = 1; at < 20; at++) group.hear(at, "VI_2", { priority: 200 });
    expect(group.states).toBe("WISH BACKUP");
    group.hear(20, "VI_1", { priority: 100 });
    expect(group.states).toBe("BACKUP BACKUP");
  });
  it("a member that has not started (its services are not ready) keeps all of them back", () => {
    const group = new Group({}, {});
    group.feed(0, "VI_1", { kind: "startup", faults: [] });
    group.settle(0);
    group.tick(DOWN, "VI_1");
    expect(group.states).toBe("WISH INIT");
  });
  it("owners are master at once when all are owners; one that is not is waited for", () => {
    const owners = new Group({ priority: 255 }, { priority: 255 });
    owners.start();
    expect(owners.states).toBe("MASTER MASTER");
    const mixed = new Group({ priority: 255 }, {});
    mixed.start();
    expect(mixed.states).toBe("WISH BACKUP");
  });
  it("a group of one is an instance like any other", () => {
    expect(Group.master({}).states).toBe("MASTER");
  });
});

describe("falling back", () => {
  it("one member that yields pulls all back, without priority 0", () => {
    const group = Group.master({}, {}, {});
    expect(group.hear(5, "VI_2", { priority: 200 })).toEqual([
      "VI_2 remove-addresses",
      "VI_2 MASTER -> BACKUP",
      "VI_1 remove-addresses",
      "VI_1 MASTER -> BACKUP",
      "VI_3 remove-addresses",
      "VI_3 MASTER -> BACKUP",
      "G MASTER -> BACKUP",
    ]);
    expect(group.members.VI_1?.state.reason).toBe(
      "VI_2 of sync group G is backup: 192.0.2.12 advertises priority 200 (higher priority)",
    );
  });
  it("what was pulled back wants again, and stays back while the other hears its master", () => {
    const group = Group.master({}, {});
    group.hear(5, "VI_2", { priority: 200 });
    for (let at = 6; at < 10; at++) group.hear(at, "VI_2", { priority: 200 });
    group.tick(5 + DOWN, "VI_1");
    expect(group.states).toBe("WISH BACKUP");
    group.tick(9 + DOWN, "VI_2");
    expect(group.states).toBe("MASTER MASTER");
  });
  it("a failover of one is a failover of all: every member gives up with priority 0", () => {
    const group = Group.master({}, {});
    const said = group.at(5, "VI_1", { kind: "release", reason: "failover asked for" });
    expect(said.filter((text) => text.endsWith("send-advert 0"))).toEqual([
      "VI_1 send-advert 0",
      "VI_2 send-advert 0",
    ]);
    for (const { state } of Object.values(group.members)) expect(state).toMatchObject({ steppedAside: true });
    expect(group.states).toBe("BACKUP BACKUP");
  });
});

describe("FAULT", () => {
  it("of one member faults all, from master with priority 0; each recovers when all are healthy", () => {
    const group = Group.master({}, {});
    group.own.VI_1 = [LINK_DOWN];
    expect(group.check(5)).toEqual([
      "VI_1 send-advert 0",
      "VI_1 remove-addresses",
      "VI_1 MASTER -> FAULT",
      "VI_2 send-advert 0",
      "VI_2 remove-addresses",
      "VI_2 MASTER -> FAULT",
      "G MASTER -> FAULT",
    ]);
    expect(group.members.VI_2?.state.reason).toBe("VI_1 of sync group G is in FAULT: interface eth0 is down");
    group.own.VI_1 = [];
    expect(group.check(9)).toEqual(["VI_1 FAULT -> BACKUP", "VI_2 FAULT -> BACKUP", "G FAULT -> BACKUP"]);
  });
  it("of two members: the group waits for both", () => {
    const group = Group.master({}, {});
    group.own.VI_1 = [LINK_DOWN];
    group.own.VI_2 = [LINK_DOWN];
    group.check(5);
    group.own.VI_1 = [];
    group.check(6);
    expect(group.states).toBe("FAULT FAULT");
    group.own.VI_2 = [];
    group.check(7);
    expect(group.states).toBe("BACKUP BACKUP");
  });
  it("an unweighted tracker of the group faults all", () => {
    const group = Group.master({}, {});
    group.faults = [BAD_TRACKER];
    group.check(5);
    expect(group.states).toBe("FAULT FAULT");
    expect(group.members.VI_2?.state.reason).toBe(BAD_TRACKER.detail);
    group.faults = [];
    group.check(6);
    expect(group.states).toBe("BACKUP BACKUP");
  });
  it("at start", () => {
    const group = new Group({}, {});
    group.own.VI_2 = [LINK_DOWN];
    group.start();
    expect(group.states).toBe("FAULT FAULT");
  });
  it("a member's stolen VIP faults the others too, until its hold is over", () => {
    const group = Group.master({}, {});
    for (const at of [4, 4.1, 4.2]) group.at(at, "VI_1", { kind: "vip-lost", address: "192.0.2.100" });
    expect(group.states).toBe("FAULT FAULT");
    expect(group.members.VI_2?.state.reason).toMatch(
      /^VI_1 of sync group G is in FAULT: 192.0.2.100 was taken/,
    );
    group.tick(34.2, "VI_1");
    expect(group.states).toBe("BACKUP BACKUP");
  });
});

describe("reload and restart", () => {
  it("members resumed together are master together", () => {
    const group = new Group({}, {});
    for (const name of ["VI_1", "VI_2"]) group.feed(0, name, { kind: "startup", faults: [], resume: true });
    group.settle(0);
    expect([group.states, group.state.state]).toEqual(["MASTER MASTER", "MASTER"]);
  });
  it("a member added to a master group joins it without pulling it back", () => {
    const group = Group.master({}, {});
    group.add("VI_3").at(5, { kind: "startup", faults: [] });
    expect(group.check(5)).toEqual([]);
    expect(group.states).toBe("MASTER MASTER BACKUP");
    for (const name of ["VI_1", "VI_2"]) for (const at of [6, 7, 8]) group.tick(at, name);
    expect(group.tick(5 + DOWN, "VI_3")).toEqual([
      "VI_3 send-advert 100",
      "VI_3 add-addresses",
      "VI_3 announce 5",
      "VI_3 BACKUP -> MASTER",
    ]);
  });
  it("unless it hears a master elsewhere", () => {
    const group = Group.master({}, {});
    group.add("VI_3").at(5, { kind: "startup", faults: [] });
    group.check(5);
    group.hear(6, "VI_3", { priority: 200 });
    expect(group.states).toBe("BACKUP BACKUP BACKUP");
  });
});

describe("laws", () => {
  const faulty = fc.constantFrom([], [], [LINK_DOWN]);
  const moves = fc.array(
    fc.record({
      wait: fc.constantFrom(0, 0.3, 1, 4, 100),
      who: fc.nat(2),
      what: fc.oneof(
        { weight: 6, arbitrary: fc.constant("tick" as const) },
        { weight: 4, arbitrary: fc.constantFrom(0, 50, 100, 200).map((priority) => ({ priority })) },
        { weight: 2, arbitrary: faulty.map((faults) => ({ faults })) },
        {
          weight: 1,
          arbitrary: fc.constantFrom<Event>(
            { kind: "release", reason: "asked" },
            { kind: "contend" },
            { kind: "paused", detail: "asleep" },
            { kind: "vip-lost", address: "192.0.2.100" },
          ),
        },
      ),
    }),
    { maxLength: 60 },
  );
  it("after each settling all members are master or none, faults are shared, and it takes few rounds", () => {
    fc.assert(
      fc.property(moves, fc.integer({ min: 1, max: 3 }), (list, size) => {
        const group = new Group(...Array(size).fill({}));
        group.start();
        let now = 0;
        for (const { wait, who, what } of list) {
          now += wait;
          const name = `VI_${(who % size) + 1}`;
          if (what === "tick") for (const each of Object.keys(group.members)) group.tick(now, each);
          else if ("kind" in what) group.at(now, name, what);
          else if ("priority" in what) group.hear(now, name, what);
          else {
            group.own[name] = [...what.faults];
            group.check(now);
          }
          const states = new Set(Object.values(group.members).map((router) => router.state.state));
          expect(states.size).toBe(1);
          expect(group.state.state).toBe([...states][0]);
          if (Object.values(group.own).flat().length > 0) expect(group.state.state).toBe("FAULT");
        }
        expect(group.rounds).toBeLessThanOrEqual(3);
      }),
      { numRuns: 200 },
    );
  });
});
