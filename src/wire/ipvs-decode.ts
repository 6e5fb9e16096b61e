/**
 * Answers of the kernel's IPVS (include/uapi/linux/ip_vs.h). Each function takes the payload of one generic
 * netlink message, its genlmsghdr included, and gives undefined when the message is not of its kind or lacks
 * what identifies it.
 */
import type { Family, TransportProtocol } from "../config/model.ts";
import type { DestObservation, DestSpec, ServiceId, ServiceSpec, Stats } from "../lvs/table.ts";
import { addressText } from "./address.ts";
import { GENL_HEADER, genlCommand } from "./genl.ts";
import {
  AF_INET,
  AF_INET6,
  FORWARD_METHODS,
  IP_VS_CONN_F_FWD_MASK,
  IP_VS_STATE_BACKUP,
  IP_VS_STATE_MASTER,
  IP_VS_SVC_F_HASHED,
  IPVS_CMD,
  IPVS_CMD_ATTR,
  IPVS_DAEMON_ATTR,
  IPVS_DEST_ATTR,
  IPVS_INFO_ATTR,
  IPVS_STATS_ATTR,
  IPVS_SVC_ATTR,
  PROTOCOL_NUMBER,
} from "./ipvs-constants.ts";
import { maskToPrefix } from "./ipvs-netmask.ts";
import type { SyncDaemon, Timeouts } from "./ipvs-settings.ts";
import {
  type Attributes,
  attributeBigint,
  attributeNumber,
  attributeText,
  parseAttributes,
} from "./netlink.ts";

export function decodeService(payload: Uint8Array): { spec: ServiceSpec; stats?: Stats } | undefined {
  const attributes = nested(payload, IPVS_CMD.NEW_SERVICE, IPVS_CMD_ATTR.SERVICE);
  const id = attributes && decodeServiceId(attributes);
  if (!id) return undefined;
  const stats = decodeStats(attributes, IPVS_SVC_ATTR.STATS64, IPVS_SVC_ATTR.STATS);
  const flags = attributes.get(IPVS_SVC_ATTR.FLAGS);
  return {
    spec: {
      id,
      scheduler: text(attributes, IPVS_SVC_ATTR.SCHED_NAME),
      // struct ip_vs_flags: flags, then a mask that says nothing in an answer.
      flags: (attributeNumber(flags?.subarray(0, 4)) ?? 0) & ~IP_VS_SVC_F_HASHED,
      timeout: number(attributes, IPVS_SVC_ATTR.TIMEOUT),
      netmask: decodeNetmask(attributes.get(IPVS_SVC_ATTR.NETMASK), id.family),
      pe: text(attributes, IPVS_SVC_ATTR.PE_NAME),
    },
    ...(stats ? { stats } : {}),
  };
}

function decodeServiceId(attributes: Attributes): ServiceId | undefined {
  const family = decodeFamilyNumber(attributes.get(IPVS_SVC_ATTR.AF));
  if (family === undefined) return undefined;
  const mark = attributeNumber(attributes.get(IPVS_SVC_ATTR.FWMARK));
  if (mark !== undefined) return { kind: "fwmark", family, mark };
  const protocol = PROTOCOLS.get(number(attributes, IPVS_SVC_ATTR.PROTOCOL));
  const address = decodeAddress(attributes.get(IPVS_SVC_ATTR.ADDR), family);
  const port = bigEndian(attributes.get(IPVS_SVC_ATTR.PORT), 2);
  if (!protocol || address === undefined || port === undefined) return undefined;
  return { kind: "address", protocol, family, address, port };
}

const PROTOCOLS: ReadonlyMap<number, TransportProtocol> = new Map(
  (Object.keys(PROTOCOL_NUMBER) as TransportProtocol[]).map((name) => [PROTOCOL_NUMBER[name], name]),
);

/** `serviceFamily` is for kernels before 3.18, whose destinations have the family of their service. */
export function decodeDest(
  payload: Uint8Array,
  serviceFamily: Family = 4,
): { spec: DestSpec; observation: DestObservation } | undefined {
  const attributes = nested(payload, IPVS_CMD.NEW_DEST, IPVS_CMD_ATTR.DEST);
  if (!attributes) return undefined;
  const af = attributes.get(IPVS_DEST_ATTR.ADDR_FAMILY);
  const family = af ? decodeFamilyNumber(af) : serviceFamily;
  if (family === undefined) return undefined;
  const address = decodeAddress(attributes.get(IPVS_DEST_ATTR.ADDR), family);
  const port = bigEndian(attributes.get(IPVS_DEST_ATTR.PORT), 2);
  const forward = FORWARD_METHODS[number(attributes, IPVS_DEST_ATTR.FWD_METHOD) & IP_VS_CONN_F_FWD_MASK];
  if (address === undefined || port === undefined || forward === undefined) return undefined;
  const stats = decodeStats(attributes, IPVS_DEST_ATTR.STATS64, IPVS_DEST_ATTR.STATS);
  return {
    spec: {
      address,
      family,
      port,
      forward,
      weight: number(attributes, IPVS_DEST_ATTR.WEIGHT),
      upperThreshold: number(attributes, IPVS_DEST_ATTR.U_THRESH),
      lowerThreshold: number(attributes, IPVS_DEST_ATTR.L_THRESH),
      tunType: number(attributes, IPVS_DEST_ATTR.TUN_TYPE),
      tunPort: bigEndian(attributes.get(IPVS_DEST_ATTR.TUN_PORT), 2) ?? 0,
      tunFlags: number(attributes, IPVS_DEST_ATTR.TUN_FLAGS),
    },
    observation: {
      activeConns: number(attributes, IPVS_DEST_ATTR.ACTIVE_CONNS),
      inactConns: number(attributes, IPVS_DEST_ATTR.INACT_CONNS),
      persistConns: number(attributes, IPVS_DEST_ATTR.PERSIST_CONNS),
      ...(stats ? { stats } : {}),
    },
  };
}

/** STATS64 (kernel >= 4.1) is preferred: the packet counters of STATS wrap at 2^32. */
function decodeStats(attributes: Attributes, wide: number, narrow: number): Stats | undefined {
  const nest = attributes.get(wide) ?? attributes.get(narrow);
  if (!nest) return undefined;
  const stats = parseAttributes(nest);
  const counter = (type: number): bigint => attributeBigint(stats.get(type)) ?? 0n;
  return {
    conns: counter(IPVS_STATS_ATTR.CONNS),
    inPkts: counter(IPVS_STATS_ATTR.INPKTS),
    outPkts: counter(IPVS_STATS_ATTR.OUTPKTS),
    inBytes: counter(IPVS_STATS_ATTR.INBYTES),
    outBytes: counter(IPVS_STATS_ATTR.OUTBYTES),
    cps: counter(IPVS_STATS_ATTR.CPS),
    inPps: counter(IPVS_STATS_ATTR.INPPS),
    outPps: counter(IPVS_STATS_ATTR.OUTPPS),
    inBps: counter(IPVS_STATS_ATTR.INBPS),
    outBps: counter(IPVS_STATS_ATTR.OUTBPS),
  };
}

export interface IpvsInfo {
  /** "1.2.1". */
  readonly version: string;
  /** Buckets of the connection table. */
  readonly connTabSize: number;
}

export function decodeInfo(payload: Uint8Array): IpvsInfo | undefined {
  if (genlCommand(payload) !== IPVS_CMD.SET_INFO) return undefined;
  const attributes = parseAttributes(payload, GENL_HEADER);
  const version = attributeNumber(attributes.get(IPVS_INFO_ATTR.VERSION));
  if (version === undefined) return undefined;
  return {
    version: `${(version >> 16) & 0xff}.${(version >> 8) & 0xff}.${version & 0xff}`,
    connTabSize: number(attributes, IPVS_INFO_ATTR.CONN_TAB_SIZE),
  };
}

/** Seconds; a protocol the kernel was built without reads as 0. */
export function decodeTimeouts(payload: Uint8Array): Timeouts | undefined {
  if (genlCommand(payload) !== IPVS_CMD.SET_CONFIG) return undefined;
  const attributes = parseAttributes(payload, GENL_HEADER);
  return {
    tcp: number(attributes, IPVS_CMD_ATTR.TIMEOUT_TCP),
    tcpFin: number(attributes, IPVS_CMD_ATTR.TIMEOUT_TCP_FIN),
    udp: number(attributes, IPVS_CMD_ATTR.TIMEOUT_UDP),
  };
}

export function decodeDaemon(payload: Uint8Array): SyncDaemon | undefined {
  const attributes = nested(payload, IPVS_CMD.NEW_DAEMON, IPVS_CMD_ATTR.DAEMON);
  const state = attributes && DAEMON_STATES.get(number(attributes, IPVS_DAEMON_ATTR.STATE));
  if (!state) return undefined;
  const group = attributes.get(IPVS_DAEMON_ATTR.MCAST_GROUP) ?? attributes.get(IPVS_DAEMON_ATTR.MCAST_GROUP6);
  const optional = (key: string, value: number | string | undefined) =>
    value === undefined ? {} : { [key]: value };
  return {
    state,
    interface: text(attributes, IPVS_DAEMON_ATTR.MCAST_IFN),
    syncId: number(attributes, IPVS_DAEMON_ATTR.SYNC_ID),
    ...optional("maxLength", attributeNumber(attributes.get(IPVS_DAEMON_ATTR.SYNC_MAXLEN))),
    ...optional(
      "group",
      group && (group.length === 4 || group.length === 16) ? addressText(group) : undefined,
    ),
    ...optional("port", attributeNumber(attributes.get(IPVS_DAEMON_ATTR.MCAST_PORT))),
    ...optional("ttl", attributeNumber(attributes.get(IPVS_DAEMON_ATTR.MCAST_TTL))),
  };
}

const DAEMON_STATES: ReadonlyMap<number, SyncDaemon["state"]> = new Map([
  [IP_VS_STATE_MASTER, "master"],
  [IP_VS_STATE_BACKUP, "backup"],
]);

function nested(payload: Uint8Array, command: number, type: number): Attributes | undefined {
  if (genlCommand(payload) !== command) return undefined;
  const nest = parseAttributes(payload, GENL_HEADER).get(type);
  return nest && parseAttributes(nest);
}

function number(attributes: Attributes, type: number): number {
  return attributeNumber(attributes.get(type)) ?? 0;
}

function text(attributes: Attributes, type: number): string {
  const value = attributes.get(type);
  return value ? attributeText(value) : "";
}

function bigEndian(value: Uint8Array | undefined, length: number): number | undefined {
  if (value?.length !== length) return undefined;
  return value.reduce((sum, byte) => sum * 256 + byte, 0);
}

function decodeFamilyNumber(value: Uint8Array | undefined): Family | undefined {
  const af = attributeNumber(value);
  return af === AF_INET ? 4 : af === AF_INET6 ? 6 : undefined;
}

function decodeAddress(value: Uint8Array | undefined, family: Family): string | undefined {
  const width = family === 4 ? 4 : 16;
  return value && value.length >= width ? addressText(value.subarray(0, width)) : undefined;
}

function decodeNetmask(value: Uint8Array | undefined, family: Family): number {
  if (family === 6) return attributeNumber(value) ?? 128;
  const mask = bigEndian(value, 4);
  return mask === undefined ? 32 : maskToPrefix(mask);
}
