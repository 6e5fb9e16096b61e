import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HttpResponseReader } from "../../src/check/http-response.ts";
import { DueHeap, FairQueue } from "../../src/check/schedule.ts";
import { type CheckState, initialCheckState, snapshotOf, step } from "../../src/check/verdict.ts";
import { ms } from "../../src/units.ts";
import { failure, httpConfig, pass, tcpConfig, threeUrls } from "../check/support.ts";

const results = fc.array(fc.boolean(), { maxLength: 60 });

function drive(cfg: ReturnType<typeof tcpConfig> | ReturnType<typeof httpConfig>, oks: readonly boolean[]) {
  let state: CheckState = step(initialCheckState(cfg), { kind: "start", now: 0, random: 0 }, cfg).state;
  const trace: { ok: boolean; url: number; verdict: string; gap: number }[] = [];
  for (const ok of oks) {
    const now = state.due;
    const due = step(state, { kind: "due", now }, cfg);
    const url = due.actions[0]?.kind === "probe" ? due.actions[0].urlIndex : -1;
    const result = ok ? pass : failure();
    state = step(due.state, { kind: "result", now, at: now, result }, cfg).state;
    trace.push({ ok, url, verdict: state.verdict, gap: state.due - now });
  }
  return { state, trace };
}

describe("verdict laws, spec checks 1", () => {
  it("TCP_CHECK: the verdict is that of a naive reading of the whole history", () => {
    fc.assert(
      fc.property(results, fc.nat(4), (oks, retry) => {
        const { trace } = drive(tcpConfig({ retry }), oks);
        let verdict = "unknown";
        oks.forEach((ok, i) => {
          const lastOk = oks.slice(0, i + 1).lastIndexOf(true);
          if (ok) verdict = "up";
          else if (i === 0 || i - lastOk > retry) verdict = "down";
          expect(trace[i]?.verdict).toBe(verdict);
        });
      }),
    );
  });

  it("the gap is delay_before_retry exactly while up and failing, else delay_loop", () => {
    fc.assert(
      fc.property(results, fc.nat(4), fc.boolean(), (oks, retry, http) => {
        const cfg = http ? httpConfig({ retry, urls: threeUrls }) : tcpConfig({ retry });
        for (const { ok, verdict, gap } of drive(cfg, oks).trace) {
          expect(gap).toBe(!ok && verdict !== "down" ? cfg.delayBeforeRetry : cfg.delayLoop);
        }
      }),
    );
  });

  it("HTTP_GET comes up only after every URL passed in a row, none failing between", () => {
    fc.assert(
      fc.property(results, fc.integer({ min: 1, max: 3 }), (oks, n) => {
        const { trace } = drive(httpConfig({ retry: 0, urls: threeUrls.slice(0, n) }), oks);
        trace.forEach((entry, i) => {
          const before = trace[i - 1]?.verdict ?? "unknown";
          if (entry.verdict !== "up" || before === "up") return;
          const needed = before === "down" ? n + 1 : n;
          const run = trace.slice(i + 1 - needed, i + 1);
          expect(run).toHaveLength(needed);
          expect(run.every((e) => e.ok)).toBe(true);
          expect(run.slice(-n).map((e) => e.url)).toEqual([0, 1, 2].slice(0, n));
        });
      }),
    );
  });

  it("a restart at any point changes no later verdict once one was given", () => {
    fc.assert(
      fc.property(results, results, fc.nat(3), (before, after, retry) => {
        const cfg = httpConfig({ retry, urls: threeUrls });
        const { state } = drive(cfg, before);
        fc.pre(state.hasRun);
        const saved = snapshotOf(state, cfg);
        let a = state;
        let b = step(initialCheckState(cfg, saved), { kind: "start", now: 0, random: 0 }, cfg).state;
        for (const ok of after) {
          const result = ok ? pass : failure();
          [a, b] = [a, b].map((s) => {
            const probing = step(s, { kind: "due", now: s.due }, cfg).state;
            return step(probing, { kind: "result", now: s.due, at: 0, result }, cfg).state;
          }) as [CheckState, CheckState];
          expect(b.verdict).toBe(a.verdict);
        }
      }),
    );
  });

  it("zero and huge delays keep due monotonic and finite", () => {
    fc.assert(
      fc.property(results, fc.nat(2 ** 31), (oks, delay) => {
        const cfg = tcpConfig({ delayLoop: ms(delay), delayBeforeRetry: ms(delay) });
        for (const { gap } of drive(cfg, oks).trace) expect(gap).toBe(delay);
      }),
    );
  });
});

describe("schedule laws, spec checks 4", () => {
  it("DueHeap agrees with a sorted list under any set, remove and take", () => {
    const op = fc.record({ what: fc.constantFrom("set", "remove", "take"), id: fc.nat(9), due: fc.nat(50) });
    fc.assert(
      fc.property(fc.array(op, { maxLength: 200 }), (ops) => {
        const items = Array.from({ length: 10 }, (_, id) => ({ id, due: 0, heapIndex: -1 }));
        const heap = new DueHeap<(typeof items)[number]>();
        const model = new Map<number, number>();
        for (const { what, id, due } of ops) {
          if (what === "set") {
            heap.set(items[id]!, due);
            model.set(id, due);
          } else if (what === "remove") {
            heap.remove(items[id]!);
            model.delete(id);
          } else {
            const earliest = Math.min(...model.values());
            const taken = heap.takeDue(due);
            expect(taken?.due).toBe(earliest <= due ? earliest : undefined);
            if (taken !== undefined) model.delete(taken.id);
          }
          expect(heap.size).toBe(model.size);
        }
      }),
    );
  });

  it("FairQueue never exceeds its limits and never forgets anything", () => {
    const op = fc.record({ what: fc.constantFrom("add", "take", "release"), group: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(op, { maxLength: 300 }), fc.integer({ min: 1, max: 9 }), (ops, limit) => {
        const queue = new FairQueue<{ group: number }>(limit, (item) => String(item.group));
        const running: { group: number }[] = [];
        let added = 0;
        let taken = 0;
        const take = (): boolean => {
          const item = queue.take();
          if (item === undefined) return false;
          running.push(item);
          taken++;
          expect(running.length).toBeLessThanOrEqual(limit);
          const same = running.filter((r) => r.group === item.group).length;
          expect(same).toBeLessThanOrEqual(Math.max(1, Math.ceil(limit / 4)));
          return true;
        };
        const release = (): void => {
          const item = running.shift();
          if (item !== undefined) queue.release(item);
        };
        for (const { what, group } of ops) {
          if (what === "add") {
            queue.add({ group });
            added++;
          } else if (what === "take") take();
          else release();
        }
        while (take() || running.length > 0) release();
        expect(taken).toBe(added);
      }),
    );
  });
});

describe("HTTP reader laws, spec checks 3", () => {
  const pieces = fc.array(
    fc.constantFrom(
      "HTTP/1.1 200 OK\r\n",
      "HTTP/1.0 100 x\r\n",
      "Content-Length: 5\r\n",
      "Transfer-Encoding: chunked\r\n",
      "X: y\r\n",
      "\r\n",
      "5\r\nhello\r\n",
      "0\r\n\r\n",
      "\n",
      "\r",
      "a",
      "\u0000",
    ),
    { maxLength: 30 },
  );
  const outcome = (reader: HttpResponseReader) => {
    reader.end();
    return [reader.phase, reader.status, reader.bodyBytes, reader.failure];
  };

  it("how the bytes are cut into reads makes no difference", () => {
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 7 }), (parts, size) => {
        const all = Uint8Array.from(parts.join(""), (c) => c.charCodeAt(0));
        const whole = new HttpResponseReader(20);
        whole.push(all);
        const dripped = new HttpResponseReader(20);
        for (let at = 0; at < all.length; at += size) dripped.push(all.subarray(at, at + size));
        expect(outcome(dripped)).toEqual(outcome(whole));
      }),
      { numRuns: 500 },
    );
  });

  it("any bytes at all: never throws, ends, and stays under the cap", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), pieces, (noise, parts) => {
        const reader = new HttpResponseReader(16);
        reader.push(Uint8Array.from(parts.join(""), (c) => c.charCodeAt(0)));
        reader.push(noise);
        expect(["done", "failed"]).toContain(reader.end());
        expect(reader.bodyBytes).toBeLessThanOrEqual(16);
      }),
    );
  });
});
