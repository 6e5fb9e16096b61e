/**
 * The drills that need a kernel of their own: 30% loss for 10 minutes, keepalived under the same loss beside
 * us, and a real-time clock that is set by hours. `npm run drills`
 *
 * VIPWARD_DRILL_LOSS_SECONDS sets another duration than 600.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { it } from "vitest";
import { print, table } from "../bench/support/report.ts";
import type { LossFigures } from "../support/loss-figures.ts";
import { type GuestOptions, runGuest } from "../support/uml.ts";

const SECONDS = Number(process.env.VIPWARD_DRILL_LOSS_SECONDS ?? 600);
const CLOCK_ROUNDS = 10;

async function passes(options: GuestOptions): Promise<void> {
  for (const { name, ok, error } of await runGuest(options)) if (!ok) throw new Error(`${name}: ${error}`);
}

it(`30% loss for ${SECONDS} s`, async () => {
  const dir = mkdtempSync(path.join(tmpdir(), "vw-loss-"));
  try {
    const file = path.join(dir, "figures.json");
    await passes({
      entry: "test/uml/guest/loss.ts",
      timeoutMs: (SECONDS + 300) * 1000,
      env: { VIPWARD_LOSS_SECONDS: String(SECONDS), VIPWARD_LOSS_FIGURES: file },
    });
    report(JSON.parse(readFileSync(file, "utf8")) as LossFigures);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

it(`the clock set by hours, ${CLOCK_ROUNDS * 3} times`, async () => {
  await passes({
    entry: "test/uml/guest/clock-step.ts",
    timeoutMs: 15 * 60_000,
    env: { VIPWARD_CLOCK_ROUNDS: String(CLOCK_ROUNDS) },
  });
});

function report({ seconds, percent, pairs }: LossFigures): void {
  const s = (value: number) => `${value.toFixed(2)} s`;
  const rows = pairs.map((pair) => [
    pair.name,
    String(pair.takeovers),
    s(pair.twoOwners),
    s(pair.twoOwnersTotal),
    s(pair.noOwner),
    s(pair.healed),
  ]);
  const header = [
    "pair",
    "takeovers",
    "two owners: longest",
    "in all",
    "no owner: longest",
    "after the loss",
  ];
  print(table(`${percent}% loss each way for ${seconds.toFixed(0)} s, VRRPv2, 1 s adverts`, header, rows));
}
