/**
 * Netlink messages and attributes (include/uapi/linux/netlink.h), in host byte order unless a field says
 * otherwise. Parsing never throws: what follows a malformed length is not looked at.
 */
export * from "./netlink-constants.ts";
export { HOST_LITTLE_ENDIAN, NetlinkWriter } from "./netlink-writer.ts";

import {
  NLA_HEADER,
  NLA_TYPE_MASK,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLMSG_HEADER,
  NLMSGERR_ATTR_MSG,
} from "./netlink-constants.ts";
import { HOST_LITTLE_ENDIAN } from "./netlink-writer.ts";

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  /** Port id of the addressee; 0 is the kernel. */
  readonly pid: number;
  /** What follows the nlmsghdr: a view into the buffer, not a copy. */
  readonly payload: Uint8Array;
}

/** All messages of one datagram. Stops at the first header whose length cannot be true. */
export function parseMessages(buffer: Uint8Array, littleEndian = HOST_LITTLE_ENDIAN): NetlinkMessage[] {
  const view = viewOf(buffer);
  const messages: NetlinkMessage[] = [];
  let offset = 0;
  while (offset + NLMSG_HEADER <= buffer.length) {
    const length = view.getUint32(offset, littleEndian);
    if (length < NLMSG_HEADER || length > buffer.length - offset) break;
    messages.push({
      type: view.getUint16(offset + 4, littleEndian),
      flags: view.getUint16(offset + 6, littleEndian),
      seq: view.getUint32(offset + 8, littleEndian),
      pid: view.getUint32(offset + 12, littleEndian),
      payload: buffer.subarray(offset + NLMSG_HEADER, offset + length),
    });
    offset += align4(length);
  }
  return messages;
}

export type Attributes = ReadonlyMap<number, Uint8Array>;

/**
 * The attributes from `offset` on, by type without NLA_F_NESTED and NLA_F_NET_BYTEORDER; of a repeated type the
 * last one, as in the kernel. Values are views. Stops at the first length that cannot be true.
 */
export function parseAttributes(
  payload: Uint8Array,
  offset = 0,
  littleEndian = HOST_LITTLE_ENDIAN,
): Attributes {
  const view = viewOf(payload);
  const attributes = new Map<number, Uint8Array>();
  let at = offset;
  while (at + NLA_HEADER <= payload.length) {
    const length = view.getUint16(at, littleEndian);
    if (length < NLA_HEADER || length > payload.length - at) break;
    const type = view.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK;
    attributes.set(type, payload.subarray(at + NLA_HEADER, at + length));
    at += align4(length);
  }
  return attributes;
}

export interface NetlinkError {
  /** Positive errno; 0 is an acknowledgement. */
  readonly errno: number;
  /** The kernel's own words (extended acknowledgement), when it sent any. */
  readonly message?: string;
  /** Sequence number of the request it answers. */
  readonly originalSeq: number;
}

/** Payload of NLMSG_ERROR: struct nlmsgerr, then TLVs when flags has NLM_F_ACK_TLVS. A short one reads as zeros. */
export function parseErrorPayload(
  payload: Uint8Array,
  flags: number,
  littleEndian = HOST_LITTLE_ENDIAN,
): NetlinkError {
  const view = viewOf(payload);
  const errno = readErrno(view, littleEndian);
  const whole = payload.length >= 4 + NLMSG_HEADER;
  const originalSeq = whole ? view.getUint32(4 + 8, littleEndian) : 0;
  if (!whole || (flags & NLM_F_ACK_TLVS) === 0) return { errno, originalSeq };
  // The request is echoed whole unless the answer is capped to its header.
  const echoed = (flags & NLM_F_CAPPED) !== 0 ? NLMSG_HEADER : align4(view.getUint32(4, littleEndian));
  return { errno, originalSeq, ...extendedAck(payload, 4 + Math.max(echoed, NLMSG_HEADER), littleEndian) };
}

/** Payload of NLMSG_DONE: how a dump ended; errno 0 when well. Some kernels send no number: that is well too. */
export function parseDonePayload(
  payload: Uint8Array,
  flags: number,
  littleEndian = HOST_LITTLE_ENDIAN,
): { readonly errno: number; readonly message?: string } {
  const errno = readErrno(viewOf(payload), littleEndian);
  return (flags & NLM_F_ACK_TLVS) === 0 ? { errno } : { errno, ...extendedAck(payload, 4, littleEndian) };
}

/** The kernel writes a negative errno; -0 is avoided because it is not 0 to everybody. */
function readErrno(view: DataView, littleEndian: boolean): number {
  const value = view.byteLength >= 4 ? view.getInt32(0, littleEndian) : 0;
  return value === 0 ? 0 : Math.abs(value);
}

function extendedAck(payload: Uint8Array, offset: number, littleEndian: boolean): { message?: string } {
  const text = parseAttributes(payload, offset, littleEndian).get(NLMSGERR_ATTR_MSG);
  return text === undefined ? {} : { message: attributeText(text) };
}

/** Value of a 1, 2, 4 or 8 byte attribute as a number; undefined for other lengths or values above 2^53. */
export function attributeNumber(
  value: Uint8Array | undefined,
  littleEndian = HOST_LITTLE_ENDIAN,
): number | undefined {
  const wide = attributeBigint(value, littleEndian);
  return wide === undefined || wide > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(wide);
}

/** Value of a 1, 2, 4 or 8 byte unsigned attribute; undefined for other lengths. */
export function attributeBigint(
  value: Uint8Array | undefined,
  littleEndian = HOST_LITTLE_ENDIAN,
): bigint | undefined {
  if (value === undefined) return undefined;
  const view = viewOf(value);
  if (value.length === 8) return view.getBigUint64(0, littleEndian);
  if (value.length === 4) return BigInt(view.getUint32(0, littleEndian));
  if (value.length === 2) return BigInt(view.getUint16(0, littleEndian));
  return value.length === 1 ? BigInt(view.getUint8(0)) : undefined;
}

/** Text up to the first zero byte. */
export function attributeText(value: Uint8Array): string {
  const end = value.indexOf(0);
  return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function align4(length: number): number {
  return Math.ceil(length / 4) * 4;
}
