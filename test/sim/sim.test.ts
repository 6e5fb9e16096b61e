/** The deterministic simulation (spec sections 2 to 4): whatever happened, one owner after healing. */
import { describe, expect, it } from "vitest";
import { DROP_TEXT } from "../../src/vrrp/drop.ts";
import { step as realStep } from "../../src/vrrp/machine.ts";
import { Agenda } from "./agenda.ts";
import { Fuzzer } from "./fuzzer.ts";
import { live, type Options } from "./life.ts";
import { Random } from "./random.ts";

/** The first of some seeds on which a spoiled machine is found out. */
function found(step: NonNullable<Options["step"]>, seeds = 300): string | undefined {
  for (let seed = 1; seed <= seeds; seed++) {
    const failure = live(seed, { step });
    if (failure) return failure.what;
  }
  return undefined;
}

describe("simulation", { timeout: 120_000 }, () => {
  it("2,000 lives of 2 to 5 directors keep every invariant", () => {
    // Those behind the first 2,000 broke something once.
    const seeds = [...Array.from({ length: 2_000 }, (_, n) => n + 1), 2_193, 3_628, 1_023_305];
    const failures = seeds.flatMap((seed) => {
      const what = live(seed)?.what;
      return what === undefined ? [] : [`seed ${seed}: ${what}`];
    });
    expect(failures).toEqual([]);
  });
  it("the same seed gives the same transcript", () => {
    const transcript = () => {
      const broken: Options["step"] = (state, event, now, config) =>
        event.kind === "advert" ? { state, actions: [] } : realStep(state, event, now, config);
      return live(5, { step: broken, logging: true });
    };
    expect(transcript()).toEqual(transcript());
    expect(transcript()?.transcript.length).toBeGreaterThan(20);
  });
});

describe("simulation: spoiled machines are found out", { timeout: 60_000 }, () => {
  it("one that does not hear: two masters", () => {
    const deaf = found((state, event, now, config) =>
      event.kind === "advert" ? { state, actions: [] } : realStep(state, event, now, config),
    );
    expect(deaf).toMatch(/after healing . and . .*master/);
  });
  it("one that does not take a lost master's place: none", () => {
    const idle = found((state, event, now, config) =>
      event.kind === "tick" && state.state === "BACKUP"
        ? { state: { ...state, downAt: (now + 1_000_000_000) as typeof now }, actions: [] }
        : realStep(state, event, now, config),
    );
    expect(idle).toMatch(/after healing nobody is master|nobody/);
  });
  it("one that keeps its addresses as backup", () => {
    const greedy = found((state, event, now, config) => {
      const { state: next, actions } = realStep(state, event, now, config);
      return { state: next, actions: actions.filter((action) => action.kind !== "remove-addresses") };
    });
    expect(greedy).toMatch(/(BACKUP|FAULT|INIT) with the VIP/);
  });
  it("one that goes on as master in FAULT", () => {
    const stubborn = found((state, event, now, config) =>
      event.kind === "faults" ? { state, actions: [] } : realStep(state, event, now, config),
    );
    expect(stubborn).toMatch(/MASTER in spite of a fault|does not settle/);
  });
  it("one that does not notice its own sleep", () => {
    const dreaming = found((state, event, now, config) => {
      if (state.state !== "MASTER" || now - state.lastAdvertAt < 2 * config.advertInterval)
        return realStep(state, event, now, config);
      return realStep({ ...state, lastAdvertAt: now, advertAt: now }, event, now, config);
    }, 3_000);
    expect(dreaming).toBeDefined();
  });
  it("one that forgets to report", () => {
    const silent = found((state, event, now, config) => {
      const { state: next, actions } = realStep(state, event, now, config);
      return { state: next, actions: actions.filter((action) => action.kind !== "transition") };
    });
    expect(silent).toMatch(/a transition was not reported/);
  });
  it("one that advertises late", () => {
    const late = found((state, event, now, config) => {
      const { state: next, actions } = realStep(state, event, now, config);
      if (next.state !== "MASTER" || event.kind !== "tick") return { state: next, actions };
      return { state: { ...next, advertAt: (next.advertAt + 5_000) as typeof now }, actions };
    });
    expect(late).toMatch(/no advert for/);
  });
});

describe("simulation: its tools", () => {
  it("the agenda is in order of time, then of entry", () => {
    const random = new Random(1);
    const agenda = new Agenda();
    const wanted: [number, number][] = [];
    const got: [number, number][] = [];
    for (let n = 0; n < 500; n++) {
      const at = random.below(50);
      wanted.push([at, n]);
      agenda.put(at, () => got.push([at, n]));
    }
    wanted.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    while (agenda.next < Number.POSITIVE_INFINITY) agenda.take()();
    expect(got).toEqual(wanted);
  });
  it("the generator is even and repeats itself", () => {
    const [a, b] = [new Random(7), new Random(7)];
    const counts = Array<number>(10).fill(0);
    for (let n = 0; n < 10_000; n++) {
      const value = a.below(10);
      expect(b.below(10)).toBe(value);
      counts[value]!++;
    }
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
    expect(new Random(8).next()).not.toBe(new Random(7).next());
    expect(new Random(2 ** 40 + 7).next()).not.toBe(new Random(7).next());
  });
});

describe("fuzzing the receiver", { timeout: 60_000 }, () => {
  it("100,000 mutated packets of every kind: nothing thrown, every answer a known one", () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 100; seed++) {
      const fuzzer = new Fuzzer(seed);
      expect(fuzzer.run(1_000)).toBeUndefined();
      for (const outcome of Object.keys(fuzzer.outcomes)) seen.add(outcome);
    }
    const unreached = Object.keys(DROP_TEXT).filter((reason) => !seen.has(reason));
    expect(unreached).toEqual([]);
    expect(seen).toContain("admitted");
  });
});
