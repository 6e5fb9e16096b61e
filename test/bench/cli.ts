/** What a command line costs before it does anything, and the validation of a large file; natively. Best beside median: a busy machine spoils wall clocks. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { it } from "vitest";
import { cleanEnv } from "../support/process.ts";
import { projectRoot } from "../support/root.ts";
import { keepalivedConf, vipwardYaml } from "./support/large-config.ts";
import { median, millis, print, ratio, rounds, table, target } from "./support/report.ts";

const MAIN = path.join(projectRoot, "dist", "main.js");
const VERSION_ROUNDS = rounds(10, 3);
const CHECK_ROUNDS = rounds(5, 2);
const VERSION_TARGET_MS = 150;
/** The specification's 0.4 s for loading, on top of the start of the process. */
const CHECK_TARGET_MS = 400;

it("the command line", async () => {
  const dir = mkdtempSync(path.join(tmpdir(), "vw-bench-"));
  try {
    const config = { services: 4000, serversEach: 4, changedWeight: 1 };
    const [yaml, conf] = [path.join(dir, "vipward.yaml"), path.join(dir, "keepalived.conf")];
    writeFileSync(yaml, vipwardYaml(config));
    writeFileSync(conf, keepalivedConf(config));
    const node = process.execPath;
    const start = await times([node, "-e", "0"], VERSION_ROUNDS);
    const ours = await times([node, MAIN, "--version"], VERSION_ROUNDS);
    const theirs = await times(["keepalived", "--version"], VERSION_ROUNDS);
    const check = await times([node, MAIN, "check", yaml], CHECK_ROUNDS);
    // It complains of the missing interface, after it has read everything.
    const test = await times(["keepalived", "-t", "-f", conf], CHECK_ROUNDS, [0, 1, 4, 5]);
    const load = median(check) - median(ours);
    print(
      table(
        `Command line, medians of ${VERSION_ROUNDS} and ${CHECK_ROUNDS} runs`,
        ["", "vipward", "best", "keepalived", "ratio", "target"],
        [
          ["node -e 0, for scale", millis(median(start)), millis(Math.min(...start))],
          row("--version", ours, theirs, target(median(ours), VERSION_TARGET_MS, "at most 150 ms")),
          row(
            "check of 4000 x 4",
            check,
            test,
            target(load, CHECK_TARGET_MS, `without start ${millis(load)}, at most 400 ms`),
          ),
        ],
      ),
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

function row(name: string, ours: readonly number[], theirs: readonly number[], verdict: string): string[] {
  const [own, other] = [median(ours), median(theirs)];
  return [name, millis(own), millis(Math.min(...ours)), millis(other), ratio(own, other), verdict];
}

/** Wall clock of one run after the other, in milliseconds. */
async function times(argv: readonly string[], count: number, statuses = [0]): Promise<number[]> {
  const values: number[] = [];
  for (let n = 0; n < count; n++) {
    const started = performance.now();
    const status = await exitStatus(argv);
    values.push(performance.now() - started);
    if (!statuses.includes(status)) throw new Error(`${argv.join(" ")}: exit status ${status}`);
  }
  return values;
}

function exitStatus([command = "", ...args]: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "ignore", env: cleanEnv() });
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? -1));
  });
}
