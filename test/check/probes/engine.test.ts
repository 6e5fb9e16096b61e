import { describe, expect, it } from "vitest";
import { CheckEngine, type CheckOutcome, type VerdictChange } from "../../../src/check/probes/engine.ts";
import type { CheckerSnapshot, ProbeResult } from "../../../src/check/types.ts";
import type { CheckerConfig } from "../../../src/config/model.ts";
import { ms } from "../../../src/units.ts";
import { failure, httpConfig, pass, tcpConfig, threeUrls } from "../support.ts";
import { answering, closedPort, onCleanup, until } from "./servers.ts";

const checker = (n: number, over: Parameters<typeof tcpConfig>[0] = {}): CheckerConfig =>
  tcpConfig({ id: `c${n}`, serverKey: `s${n}`, connectIp: `192.0.2.${n}`, warmup: ms(0), ...over });

interface FakeProbe {
  readonly cfg: CheckerConfig;
  readonly urlIndex: number;
  readonly signal: AbortSignal;
  readonly at: number;
  readonly answer: (result: ProbeResult) => void;
}

/** An engine on a virtual clock, whose probes are answered by hand or by `auto`. */
class Bench {
  now = 0;
  timers = new Set<{ at: number; callback: () => void }>();
  timersSet = 0;
  started: FakeProbe[] = [];
  verdicts: VerdictChange[] = [];
  outcomes: CheckOutcome[] = [];
  auto: ((cfg: CheckerConfig) => ProbeResult | undefined) | undefined;
  random = 0;
  readonly engine: CheckEngine;

  constructor(maxConcurrent = 100) {
    this.engine = new CheckEngine({
      onVerdict: (change) => this.verdicts.push(change),
      onResult: (outcome) => this.outcomes.push(outcome),
      random: () => this.random,
      now: () => this.now,
      wallClock: () => 1_700_000_000_000 + this.now,
      setTimer: (callback, delayMs) => {
        const timer = { at: this.now + delayMs, callback };
        this.timers.add(timer);
        this.timersSet++;
        return { cancel: () => this.timers.delete(timer) };
      },
      maxConcurrent,
      runProbe: (cfg, urlIndex, signal) => {
        const answered = this.auto?.(cfg);
        return new Promise((resolve) => {
          this.started.push({ cfg, urlIndex, signal, at: this.now, answer: resolve });
          if (answered !== undefined) resolve(answered);
        });
      },
    });
  }

  /** Lets promises of answered probes run. */
  async settle(): Promise<void> {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }

  async advance(to: number): Promise<void> {
    await this.settle();
    for (;;) {
      const next = [...this.timers].sort((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > to) break;
      this.timers.delete(next);
      this.now = next.at;
      next.callback();
      await this.settle();
    }
    this.now = to;
  }

  async answer(result: ProbeResult, index = this.started.length - 1): Promise<void> {
    this.started[index]?.answer(result);
    await this.settle();
  }

  ids = () => this.started.map((probe) => probe.cfg.id);
}

describe("CheckEngine", () => {
  it("probes at once with warmup 0, reports the verdict with its snapshot, then each delay_loop", async () => {
    const bench = new Bench();
    bench.engine.apply([checker(1)]);
    expect(bench.engine.verdict("c1")).toBe("unknown");
    await bench.answer(pass);
    expect(bench.engine.verdict("c1")).toBe("up");
    expect(bench.verdicts).toEqual([
      {
        id: "c1",
        serviceKey: "tcp 192.0.2.1:80",
        serverKey: "s1",
        verdict: "up",
        previous: "unknown",
        result: pass,
        snapshot: bench.engine.snapshots()[0],
      },
    ]);
    await bench.advance(59_999);
    expect(bench.started).toHaveLength(1);
    await bench.advance(60_000);
    expect(bench.started).toHaveLength(2);
    await bench.answer(pass);
    expect(bench.verdicts).toHaveLength(1);
    expect(bench.outcomes.map((o) => [o.id, o.verdict, o.result.ok])).toEqual([
      ["c1", "up", true],
      ["c1", "up", true],
    ]);
  });

  it("spec checks 1: the first run is at a random point of warmup", async () => {
    const bench = new Bench();
    bench.random = 0.5;
    bench.engine.apply([checker(1, { warmup: ms(10_000) })]);
    await bench.advance(4_999);
    expect(bench.started).toHaveLength(0);
    await bench.advance(5_000);
    expect(bench.started).toHaveLength(1);
  });

  it("retries after delay_before_retry and goes down with the reason", async () => {
    const bench = new Bench();
    bench.engine.apply([checker(1)]);
    await bench.answer(pass);
    bench.auto = () => failure("refused");
    await bench.advance(61_000);
    expect(bench.started.map((probe) => probe.at)).toEqual([0, 60_000, 61_000]);
    expect(bench.verdicts.at(-1)).toMatchObject({
      verdict: "down",
      previous: "up",
      result: { reason: "refused" },
    });
  });

  it("gives an HTTP_GET probe its URL in turn", async () => {
    const bench = new Bench();
    bench.auto = () => pass;
    bench.engine.apply([httpConfig({ warmup: ms(0), urls: threeUrls })]);
    await bench.advance(180_000);
    expect(bench.started.map((probe) => probe.urlIndex)).toEqual([0, 1, 2, 0]);
  });

  it("spec checks 4: no more than maxConcurrent at once; the next starts when one ends", async () => {
    const bench = new Bench(3);
    bench.random = 0.5;
    bench.engine.apply([1, 2, 3, 4, 5].map((n) => checker(n, { warmup: ms(2 * n) })));
    await bench.advance(10);
    expect(bench.ids()).toEqual(["c1", "c2", "c3"]);
    expect(bench.engine.running).toBe(3);
    await bench.answer(pass, 1);
    expect(bench.ids()).toEqual(["c1", "c2", "c3", "c4"]);
  });

  it("spec checks 3: a backend whose probes hang does not hold up the others", async () => {
    const bench = new Bench(8);
    bench.auto = (cfg) => (cfg.connectIp === "192.0.2.66" ? undefined : pass);
    const hanging = Array.from({ length: 40 }, (_, n) => checker(100 + n, { connectIp: "192.0.2.66" }));
    bench.engine.apply([...hanging, ...[1, 2, 3, 4].map((n) => checker(n))]);
    await bench.advance(600_000);
    for (const n of [1, 2, 3, 4]) {
      const starts = bench.started.filter((probe) => probe.cfg.id === `c${n}`).map((probe) => probe.at);
      expect(starts).toEqual(Array.from({ length: 11 }, (_, i) => i * 60_000));
    }
    expect(bench.engine.running).toBe(2);
  });

  it("a probe that rejects is a local error, not a failed server", async () => {
    const results: ProbeResult[] = [];
    const engine = new CheckEngine({
      onVerdict: () => expect.unreachable("no verdict from a broken probe"),
      onResult: (outcome) => results.push(outcome.result),
      runProbe: () => Promise.reject(new Error("boom")),
    });
    engine.apply([checker(1)]);
    for (let i = 0; i < 10; i++) await Promise.resolve();
    expect(results).toMatchObject([{ ok: false, reason: "local-error" }]);
    await engine.stop();
  });

  it("one timer serves thousands of checkers", async () => {
    const bench = new Bench(10_000);
    bench.auto = () => pass;
    let n = 0;
    const engine = bench.engine;
    const many = Array.from({ length: 5_000 }, () => checker(n++));
    engine.apply(many);
    await bench.advance(60_000);
    expect(bench.started).toHaveLength(10_000);
    expect(bench.timers.size).toBe(1);
    expect(bench.timersSet).toBeLessThan(100);
  });

  it("a delay longer than setTimeout can take does not fire at once", async () => {
    const bench = new Bench();
    bench.auto = () => pass;
    bench.engine.apply([checker(1, { delayLoop: ms(3e9) })]);
    await bench.advance(2.9e9);
    expect(bench.started).toHaveLength(1);
    await bench.advance(3e9);
    expect(bench.started).toHaveLength(2);
  });
});

describe("CheckEngine reload", () => {
  it("unchanged checkers keep state, timer and the probe in flight", async () => {
    const bench = new Bench();
    bench.engine.apply([checker(1)]);
    bench.engine.apply([checker(1)]);
    expect(bench.started).toHaveLength(1);
    expect(bench.started[0]?.signal.aborted).toBe(false);
    await bench.answer(pass);
    await bench.advance(30_000);
    bench.engine.apply([checker(1), checker(2)]);
    expect(bench.ids()).toEqual(["c1", "c2"]);
    expect(bench.engine.verdict("c1")).toBe("up");
    await bench.advance(60_000);
    expect(bench.ids()).toEqual(["c1", "c2", "c1"]);
  });

  it("changed parameters of the same id keep the verdict and are used from then on", async () => {
    const bench = new Bench();
    bench.engine.apply([checker(1)]);
    await bench.answer(pass);
    bench.engine.apply([checker(1, { delayLoop: ms(2_000), connectPort: 81 })]);
    expect(bench.engine.verdict("c1")).toBe("up");
    await bench.advance(2_000);
    expect(bench.started[1]).toMatchObject({ at: 2_000, cfg: { connectPort: 81 } });
    expect(bench.verdicts).toHaveLength(1);
  });

  it("a probe in flight under old parameters is aborted, its result dropped, and made again", async () => {
    const bench = new Bench();
    bench.engine.apply([checker(1)]);
    bench.engine.apply([checker(1, { connectIp: "192.0.2.77" })]);
    expect(bench.started).toHaveLength(2);
    expect(bench.started[0]?.signal.aborted).toBe(true);
    await bench.answer(failure(), 0);
    expect(bench.engine.verdict("c1")).toBe("unknown");
    await bench.answer(pass, 1);
    expect(bench.engine.verdict("c1")).toBe("up");
    expect(bench.engine.running).toBe(0);
  });

  it("removed checkers stop: no timer, no result, no verdict", async () => {
    const bench = new Bench();
    bench.engine.apply([checker(1), checker(2)]);
    await bench.answer(pass, 0);
    bench.engine.apply([]);
    expect(bench.engine.snapshots()).toEqual([]);
    expect(bench.engine.verdict("c1")).toBeUndefined();
    expect(bench.started[1]?.signal.aborted).toBe(true);
    await bench.answer(failure(), 1);
    await bench.advance(600_000);
    expect(bench.started).toHaveLength(2);
    expect(bench.outcomes).toHaveLength(1);
    expect(bench.engine.running).toBe(0);
  });

  it("a checker removed and given back at once does not take the old probe's result", async () => {
    const bench = new Bench();
    bench.engine.apply([checker(1)]);
    bench.engine.apply([]);
    bench.engine.apply([checker(1)]);
    await bench.answer(failure(), 0);
    expect(bench.engine.verdict("c1")).toBe("unknown");
    await bench.answer(pass, 1);
    expect(bench.engine.verdict("c1")).toBe("up");
  });

  it("a checker removed while it waits for a slot is never probed", async () => {
    const bench = new Bench(1);
    bench.engine.apply([checker(1), checker(2), checker(3)]);
    bench.engine.apply([checker(1), checker(3)]);
    await bench.answer(pass, 0);
    expect(bench.ids()).toEqual(["c1", "c3"]);
  });

  it("saved snapshots restore verdict and history of new ids", async () => {
    const first = new Bench();
    first.engine.apply([checker(1)]);
    await first.answer(pass);
    const saved: CheckerSnapshot[] = JSON.parse(JSON.stringify(first.engine.snapshots()));
    const second = new Bench();
    second.engine.apply([checker(1)], new Map(saved.map((snapshot) => [snapshot.id, snapshot])));
    expect(second.engine.snapshots()).toEqual(saved);
    await second.answer(failure());
    expect(second.verdicts).toEqual([]);
    expect(second.engine.verdict("c1")).toBe("up");
  });
});

describe("CheckEngine stop", () => {
  it("aborts what runs, waits for it, and starts nothing more", async () => {
    const bench = new Bench(1);
    bench.engine.apply([checker(1), checker(2)]);
    let stopped = false;
    const stop = bench.engine.stop().then(() => {
      stopped = true;
    });
    await bench.settle();
    expect([bench.started[0]?.signal.aborted, stopped]).toEqual([true, false]);
    await bench.answer(failure("local-error"), 0);
    await stop;
    bench.engine.apply([checker(3)]);
    expect([bench.ids(), bench.timers.size, bench.outcomes]).toEqual([["c1"], 0, []]);
  });
});

describe("CheckEngine with the real probes", () => {
  it("tells servers on loopback that answer from those that don't, by TCP_CHECK and HTTP_GET", async () => {
    const port = await answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    const gone = await closedPort();
    const seen = new Map<string, string>();
    const engine = new CheckEngine({
      onVerdict: ({ id, verdict, result }) => seen.set(id, `${verdict}: ${result.detail}`),
      fdLimit: 256,
    });
    onCleanup(() => engine.stop());
    const at = { connectIp: "127.0.0.1", warmup: ms(5), connectTimeout: ms(1_000) };
    engine.apply([
      tcpConfig({ ...at, id: "tcp", connectPort: port }),
      httpConfig({ ...at, id: "http", connectPort: port }),
      tcpConfig({ ...at, id: "tcp gone", connectPort: gone }),
      httpConfig({ ...at, id: "http gone", connectPort: gone }),
    ]);
    await until(() => seen.size === 4);
    expect(Object.fromEntries(seen)).toEqual({
      tcp: "up: connected",
      http: "up: status 200",
      "tcp gone": "down: connection refused",
      "http gone": "down: connection refused",
    });
  });
});
