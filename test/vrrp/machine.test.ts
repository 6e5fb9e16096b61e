/** The state machine: conformance cases 25 to 37 and 44 (RFC 5798 §6.4, RFC 3768 §6.4, RFC 9568 §6.4). */
import { describe, expect, it } from "vitest";
import { us } from "../../src/units.ts";
import { BECOME_MASTER, HIGHER, LOWER, OWN, Router, S } from "./support.ts";

const DOWN = 3.609375;
const SKEW = 0.609375;

describe("Initialize", () => {
  it("case 25: RFC 5798 6.4.1: the owner advertises, announces and is master at once", () => {
    const router = new Router({ priority: 255 });
    expect(router.start()).toEqual(["send-advert 255", "add-addresses", "announce 5", "INIT -> MASTER"]);
    expect(router.due).toBe(1);
  });
  it.each(["MASTER", "BACKUP"] as const)(
    "case 26: RFC 5798 6.4.1: anybody else, `state %s` too, listens for a down interval first",
    (initialState) => {
      const router = new Router({ initialState });
      expect(router.start(2)).toEqual(["INIT -> BACKUP"]);
      expect(router.due).toBe(2 + DOWN);
    },
  );
  it("RFC 5798 6.4.1: nothing but startup has an effect", () => {
    const router = new Router();
    const before = router.state;
    expect([
      router.tick(9),
      router.hear(9, { priority: 0 }),
      router.faults(9),
      router.pause(9),
      router.stop(9),
    ]).toEqual([[], [], [], [], []]);
    expect(router.state).toBe(before);
    expect(router.due).toBeUndefined();
  });
  it("a second startup changes nothing", () => {
    const router = Router.backup();
    expect(router.start(1)).toEqual([]);
    expect(router.due).toBe(DOWN);
  });
});

describe("Backup", () => {
  it("case 27: RFC 5798 6.4.2: priority 0 sets the timer to the skew time", () => {
    const router = Router.backup();
    expect(router.hear(1, { priority: 0 })).toEqual([]);
    expect(router.due).toBe(1 + SKEW);
    router.hear(1.3, { priority: 0 });
    expect(router.due).toBe(1.3 + SKEW);
  });
  it("case 27: in v3 the skew follows the adopted interval", () => {
    const router = Router.backup({ version: 3 });
    router.hear(1, { priority: 200, interval: us(2 * S) });
    router.hear(2, { priority: 0, interval: us(S) });
    expect(router.due).toBe(2 + 2 * SKEW);
  });
  it("case 28: RFC 5798 6.4.2: an equal or higher priority resets the timer, whatever the address", () => {
    const router = Router.backup();
    for (const [at, priority, source] of [
      [1, 100, LOWER],
      [2, 101, LOWER],
      [3, 100, HIGHER],
      [4, 255, OWN],
    ] as const) {
      expect(router.hear(at, { priority, source })).toEqual([]);
      expect(router.due).toBe(at + DOWN);
    }
  });
  it("case 28: RFC 5798 6.4.2: without preempt a lower priority resets it too", () => {
    const router = Router.backup({ preempt: false });
    expect(router.hear(3, { priority: 1 })).toEqual([]);
    expect(router.due).toBe(3 + DOWN);
  });
  it("case 28: RFC 5798 6.4.2: v3 adopts the master's interval", () => {
    const router = Router.backup({ version: 3 });
    router.hear(1, { priority: 200, interval: us(10 * S) });
    expect(router.due).toBe(1 + 10 * DOWN);
    router.hear(2, { priority: 200, interval: us(S / 10) });
    expect(router.due).toBe(2.360937);
  });
  it("case 28: RFC 3768 6.4.2: v2 keeps its own", () => {
    const router = Router.backup();
    router.hear(1, { priority: 200, interval: us(10 * S) });
    expect(router.due).toBe(1 + DOWN);
  });
  it("case 29: RFC 5798 6.4.2: with preempt a lower priority is discarded, the timer not reset", () => {
    const router = Router.backup({ version: 3 });
    expect(router.hear(1, { priority: 99, interval: us(9 * S) })).toEqual(["note lower-master"]);
    expect(router.due).toBe(DOWN);
    expect(router.fire()[1]).toEqual(BECOME_MASTER);
  });
  it("case 30: RFC 5798 6.4.2: timer: advert first, then addresses, then ARP, then the report", () => {
    expect(Router.backup().tick(DOWN)).toEqual(BECOME_MASTER);
  });
  it("case 30: not a microsecond early", () => {
    const router = Router.backup();
    expect(router.tick(DOWN - 0.000001)).toEqual([]);
    expect(router.state.state).toBe("BACKUP");
  });
  it("case 30: v3 goes back to its own interval as master", () => {
    const router = Router.backup({ version: 3 });
    router.hear(1, { priority: 200, interval: us(10 * S) });
    const [at] = router.fire();
    expect(router.due).toBe(at + 1);
  });
  it("case 31: RFC 5798 6.4.2: shutdown sends nothing", () => {
    const router = Router.backup();
    expect(router.stop(1)).toEqual(["BACKUP -> INIT"]);
    expect(router.due).toBeUndefined();
  });
  it("case 32: RFC 5798 6.4.2: a backup neither holds nor announces the addresses", () => {
    const router = Router.backup();
    const said = [
      router.hear(1, { priority: 0 }),
      router.hear(1.1, { priority: 200 }),
      router.hear(1.2, { priority: 1 }),
      router.tick(2),
      router.pause(3),
      router.faults(4),
    ].flat();
    expect(said).toEqual(["note lower-master"]);
  });
  it("the reason of a takeover says what was last heard", () => {
    const silent = Router.master();
    expect(silent.state.reason).toBe("no master heard since start");
    const after = Router.backup();
    after.hear(1, { priority: 200 });
    after.fire();
    expect(after.state.reason).toBe("last advertisement of 192.0.2.12 (priority 200) heard 3.609 s ago");
    const lower = Router.backup();
    lower.hear(3, { priority: 50 });
    lower.fire();
    expect(lower.state.reason).toBe("preempting 192.0.2.12 (priority 50)");
    const given = Router.backup();
    given.hear(1, { priority: 0 });
    given.fire();
    expect(given.state.reason).toBe("192.0.2.12 gave up mastership (priority 0) 0.609 s ago");
  });
});

describe("Master", () => {
  it("case 33: RFC 5798 6.4.3: timer: advert, rearm", () => {
    const router = Router.master();
    for (let n = 1; n <= 4; n++) expect(router.fire()).toEqual([DOWN + n, ["send-advert 100"]]);
  });
  it("case 33: lateness does not add up: the rhythm stays that of the plan", () => {
    const router = Router.master();
    for (let n = 1; n <= 4; n++) {
      expect(router.tick(DOWN + n + 0.3)).toEqual(["send-advert 100"]);
      expect(router.due).toBe(DOWN + n + 1);
    }
  });
  it("case 33: more than an interval late: one advert, not a burst, and a rhythm from now", () => {
    const router = Router.master();
    expect(router.tick(DOWN + 3.2)).toEqual(["send-advert 100"]);
    expect(router.due).toBeCloseTo(DOWN + 4.2, 6);
  });
  it("case 34: RFC 5798 6.4.3: priority 0: advert, rearm", () => {
    const router = Router.master();
    expect(router.hear(DOWN + 0.5, { priority: 0 })).toEqual(["send-advert 100"]);
    expect(router.due).toBe(DOWN + 1.5);
  });
  it("case 35: RFC 5798 6.4.3: a higher priority: addresses removed, no priority 0, Backup", () => {
    const router = Router.master();
    expect(router.hear(5, { priority: 101, source: LOWER })).toEqual([
      "remove-addresses",
      "MASTER -> BACKUP",
    ]);
    expect(router.due).toBe(5 + DOWN);
    expect(router.state.reason).toBe("192.0.2.9 advertises priority 101 (higher priority)");
  });
  it("case 35: equal priority: the greater address wins, compared as numbers (RFC 5798 6.4.3)", () => {
    const yields = (source: string) => Router.master().hear(5, { source })[0] === "remove-addresses";
    expect(["192.0.2.12", "192.0.10.1", "200.0.0.1", "224.0.0.1"].map(yields)).toEqual(Array(4).fill(true));
    expect(["192.0.2.9", "10.200.200.200", "99.0.0.1", "2.255.255.255"].map(yields)).toEqual(
      Array(4).fill(false),
    );
  });
  it("case 35: even with nopreempt", () => {
    const router = Router.master({ preempt: false });
    expect(router.hear(5, { priority: 101 })).toEqual(["remove-addresses", "MASTER -> BACKUP"]);
  });
  it("case 35: v3 adopts the winner's interval", () => {
    const router = Router.master({ version: 3 });
    router.hear(5, { priority: 101, interval: us(2 * S) });
    expect(router.due).toBe(5 + 2 * DOWN);
  });
  it("case 14: erratum 8298: of two owners the higher address wins", () => {
    const owner = (source: string) =>
      Router.master({ priority: 255 }).hear(0.5, { priority: 255, source, notes: ["owner-conflict"] });
    expect(owner(HIGHER)).toEqual(["note owner-conflict", "remove-addresses", "MASTER -> BACKUP"]);
    expect(owner(LOWER).slice(0, 2)).toEqual(["note owner-conflict", "send-advert 255"]);
  });
  it("case 36: RFC 9568 6.4.3: a loser is answered at once, with ARP again; the rhythm stays", () => {
    const router = Router.master();
    const answer = ["send-advert 100", "announce 5", "note lower-master"];
    expect(router.hear(4, { priority: 99 })).toEqual(answer);
    expect(router.hear(4, { priority: 100, source: LOWER })).toEqual(answer);
    expect(router.due).toBe(DOWN + 1);
  });
  it("case 37: RFC 5798 6.4.3: shutdown: priority 0, addresses removed, Initialize", () => {
    const router = Router.master();
    expect(router.stop(5)).toEqual(["send-advert 0", "remove-addresses", "MASTER -> INIT"]);
    expect(router.due).toBeUndefined();
  });
  it("case 44: equal priority and equal address: noted, no answer (no storm), no flapping", () => {
    const router = Router.master();
    const due = router.due;
    for (let n = 0; n < 5; n++) expect(router.hear(4, { source: OWN })).toEqual(["note same-address"]);
    expect([router.state.state, router.due]).toEqual(["MASTER", due]);
  });
  it("cases 27, 34: two masters that both leave are each answered once per packet, never by each other", () => {
    // An answer carries our priority; only priority 0 or a loser is answered, so answers end the exchange.
    const [a, b] = [Router.master({ priority: 150 }), Router.master({ priority: 100 })];
    expect(a.hear(4, { priority: 100 })[0]).toBe("send-advert 150");
    expect(b.hear(4, { priority: 150 })).toEqual(["remove-addresses", "MASTER -> BACKUP"]);
    expect(b.hear(4, { priority: 150 })).toEqual([]);
  });
});
