/**
 * IPVS beside its table: information, timeouts and the connection synchronisation daemons
 * (include/uapi/linux/ip_vs.h). Every function appends one message to the writer.
 */
import { addressBytes } from "./address.ts";
import { beginGenl } from "./genl.ts";
import {
  IP_VS_STATE_BACKUP,
  IP_VS_STATE_MASTER,
  IPVS_CMD,
  IPVS_CMD_ATTR,
  IPVS_DAEMON_ATTR,
  IPVS_GENL_VERSION,
} from "./ipvs-constants.ts";
import { type NetlinkWriter, NLM_F_DUMP, NLM_F_REQUEST } from "./netlink.ts";

/** Starts a request of the family; `flags` is added to NLM_F_REQUEST. */
export function beginIpvs(
  w: NetlinkWriter,
  familyId: number,
  seq: number,
  flags: number,
  command: number,
): NetlinkWriter {
  return beginGenl(w, familyId, NLM_F_REQUEST | flags, seq, command, IPVS_GENL_VERSION);
}

/** Version and size of the connection table: answer decodeInfo. */
export function writeGetInfo(w: NetlinkWriter, familyId: number, seq: number): void {
  beginIpvs(w, familyId, seq, 0, IPVS_CMD.GET_INFO).end();
}

/** Timeouts of connections: answer decodeTimeouts. */
export function writeGetConfig(w: NetlinkWriter, familyId: number, seq: number): void {
  beginIpvs(w, familyId, seq, 0, IPVS_CMD.GET_CONFIG).end();
}

/** Timeouts of idle connections, in seconds; 0 leaves one as it is (`ipvsadm --set`). */
export interface Timeouts {
  readonly tcp: number;
  readonly tcpFin: number;
  readonly udp: number;
}

export function writeSetConfig(
  w: NetlinkWriter,
  familyId: number,
  seq: number,
  flags: number,
  timeouts: Timeouts,
): void {
  beginIpvs(w, familyId, seq, flags, IPVS_CMD.SET_CONFIG);
  w.attrU32(IPVS_CMD_ATTR.TIMEOUT_TCP, timeouts.tcp);
  w.attrU32(IPVS_CMD_ATTR.TIMEOUT_TCP_FIN, timeouts.tcpFin);
  w.attrU32(IPVS_CMD_ATTR.TIMEOUT_UDP, timeouts.udp);
  w.end();
}

/** A connection synchronisation daemon; what is left out takes the kernel's default. */
export interface SyncDaemon {
  readonly state: "master" | "backup";
  readonly interface: string;
  /** 0..255; only daemons with the same one listen to each other. */
  readonly syncId: number;
  /** Bytes of UDP payload. */
  readonly maxLength?: number;
  /** Multicast group, IPv4 or IPv6; default 224.0.0.81. */
  readonly group?: string;
  /** Default 8848. */
  readonly port?: number;
  readonly ttl?: number;
}

/** Dump of the running daemons: answers decodeDaemon. */
export function writeGetDaemons(w: NetlinkWriter, familyId: number, seq: number): void {
  beginIpvs(w, familyId, seq, NLM_F_DUMP, IPVS_CMD.GET_DAEMON).end();
}

export function writeStartDaemon(
  w: NetlinkWriter,
  familyId: number,
  seq: number,
  flags: number,
  daemon: SyncDaemon,
): void {
  beginIpvs(w, familyId, seq, flags, IPVS_CMD.NEW_DAEMON);
  const nest = w.beginNested(IPVS_CMD_ATTR.DAEMON);
  w.attrU32(IPVS_DAEMON_ATTR.STATE, stateNumber(daemon.state));
  w.attrString(IPVS_DAEMON_ATTR.MCAST_IFN, daemon.interface);
  w.attrU32(IPVS_DAEMON_ATTR.SYNC_ID, daemon.syncId);
  if (daemon.maxLength !== undefined) w.attrU16(IPVS_DAEMON_ATTR.SYNC_MAXLEN, daemon.maxLength);
  if (daemon.group !== undefined) {
    const v6 = daemon.group.includes(":");
    w.attr(
      v6 ? IPVS_DAEMON_ATTR.MCAST_GROUP6 : IPVS_DAEMON_ATTR.MCAST_GROUP,
      addressBytes(daemon.group, v6 ? 6 : 4),
    );
  }
  // Host order, unlike the ports of services.
  if (daemon.port !== undefined) w.attrU16(IPVS_DAEMON_ATTR.MCAST_PORT, daemon.port);
  if (daemon.ttl !== undefined) w.attrU8(IPVS_DAEMON_ATTR.MCAST_TTL, daemon.ttl);
  w.endNested(nest).end();
}

export function writeStopDaemon(
  w: NetlinkWriter,
  familyId: number,
  seq: number,
  flags: number,
  state: SyncDaemon["state"],
): void {
  beginIpvs(w, familyId, seq, flags, IPVS_CMD.DEL_DAEMON);
  const nest = w.beginNested(IPVS_CMD_ATTR.DAEMON);
  w.attrU32(IPVS_DAEMON_ATTR.STATE, stateNumber(state));
  w.endNested(nest).end();
}

function stateNumber(state: SyncDaemon["state"]): number {
  return state === "master" ? IP_VS_STATE_MASTER : IP_VS_STATE_BACKUP;
}
