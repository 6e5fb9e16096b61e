/**
 * 255 instances on each of 4 interfaces in one vrrp process, VRRPv2 at 1 s, as masters and, on a second
 * node, as their backups; the packaged keepalived in the same place beside it.
 *
 *   masters --eth0..eth3-- four bridges (tcpdump) --eth0..eth3-- backups
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { it } from "vitest";
import type { DaemonStatus } from "../../src/cli/status.ts";
import { type Capture, Lab, type Namespace, VRRP_FILTER, waitFor } from "../support/lab.ts";
import { Vipward } from "../support/vipward.ts";
import { median, megabytes, print, rounds, seconds, table, target } from "./support/report.ts";

const INTERFACES = 4;
const VRIDS = 255;
const COUNT = INTERFACES * VRIDS;
const RUNS = rounds(3, 1);
const WATCH_MS = rounds(60_000, 10_000);
const INTERVAL_S = 1;
/** Priority 200: three adverts and the skew, before anybody may be master. */
const MASTER_DOWN_MS = (3 + 56 / 256) * 1000;
const START_MS = 5000;
const CORE = 0.5;
const LATE_MS = 500;

const LINKS = Array.from({ length: INTERFACES }, (_, i) => i);
const IDS = Array.from({ length: VRIDS }, (_, i) => i + 1);
type Part = "masters" | "backups";
const PRIORITY = { masters: 200, backups: 100 } as const;

interface Daemon {
  /** The one that runs VRRP, and all of the program's. */
  vrrp(): Promise<number>;
  all(): Promise<readonly number[]>;
  stop(): Promise<unknown>;
}

interface Figures {
  /** From the start of the program to the first advert of the last instance, elections included. */
  readonly startMs: number;
  /** Shares of a core. */
  readonly cpu: number;
  readonly cpuAll: number;
  readonly cpuBackups: number;
  /** The worst of all instances' adverts, after its interval. */
  readonly lateMs: number;
  readonly rssKib: number;
  /** Adverts of backups. */
  readonly false: number;
}

const SUBJECTS = [
  { name: "vipward", start: startVipward },
  { name: "keepalived", start: startKeepalived },
];

it(`${COUNT} instances`, async () => {
  const measured: Figures[][] = SUBJECTS.map(() => []);
  for (let run = 0; run < RUNS; run++) {
    for (const [i, subject] of SUBJECTS.entries()) measured[i]?.push(await measure(subject.start));
  }
  report(measured as [Figures[], Figures[]]);
});

async function measure(start: (lab: Lab, ns: Namespace, part: Part) => Promise<Daemon>): Promise<Figures> {
  const lab = new Lab();
  try {
    const lans: Namespace[] = [];
    for (const i of LINKS) lans.push(await lab.lan(`lan${i}`));
    const node = (part: Part, last: number) =>
      lab.node(
        part,
        lans.map((lan, i) => ({ lan, addresses: [`10.8${i}.255.${last}/16`] })),
      );
    const [one, two] = [await node("masters", 1), await node("backups", 2)];
    const captures = await Promise.all(lans.map((lan) => lab.capture(lan, "br0", VRRP_FILTER)));
    const began = Date.now();
    const masters = await start(lab, one, "masters");
    const firsts = await waitFor(() => firstAdverts(captures), { timeout: 60_000, every: 500 });
    const backups = await start(lab, two, "backups");
    // Compilers and the second round of gratuitous ARP.
    await sleep(8000);
    const since = Date.now();
    const cpu = [masters.vrrp, masters.all, backups.vrrp].map((pids) => cpuOf(pids));
    const before = await Promise.all(cpu.map((read) => read()));
    await sleep(WATCH_MS);
    const after = await Promise.all(cpu.map((read) => read()));
    const [vrrp = 0, all = 0, heard = 0] = after.map((ticks, i) => share(ticks - (before[i] ?? 0)));
    const rssKib = (await masters.all()).reduce((sum, pid) => sum + rss(pid), 0);
    const figures = {
      startMs: Math.max(...firsts) * 1000 - began,
      cpu: vrrp,
      cpuAll: all,
      cpuBackups: heard,
      lateMs: lateness(captures, since / 1000),
      rssKib,
      false: captures.reduce(
        (sum, capture) => sum + capture.adverts({ priority: PRIORITY.backups }).length,
        0,
      ),
    };
    await Promise.all([backups.stop(), masters.stop()]);
    return figures;
  } finally {
    await lab.close();
  }
}

/** When each instance advertised first; undefined while some have not. */
function firstAdverts(captures: readonly Capture[]): readonly number[] | undefined {
  const firsts = new Map<string, number>();
  for (const [i, capture] of captures.entries()) {
    if (capture.packets.length < VRIDS) return undefined;
    for (const { vrid, time } of capture.adverts()) {
      const key = `${i} ${vrid}`;
      if (!firsts.has(key)) firsts.set(key, time);
    }
  }
  return firsts.size === COUNT ? [...firsts.values()] : undefined;
}

/** How much longer than the interval the longest gap between two adverts of one instance was, in ms. */
function lateness(captures: readonly Capture[], since: number): number {
  const worst = captures.map((capture) => {
    const last = new Map<number, number>();
    let longest = 0;
    for (const { vrid, time } of capture.adverts({ priority: PRIORITY.masters })) {
      if (time < since) continue;
      longest = Math.max(longest, time - (last.get(vrid) ?? time));
      last.set(vrid, time);
    }
    if (last.size !== VRIDS) throw new Error(`${VRIDS - last.size} instances fell silent`);
    return longest;
  });
  return (Math.max(...worst) - INTERVAL_S) * 1000;
}

const TICKS_PER_SECOND = 100;

function cpuOf(pids: () => Promise<number | readonly number[]>): () => Promise<number> {
  return async () => {
    const of = await pids();
    return (typeof of === "number" ? [of] : of).reduce((sum, pid) => sum + ticks(pid), 0);
  };
}

/** User and system time, proc_pid_stat(5). */
function ticks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

const share = (spent: number): number => spent / TICKS_PER_SECOND / (WATCH_MS / 1000);

function rss(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0);
}

async function startVipward(lab: Lab, ns: Namespace, part: Part): Promise<Daemon> {
  const instances = LINKS.flatMap((i) =>
    IDS.map((vrid) => [
      `VI_${i}_${vrid}`,
      {
        interface: `eth${i}`,
        virtual_router_id: vrid,
        priority: PRIORITY[part],
        advert_int: INTERVAL_S,
        virtual_ipaddress: [`10.8${i}.0.${vrid}/32`],
      },
    ]),
  );
  const text = JSON.stringify({ vrrp_instance: Object.fromEntries(instances) });
  const daemon = await Vipward.start(lab, ns, text);
  const status = async () => JSON.parse((await daemon.api("/api/v1/status")).body) as DaemonStatus;
  return {
    vrrp: async () => (await status()).processes.vrrp ?? 0,
    all: async () => [daemon.pid, ...daemon.children().map(({ pid }) => pid)],
    stop: () => daemon.stop("SIGTERM", 30_000),
  };
}

async function startKeepalived(lab: Lab, ns: Namespace, part: Part): Promise<Daemon> {
  const instances = LINKS.flatMap((i) =>
    IDS.map(
      (vrid) => `
vrrp_instance VI_${i}_${vrid} {
  interface eth${i}
  virtual_router_id ${vrid}
  priority ${PRIORITY[part]}
  advert_int ${INTERVAL_S}
  virtual_ipaddress {
    10.8${i}.0.${vrid}/32
  }
}`,
    ),
  );
  const file = (suffix: string) => path.join(lab.dir, `scale-${part}.${suffix}`);
  writeFileSync(file("conf"), `global_defs {\n  router_id scale\n}\n${instances.join("")}\n`);
  const argv = ["keepalived", "-P", "--dont-fork", "-f", file("conf"), "-p", file("pid")];
  const parent = lab.spawn(ns, [...argv, "-r", file("vrrp.pid"), "-c", file("checkers.pid")]);
  const vrrp = async () =>
    waitFor(() => Number(readFileSync(file("vrrp.pid"), "utf8")), { what: "keepalived's VRRP process" });
  return {
    vrrp,
    all: async () => [parent.pid, await vrrp()],
    stop: () => parent.stop("SIGTERM", 30_000),
  };
}

function report([ours, theirs]: readonly [readonly Figures[], readonly Figures[]]): void {
  const percent = (value: number) => `${(value * 100).toFixed(1)}%`;
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  const row = (
    name: string,
    pick: (figures: Figures) => number,
    show: (value: number) => string,
    aim?: readonly [limit: number, text: string],
    join: (values: readonly number[]) => number = median,
  ) => {
    const value = join(ours.map(pick));
    return [name, show(value), show(join(theirs.map(pick))), aim ? target(value, ...aim) : ""];
  };
  const worst = (values: readonly number[]) => Math.max(...values);
  const rows = [
    row("start to the last first advert", (f) => f.startMs, seconds, [START_MS, "at most 5 s"]),
    row("of it after the election's time", (f) => f.startMs - MASTER_DOWN_MS, seconds),
    row("CPU of the vrrp process, masters", (f) => f.cpu, percent, [CORE, "under half a core"]),
    row("CPU of the whole program, masters", (f) => f.cpuAll, percent, [CORE, "under half a core"]),
    row("CPU of the vrrp process, backups", (f) => f.cpuBackups, percent, [CORE, "under half a core"]),
    row("latest advert of any instance", (f) => f.lateMs, ms, [LATE_MS, "half an interval"], worst),
    row("false takeovers (adverts of backups)", (f) => f.false, String, [0, "none"], worst),
    row("memory, sum of RSS", (f) => f.rssKib, megabytes),
  ];
  const title = `${COUNT} instances on ${INTERFACES} interfaces, VRRPv2, ${INTERVAL_S} s, ${WATCH_MS / 1000} s watched, median of ${RUNS} runs`;
  print(table(title, ["", "vipward", "keepalived", "target"], rows));
}
