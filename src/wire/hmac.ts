/**
 * The trailer of keepalived >= 2.4 `auth_hmac`: 28 bytes behind a VRRPv3 message, outside its checksum,
 * inside the length of the IP packet or UDP datagram.
 *
 *   type 1 (8) | key id (8) | reserved (16) | UTC seconds (32) | fraction (16) | counter (16) | MAC (128)
 */
import type { Family } from "../config/model.ts";
import { addressBytes } from "./address.ts";
import { hmacSha256 } from "./sha256.ts";

export const HMAC_TRAILER_LENGTH = 28;
const HEAD_LENGTH = 12;
const MAC_LENGTH = 16;
const TYPE_SHA256 = 1;
const PSEUDO_LENGTH = 20;
const CHECKSUM_OFFSET = 6;

/** Unsigned 64 bits in two halves, so that it crosses process boundaries as JSON. */
export interface Sequence {
  /** UTC seconds since 1970, 32 bits. */
  readonly seconds: number;
  /** Fraction of the second in 2^-16 s, then a counter: 16 bits each, as one number. */
  readonly rest: number;
}

export interface HmacTrailer {
  readonly keyId: number;
  readonly sequence: Sequence;
  /** 16 bytes: the first half of HMAC-SHA256. */
  readonly mac: Uint8Array;
}

/** What the MAC covers besides the trailer's own head. */
export interface MacContext {
  readonly family: Family;
  /** Source address of the packet, canonical text. */
  readonly source: string;
  /** The VRRP message without trailer; its checksum counts as zero. At least 8 bytes. */
  readonly message: Uint8Array;
}

/** Undefined when it is not 28 bytes of type 1. */
export function decodeHmacTrailer(trailer: Uint8Array): HmacTrailer | undefined {
  if (trailer.length !== HMAC_TRAILER_LENGTH || trailer[0] !== TYPE_SHA256) return undefined;
  const view = new DataView(trailer.buffer, trailer.byteOffset, trailer.length);
  return {
    keyId: view.getUint8(1),
    sequence: { seconds: view.getUint32(4), rest: view.getUint32(8) },
    mac: trailer.subarray(HEAD_LENGTH),
  };
}

/** The trailer for a message; `key` as configured, 32 to 64 bytes. */
export function encodeHmacTrailer(
  keyId: number,
  key: Uint8Array,
  sequence: Sequence,
  context: MacContext,
): Uint8Array {
  const trailer = new Uint8Array(HMAC_TRAILER_LENGTH);
  const view = new DataView(trailer.buffer);
  view.setUint8(0, TYPE_SHA256);
  view.setUint8(1, keyId);
  view.setUint32(4, sequence.seconds);
  view.setUint32(8, sequence.rest);
  trailer.set(trailerMac(key, trailer, context), HEAD_LENGTH);
  return trailer;
}

/**
 * The MAC a trailer with this head must have. Input, as reproduced from a capture: {4 or 6, version, VRID,
 * 0, source address padded with zeros to 16 bytes}, the message with checksum zero, the trailer's first 12
 * bytes as they are on the wire (reserved bits too), 16 zero bytes.
 */
export function trailerMac(key: Uint8Array, trailer: Uint8Array, context: MacContext): Uint8Array {
  const { family, source, message } = context;
  const input = new Uint8Array(PSEUDO_LENGTH + message.length + HMAC_TRAILER_LENGTH);
  input.set([family, (message[0] ?? 0) >> 4, message[1] ?? 0, 0]);
  input.set(addressBytes(source, family), 4);
  input.set(message, PSEUDO_LENGTH);
  input.set([0, 0], PSEUDO_LENGTH + CHECKSUM_OFFSET);
  input.set(trailer.subarray(0, HEAD_LENGTH), PSEUDO_LENGTH + message.length);
  return hmacSha256(key, input).subarray(0, MAC_LENGTH);
}
