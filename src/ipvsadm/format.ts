/** What ipvsadm(8) prints of the table, byte for byte: `-L` in all its columns, and `-S`. */
import type { DestObservation, DestSpec, ForwardMethod, ServiceSpec, Stats } from "../lvs/table.ts";
import { formatIpv4 } from "../wire/address.ts";
import {
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  type IpvsInfo,
  type SyncDaemon,
  type Timeouts,
} from "../wire/ipvs.ts";
import { prefixToMask } from "../wire/ipvs-netmask.ts";
import { FULL_NETMASK } from "./draft.ts";
import type { ListRequest } from "./invocation.ts";
import { destColumn, destLabel, serviceColumn, serviceOption } from "./labels.ts";
import type { Names } from "./names.ts";
import { compareKeys, destSortKey, serviceSortKey, sortBy } from "./sort.ts";
import { schedulerFlagText } from "./values.ts";

export interface ListedDest {
  readonly spec: DestSpec;
  readonly observation: DestObservation;
}
export interface ListedService {
  readonly spec: ServiceSpec;
  readonly stats?: Stats;
  readonly dests: readonly ListedDest[];
}

export function sortServices(services: readonly ListedService[]): ListedService[] {
  return sortBy(
    services.map((service) => ({
      ...service,
      dests: sortBy(service.dests, ({ spec }) => destSortKey(spec), compareKeys),
    })),
    ({ spec }) => serviceSortKey(spec.id),
    compareKeys,
  );
}

type Columns = ListRequest["columns"];

const HEADINGS: Readonly<Record<Columns, string>> = {
  default:
    "Prot LocalAddress:Port Scheduler Flags\n" +
    "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n",
  tunnels:
    "Prot LocalAddress:Port Scheduler Flags\n" +
    "  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn\n",
  stats:
    "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n" +
    "  -> RemoteAddress:Port\n",
  rate:
    "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n" +
    "  -> RemoteAddress:Port\n",
  thresholds:
    "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn \n" +
    "  -> RemoteAddress:Port\n",
  persistent:
    "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n" +
    "  -> RemoteAddress:Port\n",
};

/** `info` heads the list of all services; a list of one has no such line. */
export async function formatList(
  info: IpvsInfo | undefined,
  services: readonly ListedService[],
  { columns, exact, sorted }: Pick<ListRequest, "columns" | "exact" | "sorted">,
  names: Names,
): Promise<string> {
  const lines = [
    info ? `IP Virtual Server version ${info.version} (size=${info.connTabSize})\n` : "",
    HEADINGS[columns],
  ];
  for (const { spec, stats, dests } of sorted ? sortServices(services) : services) {
    const name = await serviceColumn(spec.id, names);
    lines.push(counted(columns) ? `${name}${counters(stats, columns, exact)}\n` : serviceLine(name, spec));
    for (const dest of dests) {
      const label = await destColumn(dest.spec, spec.id, names);
      lines.push(`${label}${destColumns(dest, columns, exact)}\n`);
    }
  }
  return lines.join("");
}

function counted(columns: Columns): columns is "stats" | "rate" {
  return columns === "stats" || columns === "rate";
}

function serviceLine(name: string, spec: ServiceSpec): string {
  const words = [name.trimEnd(), spec.scheduler];
  const flags = schedulerFlagText(spec.flags, spec.scheduler);
  if (flags !== undefined) words.push(`(${flags})`);
  if (isPersistent(spec)) {
    words.push(`persistent ${spec.timeout}`);
    const mask = maskText(spec);
    if (mask !== undefined) words.push(`mask ${mask}`);
    // Without persistence the engine is idle; -S names it nevertheless.
    if (spec.pe !== "") words.push(`pe ${spec.pe}`);
  }
  if (spec.flags & IP_VS_SVC_F_ONEPACKET) words.push("ops");
  return `${words.join(" ")}\n`;
}

function isPersistent({ flags }: ServiceSpec): boolean {
  return (flags & IP_VS_SVC_F_PERSISTENT) !== 0;
}

/** "255.255.255.0" or "64"; undefined when it is the full one. */
function maskText({ id, netmask }: ServiceSpec): string | undefined {
  if (netmask === FULL_NETMASK[id.family]) return undefined;
  if (id.family === 6) return String(netmask);
  const mask = prefixToMask(netmask);
  return formatIpv4(Uint8Array.of(mask >>> 24, mask >>> 16, mask >>> 8, mask));
}

const FORWARD: Readonly<Record<ForwardMethod, string>> = {
  masq: "Masq",
  local: "Local",
  tunnel: "Tunnel",
  route: "Route",
  bypass: "Bypass",
};

function destColumns({ spec, observation }: ListedDest, columns: Columns, exact: boolean): string {
  const cell = (value: number | string, width: number): string => ` ${String(value).padEnd(width)}`;
  const conns = cell(observation.activeConns, 10) + cell(observation.inactConns, 10);
  switch (columns) {
    case "stats":
    case "rate":
      return counters(observation.stats, columns, exact);
    case "thresholds":
      return cell(spec.upperThreshold, 10) + cell(spec.lowerThreshold, 10) + conns;
    case "persistent":
      return cell(spec.weight, 9) + cell(observation.persistConns, 11) + conns;
    case "tunnels":
      return cell(FORWARD[spec.forward], 7) + cell(tunnelText(spec), 13) + cell(spec.weight, 6) + conns;
    case "default":
      return cell(FORWARD[spec.forward], 7) + cell(spec.weight, 6) + conns;
  }
}

/** By IP_VS_TUNNEL_ENCAP_FLAG_*: none, checksum, remote checksum offload. */
const CHECKSUM_MARK = ["-c", "+c", "r+c"];
const CHECKSUM_OPTION = ["--tun-nocsum", "--tun-csum", "--tun-remcsum"];

function tunnelText({ forward, tunType, tunPort, tunFlags }: DestSpec): string {
  if (forward !== "tunnel") return "n/a";
  const checksum = CHECKSUM_MARK[tunFlags] ?? CHECKSUM_MARK[0];
  if (tunType === 1) return `gue:${tunPort}:${checksum}`;
  return tunType === 2 ? `gre:${checksum}` : "ipip";
}

function counters(stats: Stats | undefined, columns: "stats" | "rate", exact: boolean): string {
  const { conns = 0n, inPkts = 0n, outPkts = 0n, inBytes = 0n, outBytes = 0n } = stats ?? {};
  const { cps = 0n, inPps = 0n, outPps = 0n, inBps = 0n, outBps = 0n } = stats ?? {};
  const values =
    columns === "stats" ? [conns, inPkts, outPkts, inBytes, outBytes] : [cps, inPps, outPps, inBps, outBps];
  return values.map((value) => (exact ? ` ${String(value).padStart(8)}` : rounded(value))).join("");
}

/** Rounded down to K, M, G or T of 1000, in 9 columns. */
function rounded(value: bigint): string {
  const text =
    value < 100_000_000n
      ? String(value)
      : value < 1_000_000_000n
        ? `${value / 1_000n}K`
        : value < 100_000_000_000n
          ? `${value / 1_000_000n}M`
          : value < 100_000_000_000_000n
            ? `${value / 1_000_000_000n}G`
            : `${value / 1_000_000_000_000n}T`;
  return text.padStart(9);
}

/** Rules for -R, in the order of the list. */
export async function formatRules(services: readonly ListedService[], names: Names): Promise<string> {
  const lines: string[] = [];
  for (const { spec, dests } of sortServices(services)) {
    const service = await serviceOption(spec.id, names);
    lines.push(`-A ${service} -s ${spec.scheduler}${serviceOptions(spec)}\n`);
    for (const { spec: dest } of dests) {
      const server = await destLabel(dest, spec.id, names);
      lines.push(`-a ${service} -r ${server} ${destOptions(dest)}\n`);
    }
  }
  return lines.join("");
}

function serviceOptions(spec: ServiceSpec): string {
  let text = "";
  if (isPersistent(spec)) {
    const mask = maskText(spec);
    text += ` -p ${spec.timeout}${mask === undefined ? "" : ` -M ${mask}`}`;
  }
  if (spec.pe !== "") text += ` --pe ${spec.pe}`;
  if (spec.flags & IP_VS_SVC_F_ONEPACKET) text += " -o";
  const flags = schedulerFlagText(spec.flags, spec.scheduler);
  return flags === undefined ? text : `${text} -b ${flags}`;
}

function destOptions({ forward, weight, tunType, tunPort, tunFlags }: DestSpec): string {
  if (forward !== "tunnel") return `${forward === "masq" ? "-m" : "-g"} -w ${weight}`;
  const checksum = CHECKSUM_OPTION[tunFlags] ?? CHECKSUM_OPTION[0];
  if (tunType === 1) return `-i -w ${weight} --tun-type gue --tun-port ${tunPort} ${checksum}`;
  if (tunType === 2) return `-i -w ${weight} --tun-type gre ${checksum}`;
  return `-i -w ${weight} --tun-type ipip`;
}

export function formatTimeouts({ tcp, tcpFin, udp }: Timeouts): string {
  return `Timeout (tcp tcpfin udp): ${tcp} ${tcpFin} ${udp}\n`;
}

export function formatDaemons(daemons: readonly SyncDaemon[]): string {
  return daemons
    .map(
      ({ state, interface: name, syncId, maxLength = 0, group = "", port = 0, ttl = 0 }) =>
        `${state} sync daemon (mcast=${name}, syncid=${syncId}, maxlen=${maxLength}, ` +
        `group=${group}, port=${port}, ttl=${ttl})\n`,
    )
    .join("");
}
