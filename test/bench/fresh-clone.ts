/** From a fresh clone to the end of `npm run demo`, dependencies and build included. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { it } from "vitest";
import { run } from "../support/lab.ts";
import { TestProcess } from "../support/process.ts";
import { projectRoot } from "../support/root.ts";
import { print, seconds, table, target } from "./support/report.ts";

const TARGET_MS = 3 * 60_000;
const LIMIT_MS = 15 * 60_000;

it("a fresh clone to the end of the demo", async () => {
  const dir = mkdtempSync(path.join(tmpdir(), "vw-bench-"));
  try {
    const clone = path.join(dir, "vipward");
    const started = performance.now();
    await run(["git", "clone", "--quiet", "--no-hardlinks", projectRoot, clone], { timeout: LIMIT_MS });
    const cloned = performance.now();
    const demo = new TestProcess(["npm", "run", "demo"], { cwd: clone });
    const limit = setTimeout(() => demo.killGroup(), LIMIT_MS);
    const { code, signal } = await demo.exited;
    clearTimeout(limit);
    const ended = performance.now();
    demo.killGroup();
    const why = `npm run demo ended with ${signal ?? code}`;
    if (code !== 0) throw new Error(`${why}\n${demo.text.slice(-3000)}`);
    // Its set-up says when it is done by falling silent: the demo's first line comes next.
    const first = demo.output.find(({ text }) => /^vipward demo/i.test(text));
    const rows = [["git clone", seconds(cloned - started)]];
    if (first)
      rows.push(["set-up (npm ci, build)", seconds(first.time * 1000 - performance.timeOrigin - cloned)]);
    const verdict = target(ended - started, TARGET_MS, "at most 3 min");
    rows.push(["all, to the demo's end", seconds(ended - started), verdict]);
    print(
      table(
        "Fresh clone to the end of the demo, one run (npm's cache as it is)",
        ["", "time", "target"],
        rows,
      ),
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
