/** What keepalived adds to the RFC's machine: preempt_delay, FAULT, ARP rounds; and sleep, resume, reload. */
import { describe, expect, it } from "vitest";
import { us } from "../../src/units.ts";
import { BECOME_MASTER, config, LINK_DOWN, NO_ADDRESS, Router, S } from "./support.ts";

const DOWN = 3.609375;
const LEAVE = ["send-advert 0", "remove-addresses"];

describe("keepalived preempt_delay", () => {
  it.each([2, 3] as const)(
    "v%i: a lower master is left alone until the delay is over, then preempted",
    (version) => {
      const router = Router.backup({ version, preemptDelay: us(5 * S) });
      for (let at = 1; at < 6; at++) {
        expect(router.hear(at, { priority: 50 })).toEqual([]);
        expect(router.due).toBe(at + DOWN);
      }
      // From here on case 29 holds: discarded, the timer runs on from the last reset at 5 s.
      for (const at of [6, 7, 8]) expect(router.hear(at, { priority: 50 })).toEqual(["note lower-master"]);
      expect(router.fire()).toEqual([5 + DOWN, BECOME_MASTER]);
    },
  );
  it("v3: the interval of the lower master is adopted while the delay runs", () => {
    const router = Router.backup({ version: 3, preemptDelay: us(60 * S) });
    router.hear(1, { priority: 50, interval: us(2 * S) });
    expect(router.due).toBe(1 + 2 * DOWN);
  });
  it("the delay starts anew after a master at least as good", () => {
    const router = Router.backup({ preemptDelay: us(5 * S) });
    router.hear(1, { priority: 50 });
    router.hear(4, { priority: 100 });
    router.hear(6, { priority: 50 });
    expect(router.hear(10, { priority: 50 })).toEqual([]);
    expect(router.hear(11, { priority: 50 })).toEqual(["note lower-master"]);
  });
  it("a silent or leaving master is replaced without waiting for it", () => {
    const silent = Router.backup({ preemptDelay: us(1000 * S) });
    silent.hear(1, { priority: 50 });
    expect(silent.fire()).toEqual([1 + DOWN, BECOME_MASTER]);
    const leaving = Router.backup({ preemptDelay: us(1000 * S) });
    leaving.hear(1, { priority: 50 });
    leaving.hear(2, { priority: 0 });
    expect(leaving.fire()).toEqual([2.609375, BECOME_MASTER]);
  });
});

describe("FAULT", () => {
  it("from Master: priority 0 first, then the addresses, then the report", () => {
    const router = Router.master();
    expect(router.faults(5, LINK_DOWN)).toEqual([...LEAVE, "MASTER -> FAULT"]);
    expect(router.due).toBeUndefined();
    expect(router.state.reason).toBe(LINK_DOWN.detail);
  });
  it("from Backup: silently", () => {
    expect(Router.backup().faults(1, LINK_DOWN)).toEqual(["BACKUP -> FAULT"]);
  });
  it("hears nothing and does nothing until it is healthy again", () => {
    const router = Router.master();
    router.faults(5, LINK_DOWN);
    const before = router.state;
    expect(
      [
        router.hear(6, { priority: 0 }),
        router.hear(6, { priority: 200 }),
        router.tick(60),
        router.pause(61),
      ].flat(),
    ).toEqual([]);
    expect(router.state).toBe(before);
  });
  it("recovers to Backup with a full down interval", () => {
    const router = Router.backup();
    router.faults(1, LINK_DOWN);
    expect(router.faults(9)).toEqual(["FAULT -> BACKUP"]);
    expect(router.due).toBe(9 + DOWN);
    expect(router.state.reason).toBe("recovered: interface-down gone");
  });
  it("the owner recovers straight to Master", () => {
    const router = Router.master({ priority: 255 });
    router.faults(1, LINK_DOWN);
    expect(router.faults(2)).toEqual(["send-advert 255", "add-addresses", "announce 5", "FAULT -> MASTER"]);
  });
  it("a changed set of faults is no transition, but the reason follows", () => {
    const router = Router.backup();
    router.faults(1, LINK_DOWN);
    expect(router.faults(2, LINK_DOWN, NO_ADDRESS)).toEqual([]);
    expect(router.state.reason).toBe(`${LINK_DOWN.detail}; ${NO_ADDRESS.detail}`);
    expect(router.since).toBe(1);
  });
  it("startup with faults goes straight to FAULT, the owner too", () => {
    expect(new Router().start(0, [LINK_DOWN])).toEqual(["INIT -> FAULT"]);
    expect(new Router({ priority: 255 }).start(0, [LINK_DOWN])).toEqual(["INIT -> FAULT"]);
  });
  it("faults before startup are for startup to bring", () => {
    const router = new Router();
    expect(router.faults(1, LINK_DOWN)).toEqual([]);
    expect(router.start(2)).toEqual(["INIT -> BACKUP"]);
  });
  it("shutdown from FAULT has nothing to give up", () => {
    const router = Router.master();
    router.faults(5, LINK_DOWN);
    expect(router.stop(6)).toEqual(["FAULT -> INIT"]);
  });
  it("no faults reported to a healthy router: nothing", () => {
    expect(Router.backup().faults(1)).toEqual([]);
    expect(Router.master().faults(4)).toEqual([]);
  });
});

describe("gratuitous ARP rounds", () => {
  it("keepalived garp_master_delay: a second round, once", () => {
    const router = Router.master({ garpMasterDelay: us(1_500_000) });
    expect(router.fire()).toEqual([DOWN + 1, ["send-advert 100"]]);
    expect(router.fire()).toEqual([DOWN + 1.5, ["announce 5"]]);
    for (let n = 2; n <= 10; n++) expect(router.fire()).toEqual([DOWN + n, ["send-advert 100"]]);
  });
  it("keepalived garp_master_delay 0: no second round", () => {
    const router = Router.master({ garpMasterDelay: us(0) });
    for (let n = 1; n <= 3; n++) expect(router.fire()).toEqual([DOWN + n, ["send-advert 100"]]);
  });
  it("keepalived garp_master_repeat sets the number of both rounds", () => {
    const router = Router.backup({ garpMasterRepeat: 2, garpMasterDelay: us(S / 2) });
    expect(router.fire()[1]).toContain("announce 2");
    expect(router.fire()[1]).toEqual(["announce 2"]);
  });
  it("keepalived garp_master_refresh: again and again, with its own repeat", () => {
    const over = { garpMasterDelay: us(0), garpMasterRefresh: us(2_500_000), garpMasterRefreshRepeat: 3 };
    const router = Router.master(over);
    const rounds: number[] = [];
    while (rounds.length < 3) {
      const [at, actions] = router.fire();
      if (actions.includes("announce 3")) rounds.push(at - DOWN);
    }
    expect(rounds).toEqual([2.5, 5, 7.5]);
  });
  it("rounds end with mastership", () => {
    const router = Router.master({ garpMasterRefresh: us(S) });
    router.hear(4, { priority: 200 });
    expect(router.tick(5)).toEqual([]);
  });
});

describe("sleep", () => {
  it("spec 4: a master asleep for a down interval leaves before acting on the event, without priority 0", () => {
    const router = Router.master();
    expect(router.hear(DOWN * 2 + 1, { priority: 50 })).toEqual([
      "remove-addresses",
      "MASTER -> BACKUP",
      "note lower-master",
    ]);
    expect(router.state.reason).toBe("asleep for 4.609 s");
    expect(router.due).toBeCloseTo(DOWN * 3 + 1, 6);
  });
  it("spec 4: the same on a timer; not for less than a down interval", () => {
    const router = Router.master();
    expect(router.tick(DOWN * 2 + 0.000001)).toEqual(["remove-addresses", "MASTER -> BACKUP"]);
    expect(Router.master().tick(DOWN * 2)).toEqual(["send-advert 100"]);
  });
  it("spec 4: asleep and then at fault: two transitions, still no priority 0", () => {
    const router = Router.master();
    expect(router.faults(60, LINK_DOWN)).toEqual(["remove-addresses", "MASTER -> BACKUP", "BACKUP -> FAULT"]);
  });
  it("case 37: shutdown after a sleep still gives everything up", () => {
    expect(Router.master().stop(60)).toEqual([...LEAVE, "MASTER -> INIT"]);
  });
  it("spec 4: a backup whose timer is later than a down interval listens again", () => {
    const router = Router.backup();
    expect(router.tick(DOWN * 2 + 0.000001)).toEqual([]);
    expect(router.due).toBeCloseTo(DOWN * 3, 5);
    expect(router.fire()[1]).toEqual(BECOME_MASTER);
    expect(Router.backup().tick(DOWN * 2)).toEqual(BECOME_MASTER);
  });
  it("spec 4: a pause reported by the clocks: master to Backup without priority 0", () => {
    const router = Router.master();
    expect(router.pause(4)).toEqual(["remove-addresses", "MASTER -> BACKUP"]);
    expect(router.state.reason).toBe("paused: suspended");
    expect(router.due).toBe(4 + DOWN);
  });
  it("spec 4: a pause as backup: a full down interval of the master it follows", () => {
    const router = Router.backup({ version: 3 });
    router.pause(3);
    expect(router.due).toBe(3 + DOWN);
    router.hear(4, { priority: 200, interval: us(10 * S) });
    router.pause(5);
    expect(router.due).toBe(5 + 10 * DOWN);
  });
});

describe("resume after a restart of the process", () => {
  it("spec 4: goes on as master and advertises at once", () => {
    const router = new Router();
    expect(router.at(7, { kind: "startup", faults: [], resume: true })).toEqual([
      "send-advert 100",
      "add-addresses",
      "announce 5",
      "INIT -> MASTER",
    ]);
    expect(router.due).toBe(8);
  });
  it("not while something is wrong", () => {
    const router = new Router();
    expect(router.at(7, { kind: "startup", faults: [LINK_DOWN], resume: true })).toEqual(["INIT -> FAULT"]);
  });
});

describe("reload: a master stays master", () => {
  it("a much shorter advert_int does not make the past look like sleep", () => {
    const router = Router.master({ advertInterval: us(20 * S), garpMasterDelay: us(0) });
    const now = router.since + 15;
    router.config = config({ garpMasterDelay: us(0) });
    // The edge brings the next advert forward to one new interval from now.
    if (router.state.state === "MASTER") router.state = { ...router.state, advertAt: us((now + 1) * S) };
    expect(router.fire()).toEqual([now + 1, ["send-advert 100"]]);
    expect(router.due).toBe(now + 2);
    expect(router.tick(now + 1 + DOWN + 0.1)).toEqual(["remove-addresses", "MASTER -> BACKUP"]);
  });
  it("garp_master_refresh switched off: one tick clears its timer, no ARP at every tick", () => {
    const router = Router.master({ garpMasterRefresh: us(2 * S), garpMasterDelay: us(0) });
    router.config = config({ garpMasterDelay: us(0) });
    for (let n = 1; n <= 5; n++) expect(router.fire()).toEqual([DOWN + n, ["send-advert 100"]]);
  });
  it("garp_master_refresh switched on: begins with the next advert", () => {
    const router = Router.master({ garpMasterDelay: us(0) });
    router.config = config({ garpMasterDelay: us(0), garpMasterRefresh: us(1_500_000) });
    const said = Array.from({ length: 5 }, () => router.fire());
    expect(said.filter(([, actions]) => actions.includes("announce 1")).map(([at]) => at - DOWN)).toEqual([
      2.5, 4,
    ]);
  });
});
