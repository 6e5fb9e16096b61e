import { describe, expect, it } from "vitest";
import {
  CheckEngine,
  type CheckOutcome,
  type VerdictChange,
  type WeightChange,
} from "../../../src/check/probes/engine.ts";
import { ms } from "../../../src/units.ts";
import { externalConfig, miscConfig, tcpConfig } from "../support.ts";
import { listen, onCleanup, until } from "./servers.ts";

function engineOf() {
  const verdicts: VerdictChange[] = [];
  const weights: WeightChange[] = [];
  const outcomes: CheckOutcome[] = [];
  const engine = new CheckEngine({
    onVerdict: (change) => verdicts.push(change),
    onWeight: (change) => weights.push(change),
    onResult: (outcome) => outcomes.push(outcome),
  });
  onCleanup(() => engine.stop());
  return { engine, verdicts, weights, outcomes };
}

describe("CheckEngine.external, spec checks 2", () => {
  it("a posted result is the verdict; its end of life is a failure", async () => {
    const { engine, verdicts } = engineOf();
    engine.apply([externalConfig({ id: "e", ttl: ms(60_000) })]);
    expect(engine.external("e", { ok: true, detail: "deployed" })).toBe(true);
    expect(engine.verdict("e")).toBe("up");
    engine.external("e", { ok: false });
    expect(engine.verdict("e")).toBe("down");
    engine.external("e", { ok: true, ttl: 30 });
    await until(() => verdicts.length === 4);
    expect(verdicts.map(({ verdict, result }) => `${verdict}: ${result.detail}`)).toEqual([
      "up: deployed",
      "down: posted as down",
      "up: posted as up",
      "down: no result was posted in time (ttl 60 s)",
    ]);
    expect(verdicts.at(-1)?.result).toMatchObject({ reason: "external-expired" });
  });

  it("without any result it fails when the time to live is over", async () => {
    const { engine, verdicts } = engineOf();
    engine.apply([externalConfig({ id: "e", ttl: ms(20) })]);
    await until(() => verdicts.length === 1);
    expect(verdicts[0]).toMatchObject({ verdict: "down", previous: "unknown" });
  });

  it("no such checker, another type, and after stop: refused", async () => {
    const { engine } = engineOf();
    engine.apply([tcpConfig({ id: "t" }), externalConfig({ id: "e" })]);
    expect(engine.external("x", { ok: true })).toBe(false);
    expect(engine.external("t", { ok: false })).toBe(false);
    await engine.stop();
    expect(engine.external("e", { ok: true })).toBe(false);
  });

  it("details are cut and made printable", () => {
    const { engine } = engineOf();
    engine.apply([externalConfig({ id: "e" })]);
    engine.external("e", { ok: false, detail: `\x1b[2J${"x".repeat(500)}` });
    const last = engine.snapshots()[0]?.history.at(-1)?.result.detail ?? "";
    expect(last).toMatch(/^\?\[2Jx+$/);
    expect(last).toHaveLength(200);
  });
});

describe("CheckEngine weights and policies", () => {
  it("misc_dynamic: onWeight comes before onVerdict and with weight() set", async () => {
    const order: string[] = [];
    const engine: CheckEngine = new CheckEngine({
      onVerdict: ({ verdict }) => order.push(`${verdict} ${JSON.stringify(engine.weight("m"))}`),
      onWeight: ({ weight }) => order.push(`weight ${JSON.stringify(weight)}`),
    });
    onCleanup(() => engine.stop());
    const argv = ["/bin/sh", "-c", "exit 12"];
    engine.apply([miscConfig({ id: "m", argv, dynamic: true, warmup: ms(0) })]);
    await until(() => order.length === 2);
    expect(order).toEqual(['weight {"set":10}', 'up {"set":10}']);
    engine.apply([]);
    expect(engine.weight("m")).toBeUndefined();
  });

  it("log_all_failures comes with each outcome", async () => {
    const { engine, outcomes } = engineOf();
    const port = await listen((socket) => socket.end());
    const at = { connectIp: "127.0.0.1", connectPort: port, warmup: ms(0), delayLoop: ms(600_000) };
    engine.apply([tcpConfig({ ...at, id: "a", logAllFailures: true }), tcpConfig({ ...at, id: "b" })]);
    await until(() => outcomes.length === 2);
    expect(new Map(outcomes.map(({ id, logAllFailures }) => [id, logAllFailures]))).toEqual(
      new Map([
        ["a", true],
        ["b", false],
      ]),
    );
  });
});
