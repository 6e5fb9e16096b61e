/** Laws of one VRRP instance under any sequence of events (RFC 5798 §6.4 and spec section 3). */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Microseconds, us } from "../../src/units.ts";
import {
  type Action,
  type Event,
  type InstanceState,
  initialState,
  type MachineConfig,
  nextDeadline,
  step,
} from "../../src/vrrp/machine.ts";
import { VIP_LOST_HOLD } from "../../src/vrrp/master.ts";
import { masterDownInterval } from "../../src/vrrp/timing.ts";
import { advert, config, HIGHER, LINK_DOWN, LOWER, NO_ADDRESS, OWN, VIP } from "../vrrp/support.ts";

const interval = fc.constantFrom(10_000, 100_000, 1_000_000, 40_950_000);
const configs: fc.Arbitrary<MachineConfig> = fc
  .record({
    version: fc.constantFrom(2 as const, 3 as const),
    priority: fc.constantFrom(1, 99, 100, 254, 255),
    advertInterval: interval.map(us),
    preempt: fc.boolean(),
    preemptDelay: fc.constantFrom(0, 2_000_000).map(us),
    downTimerAdverts: fc.constantFrom(1, 3, 10),
    garpMasterDelay: fc.constantFrom(0, 700_000).map(us),
    garpMasterRefresh: fc.constantFrom(0, 300_000).map(us),
    lowerPriorityNoAdvert: fc.boolean(),
    higherPrioritySendAdvert: fc.boolean(),
    grouped: fc.constantFrom(false, false, true),
  })
  .map(({ grouped, ...over }) => ({ ...config(over), grouped }));

const adverts = fc.record({
  source: fc.constantFrom(LOWER, OWN, HIGHER),
  priority: fc.constantFrom(0, 1, 99, 100, 101, 254, 255),
  interval: interval.map(us),
});
const faults = fc.constantFrom([], [LINK_DOWN], [LINK_DOWN, NO_ADDRESS]);
const events: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("startup" as const), faults, resume: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: adverts.map((over) => ({ kind: "advert" as const, advert: advert(over), ownAddress: OWN })),
  },
  { weight: 8, arbitrary: fc.constant({ kind: "tick" as const }) },
  { weight: 2, arbitrary: faults.map((list) => ({ kind: "faults" as const, faults: list })) },
  { weight: 1, arbitrary: fc.constant({ kind: "paused" as const, detail: "suspended" }) },
  { weight: 1, arbitrary: fc.constant({ kind: "shutdown" as const, reason: "stopped" }) },
  { weight: 2, arbitrary: fc.constant({ kind: "vip-lost" as const, address: VIP }) },
  { weight: 1, arbitrary: fc.constant({ kind: "release" as const, reason: "failover" }) },
  { weight: 1, arbitrary: fc.constant({ kind: "contend" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "group-master" as const, group: "G" }) },
  { weight: 1, arbitrary: fc.constant({ kind: "group-backup" as const, reason: "another fell back" }) },
);
/** How long before the next event: some time, or until exactly the next deadline. */
const waits = fc.oneof(fc.constant("deadline" as const), fc.nat(5_000_000), fc.constant(500_000_000));
const runs = fc.array(fc.tuple(waits, events), { maxLength: 60 });

interface Taken {
  readonly before: InstanceState;
  readonly event: Event;
  readonly now: Microseconds;
  readonly state: InstanceState;
  readonly actions: readonly Action[];
}

function everyStep(check: (taken: Taken, own: MachineConfig) => void): void {
  fc.assert(
    fc.property(configs, runs, (own, run) => {
      let now = us(1_000_000);
      let before = initialState(now);
      const start: [number | "deadline", Event] = [0, { kind: "startup", faults: [] }];
      for (const [wait, event] of [start, ...run]) {
        const deadline = nextDeadline(before) ?? now;
        now = us(wait === "deadline" ? Math.max(now, deadline) : now + wait);
        const { state, actions } = step(Object.freeze(before), event, now, Object.freeze(own));
        check({ before, event, now, state, actions }, own);
        before = state;
      }
    }),
    { numRuns: 300 },
  );
}

const isTransition = (action: Action) => action.kind === "transition";
const indexOf = (actions: readonly Action[], kind: Action["kind"]) =>
  actions.findIndex((action) => action.kind === kind);

describe("laws of one instance", () => {
  it("addresses are held exactly while it is master: added on the way in, removed on the way out", () => {
    everyStep(({ before, state, actions }) => {
      let held = before.state === "MASTER";
      for (const { kind } of actions) {
        if (kind === "add-addresses") held = true;
        if (kind === "remove-addresses") held = false;
        // An ARP for an address that is not there would draw traffic into nothing (case 41).
        if (kind === "announce") expect(held).toBe(true);
      }
      expect(held).toBe(state.state === "MASTER");
    });
  });

  it("every change of state is reported, in an unbroken chain, once; twice only after sleep", () => {
    everyStep(({ before, state, actions }) => {
      let at = before.state;
      const transitions = actions.filter(isTransition);
      for (const action of transitions) {
        expect(action.from).toBe(at);
        expect(action.to).not.toBe(at);
        expect(action.reason).not.toBe("");
        at = action.to;
      }
      expect(at).toBe(state.state);
      expect(transitions.length).toBeLessThanOrEqual(2);
      if (transitions.length === 2) expect(transitions[0]).toMatchObject({ from: "MASTER", to: "BACKUP" });
      if (transitions.length === 0) expect(state.since).toBe(before.since);
    });
  });

  it("order: advert, addresses, ARP, report on the way in; removal before the report on the way out", () => {
    everyStep(({ state, actions }) => {
      const report = indexOf(actions, "transition");
      // Without a transition it is a VIP put back.
      if (indexOf(actions, "add-addresses") >= 0 && report >= 0) {
        const kinds = actions.map(({ kind }) => kind).filter((kind) => kind !== "note");
        expect(kinds.slice(-4)).toEqual(["send-advert", "add-addresses", "announce", "transition"]);
        expect(state.state).toBe("MASTER");
      }
      if (indexOf(actions, "remove-addresses") >= 0)
        expect(indexOf(actions, "remove-addresses")).toBeLessThan(report);
    });
  });

  it("adverts: its own priority only as master; priority 0 only when giving up, never to a better router", () => {
    everyStep(({ before, event, state, actions }, own) => {
      for (const action of actions) {
        if (action.kind !== "send-advert") continue;
        expect([0, own.priority]).toContain(action.priority);
        const parting = own.higherPrioritySendAdvert === true && event.kind === "advert";
        if (action.priority > 0) expect(parting ? before.state : state.state).toBe("MASTER");
        else {
          expect(before.state).toBe("MASTER");
          expect(event.kind === "release" ? ["BACKUP"] : ["FAULT", "INIT"]).toContain(state.state);
          expect(["faults", "shutdown", "release", "vip-lost"]).toContain(event.kind);
        }
      }
      // One answer to one packet, or none: otherwise two routers could feed each other.
      expect(actions.filter(({ kind }) => kind === "send-advert").length).toBeLessThanOrEqual(1);
    });
  });

  it("FAULT and Initialize run no timer, hear nothing, and are left only by their own events", () => {
    everyStep(({ before, event, state, actions }) => {
      const held = (faulty: InstanceState) => faulty.state === "FAULT" && faulty.holdUntil !== undefined;
      if ((state.state === "FAULT" && !held(state)) || state.state === "INIT")
        expect(nextDeadline(state)).toBeUndefined();
      // The machine's own fault (a stolen VIP) ends by its own timer.
      const ends = held(before) ? ["tick"] : [];
      const leaves = { FAULT: ["faults", "shutdown", ...ends], INIT: ["startup"] }[
        before.state as "FAULT" | "INIT"
      ];
      if (!leaves || leaves.includes(event.kind)) return;
      expect(actions).toEqual([]);
      expect(state).toEqual(before);
    });
  });

  it("timers: after a tick the next deadline lies ahead, and never further than the configuration allows", () => {
    everyStep(({ event, now, state }, own) => {
      const deadline = nextDeadline(state);
      if (deadline === undefined) return;
      if (event.kind === "tick") expect(deadline).toBeGreaterThan(now);
      const furthest =
        state.state === "BACKUP"
          ? masterDownInterval(own, own.priority, state.masterInterval)
          : state.state === "FAULT"
            ? VIP_LOST_HOLD
            : own.advertInterval;
      expect(deadline).toBeLessThanOrEqual(now + furthest);
      expect(Number.isSafeInteger(deadline)).toBe(true);
      expect(state.since).toBeLessThanOrEqual(now);
    });
  });

  it("a backup's timer moves back only for priority 0 (case 27) or a changed v3 interval (case 28)", () => {
    everyStep(({ before, event, state }) => {
      if (before.state !== "BACKUP" || state.state !== "BACKUP" || state.downAt >= before.downAt) return;
      if (event.kind !== "advert") throw new Error(`${event.kind} shortened the timer`);
      const cause = event.advert.priority === 0 || state.masterInterval < before.masterInterval;
      expect(cause).toBe(true);
    });
  });

  it("a member of a sync group becomes master only by its group's word, or resumed", () => {
    everyStep(({ before, event, state }, own) => {
      if (!own.grouped || before.state === "MASTER" || state.state !== "MASTER") return;
      expect(["group-master", "startup"]).toContain(event.kind);
      if (event.kind === "startup") expect(event.resume).toBe(true);
      else expect(before).toHaveProperty("wish");
    });
  });

  it("a step is a function: the same again gives the same, and inputs are left alone", () => {
    everyStep(({ before, event, now, state, actions }, own) => {
      const copy = structuredClone(before);
      expect(step(before, event, now, own)).toEqual({ state, actions });
      expect(before).toEqual(copy);
    });
  });
});
