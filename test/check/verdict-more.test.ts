import { describe, expect, it } from "vitest";
import type { CheckWeight, ProbeResult } from "../../src/check/types.ts";
import { type CheckState, initialCheckState, snapshotOf, step } from "../../src/check/verdict.ts";
import type { CheckerConfig } from "../../src/config/model.ts";
import { ms } from "../../src/units.ts";
import {
  dnsConfig,
  externalConfig,
  failure,
  httpConfig,
  miscConfig,
  pass,
  smtpConfig,
  tcpConfig,
  threeUrls,
} from "./support.ts";

/** "+" passes, "-" fails: what happens, with the second it happens at. Probes take no time. */
function run(cfg: CheckerConfig, pattern: string): { lines: string[]; state: CheckState } {
  let state = step(initialCheckState(cfg), { kind: "start", now: 0, random: 0 }, cfg).state;
  const lines: string[] = [];
  for (const c of pattern) {
    const now = state.due;
    state = step(state, { kind: "due", now }, cfg).state;
    lines.push(`${now / 1000}`);
    const result = c === "+" ? pass : failure();
    const stepped = step(state, { kind: "result", now, at: now, result }, cfg);
    state = stepped.state;
    for (const action of stepped.actions)
      if (action.kind === "verdict") lines.push(action.verdict.toUpperCase());
  }
  return { lines, state };
}

describe("SMTP_CHECK, spec checks 1: its own retries", () => {
  const cfg = smtpConfig({ retry: 2, delayBeforeRetry: ms(1_000), delayLoop: ms(60_000) });
  it("the first check has retries", () => {
    expect(run(cfg, "---").lines).toEqual(["0", "1", "2", "DOWN"]);
  });
  it("while down each round is N+1 probes", () => {
    expect(run(cfg, "---------").lines).toEqual([
      "0",
      "1",
      "2",
      "DOWN",
      "62",
      "63",
      "64",
      "124",
      "125",
      "126",
    ]);
  });
  it("one success restores, in the middle of a round, too", () => {
    expect(run(cfg, "----+").lines.slice(-3)).toEqual(["62", "63", "UP"]);
  });
});

describe("defaults by type, spec checks 1", () => {
  it("MISC_CHECK: one failure is down", () => {
    expect(run(miscConfig({ retry: 0 }), "+-").lines).toEqual(["0", "UP", "60", "DOWN"]);
  });
  it("DNS_CHECK: four failures, delay_loop apart", () => {
    const cfg = dnsConfig({ retry: 3, delayBeforeRetry: ms(60_000) });
    expect(run(cfg, "+----").lines).toEqual(["0", "UP", "60", "120", "180", "240", "DOWN"]);
  });
});

describe("fast_recovery, spec checks 1", () => {
  const cfg = httpConfig({ urls: threeUrls, fastRecovery: true });
  it("all URLs at once before the first verdict, and only then", () => {
    expect(run(cfg, "++++").lines).toEqual(["0", "0", "0", "UP", "60"]);
    expect(run(cfg, "-+++").lines.slice(0, 4)).toEqual(["0", "DOWN", "60", "120"]);
  });
});

describe("rise and fall (beyond keepalived)", () => {
  it("fall: so many failures, the first check's too", () => {
    expect(run(tcpConfig({ fall: 3 }), "---").lines).toEqual(["0", "1", "2", "DOWN"]);
    expect(run(tcpConfig({ fall: 1, retry: 5 }), "+-").lines.at(-1)).toBe("DOWN");
  });
  it("rise: so many passes in a row, a failure between them beginning anew", () => {
    expect(run(tcpConfig({ rise: 3 }), "-++-+++").lines).toEqual([
      ..."0 DOWN 60 120 180 240 300 360 UP".split(" "),
    ]);
  });
  it("rise counts rounds over all URLs, and replaces keepalived's rule", () => {
    const one = httpConfig({ rise: 1 });
    expect(run(one, "-+").lines).toEqual(["0", "DOWN", "60", "UP"]);
    const three = httpConfig({ rise: 2, urls: threeUrls });
    expect(run(three, "-+++++").lines).not.toContain("UP");
    expect(run(three, "-++++++").lines.at(-1)).toBe("UP");
  });
  it("rise does not hold up a server at start", () => {
    expect(run(tcpConfig({ rise: 5 }), "+").lines).toEqual(["0", "UP"]);
  });
  it("passed rounds survive a restart", () => {
    const cfg = tcpConfig({ rise: 3 });
    const snapshot = snapshotOf(run(cfg, "-++").state, cfg);
    expect(snapshot.passedRounds).toBe(2);
    expect(initialCheckState(cfg, snapshot).passedRounds).toBe(2);
  });
});

describe("weights, keepalived misc_dynamic", () => {
  const cfg = miscConfig({ dynamic: true, retry: 0 });
  const weighing = (weight: CheckWeight): ProbeResult => ({ ...pass, weight }) as ProbeResult;

  function results(...list: ProbeResult[]): string[] {
    let state = step(initialCheckState(cfg), { kind: "start", now: 0, random: 0 }, cfg).state;
    return list.map((result) => {
      const now = state.due;
      state = step(state, { kind: "due", now }, cfg).state;
      const stepped = step(state, { kind: "result", now, at: now, result }, cfg);
      state = stepped.state;
      const told = stepped.actions.map((a) => (a.kind === "weight" ? JSON.stringify(a.weight) : a.kind));
      return [...told, state.weight === undefined ? "none" : JSON.stringify(state.weight)].join(" ");
    });
  }

  it("told once per change, before the verdict; exit status 0 and failures leave it", () => {
    expect(
      results(pass, weighing({ set: 8 }), weighing({ set: 8 }), pass, failure(), weighing({ set: 0 })),
    ).toEqual([
      "verdict none",
      '{"set":8} {"set":8}',
      '{"set":8}',
      '{"set":8}',
      'verdict {"set":8}',
      '{"set":0} verdict {"set":0}',
    ]);
  });

  it("it survives a restart", () => {
    const state = { ...initialCheckState(cfg), weight: { set: 8 } };
    const saved = JSON.parse(JSON.stringify(snapshotOf(state, cfg)));
    expect(initialCheckState(cfg, saved).weight).toEqual({ set: 8 });
  });
});

describe("EXTERNAL: results with a time to live", () => {
  const cfg = externalConfig({ ttl: ms(30_000), warmup: ms(5_000) });
  const start = () => step(initialCheckState(cfg), { kind: "start", now: 1_000, random: 0.5 }, cfg).state;
  const post = (state: CheckState, now: number, result: ProbeResult, ttl: number) =>
    step(state, { kind: "posted", now, at: now, result, ttl }, cfg);

  it("nothing is due before the time to live is over, counted from the start and from every result", () => {
    expect(start().due).toBe(31_000);
    const { state, actions } = post(start(), 20_000, pass, 10_000);
    expect([state.verdict, state.due, actions.length]).toEqual(["up", 30_000, 1]);
  });

  it("a result counts while the last one's age is being judged", () => {
    const probing = step(start(), { kind: "due", now: 31_000 }, cfg).state;
    expect(post(probing, 31_001, pass, 5_000).state).toMatchObject({ phase: "waiting", due: 36_001 });
  });

  it("a reload does not make it due", () => {
    const { state } = post(start(), 20_000, pass, 3_600_000);
    expect(step(state, { kind: "reconfigure", now: 21_000 }, cfg).state.due).toBe(3_620_000);
  });

  it("before the start nothing is taken", () => {
    const idle = initialCheckState(cfg);
    expect(post(idle, 1, pass, 1)).toEqual({ state: idle, actions: [] });
  });
});

describe("FILE_CHECK: hurry", () => {
  it("brings the next probe forward; never back, and not while one runs", () => {
    const cfg = tcpConfig();
    const waiting = step(initialCheckState(cfg), { kind: "start", now: 0, random: 0.5 }, cfg).state;
    const hurried = step(waiting, { kind: "hurry", now: 10 }, cfg).state;
    expect(hurried.due).toBe(10);
    expect(step(hurried, { kind: "hurry", now: 99 }, cfg).state.due).toBe(10);
    const probing = step(hurried, { kind: "due", now: 10 }, cfg).state;
    expect(step(probing, { kind: "hurry", now: 20 }, cfg).state).toBe(probing);
  });
});
