/**
 * Requests to the kernel's IPVS over generic netlink (include/uapi/linux/ip_vs.h); answers are decoded by
 * ipvs-decode.ts. Every function appends one message to the writer.
 */
import type { Family } from "../config/model.ts";
import type { DestSpec, Operation, ServiceId, ServiceSpec } from "../lvs/table.ts";
import { addressBytes } from "./address.ts";
import {
  AF_INET,
  AF_INET6,
  FORWARD_METHODS,
  IPVS_CMD,
  IPVS_CMD_ATTR,
  IPVS_DEST_ATTR,
  IPVS_SVC_ATTR,
  PROTOCOL_NUMBER,
} from "./ipvs-constants.ts";
import { prefixToMask } from "./ipvs-netmask.ts";
import { beginIpvs } from "./ipvs-settings.ts";
import { type NetlinkWriter, NLM_F_DUMP } from "./netlink.ts";

export * from "./ipvs-constants.ts";
export * from "./ipvs-decode.ts";
export * from "./ipvs-settings.ts";

const COMMAND: Readonly<Record<Operation["op"], number>> = {
  addService: IPVS_CMD.NEW_SERVICE,
  editService: IPVS_CMD.SET_SERVICE,
  deleteService: IPVS_CMD.DEL_SERVICE,
  addDest: IPVS_CMD.NEW_DEST,
  editDest: IPVS_CMD.SET_DEST,
  deleteDest: IPVS_CMD.DEL_DEST,
};

/** `flags` is added to NLM_F_REQUEST: NLM_F_ACK, usually on a batch's last message only. Seconds in the spec. */
export function writeOperation(
  w: NetlinkWriter,
  familyId: number,
  seq: number,
  flags: number,
  operation: Operation,
): void {
  beginIpvs(w, familyId, seq, flags, COMMAND[operation.op]);
  switch (operation.op) {
    case "addService":
    case "editService":
      writeService(w, operation.service);
      break;
    case "deleteService":
      writeServiceId(w, operation.service.id);
      break;
    case "addDest":
    case "editDest":
      writeServiceId(w, operation.service.id);
      writeDest(w, operation.dest, true);
      break;
    case "deleteDest":
      writeServiceId(w, operation.service.id);
      writeDest(w, operation.dest, false);
      break;
  }
  w.end();
}

/** Dump of all services: answers decodeService. */
export function writeGetServices(w: NetlinkWriter, familyId: number, seq: number): void {
  beginIpvs(w, familyId, seq, NLM_F_DUMP, IPVS_CMD.GET_SERVICE).end();
}

/** One service, statistics included: answer decodeService, or ESRCH. */
export function writeGetService(w: NetlinkWriter, familyId: number, seq: number, id: ServiceId): void {
  beginIpvs(w, familyId, seq, 0, IPVS_CMD.GET_SERVICE);
  writeServiceId(w, id);
  w.end();
}

/** Dump of one service's destinations: answers decodeDest. */
export function writeGetDests(w: NetlinkWriter, familyId: number, seq: number, id: ServiceId): void {
  beginIpvs(w, familyId, seq, NLM_F_DUMP, IPVS_CMD.GET_DEST);
  writeServiceId(w, id);
  w.end();
}

/** Removes every service, whoever made it. */
export function writeFlush(w: NetlinkWriter, familyId: number, seq: number, flags: number): void {
  beginIpvs(w, familyId, seq, flags, IPVS_CMD.FLUSH).end();
}

/** Zeroes the counters of one service, or of all without `id`. */
export function writeZero(
  w: NetlinkWriter,
  familyId: number,
  seq: number,
  flags: number,
  id?: ServiceId,
): void {
  beginIpvs(w, familyId, seq, flags, IPVS_CMD.ZERO);
  if (id) writeServiceId(w, id);
  w.end();
}

function writeServiceId(w: NetlinkWriter, id: ServiceId): void {
  const nest = w.beginNested(IPVS_CMD_ATTR.SERVICE);
  writeIdentity(w, id);
  w.endNested(nest);
}

function writeService(w: NetlinkWriter, service: ServiceSpec): void {
  const nest = w.beginNested(IPVS_CMD_ATTR.SERVICE);
  writeIdentity(w, service.id);
  w.attrString(IPVS_SVC_ATTR.SCHED_NAME, service.scheduler);
  // An edit without an engine removes the one that was there.
  if (service.pe !== "") w.attrString(IPVS_SVC_ATTR.PE_NAME, service.pe);
  w.attrFlags(IPVS_SVC_ATTR.FLAGS, service.flags, 0xffffffff);
  w.attrU32(IPVS_SVC_ATTR.TIMEOUT, service.timeout);
  if (service.id.family === 4) w.attrU32be(IPVS_SVC_ATTR.NETMASK, prefixToMask(service.netmask));
  else w.attrU32(IPVS_SVC_ATTR.NETMASK, service.netmask);
  w.endNested(nest);
}

function writeIdentity(w: NetlinkWriter, id: ServiceId): void {
  w.attrU16(IPVS_SVC_ATTR.AF, familyNumber(id.family));
  if (id.kind === "fwmark") {
    w.attrU32(IPVS_SVC_ATTR.FWMARK, id.mark);
    return;
  }
  w.attrU16(IPVS_SVC_ATTR.PROTOCOL, PROTOCOL_NUMBER[id.protocol]);
  w.attr(IPVS_SVC_ATTR.ADDR, sixteenBytes(id.address, id.family));
  w.attrU16be(IPVS_SVC_ATTR.PORT, id.port);
}

function writeDest(w: NetlinkWriter, dest: DestSpec, full: boolean): void {
  const nest = w.beginNested(IPVS_CMD_ATTR.DEST);
  w.attr(IPVS_DEST_ATTR.ADDR, sixteenBytes(dest.address, dest.family));
  w.attrU16be(IPVS_DEST_ATTR.PORT, dest.port);
  w.attrU16(IPVS_DEST_ATTR.ADDR_FAMILY, familyNumber(dest.family));
  if (full) {
    w.attrU32(IPVS_DEST_ATTR.FWD_METHOD, FORWARD_METHODS.indexOf(dest.forward));
    w.attrU32(IPVS_DEST_ATTR.WEIGHT, dest.weight);
    w.attrU32(IPVS_DEST_ATTR.U_THRESH, dest.upperThreshold);
    w.attrU32(IPVS_DEST_ATTR.L_THRESH, dest.lowerThreshold);
    // Left out means zero to the kernel; kernels before 5.2 do not know them.
    if (dest.forward === "tunnel") {
      w.attrU8(IPVS_DEST_ATTR.TUN_TYPE, dest.tunType);
      w.attrU16be(IPVS_DEST_ATTR.TUN_PORT, dest.tunPort);
      w.attrU16(IPVS_DEST_ATTR.TUN_FLAGS, dest.tunFlags);
    }
  }
  w.endNested(nest);
}

/** union nf_inet_addr: an IPv4 address in the first four bytes, the rest zero. */
function sixteenBytes(address: string, family: Family): Uint8Array {
  const bytes = addressBytes(address, family);
  if (bytes.length === 16) return bytes;
  const union = new Uint8Array(16);
  union.set(bytes);
  return union;
}

function familyNumber(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}
