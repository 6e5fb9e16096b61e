/** keepalived's tracker arithmetic (spec section 3), each figure as keepalived 2.2.7 computed it where marked. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TrackRef } from "../../src/config/model.ts";
import { effectivePriority, type TrackerState, type TrackerStatus } from "../../src/vrrp/priority.ts";
import { countResult, startRiseFall } from "../../src/vrrp/rise-fall.ts";

type Over = Partial<TrackRef> & { readonly value?: number; readonly detail?: string };
function tracker(status: TrackerStatus, { value, detail, ...over }: Over = {}): TrackerState {
  return {
    ref: { kind: "interface", name: "eth1", reverse: false, ...over },
    status,
    ...(value === undefined ? {} : { value }),
    ...(detail === undefined ? {} : { detail }),
  };
}
const file = (value: number, over: Over = {}) => tracker("good", { kind: "file", name: "f", value, ...over });
const priority = (...trackers: TrackerState[]) => effectivePriority(100, trackers).priority;
const faults = (...trackers: TrackerState[]) =>
  effectivePriority(100, trackers).faults.map(({ detail }) => detail);

describe("weights", () => {
  it("+w adds when good, -w subtracts when bad, unknown does neither", () => {
    const by = (weight: number) =>
      (["good", "bad", "unknown"] as const).map((status) => priority(tracker(status, { weight })));
    expect(by(10)).toEqual([110, 100, 100]);
    expect(by(-10)).toEqual([100, 90, 100]);
  });
  it("keepalived 2.2.7: reverse turns the adjustment round, not the moment it applies", () => {
    const by = (weight: number) =>
      (["good", "bad"] as const).map((status) => priority(tracker(status, { weight, reverse: true })));
    expect(by(10)).toEqual([90, 100]);
    expect(by(-10)).toEqual([100, 110]);
  });
  it("the sum is clamped to 1..254, at the end and not on the way", () => {
    expect(priority(tracker("good", { weight: 253 }))).toBe(254);
    expect(priority(tracker("bad", { weight: -253 }))).toBe(1);
    expect(priority(tracker("good", { weight: 253 }), tracker("bad", { weight: -200 }))).toBe(153);
  });
  it("an address owner keeps 255 whatever its weighted trackers say, but unweighted ones fault it", () => {
    expect(effectivePriority(255, [tracker("bad", { weight: -50 })])).toMatchObject({
      priority: 255,
      faults: [],
    });
    expect(effectivePriority(255, [tracker("bad")]).faults).toHaveLength(1);
  });
  it("each tracker's part is told", () => {
    expect(effectivePriority(100, [tracker("good", { weight: 10 }), file(-3), tracker("bad")])).toEqual({
      base: 100,
      priority: 107,
      parts: [
        { kind: "interface", name: "eth1", status: "good", adds: 10, faults: false },
        { kind: "file", name: "f", status: "good", value: -3, adds: -3, faults: false },
        { kind: "interface", name: "eth1", status: "bad", adds: 0, faults: true },
      ],
      faults: [{ kind: "tracker", detail: "tracked interface eth1 is down" }],
    });
  });
});

describe("without a weight", () => {
  it("bad is FAULT, good is not; weight 0 is no weight; reversed it is the other way round", () => {
    expect(
      faults(tracker("good"), tracker("good", { weight: 0 }), tracker("bad", { reverse: true })),
    ).toEqual([]);
    expect(faults(tracker("bad"))).toEqual(["tracked interface eth1 is down"]);
    expect(faults(tracker("bad", { weight: 0, detail: "no carrier" }))).toEqual([
      "tracked interface eth1: no carrier",
    ]);
    expect(faults(tracker("good", { reverse: true }))).toEqual(["tracked interface eth1 is up (reverse)"]);
  });
  it("a script or gateway holds the instance down until its first result; an interface does not", () => {
    expect(faults(tracker("unknown", { kind: "script", name: "chk" }))).toEqual([
      "tracked script chk has no result yet",
    ]);
    expect(faults(tracker("unknown", { kind: "script", name: "chk", reverse: true }))).toHaveLength(1);
    expect(faults(tracker("unknown", { kind: "gateway", name: "gw" }))).toHaveLength(1);
    expect(faults(tracker("unknown"), tracker("unknown", { kind: "virtual_server", name: "v" }))).toEqual([]);
    expect(faults(tracker("unknown", { kind: "script", name: "chk", weight: 5 }))).toEqual([]);
  });
});

describe("files", () => {
  it("keepalived 2.2.7: the value times the weight is added; reverse changes its sign", () => {
    expect(priority(file(5, { weight: 2 }))).toBe(110);
    expect(priority(file(5, { weight: 2, reverse: true }))).toBe(90);
    expect(priority(file(-7))).toBe(93);
  });
  it("-254 and below is FAULT, -253 is priority 1", () => {
    expect([faults(file(-253)), priority(file(-253))]).toEqual([[], 1]);
    expect(faults(file(-127, { weight: 2 }))).toEqual(["tracked file f says -127"]);
    expect(faults(file(-254))).toEqual(["tracked file f says -254"]);
    expect(faults(file(127, { weight: 2, reverse: true }))).toHaveLength(1);
  });
  it("keepalived 2.2.7: with weight 0 anything but 0 is FAULT", () => {
    expect(faults(file(0, { weight: 0 }))).toEqual([]);
    expect(faults(file(7, { weight: 0 }))).toEqual(["tracked file f says 7"]);
  });
  it("a file that cannot be read has no part", () => {
    expect(effectivePriority(100, [tracker("unknown", { kind: "file", name: "f" })])).toMatchObject({
      priority: 100,
      faults: [],
    });
  });
});

describe("laws", () => {
  it("the priority is always 1..254 (255 for an owner) and the same in any order of trackers", () => {
    const trackers = fc.array(
      fc
        .record({
          weight: fc.option(fc.integer({ min: -253, max: 253 }), { nil: undefined }),
          reverse: fc.boolean(),
          kind: fc.constantFrom("interface" as const, "script" as const, "file" as const),
          value: fc.integer({ min: -1000, max: 1000 }),
          status: fc.constantFrom("good" as const, "bad" as const, "unknown" as const),
        })
        .map(({ status, weight, ...over }) =>
          tracker(status, { ...over, ...(weight === undefined ? {} : { weight }) }),
        ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 255 }), trackers, (base, list) => {
        const result = effectivePriority(base, list);
        expect(result.priority).toBeGreaterThanOrEqual(1);
        if (base === 255) expect(result.priority).toBe(255);
        else expect(result.priority).toBeLessThanOrEqual(254);
        expect(effectivePriority(base, list.toReversed()).priority).toBe(result.priority);
        expect(result.parts).toHaveLength(list.length);
      }),
    );
  });
});

describe("keepalived rise and fall", () => {
  const run = (text: string, limits: { rise: number; fall: number }, start = startRiseFall()) => {
    const seen = [];
    let state = start;
    for (const letter of text) {
      state = countResult(state, letter === "+", limits);
      seen.push(state.status === "good" ? "+" : state.status === "bad" ? "-" : "?");
    }
    return seen.join("");
  };
  it("the first result counts at once, whichever it is", () => {
    expect(run("+", { rise: 3, fall: 3 })).toBe("+");
    expect(run("-", { rise: 3, fall: 3 })).toBe("-");
  });
  it("afterwards `fall` failures or `rise` successes in a row are needed", () => {
    expect(run("+--+---++-+++", { rise: 3, fall: 3 })).toBe("++++++------+");
  });
  it("1 means at once", () => {
    expect(run("+-+-", { rise: 1, fall: 1 })).toBe("+-+-");
  });
  it("init_fail: bad until `rise` successes", () => {
    expect(startRiseFall(true).status).toBe("bad");
    expect(run("++-++", { rise: 2, fall: 2 }, startRiseFall(true))).toBe("-++++");
  });
});
