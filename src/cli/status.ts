/** `vipward status`: states with their age and reason, then the table as `ipvsadm -Ln` would show it. */
import pc from "picocolors";
import type {
  GroupStatus,
  InstanceStatus,
  LvsStatus,
  RealServerStatus,
  ServiceStatus,
  VrrpStatus,
} from "../daemon/messages.ts";
import type { PathOptions } from "../daemon/supervisor/paths.ts";
import { request } from "./client.ts";
import { color } from "./terminal.ts";

export interface DaemonStatus {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly processes: { readonly vrrp?: number; readonly lvs?: number };
  readonly uptime: number;
  readonly config: { readonly hash: string; readonly files: readonly string[] };
  readonly instances: readonly InstanceStatus[];
  readonly groups: readonly GroupStatus[];
  readonly strayDrops: VrrpStatus["strayDrops"];
  readonly lvs: LvsStatus | null;
}
export interface StatusOptions extends PathOptions {
  readonly output: "table" | "wide" | "json";
  readonly watch?: boolean;
}

/** Exit status 0; 1 when the daemon is not there or does not know `what`. */
export async function statusCommand(what: string | undefined, options: StatusOptions): Promise<number> {
  for (;;) {
    const { status, data } = await request<DaemonStatus>("GET", "/api/v1/status", options);
    if (status !== 200) throw new Error(`the daemon answered ${status}: ${JSON.stringify(data)}`);
    const shown = select(data, what);
    if (!shown) {
      process.stderr.write(`vipward: no instance, service or real server called "${what}"\n`);
      return 1;
    }
    if (options.watch && process.stdout.isTTY) process.stdout.write("\x1b[2J\x1b[H");
    process.stdout.write(
      options.output === "json"
        ? `${JSON.stringify(shown, null, 2)}\n`
        : table(shown, options.output === "wide"),
    );
    if (!options.watch) return 0;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

function select(status: DaemonStatus, what: string | undefined): DaemonStatus | undefined {
  if (what === undefined) return status;
  const services = status.lvs?.services ?? [];
  if (what === "instances") return { ...status, lvs: null };
  if (what === "services") return { ...status, instances: [], groups: [] };
  const instances = status.instances.filter((instance) => instance.name === what);
  if (instances.length > 0) return { ...status, instances, lvs: null };
  const matching = services.filter(
    (service) =>
      service.key === what ||
      service.key.split(" ")[1] === what ||
      service.realServers.some((server) => server.key === what),
  );
  if (matching.length === 0 || !status.lvs) return undefined;
  return { ...status, instances: [], groups: [], lvs: { ...status.lvs, services: matching } };
}

const paint = pc.createColors(color(process.stdout));
const STATE_PAINT: Record<string, (text: string) => string> = {
  MASTER: paint.green,
  BACKUP: paint.cyan,
  FAULT: paint.red,
  INIT: paint.yellow,
};

function table(status: DaemonStatus, wide: boolean): string {
  const head = `${paint.bold(status.node)}  vipward ${status.version}  pid ${status.pid}  up ${duration(status.uptime)}  config ${status.config.hash}\n`;
  return (
    head +
    instancesTable(status.instances, wide) +
    groupsTable(status.groups) +
    (status.lvs ? lvsTable(status.lvs, wide) : "")
  );
}

function instancesTable(instances: readonly InstanceStatus[], wide: boolean): string {
  if (instances.length === 0) return "";
  const rows = instances.map((instance) => [
    instance.name,
    instance.state,
    duration(instance.age),
    `${instance.interface}/${instance.vrid} v${instance.version}`,
    String(instance.priority),
    instance.vips.map((vip) => `${vip.address}${vip.present ? "*" : ""}`).join(" ") || "-",
    instance.peer
      ? `${instance.peer.source} prio ${instance.peer.priority}, ${duration(instance.peer.ago)} ago`
      : "-",
  ]);
  const text = columns(
    [["INSTANCE", "STATE", "SINCE", "IF/VRID", "PRIO", "VIPS (* here)", "LAST HEARD"], ...rows],
    (cell, column) => (column === 1 ? (STATE_PAINT[cell.trim()]?.(cell) ?? cell) : cell),
  );
  return `\n${text}${instances.map((instance) => reason(instance, wide)).join("")}`;
}

function groupsTable(groups: readonly GroupStatus[]): string {
  if (groups.length === 0) return "";
  const rows = groups.map(({ name, state, age, members, reason: why }) => [
    name,
    state,
    duration(age),
    members.join(" "),
    why,
  ]);
  return `\n${columns([["SYNC GROUP", "STATE", "SINCE", "MEMBERS", "REASON"], ...rows], (cell, column) =>
    column === 1 ? (STATE_PAINT[cell.trim()]?.(cell) ?? cell) : cell,
  )}`;
}

function reason(instance: InstanceStatus, wide: boolean): string {
  let text = `  ${instance.name}: ${instance.reason}\n`;
  const drops = Object.entries(instance.counters.drops);
  if (drops.length > 0)
    text += `  ${instance.name}: dropped ${drops.map(([why, count]) => `${count} ${why}`).join(", ")}\n`;
  for (const { kind, text: what, since } of instance.conflicts) {
    text += paint.red(`  ${instance.name}: CONFLICT ${kind} for ${duration(since)}: ${what}\n`);
  }
  if (!wide) return text;
  const { counters, lease, trackers } = instance;
  if (trackers.length > 0)
    text += `    priority ${instance.basePriority}${trackers.map(trackerPart).join("")} = ${instance.priority}\n`;
  text += `    adverts sent ${counters.advertsSent}, received ${counters.advertsReceived}; interval ${instance.advertInterval} s, master down after ${instance.masterDownInterval.toFixed(3)} s\n`;
  if (lease)
    text += `    VIP lease ${lease.seconds} s: two owners for at most ${lease.twoOwnersAtMost} s if everything here is killed\n`;
  return text;
}

function trackerPart({ kind, name, status, adds, faults }: InstanceStatus["trackers"][number]): string {
  const effect = faults ? "FAULT" : adds === 0 ? "+0" : adds > 0 ? `+${adds}` : String(adds);
  return ` ${effect} (${kind} ${name} ${status})`;
}

function lvsTable(lvs: LvsStatus, wide: boolean): string {
  const age = lvs.tableAge === undefined ? "not read yet" : `counters read ${duration(lvs.tableAge)} ago`;
  let text = `\nIPVS table (${lvs.dataplane === "userspace" ? "USERSPACE dataplane" : lvs.dataplane}), ${lvs.complete ? "complete" : "NOT COMPLETE"}, ${age}\n`;
  if (lvs.problem) text += paint.red(`  problem: ${lvs.problem}\n`);
  for (const failing of lvs.failing)
    text += paint.red(`  failing: ${failing.operation}: ${failing.message}\n`);
  const rows = lvs.services.flatMap((service) => serviceRows(service));
  if (rows.length === 0) return text;
  text += columns(
    [["", "ADDRESS", "FORWARD", "WEIGHT", "ACTIVE", "INACT", "HEALTH"], ...rows],
    (cell, column) => (column === 6 ? health(cell) : cell),
  );
  return wide ? text + lvs.services.flatMap(checkLines).join("") : text;
}

const health = (cell: string): string =>
  cell.startsWith("up") || cell.startsWith("quorum ok")
    ? paint.green(cell)
    : cell.startsWith("HEALTH")
      ? cell
      : paint.red(cell);

function serviceRows(service: ServiceStatus): string[][] {
  const persistence = service.persistenceTimeout > 0 ? ` persistent ${service.persistenceTimeout}` : "";
  const quorum = service.quorumUp
    ? `quorum ok (${service.liveWeight} of ${service.quorum})`
    : `QUORUM LOST (${service.liveWeight} of ${service.quorum})`;
  const rows = [
    [
      service.key.split(" ")[0]!.toUpperCase(),
      `${service.key.split(" ")[1]} ${service.scheduler}${persistence}`,
      service.forwarding,
      "",
      "",
      "",
      quorum,
    ],
  ];
  for (const server of service.realServers) rows.push(serverRow(server));
  if (service.sorryServer) {
    const { key, inTable } = service.sorryServer;
    rows.push([
      "  ->",
      key,
      "",
      "",
      "",
      "",
      inTable ? "sorry server, serving" : "up: sorry server, standing by",
    ]);
  }
  return rows;
}

function serverRow(server: RealServerStatus): string[] {
  return [
    "  ->",
    server.key,
    server.forward,
    server.weight === undefined ? "out" : String(server.weight),
    String(server.activeConns ?? "-"),
    String(server.inactConns ?? "-"),
    server.up ? "up" : `down: ${whyDown(server)}`,
  ];
}

function whyDown(server: RealServerStatus): string {
  const failing = server.checkers.find((checker) => checker.verdict === "down");
  const result = failing?.last?.result;
  if (!failing || !result) return "not checked yet (alpha)";
  const ago = duration((Date.now() - failing.since) / 1_000);
  return `${failing.type} ${result.ok ? "recovering" : result.detail}, since ${ago}`;
}

function checkLines(service: ServiceStatus): string[] {
  return service.realServers.flatMap((server) =>
    server.checkers.map((checker) => {
      const last = checker.last;
      const what = last
        ? `${last.result.ok ? "ok" : last.result.reason}: ${last.result.detail} in ${last.result.duration.toFixed(1)} ms, ${duration((Date.now() - last.at) / 1_000)} ago`
        : "no result yet";
      return `  ${checker.id}: ${checker.verdict}, ${checker.checksRun} checks, last ${what}\n`;
    }),
  );
}

/** Left-aligned columns; painting happens after padding, so that escapes don't count as width. */
function columns(
  rows: readonly (readonly string[])[],
  decorate: (cell: string, column: number) => string,
): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) =>
            decorate(column === row.length - 1 ? cell : cell.padEnd(widths[column]!), column),
          )
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  if (seconds < 120) return `${Math.round(seconds)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes}m${Math.round(seconds % 60)}s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h${minutes % 60}m` : `${Math.floor(hours / 24)}d${hours % 24}h`;
}
