/**
 * In the guest's kernel: keepalived and vipward in turn fill the same large table, and change one weight.
 * Cold: each run starts with an empty table and no saved state, and ends by SIGKILL.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TestProcess } from "../../support/process.ts";
import { projectRoot } from "../../support/root.ts";
import { guestTest, runAll, sh } from "../../uml/guest/harness.ts";
import {
  FIGURES_FILE,
  RELOADS,
  RUNS,
  type RunFigures,
  SERVICES,
  type TableFigures,
} from "../support/figures.ts";
import {
  changedService,
  DEVICE,
  keepalivedConf,
  type LargeConfig,
  OWN_ADDRESS,
  vipwardYaml,
} from "../support/large-config.ts";
import { countTable, WatchedTable } from "../support/watched-table.ts";

interface Program {
  readonly name: keyof TableFigures;
  readonly argv: (config: string, dir: string) => string[];
  readonly text: (config: LargeConfig) => string;
}

const MAIN = path.join(projectRoot, "dist", "main.js");
const PROGRAMS: readonly Program[] = [
  {
    name: "keepalived",
    argv: (config, dir) => [
      ...["keepalived", "--dont-fork", "-f", config, "-p", `${dir}/pid`],
      ...["-r", `${dir}/vrrp.pid`, "-c", `${dir}/checkers.pid`],
    ],
    text: keepalivedConf,
  },
  {
    name: "vipward",
    argv: (config, dir) => [
      ...[
        process.execPath,
        MAIN,
        "run",
        "-c",
        config,
        "--log-level",
        process.env.VIPWARD_BENCH_LOG ?? "info",
      ],
      ...["--run-dir", `${dir}/run`, "--state-dir", `${dir}/state`],
    ],
    text: vipwardYaml,
  },
];
const SERVERS_EACH = 4;
const COMPLETE_LIMIT_MS = 120_000;
const RELOAD_LIMIT_MS = 60_000;
/** Start-up's garbage and late timers are neither the table's memory nor a reload's time. */
const SETTLE_MS = 6000;
const DIR = "/run/bench";

const services = Number(process.env[SERVICES]);
const figures: TableFigures = { vipward: [], keepalived: [] };
const table = new WatchedTable();
sh("ip", "link", "add", DEVICE, "type", "dummy");
sh("ip", "addr", "add", OWN_ADDRESS, "dev", DEVICE);
sh("ip", "link", "set", DEVICE, "up");

for (let run = 1; run <= Number(process.env[RUNS]); run++) {
  for (const program of PROGRAMS) {
    guestTest(
      `${program.name}, run ${run}`,
      async () => {
        figures[program.name].push(await measure(program));
        writeFileSync(process.env[FIGURES_FILE] ?? "", JSON.stringify(figures));
      },
      10 * 60_000,
    );
  }
}
await runAll();

async function measure(program: Program): Promise<RunFigures> {
  rmSync(DIR, { recursive: true, force: true });
  mkdirSync(DIR, { recursive: true });
  table.flush();
  const file = path.join(DIR, "config");
  const write = (changedWeight: number) =>
    writeFileSync(file, program.text({ services, serversEach: SERVERS_EACH, changedWeight }), {
      mode: 0o600,
    });
  write(1);
  const started = performance.now();
  const daemon = new TestProcess(program.argv(file, DIR));
  try {
    const first = await table.reaches(0, 1, COMPLETE_LIMIT_MS);
    const complete = await table.reaches(services - 1, SERVERS_EACH, COMPLETE_LIMIT_MS);
    checkWhole();
    await sleep(SETTLE_MS);
    const reloads: number[] = [];
    for (let n = 1; n <= Number(process.env[RELOADS]); n++) {
      reloads.push(await reload(daemon, () => write(n + 1), n + 1));
    }
    const memory = memoryOf(daemon.pid);
    return { complete: complete - started, writing: complete - first, reloads, ...memory };
  } catch (error) {
    throw new Error(`${program.name}: ${(error as Error).message}\n${daemon.text.slice(-2000)}`, {
      cause: error,
    });
  } finally {
    if (process.env.VIPWARD_BENCH_LOG) console.log(daemon.text);
    for (const pid of tree(daemon.pid)) kill(pid);
    await daemon.exited;
  }
}

/** The last service is in: so are all the others, or the figure means nothing. */
function checkWhole(): void {
  const found = countTable();
  if (found.services === services && found.destinations === services * SERVERS_EACH) return;
  throw new Error(`the table has ${JSON.stringify(found)}, with its last service complete`);
}

async function reload(daemon: TestProcess, rewrite: () => void, weight: number): Promise<number> {
  rewrite();
  const started = performance.now();
  process.kill(daemon.pid, "SIGHUP");
  const changed = (destinations: readonly { weight: number }[]) =>
    destinations.some((destination) => destination.weight === weight);
  const at = await table.reaches(changedService({ services }), SERVERS_EACH, RELOAD_LIMIT_MS, changed);
  await sleep(SETTLE_MS / 2);
  return at - started;
}

/** A process and all its descendants. */
function tree(root: number): number[] {
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === root);
  return [root, ...children.flatMap(tree)];
}

function parentOf(pid: number): number | undefined {
  const match = read(`/proc/${pid}/stat`).match(/^\d+ \(.*\) \S (\d+)/s);
  return match ? Number(match[1]) : undefined;
}

function memoryOf(root: number): { rss: number; pss: number | undefined } {
  const pids = tree(root);
  const sum = (file: string, field: string) =>
    pids.reduce((total, pid) => {
      const match = read(`/proc/${pid}/${file}`).match(new RegExp(`^${field}:\\s+(\\d+) kB`, "m"));
      return total + Number(match?.[1] ?? 0);
    }, 0);
  return { rss: sum("status", "VmRSS"), pss: sum("smaps_rollup", "Pss") || undefined };
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // The process ended, or this kernel has no such file.
    return "";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone with its parent.
  }
}
