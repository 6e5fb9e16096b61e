import { describe, expect, it } from "vitest";
import type { CheckerSnapshot, ProbeResult } from "../../src/check/types.ts";
import {
  type CheckAction,
  type CheckEvent,
  type CheckState,
  countsAsUp,
  initialCheckState,
  snapshotOf,
  step,
} from "../../src/check/verdict.ts";
import type { CheckerConfig } from "../../src/config/model.ts";
import { ms } from "../../src/units.ts";
import { failure, httpConfig, pass, tcpConfig, threeUrls } from "./support.ts";

function describeAction(action: CheckAction): string {
  if (action.kind === "probe") return `probe ${action.urlIndex}`;
  if (action.kind === "verdict") return action.verdict.toUpperCase();
  return `weight ${JSON.stringify(action.weight)}`;
}

/** Drives one machine on a virtual clock; probes take no time. */
class Run {
  state: CheckState;
  now = 0;
  cfg: CheckerConfig;
  readonly lines: string[] = [];

  constructor(cfg: CheckerConfig, saved?: CheckerSnapshot, random = 0) {
    this.cfg = cfg;
    this.state = initialCheckState(cfg, saved);
    this.event({ kind: "start", now: 0, random });
  }

  event(event: CheckEvent): void {
    const { state, actions } = step(this.state, event, this.cfg);
    this.state = state;
    for (const action of actions) {
      this.lines.push(`${this.now / 1000}s ${describeAction(action)}`);
    }
  }

  /** Waits for the next probe and answers it. */
  probe(result: ProbeResult): this {
    this.now = this.state.due;
    this.event({ kind: "due", now: this.now });
    this.event({ kind: "result", now: this.now, at: 1_700_000_000_000 + this.now, result });
    return this;
  }

  /** "+" passes, "-" fails. */
  probes(pattern: string): this {
    for (const c of pattern) this.probe(c === "+" ? pass : failure());
    return this;
  }
}

describe("TCP_CHECK timing, spec checks 1", () => {
  it("first run at a random point of warmup", () => {
    const cfg = tcpConfig({ warmup: ms(20_000) });
    expect(new Run(cfg, undefined, 0).state.due).toBe(0);
    expect(new Run(cfg, undefined, 0.25).state.due).toBe(5_000);
    expect(new Run(cfg, undefined, 0.999).state.due).toBeCloseTo(19_980);
  });

  it("nothing is probed before its time, and not twice at a time", () => {
    const run = new Run(tcpConfig(), undefined, 0.5);
    run.event({ kind: "due", now: 29_999 });
    expect(run.lines).toEqual([]);
    run.event({ kind: "due", now: 30_000 });
    run.event({ kind: "due", now: 30_001 });
    expect(run.lines).toEqual(["0s probe 0"]);
  });

  it("a result nobody waits for changes nothing", () => {
    const run = new Run(tcpConfig());
    const before = run.state;
    run.event({ kind: "result", now: 1, at: 1, result: failure() });
    expect(run.state).toBe(before);
  });

  it("the first check has no retries: it fails at once", () => {
    expect(new Run(tcpConfig({ retry: 3 })).probes("-").lines).toEqual(["0s probe 0", "0s DOWN"]);
  });

  it("retry 1: two consecutive failures, delay_before_retry apart, make it down", () => {
    expect(new Run(tcpConfig()).probes("+--").lines).toEqual([
      "0s probe 0",
      "0s UP",
      "60s probe 0",
      "61s probe 0",
      "61s DOWN",
    ]);
  });

  it.each([0, 1, 2, 5])("retry %i means one failure more than that before down", (retry) => {
    const run = new Run(tcpConfig({ retry })).probes(`+${"-".repeat(retry)}`);
    expect(run.state.verdict).toBe("up");
    run.probes("-");
    expect(run.state.verdict).toBe("down");
    expect(run.state.consecutiveFailures).toBe(retry + 1);
  });

  it("a success between failures starts the count anew", () => {
    const run = new Run(tcpConfig()).probes("+-+-+-+");
    expect(run.lines.filter((line) => !line.includes("probe"))).toEqual(["0s UP"]);
    expect(run.state.consecutiveFailures).toBe(0);
  });

  it("after a passed retry the next probe is delay_loop away", () => {
    expect(new Run(tcpConfig()).probes("+-++").lines).toEqual([
      "0s probe 0",
      "0s UP",
      "60s probe 0",
      "61s probe 0",
      "121s probe 0",
    ]);
  });

  it("while down: one probe every delay_loop", () => {
    expect(new Run(tcpConfig()).probes("----").lines).toEqual([
      "0s probe 0",
      "0s DOWN",
      "60s probe 0",
      "120s probe 0",
      "180s probe 0",
    ]);
  });

  it("one success restores", () => {
    expect(new Run(tcpConfig({ retry: 3 })).probes("-+").lines.at(-1)).toBe("60s UP");
  });

  it("delays run from the end of a probe, not from its start", () => {
    const run = new Run(tcpConfig());
    run.event({ kind: "due", now: 0 });
    run.event({ kind: "result", now: 4_000, at: 0, result: pass });
    expect(run.state.due).toBe(64_000);
    run.event({ kind: "due", now: 64_000 });
    run.event({ kind: "result", now: 69_000, at: 0, result: failure("timeout-connect") });
    expect(run.state.due).toBe(70_000);
  });

  it("a local error says nothing of the real server: verdict and counters stay", () => {
    const run = new Run(tcpConfig()).probe(failure("local-error"));
    expect(run.state).toMatchObject({ verdict: "unknown", hasRun: false, checksRun: 1, due: 60_000 });
    run.probes("+-");
    run.probe(failure("local-error")).probe(failure("local-error"));
    expect(run.state).toMatchObject({ verdict: "up", consecutiveFailures: 1 });
    expect(run.probes("-").state.verdict).toBe("down");
  });
});

describe("alpha, spec checks 1", () => {
  it("without alpha a server is up from the start; with it, down until the first success", () => {
    expect(countsAsUp("unknown", false)).toBe(true);
    expect(countsAsUp("unknown", true)).toBe(false);
  });

  it.each([true, false])("a verdict overrides it (alpha %s)", (alpha) => {
    expect(countsAsUp("up", alpha)).toBe(true);
    expect(countsAsUp("down", alpha)).toBe(false);
  });

  it("with alpha one success brings it up", () => {
    expect(new Run(tcpConfig({ alpha: true })).probes("+").state.verdict).toBe("up");
  });
});

describe("HTTP_GET, spec checks 1", () => {
  const three = httpConfig({ urls: threeUrls });

  it("one URL per delay_loop, in turn", () => {
    expect(new Run(three).probes("++++").lines).toEqual([
      "0s probe 0",
      "60s probe 1",
      "120s probe 2",
      "120s UP",
      "180s probe 0",
    ]);
  });

  it("the first check has no retries: it fails at once", () => {
    expect(new Run(three).probes("-").lines).toEqual(["0s probe 0", "0s DOWN"]);
  });

  it("one failing URL, after its retries 3 s apart, fails the server", () => {
    expect(new Run(three).probes("+++" + "+--").lines.slice(4)).toEqual([
      "180s probe 0",
      "240s probe 1",
      "243s probe 1",
      "243s DOWN",
    ]);
  });

  it("a URL that passes on its retry lets the next one have its turn", () => {
    expect(new Run(three).probes("+++" + "-++").lines.slice(4)).toEqual([
      "180s probe 0",
      "183s probe 0",
      "243s probe 1",
    ]);
  });

  it("recovers only when the failed URL and then every URL passed", () => {
    expect(new Run(three).probes("++++--" + "-++++").lines.slice(-6)).toEqual([
      "303s probe 1",
      "363s probe 1",
      "423s probe 0",
      "483s probe 1",
      "543s probe 2",
      "543s UP",
    ]);
  });

  it("another URL failing during recovery becomes the failed one, without retries", () => {
    expect(new Run(three).probes("-" + "++-" + "++++").lines.slice(2)).toEqual([
      "60s probe 0",
      "120s probe 0",
      "180s probe 1",
      "240s probe 1",
      "300s probe 0",
      "360s probe 1",
      "420s probe 2",
      "420s UP",
    ]);
  });

  it("1 URL: two successes bring it back", () => {
    expect(new Run(httpConfig()).probes("-++").lines).toEqual([
      "0s probe 0",
      "0s DOWN",
      "60s probe 0",
      "120s probe 0",
      "120s UP",
    ]);
  });

  it("1 URL: one success is the first verdict, for nothing has failed yet", () => {
    expect(new Run(httpConfig({ alpha: true })).probes("+").lines).toEqual(["0s probe 0", "0s UP"]);
  });
});

describe("records, snapshots and reload", () => {
  it("keeps the last 20 results, newest last", () => {
    const run = new Run(tcpConfig()).probes("+".repeat(19)).probes("-+++++");
    expect(run.state.history).toHaveLength(20);
    expect(run.state.history.findIndex((record) => !record.result.ok)).toBe(14);
    expect(run.state.history.at(-1)?.at).toBe(1_700_000_000_000 + run.now);
    expect(run.state.checksRun).toBe(25);
  });

  it("since is the wall clock of the last change of verdict", () => {
    const run = new Run(tcpConfig()).probes("++--");
    expect(run.state.since).toBe(1_700_000_000_000 + 121_000);
  });

  it("a restart keeps verdict and history, and one failure does not throw the verdict over", () => {
    const saved = snapshotOf(new Run(tcpConfig()).probes("++").state, tcpConfig());
    const run = new Run(tcpConfig(), JSON.parse(JSON.stringify(saved)));
    expect(snapshotOf(run.state, tcpConfig())).toEqual(saved);
    run.probes("-");
    expect(run.state.verdict).toBe("up");
    expect(run.probes("-").lines.at(-1)).toBe("1s DOWN");
  });

  it("a restart goes on counting failures", () => {
    const saved = snapshotOf(new Run(tcpConfig()).probes("+-").state, tcpConfig());
    expect(new Run(tcpConfig(), saved).probes("-").lines).toEqual(["0s probe 0", "0s DOWN"]);
  });

  it("a restart goes on with the failed URL", () => {
    const cfg = httpConfig({ urls: threeUrls });
    const saved = snapshotOf(new Run(cfg).probes("++++--").state, cfg);
    expect(saved).toMatchObject({ verdict: "down", failedUrl: 1, urlIndex: 1 });
    expect(new Run(cfg, saved).probes("++++").lines.at(-1)).toBe("180s UP");
  });

  it("changed parameters keep the verdict and apply at once", () => {
    const run = new Run(tcpConfig()).probes("+");
    run.cfg = tcpConfig({ delayLoop: ms(2_000), retry: 0 });
    run.event({ kind: "reconfigure", now: 1_000 });
    expect(run.state).toMatchObject({ verdict: "up", phase: "waiting", due: 3_000 });
    expect(run.probes("-").lines.at(-1)).toBe("3s DOWN");
  });

  it("longer delays do not put an earlier probe off", () => {
    const run = new Run(tcpConfig()).probes("+");
    run.event({ kind: "reconfigure", now: 30_000 });
    expect(run.state.due).toBe(60_000);
  });

  it("a probe in flight under old parameters is void and made again", () => {
    const run = new Run(tcpConfig());
    run.event({ kind: "due", now: 0 });
    run.event({ kind: "reconfigure", now: 500 });
    run.event({ kind: "result", now: 600, at: 0, result: failure() });
    expect(run.state).toMatchObject({ verdict: "unknown", due: 500, checksRun: 0 });
  });

  it("fewer URLs after a reload begin a round anew", () => {
    const run = new Run(httpConfig({ urls: threeUrls })).probes("+++++-");
    expect(run.state).toMatchObject({ urlIndex: 2, consecutiveFailures: 1 });
    run.cfg = httpConfig({ urls: threeUrls.slice(0, 2) });
    run.event({ kind: "reconfigure", now: run.now });
    expect(run.state).toMatchObject({ verdict: "up", urlIndex: 0, consecutiveFailures: 0 });
  });

  it("a failed URL that a reload removed need not pass any more", () => {
    const run = new Run(httpConfig({ urls: threeUrls })).probes("+++++--");
    expect(run.state).toMatchObject({ verdict: "down", failedUrl: 2 });
    run.cfg = httpConfig();
    run.event({ kind: "reconfigure", now: run.now });
    expect(run.probes("+").state.verdict).toBe("up");
  });
});
