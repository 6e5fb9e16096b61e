import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createScheduler,
  type Flow,
  MODELLED_SCHEDULERS,
  type SchedDest,
  type Scheduler,
} from "../../src/lvs/schedulers/index.ts";

function scheduler(name: string, flags = 0): Scheduler {
  const created = createScheduler(name, flags);
  if (!created.ok) throw new Error(created.error);
  return created.value;
}

const destList = (weight: fc.Arbitrary<number>, max = 12): fc.Arbitrary<SchedDest[]> =>
  fc
    .array(
      fc.record({
        weight,
        active: fc.nat(1000),
        inactive: fc.nat(100_000),
        overloaded: fc.boolean(),
      }),
      { maxLength: max },
    )
    .map((list) => list.map((each, i) => ({ key: `192.0.2.${i}:80`, ...each })));

const anyWeight = fc.oneof(fc.nat(4), fc.nat(65_535));
const lists = destList(anyWeight);

const flows: fc.Arbitrary<Flow> = fc.record({
  clientAddress: fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  ),
  clientPort: fc.nat(65_535),
  serviceAddress: fc.uint8Array({ minLength: 4, maxLength: 4 }),
});

const names = fc.constantFrom(...MODELLED_SCHEDULERS);
/** No flags, sh-fallback, sh-port, both. */
const flagSets = fc.constantFrom(0, 0x8, 0x10, 0x18);
const free = (dest: SchedDest): boolean => dest.weight > 0 && !dest.overloaded;
const settled = (list: SchedDest[]): SchedDest[] => list.map((dest) => ({ ...dest, overloaded: false }));

function cycle(model: Scheduler, dests: readonly SchedDest[], length: number): Map<string, number> {
  const counts = new Map<string, number>();
  let state = model.start(dests);
  for (let i = 0; i < length; i++) {
    const choice = model.choose(state, dests, {
      clientAddress: new Uint8Array(4),
      clientPort: 0,
      serviceAddress: new Uint8Array(4),
    });
    state = choice.state;
    if (choice.dest !== undefined) counts.set(choice.dest, (counts.get(choice.dest) ?? 0) + 1);
  }
  return counts;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

describe("every scheduler", () => {
  it("chooses only destinations with weight that are not overloaded, over any edits, and the same again", () => {
    fc.assert(
      fc.property(
        names,
        flagSets,
        fc.array(fc.tuple(lists, flows), { minLength: 1, maxLength: 20 }),
        (name, flags, steps) => {
          const model = scheduler(name, flags);
          const run = (): (string | undefined)[] => {
            let state = model.start([]);
            return steps.flatMap(([dests, flow]) => {
              state = model.update(state, dests);
              return [0, 1, 2].map(() => {
                const choice = model.choose(state, dests, flow);
                state = choice.state;
                return choice.dest;
              });
            });
          };
          const chosen = run();
          expect(run()).toEqual(chosen);
          for (const [i, key] of chosen.entries()) {
            const dests = steps[Math.floor(i / 3)]![0];
            if (key !== undefined) expect(dests.some((dest) => dest.key === key && free(dest))).toBe(true);
          }
        },
      ),
    );
  });

  it("finds one whenever there is one, but for the hashes without fallback", () => {
    const sure = fc.constantFrom("rr", "wrr", "lc", "wlc", "sed", "nq");
    fc.assert(
      fc.property(sure, lists, flows, fc.nat(5), (name, dests, flow, before) => {
        const model = scheduler(name);
        let state = model.start(dests);
        for (let i = 0; i < before; i++) state = model.choose(state, dests, flow).state;
        expect(model.choose(state, dests, flow).dest !== undefined).toBe(dests.some(free));
      }),
    );
  });
});

describe("weights over a full cycle", () => {
  it("rr: each as often as any other", () => {
    fc.assert(
      fc.property(lists, fc.integer({ min: 1, max: 4 }), (list, rounds) => {
        const usable = list.filter(free);
        const counts = cycle(scheduler("rr"), list, usable.length * rounds);
        expect([...counts]).toEqual(usable.map((dest) => [dest.key, rounds]));
      }),
    );
  });

  it("wrr: each exactly its weight divided by the greatest common divisor", () => {
    fc.assert(
      fc.property(destList(fc.nat(40), 8).map(settled), fc.integer({ min: 1, max: 9 }), (list, factor) => {
        const dests = list.map((dest) => ({ ...dest, weight: dest.weight * factor }));
        const divisor = dests.reduce((g, dest) => gcd(dest.weight, g), 0) || 1;
        const length = dests.reduce((sum, dest) => sum + dest.weight / divisor, 0);
        const counts = cycle(scheduler("wrr"), dests, length);
        for (const dest of dests) expect(counts.get(dest.key) ?? 0).toBe(dest.weight / divisor);
      }),
    );
  });

  it.each(["wlc", "sed"])("%s: kept connections settle in proportion to weights", (name) => {
    fc.assert(
      fc.property(destList(fc.integer({ min: 1, max: 20 }), 6).map(settled), (list) => {
        const dests = list.map((dest) => ({ ...dest, active: 0, inactive: 0 }));
        const model = scheduler(name);
        const total = dests.reduce((sum, dest) => sum + dest.weight, 0);
        const flow = { clientAddress: new Uint8Array(4), clientPort: 0, serviceAddress: new Uint8Array(4) };
        for (let i = 0; i < total * 3; i++) {
          const { dest } = model.choose(model.start(dests), dests, flow);
          dests.find(({ key }) => key === dest)!.active += 1;
        }
        for (const dest of dests) expect(Math.abs(dest.active - dest.weight * 3)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe("least overhead", () => {
  it.each([
    ["lc", (dest: SchedDest) => [dest.active * 256 + dest.inactive, 1]],
    ["wlc", (dest: SchedDest) => [dest.active * 256 + dest.inactive, dest.weight]],
    ["sed", (dest: SchedDest) => [dest.active + 1, dest.weight]],
  ] as const)("%s: nobody free is better, and nobody before is as good", (name, load) => {
    fc.assert(
      fc.property(lists, flows, (dests, flow) => {
        const model = scheduler(name);
        const { dest: key } = model.choose(model.start(dests), dests, flow);
        const at = dests.findIndex((dest) => dest.key === key);
        for (const [i, other] of dests.entries()) {
          if (at < 0 || i === at || !free(other)) continue;
          const [mine, theirs] = [load(dests[at]!), load(other)].map(([n, w]) => [BigInt(n!), BigInt(w!)]);
          const difference = mine![0]! * theirs![1]! - theirs![0]! * mine![1]!;
          expect(i < at ? difference < 0n : difference <= 0n).toBe(true);
        }
      }),
    );
  });
});

describe("hashing", () => {
  /** The destination of each of the 256 buckets, found by probing with one address per bucket. */
  const probes: Flow[] = [];
  for (let n = 0, seen = new Set<number>(); seen.size < 256; n++) {
    const bucket = Math.imul(n, 0x61c88647) >>> 24;
    if (seen.has(bucket)) continue;
    seen.add(bucket);
    const address = Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n);
    probes[bucket] = { clientAddress: address, clientPort: 0, serviceAddress: address };
  }
  const mapping = (name: string, dests: readonly SchedDest[]): (string | undefined)[] => {
    const model = scheduler(name);
    const state = model.start(dests);
    return probes.map((flow) => model.choose(state, dests, flow).dest);
  };
  const hashes = fc.constantFrom("sh", "dh");

  it("stays the same over choices, other connections and edits that change nothing", () => {
    fc.assert(
      fc.property(hashes, lists, flows, (name, dests, flow) => {
        const model = scheduler(name);
        const state = model.start(dests);
        const first = model.choose(state, dests, flow);
        const busier = dests.map((dest) => ({ ...dest, active: dest.active + 5 }));
        const again = model.choose(model.update(first.state, busier), busier, flow);
        expect(again.dest).toBe(first.dest);
      }),
    );
  });

  it("shares out the 256 buckets in turn: sh by weight, dh alike", () => {
    fc.assert(
      fc.property(hashes, destList(fc.integer({ min: 1, max: 9 }), 9).map(settled), (name, dests) => {
        const turns = dests.flatMap((dest) => Array<string>(name === "sh" ? dest.weight : 1).fill(dest.key));
        expect(mapping(name, dests)).toEqual(probes.map((_, i) => turns[i % turns.length]));
      }),
    );
  });

  it("a destination taken out by overload, or dh by weight 0, disturbs its own buckets only", () => {
    fc.assert(
      fc.property(
        hashes,
        destList(fc.integer({ min: 1, max: 9 }), 9).map(settled),
        fc.nat(8),
        (name, dests, which) => {
          const before = mapping(name, dests);
          const out = name === "dh" ? { weight: 0 } : { overloaded: true };
          const after = mapping(
            name,
            dests.map((dest, i) => (i === which ? { ...dest, ...out } : dest)),
          );
          const gone = dests[which]?.key;
          expect(after).toEqual(before.map((key) => (key === gone ? undefined : key)));
        },
      ),
    );
  });
});
