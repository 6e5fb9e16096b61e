/** What a command line asks for, built from options that are known to go with the command. */
import type { DestSpec, ServiceId, ServiceSpec } from "../lvs/table.ts";
import {
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  type SyncDaemon,
  type Timeouts,
} from "../wire/ipvs.ts";
import type { Draft } from "./draft.ts";
import type { CommandName, OptionName } from "./options.ts";
import { schedulerFlags } from "./values.ts";

export interface ListRequest {
  readonly what: "services" | "connections" | "timeouts" | "daemons";
  readonly service?: ServiceId;
  readonly numeric: boolean;
  readonly sorted: boolean;
  readonly exact: boolean;
  readonly json: boolean;
  /** Of services: which columns. */
  readonly columns: "default" | "tunnels" | "stats" | "rate" | "thresholds" | "persistent";
  /** Of connections. */
  readonly engineData: boolean;
}

export type Invocation =
  | { readonly command: "add-service" | "edit-service"; readonly service: ServiceSpec }
  | { readonly command: "delete-service"; readonly id: ServiceId }
  | {
      readonly command: "add-server" | "edit-server" | "delete-server";
      readonly id: ServiceId;
      readonly dest: DestSpec;
    }
  | { readonly command: "list"; readonly request: ListRequest }
  | { readonly command: "save"; readonly numeric: boolean }
  | { readonly command: "zero"; readonly id?: ServiceId }
  | { readonly command: "set"; readonly timeouts: Timeouts }
  | { readonly command: "start-daemon"; readonly daemon: SyncDaemon }
  | { readonly command: "stop-daemon"; readonly state: SyncDaemon["state"] }
  | { readonly command: "clear" | "restore" | "help" | "version" };

/** `status` is ipvsadm's exit status; `ends`: among the lines of -R it ends the run. */
export class Refused extends Error {
  readonly status: number;
  readonly ends: boolean;
  constructor(message: string, status = 2, ends = true) {
    super(message);
    this.status = status;
    this.ends = ends;
  }
}

export function build(
  command: CommandName,
  draft: Draft,
  given: ReadonlySet<OptionName>,
  more: { timeouts: Timeouts | undefined; state: SyncDaemon["state"] | undefined },
): Invocation {
  const id = draft.service as ServiceId;
  switch (command) {
    case "add-service":
    case "edit-service":
      return { command, service: serviceSpec(draft, id) };
    case "delete-service":
      return { command, id };
    case "add-server":
    case "edit-server":
      checkTunnel(draft, given);
      return { command, id, dest: destSpec(draft, id, given) };
    case "delete-server":
      return { command, id, dest: serverIdentity(draft, id) };
    case "list":
      return { command, request: listRequest(draft, given) };
    case "save":
      return { command, numeric: given.has("numeric") };
    case "zero":
      return draft.service ? { command, id } : { command };
    case "set":
      return { command, timeouts: more.timeouts as Timeouts };
    case "start-daemon":
      return { command, daemon: syncDaemon(draft, more.state as SyncDaemon["state"]) };
    case "stop-daemon":
      return { command, state: more.state as SyncDaemon["state"] };
    default:
      return { command };
  }
}

function serviceSpec(draft: Draft, id: ServiceId): ServiceSpec {
  const { persistence, onePacket, pe, netmask } = draft;
  const scheduler = draft.scheduler || "wlc";
  const flags = schedulerFlags(draft.schedulerFlags, scheduler);
  if (typeof flags === "object")
    throw new Refused(`"${flags.wrong}" is no flag of the scheduler ${scheduler}`);
  if (id.kind === "address" && id.port === 0 && persistence === undefined)
    throw new Refused("port 0 (any) is only for persistent services (-p)");
  if (onePacket && id.kind === "address" && id.protocol !== "udp")
    throw new Refused("one-packet scheduling (-o) is only for UDP");
  return {
    id,
    scheduler,
    flags:
      flags |
      (persistence === undefined ? 0 : IP_VS_SVC_F_PERSISTENT) |
      (onePacket ? IP_VS_SVC_F_ONEPACKET : 0),
    timeout: persistence ?? 0,
    netmask,
    pe,
  };
}

/** Which option is for which type: ipip has none, gue needs its port, gre has no port and no remcsum. */
function checkTunnel(draft: Draft, given: ReadonlySet<OptionName>): void {
  const checksums = (["tun-nocsum", "tun-csum", "tun-remcsum"] as const).filter((name) => given.has(name));
  const options = [...(["tun-type", "tun-port"] as const).filter((name) => given.has(name)), ...checksums];
  if (draft.forward !== "tunnel") {
    if (options.length > 0) throw new Refused(`${options[0]} is only for tunnels (-i)`);
    return;
  }
  const [type, forbidden] = TUNNEL_RULES[draft.tunType] as (typeof TUNNEL_RULES)[number];
  const wrong = forbidden.find((name) => given.has(name));
  if (wrong) throw new Refused(`${wrong} is not for tunnels of type ${type}`);
  if (type === "gue" && !given.has("tun-port")) throw new Refused("a gue tunnel needs its port (--tun-port)");
  if (checksums.length > 1) throw new Refused(`${checksums.join(" and ")} exclude each other`);
}

/** By IP_VS_CONN_F_TUNNEL_TYPE_*. */
const TUNNEL_RULES: readonly (readonly [string, readonly OptionName[]])[] = [
  ["ipip", ["tun-port", "tun-nocsum", "tun-csum", "tun-remcsum"]],
  ["gue", []],
  ["gre", ["tun-port", "tun-remcsum"]],
];

function destSpec(draft: Draft, id: ServiceId, given: ReadonlySet<OptionName>): DestSpec {
  const { forward, weight, upper, lower, tunType, tunPort } = draft;
  const identity = serverIdentity(draft, id);
  if (identity.family !== id.family && forward !== "tunnel")
    throw new Refused("a real server of the other address family needs a tunnel (-i)");
  return {
    ...identity,
    // Only masquerading can change the port.
    port: id.kind === "address" && forward !== "masq" ? id.port : identity.port,
    forward,
    weight,
    upperThreshold: upper,
    lowerThreshold: lower,
    tunType,
    tunPort,
    tunFlags: given.has("tun-csum") ? 1 : given.has("tun-remcsum") ? 2 : 0,
  };
}

/** The rest is what a deletion does not need. */
function serverIdentity(draft: Draft, id: ServiceId): DestSpec {
  const { family, address, port } = draft.server as NonNullable<Draft["server"]>;
  return {
    family,
    address,
    port: port ?? (id.kind === "address" ? id.port : 0),
    forward: "route",
    weight: 0,
    upperThreshold: 0,
    lowerThreshold: 0,
    tunType: 0,
    tunPort: 0,
    tunFlags: 0,
  };
}

function listRequest(draft: Draft, given: ReadonlySet<OptionName>): ListRequest {
  const has = (option: OptionName): boolean => given.has(option);
  return {
    what: has("connection")
      ? "connections"
      : has("timeout")
        ? "timeouts"
        : has("daemon")
          ? "daemons"
          : "services",
    ...(draft.service ? { service: draft.service } : {}),
    numeric: has("numeric"),
    sorted: !has("nosort"),
    exact: has("exact"),
    json: has("json"),
    // Of several, the first of these wins.
    columns: has("stats")
      ? "stats"
      : has("rate")
        ? "rate"
        : has("thresholds")
          ? "thresholds"
          : has("persistent-conn")
            ? "persistent"
            : has("tun-info")
              ? "tunnels"
              : "default",
    engineData: has("persistent-conn"),
  };
}

function syncDaemon(draft: Draft, state: SyncDaemon["state"]): SyncDaemon {
  const { syncId, syncLength, group, mcastPort, ttl } = draft;
  return {
    state,
    interface: draft.interface,
    syncId,
    ...(syncLength === undefined ? {} : { maxLength: syncLength }),
    ...(group === undefined ? {} : { group }),
    ...(mcastPort === undefined ? {} : { port: mcastPort }),
    ...(ttl === undefined ? {} : { ttl }),
  };
}
