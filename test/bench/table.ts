/**
 * 4,000 services with 4 servers each, in a real kernel: from the start of the process to the complete table,
 * and a reload that changes one weight, beside the packaged keepalived in the same kernel.
 *
 * Medians are judged; the best run tells more where the machine is busy. That kernel is a user-mode one: system calls and process starts cost about ten times a machine's, for both.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { it } from "vitest";
import { runGuest } from "../support/uml.ts";
import {
  FIGURES_FILE,
  RELOADS,
  RUNS,
  type RunFigures,
  SERVICES,
  type TableFigures,
} from "./support/figures.ts";
import { median, megabytes, print, ratio, rounds, seconds, table, target } from "./support/report.ts";

const services = rounds(4000, 1000);
const runs = rounds(3, 1);
const reloads = rounds(5, 2);
const WRITING_SHARE = 0.25;
const MEMORY_KIB = 250 * 1024;

it(`a table of ${services} services`, async () => {
  const dir = mkdtempSync(path.join(tmpdir(), "vw-bench-"));
  try {
    const file = path.join(dir, "figures.json");
    const counts = { [SERVICES]: services, [RUNS]: runs, [RELOADS]: reloads };
    const env = Object.fromEntries(Object.entries(counts).map(([key, value]) => [key, String(value)]));
    const results = await runGuest({
      entry: "test/bench/guest/table.ts",
      memory: "2G",
      timeoutMs: 30 * 60_000,
      env: { ...env, [FIGURES_FILE]: file },
    });
    for (const result of results) if (!result.ok) throw new Error(`${result.name}: ${result.error}`);
    report(JSON.parse(readFileSync(file, "utf8")) as TableFigures);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

function report({ vipward, keepalived }: TableFigures): void {
  const row = (
    name: string,
    value: (run: RunFigures) => number,
    show: (value: number) => string,
    aim?: { readonly limit: (theirs: number) => number; readonly text: string },
  ) => {
    const [ours, theirs] = [median(vipward.map(value)), median(keepalived.map(value))];
    const verdict = aim === undefined ? "" : target(ours, aim.limit(theirs), aim.text);
    const best = [vipward, keepalived].map((program) => Math.min(...program.map(value)));
    const [ownBest = 0, theirBest = 0] = best;
    const bests = [...best.map(show), ratio(ownBest, theirBest)];
    return [name, show(ours), show(theirs), ratio(ours, theirs), ...bests, verdict];
  };
  const own = { limit: (theirs: number) => theirs, text: "at most keepalived's" };
  const cold = median(keepalived.map((run) => run.complete));
  const quarter = { limit: () => WRITING_SHARE * cold, text: "at most 1/4 of keepalived's start" };
  const rows = [
    row("start to complete table", (run) => run.complete, seconds, own),
    row("first to last write", (run) => run.writing, seconds, quarter),
    row("reload of one weight", (run) => median(run.reloads), seconds, own),
    row("memory, sum of RSS", (run) => run.rss, megabytes),
  ];
  if (vipward[0]?.pss !== undefined) {
    const limit = { limit: () => MEMORY_KIB, text: "at most 250 MB" };
    rows.push(row("memory, shared pages once", (run) => run.pss ?? 0, megabytes, limit));
  }
  const title = `${services} services x 4 servers, medians (and best) of ${runs} runs, ${reloads} reloads each`;
  print(
    table(
      title,
      ["", "vipward", "keepalived", "ratio", "best: vipward", "keepalived", "ratio", "target"],
      rows,
    ),
  );
}
