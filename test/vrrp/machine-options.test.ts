/** keepalived's options of the machine, and what operators and thieves do to it. */
import { describe, expect, it } from "vitest";
import { us } from "../../src/units.ts";
import { step } from "../../src/vrrp/machine.ts";
import { advert, BECOME_MASTER, config, HIGHER, LINK_DOWN, LOWER, OWN, Router, S, VIP } from "./support.ts";

const DOWN = 3.609375;
const OWNER_DOWN = 3.00390625;

describe("hearing a lower master", () => {
  it("keepalived lower_prio_no_advert: no advert, only the ARP again", () => {
    const router = Router.master({ lowerPriorityNoAdvert: true });
    expect(router.hear(4, { priority: 99 })).toEqual(["announce 5", "note lower-master"]);
  });
  it("keepalived garp_lower_prio_repeat, _delay: their own number, and once more after their own delay", () => {
    const over = {
      garpMasterDelay: us(0),
      garpLowerPriorityRepeat: 2,
      garpLowerPriorityDelay: us(1_500_000),
    };
    const router = Router.master(over);
    expect(router.hear(4, { priority: 99 })).toContain("announce 2");
    expect(router.fire()).toEqual([DOWN + 1, ["send-advert 100"]]);
    expect(router.fire()).toEqual([5.5, ["announce 2"]]);
    expect(router.fire()).toEqual([DOWN + 2, ["send-advert 100"]]);
  });
  it("the delayed round is not put off by each further advert of the loser", () => {
    const router = Router.master({ garpMasterDelay: us(0), garpLowerPriorityDelay: us(2 * S) });
    for (const at of [4, 4.5, 5, 5.5]) router.hear(at, { priority: 99 });
    expect(router.tick(6)).toContain("announce 5");
    expect(router.tick(6.1)).toEqual([]);
  });
  it("keepalived garp_lower_prio_repeat 0: neither round", () => {
    const router = Router.master({ garpMasterDelay: us(0), garpLowerPriorityRepeat: 0 });
    expect(router.hear(4, { priority: 99 })).toEqual(["send-advert 100", "note lower-master"]);
    expect(router.due).toBe(DOWN + 1);
  });
  it("keepalived garp_lower_prio_*: inherit garp_master_*", () => {
    const router = Router.master({ garpMasterRepeat: 3, garpMasterDelay: us(S / 2) });
    router.tick(DOWN + 0.5);
    expect(router.hear(4.2, { priority: 99 })).toContain("announce 3");
    expect(router.tick(4.7)).toContain("announce 3");
  });
});

describe("keepalived higher_prio_send_advert", () => {
  it("a last advert before falling back, so that the better master repeats its ARP", () => {
    const router = Router.master({ higherPrioritySendAdvert: true });
    expect(router.hear(5, { priority: 101 })).toEqual([
      "send-advert 100",
      "remove-addresses",
      "MASTER -> BACKUP",
    ]);
  });
});

describe("keepalived garp_interval, gna_interval", () => {
  const gap = (over: Parameters<typeof config>[0]) => {
    const own = config({ priority: 255, ...over });
    const { actions } = step(
      { state: "INIT", since: us(0), reason: "" },
      { kind: "startup", faults: [] },
      us(0),
      own,
    );
    return actions.flatMap((action) => (action.kind === "announce" ? action.gap : []));
  };
  it("go with the announcement: ARP for IPv4, NA for IPv6; 0 unless given", () => {
    const intervals = { garpInterval: us(1_000), gnaInterval: us(2_000) };
    expect([gap({}), gap(intervals), gap({ ...intervals, family: 6, version: 3 })]).toEqual([
      [0],
      [1_000],
      [2_000],
    ]);
  });
});

describe("case 14: an owner facing another owner", () => {
  const rogue = { priority: 255, source: LOWER, notes: ["owner-conflict"] } as const;
  it("the higher address holds on, but gives way to one that persists for a master-down interval", () => {
    const router = Router.master({ priority: 255 });
    for (const at of [0.5, 1.5, 2.5]) {
      router.tick(at);
      expect(router.hear(at, rogue).slice(0, 2)).toEqual(["note owner-conflict", "send-advert 255"]);
    }
    expect(router.hear(0.5 + OWNER_DOWN, rogue)).toEqual([
      "note owner-conflict",
      "remove-addresses",
      "MASTER -> BACKUP",
    ]);
    expect(router.state.reason).toBe(
      "192.0.2.9 goes on as address owner (priority 255) and does not give way to us",
    );
  });
  it("as backup it is kept waiting by the rogue, and is the owner again when that is silent", () => {
    const router = Router.master({ priority: 255 });
    for (const at of [0.5, 1.5, 2.5, 3.6]) router.hear(at, rogue);
    expect(router.state.state).toBe("BACKUP");
    router.hear(4.5, rogue);
    expect(router.due).toBeCloseTo(4.5 + OWNER_DOWN, 5);
    expect(router.fire()[1][0]).toBe("send-advert 255");
  });
  it("a rogue that was silent for a down interval in between starts anew", () => {
    const router = Router.master({ priority: 255 });
    for (let at = 1; at <= 9; at++) router.tick(at);
    router.hear(1.5, rogue);
    for (let at = 2; at <= 9; at++) router.tick(at);
    expect(router.hear(9.5, rogue)).toContain("send-advert 255");
  });
  it("a lower priority that persists is no owner: it is answered for ever", () => {
    const router = Router.master({ priority: 255 });
    for (let at = 0.5; at < 30; at++) {
      router.tick(at);
      expect(router.hear(at, { priority: 254 })).toContain("send-advert 255");
    }
  });
});

describe("vrrp_startup_delay", () => {
  it("no claim before it is over, whatever is heard; adverts count meanwhile", () => {
    const router = new Router();
    router.at(0, { kind: "startup", faults: [], delay: us(10 * S) });
    expect(router.due).toBe(10);
    router.hear(1, { priority: 0 });
    expect(router.due).toBe(10);
    router.hear(8, { priority: 200 });
    expect(router.due).toBe(8 + DOWN);
    expect(router.fire()[1]).toEqual(BECOME_MASTER);
  });
  it("the owner waits too", () => {
    const router = new Router({ priority: 255 });
    expect(router.at(0, { kind: "startup", faults: [], delay: us(10 * S) })).toEqual(["INIT -> BACKUP"]);
    expect(router.fire()[0]).toBe(10);
    expect(router.state.reason).toBe("address owner (priority 255)");
  });
  it("a fault in between does not shorten it", () => {
    const router = new Router({ priority: 255 });
    router.at(0, { kind: "startup", faults: [LINK_DOWN], delay: us(10 * S) });
    expect(router.faults(5)).toEqual(["FAULT -> BACKUP"]);
    expect(router.due).toBe(10);
  });
  it("once over it is forgotten", () => {
    const router = new Router();
    router.at(0, { kind: "startup", faults: [], delay: us(S) });
    router.fire();
    router.hear(10, { priority: 200 });
    expect(router.due).toBe(10 + DOWN);
    router.hear(11, { priority: 0 });
    expect(router.due).toBe(11.609375);
  });
});

describe("effective priority changed at run time", () => {
  function change(router: Router, at: number, over: Parameters<typeof config>[0]): string[] {
    const before = router.config;
    router.config = config({ ...over });
    return router.at(at, { kind: "reconfigured", before });
  }
  it("keepalived: a backup's running timer moves by what the interval changed", () => {
    const router = Router.backup();
    router.hear(1, { priority: 200 });
    expect(change(router, 2, { priority: 228 })).toEqual([]);
    expect(router.due).toBe(1 + 3 + 28 / 256);
    router.hear(2.5, { priority: 0 });
    change(router, 2.5, { priority: 100 });
    expect(router.due).toBe(2.5 + 0.609375);
  });
  it("a master goes on in its rhythm with the new priority, and yields when it now has to", () => {
    const router = Router.master();
    expect(change(router, 4, { priority: 50 })).toEqual([]);
    expect(router.fire()).toEqual([DOWN + 1, ["send-advert 50"]]);
    expect(router.hear(5, { priority: 60 })).toEqual(["remove-addresses", "MASTER -> BACKUP"]);
  });
  it("a lowered backup lets a lower master be; a raised one preempts it", () => {
    const router = Router.backup();
    change(router, 1, { priority: 50 });
    expect(router.hear(2, { priority: 60 })).toEqual([]);
    change(router, 3, { priority: 70 });
    expect(router.hear(4, { priority: 60 })).toEqual(["note lower-master"]);
  });
  it("a shorter interval counts at once, for a master and for a v2 backup", () => {
    const master = Router.master({ advertInterval: us(20 * S), garpMasterDelay: us(0) });
    change(master, master.since + 1, { advertInterval: us(S), garpMasterDelay: us(0) });
    expect(master.due).toBeCloseTo(master.since + 2, 6);
    const backup = Router.backup({ advertInterval: us(20 * S) });
    change(backup, 1, { advertInterval: us(S) });
    expect(backup.due).toBeLessThanOrEqual(1 + DOWN);
  });
  it("never later than a full interval from now", () => {
    const router = Router.backup();
    router.hear(1, { priority: 0 });
    change(router, 1.5, { advertInterval: us(20 * S) });
    expect(router.due).toBeLessThanOrEqual(1.5 + 60 + 0.609375);
  });
});

describe("an operator's failover", () => {
  const release = { kind: "release", reason: "failover asked for" } as const;
  it("gives up with priority 0, and takes back if nobody takes over within the master-down interval", () => {
    const router = Router.master();
    expect(router.at(5, release)).toEqual(["send-advert 0", "remove-addresses", "MASTER -> BACKUP"]);
    expect(router.due).toBe(5 + DOWN);
    expect(router.fire()[1]).toEqual(BECOME_MASTER);
    expect(router.state.reason).toBe("nobody took over");
  });
  it("leaves the lower router that took over alone, until told to contend", () => {
    const router = Router.master();
    router.at(5, release);
    for (let at = 6; at < 20; at++) expect(router.hear(at, { priority: 50 })).toEqual([]);
    expect(router.at(20, { kind: "contend" })).toEqual([]);
    expect(router.hear(20, { priority: 50 })).toEqual(["note lower-master"]);
    expect(router.fire()).toEqual([19 + DOWN, BECOME_MASTER]);
  });
  it("takes over again when that router dies, and contends as ever afterwards", () => {
    const router = Router.master();
    router.at(5, release);
    router.hear(6, { priority: 50 });
    expect(router.fire()).toEqual([6 + DOWN, BECOME_MASTER]);
    router.hear(11, { priority: 200 });
    expect(router.hear(12, { priority: 50 })).toEqual(["note lower-master"]);
  });
  it("is nothing to a router that is not master", () => {
    expect(Router.backup().at(1, release)).toEqual([]);
    expect(Router.backup().at(1, { kind: "contend" })).toEqual([]);
  });
});

describe("a VIP taken away by somebody else (spec 3)", () => {
  const lost = { kind: "vip-lost", address: VIP } as const;
  it("is put back and announced at once", () => {
    const router = Router.master();
    expect(router.at(4, lost)).toEqual(["add-addresses", "announce 1"]);
    expect(router.at(5, lost)).toEqual(["add-addresses", "announce 1"]);
    expect(router.state.state).toBe("MASTER");
  });
  it("three times in 10 s: priority 0, FAULT with the reason, back to contend after 30 s", () => {
    const router = Router.master();
    router.at(4, lost);
    router.at(5, lost);
    expect(router.at(6, lost)).toEqual(["send-advert 0", "remove-addresses", "MASTER -> FAULT"]);
    expect(router.state.reason).toBe(`${VIP} was taken away 3 times in 10 s by somebody else`);
    expect(router.fire()).toEqual([36, ["FAULT -> BACKUP"]]);
    expect(router.state.reason).toBe("recovered: vip-lost gone");
  });
  it("three times in more than 10 s: never", () => {
    const router = Router.master();
    for (let at = 4; at < 60; at += 5.5) {
      for (let tick = at - 5; tick <= at; tick++) router.tick(tick);
      expect(router.at(at, lost)).toEqual(["add-addresses", "announce 1"]);
    }
  });
  it("faults from outside and the hold are both waited for, in either order", () => {
    const held = () => {
      const router = Router.master();
      for (const at of [4, 5, 6]) router.at(at, lost);
      return router;
    };
    const outsideFirst = held();
    outsideFirst.faults(10, LINK_DOWN);
    expect(outsideFirst.faults(20)).toEqual([]);
    expect(outsideFirst.due).toBe(36);
    expect(outsideFirst.fire()[1]).toEqual(["FAULT -> BACKUP"]);
    const holdFirst = held();
    holdFirst.faults(10, LINK_DOWN);
    expect(holdFirst.fire()).toEqual([36, []]);
    expect(holdFirst.due).toBeUndefined();
    expect(holdFirst.state.reason).toBe(LINK_DOWN.detail);
    expect(holdFirst.faults(40)).toEqual(["FAULT -> BACKUP"]);
  });
  it("is nothing to a router that is not master", () => {
    expect(Router.backup().at(1, lost)).toEqual([]);
  });
});

describe("a member of a sync group", () => {
  const group = { kind: "group-master", group: "G1" } as const;
  const member = () => {
    const router = new Router();
    router.config = { ...config(), grouped: true } as typeof router.config;
    router.start();
    return router;
  };
  it("keeps wanting when its timer is over, and becomes master when the group is ready", () => {
    const router = member();
    expect(router.fire()).toEqual([DOWN, []]);
    expect(router.due).toBeUndefined();
    expect(router.state).toMatchObject({ wish: { reason: "no master heard since start" } });
    expect(router.at(9, group)).toEqual(BECOME_MASTER);
    expect(router.state.reason).toBe("no master heard since start; sync group G1 is ready");
  });
  it("a master at least as good ends the wish, a lower one or one that leaves does not", () => {
    const router = member();
    router.fire();
    router.hear(5, { priority: 50 });
    router.hear(5, { priority: 0 });
    expect(router.state).toHaveProperty("wish");
    router.hear(6, { priority: 100 });
    expect(router.state).not.toHaveProperty("wish");
    expect(router.due).toBe(6 + DOWN);
    expect(router.at(7, group)).toEqual([]);
  });
  it("a pause ends the wish: a master may have been missed", () => {
    const router = member();
    router.fire();
    router.pause(10);
    expect(router.due).toBe(10 + DOWN);
  });
  it("falls back with the group, without priority 0", () => {
    const router = member();
    router.fire();
    router.at(4, group);
    expect(router.at(5, { kind: "group-backup", reason: "VI_2 fell back" })).toEqual([
      "remove-addresses",
      "MASTER -> BACKUP",
    ]);
    expect(router.due).toBe(5 + DOWN);
  });
  it("an owner waits for its group, without a down interval", () => {
    const router = new Router();
    router.config = { ...config({ priority: 255 }), grouped: true } as typeof router.config;
    expect(router.start()).toEqual(["INIT -> BACKUP"]);
    expect(router.due).toBeUndefined();
    expect(router.at(0, group)[0]).toBe("send-advert 255");
  });
  it("a wish is its own when the group is left", () => {
    const router = member();
    router.fire();
    const before = router.config;
    router.config = config();
    router.at(8, { kind: "reconfigured", before });
    expect(router.fire()).toEqual([8, BECOME_MASTER]);
  });
});

it("events of the edge after a sleep act on a backup, not on the stale master", () => {
  const asleep = ["remove-addresses", "MASTER -> BACKUP"];
  for (const event of [
    { kind: "vip-lost", address: VIP },
    { kind: "release", reason: "" },
    { kind: "group-backup", reason: "" },
    { kind: "reconfigured", before: config() },
  ] as const)
    expect(Router.master().at(60, event)).toEqual(asleep);
});

it("case 35: rank needs no more than priority and source", () => {
  const router = Router.master();
  const event = { kind: "advert", advert: advert({ source: HIGHER }), ownAddress: OWN } as const;
  expect(router.at(4, event)[0]).toBe("remove-addresses");
});
