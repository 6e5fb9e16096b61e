/** Routers on a simulated link that loses nothing: whatever happened, one owner in the end. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { us } from "../../src/units.ts";
import { rank } from "../../src/vrrp/machine.ts";
import { LATENCY, Lan, type LanRouter } from "../scenario/lan.ts";
import { advert, LINK_DOWN } from "../vrrp/support.ts";

const S = 1_000_000;
const TROUBLE = 30 * S;

const routers = (version: 2 | 3) =>
  fc.record({
    version: fc.constant(version),
    priority: fc.constantFrom(1, 50, 100, 100, 254, 255),
    // v2 routers must agree on it (case 12).
    advertInterval: fc.constantFrom(...(version === 2 ? [S] : [S / 10, S / 2, S])).map(us),
    preempt: fc.boolean(),
    preemptDelay: fc.constantFrom(0, 0, 7 * S).map(us),
  });
const lans = fc
  .constantFrom(2 as const, 3 as const)
  .chain((version) => fc.array(routers(version), { minLength: 2, maxLength: 3 }));
const troubles = fc.array(
  fc.record({
    who: fc.nat(2),
    at: fc.nat(TROUBLE),
    what: fc.nat(7),
    lasts: fc.integer({ min: 1, max: 12 * S }),
  }),
  { maxLength: 8 },
);

const TROUBLES: readonly ((lan: Lan, router: LanRouter) => void)[] = [
  (lan, router) => lan.stop(router),
  (lan, router) => lan.kill(router),
  (lan, router) => lan.powerOff(router),
  (lan, router) => lan.suspend(router),
  (lan, router) => lan.cable(router, false),
  (lan, router) => lan.feed(router, { kind: "faults", faults: [LINK_DOWN] }),
  (lan, router) => lan.feed(router, { kind: "paused", detail: "suspended" }),
  (lan, router) => lan.start(router, router.heldUntil !== undefined && !router.running),
];

/** Ends every kind of trouble; harmless where there is none. */
function heal(lan: Lan, router: LanRouter): void {
  if (!router.joined) lan.cable(router, true);
  if (!router.awake) lan.wake(router);
  if (!router.running) lan.start(router);
  lan.feed(router, { kind: "faults", faults: [] });
}

type Overrides = Parameters<Lan["add"]>[2];
interface Trouble {
  readonly who: number;
  readonly at: number;
  readonly what: number;
  readonly lasts: number;
}

/** Starts all, lets the troubles happen, heals all, waits until every timer has had its turn. */
function live(configs: readonly Overrides[], list: readonly Trouble[]): { lan: Lan; quiet: number } {
  const lan = new Lan();
  for (const [index, over] of configs.entries()) {
    const router = lan.add("abc"[index]!, `192.0.2.${9 + index}`, over);
    lan.at(index * 100_000, () => lan.start(router));
  }
  for (const { who, at, what, lasts } of list) {
    const router = lan.routers[who % lan.routers.length]!;
    lan.at(at, () => TROUBLES[what]!(lan, router));
    lan.at(at + lasts, () => heal(lan, router));
  }
  const healed = TROUBLE + 13 * S;
  for (const router of lan.routers) lan.at(healed, () => heal(lan, router));
  const quiet = healed + 30 * S;
  lan.run(quiet);
  return { lan, quiet };
}

const masters = (lan: Lan) => lan.routers.filter((router) => router.state.state === "MASTER");

// Many simulated minutes: seconds of CPU, more on a machine that is busy with other tests.
describe("routers on one link", { timeout: 60_000 }, () => {
  it("RFC 5798 6.4: end with exactly one master, which alone holds the addresses", () => {
    fc.assert(
      fc.property(lans, troubles, (configs, list) => {
        const { lan } = live(configs, list);
        expect(masters(lan)).toHaveLength(1);
        expect(lan.holders).toEqual(masters(lan));
      }),
      { numRuns: 150 },
    );
  });

  it("RFC 5798 6.4.2: with preempt everywhere the master has the highest priority", () => {
    fc.assert(
      fc.property(lans, troubles, (configs, list) => {
        const { lan } = live(
          configs.map((over) => ({ ...over, preempt: true })),
          list,
        );
        const best = Math.max(...lan.routers.map((router) => router.config.priority));
        expect(masters(lan).map((router) => router.config.priority)).toEqual([best]);
      }),
      { numRuns: 100 },
    );
  });

  it("an undisturbed link stays as it is: no transition, one advert per interval", () => {
    fc.assert(
      fc.property(lans, troubles, (configs, list) => {
        const { lan, quiet } = live(configs, list);
        const [master] = masters(lan);
        const since = lan.routers.map((router) => router.state.since);
        lan.log.length = 0;
        lan.run(quiet + 20 * S);
        expect(lan.routers.map((router) => router.state.since)).toEqual(since);
        expect(lan.log.filter((line) => line.includes("->"))).toEqual([]);
        const sent = lan.log.join("\n").match(/\d+(?= adverts)|send-advert/g) ?? [];
        const total = sent.reduce((sum, text) => sum + (text === "send-advert" ? 1 : Number(text)), 0);
        const expected = (20 * S) / master!.config.advertInterval;
        expect(Math.abs(total - expected)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 60 },
    );
  });

  it("without trouble two owners last no longer than a packet takes to reach the loser and be answered", () => {
    fc.assert(
      fc.property(lans, (configs) => {
        const { lan } = live(configs, []);
        // Each of the other routers can at most once start out beside a better one.
        expect(lan.spent.several).toBeLessThanOrEqual(3 * LATENCY * configs.length);
      }),
      { numRuns: 60 },
    );
  });

  it("case 35: of any two routers exactly one goes before the other, seen from both sides", () => {
    const identity = fc.record({ priority: fc.integer({ min: 1, max: 255 }), source: fc.ipV4() });
    fc.assert(
      fc.property(identity, identity, (a, b) => {
        const seen = (from: typeof a, by: typeof a) =>
          Math.sign(rank(advert(from), by.source, { priority: by.priority } as never));
        expect(seen(a, b) + seen(b, a)).toBe(0);
        if (a.source !== b.source || a.priority !== b.priority) expect(seen(a, b)).not.toBe(0);
      }),
    );
  });
});
