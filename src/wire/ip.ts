/** IPv4 packets (RFC 791). Addresses live in address.ts and are exported from here too. */
import { fail, ok, type Result } from "../result.ts";
import { addressBytes, formatIpv4 } from "./address.ts";
import { internetChecksum } from "./checksum.ts";
import { Reader } from "./reader.ts";
import type { Ipv4Packet } from "./types.ts";
import { Writer } from "./writer.ts";

export * from "./address.ts";

export type Ipv4DecodeError = "too-short" | "bad-version" | "bad-header-length" | "bad-total-length";

const MINIMUM_HEADER = 20;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET = 0x1fff;

/**
 * Honours IHL 5 to 15 and the total length: options are skipped, Ethernet padding is cut off.
 * The header checksum is not verified: the kernel drops a packet with a bad one before a raw socket sees it.
 */
export function decodeIpv4(packet: Uint8Array): Result<Ipv4Packet, Ipv4DecodeError> {
  if (packet.length < MINIMUM_HEADER) return fail("too-short");
  const reader = new Reader(packet);
  const versionAndLength = reader.u8();
  const headerLength = (versionAndLength & 0x0f) * 4;
  const tos = reader.u8();
  const totalLength = reader.u16();
  const id = reader.u16();
  const fragmentation = reader.u16();
  const ttl = reader.u8();
  const protocol = reader.u8();
  reader.u16();
  const source = formatIpv4(reader.bytes(4));
  const destination = formatIpv4(reader.bytes(4));
  if (versionAndLength >> 4 !== 4) return fail("bad-version");
  if (headerLength < MINIMUM_HEADER || headerLength > packet.length) return fail("bad-header-length");
  if (totalLength < headerLength || totalLength > packet.length) return fail("bad-total-length");
  return ok({
    headerLength,
    totalLength,
    tos,
    id,
    ttl,
    protocol,
    source,
    destination,
    fragment: (fragmentation & (MORE_FRAGMENTS | FRAGMENT_OFFSET)) !== 0,
    payload: packet.subarray(headerLength, totalLength),
  });
}

export interface Ipv4Header {
  readonly tos: number;
  readonly id: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly source: string;
  readonly destination: string;
}

/** A whole packet without options, DF clear, header checksum filled in. Throws on values that do not fit. */
export function encodeIpv4(header: Ipv4Header, payload: Uint8Array): Uint8Array {
  const writer = new Writer(MINIMUM_HEADER + payload.length);
  writer.u8(0x45).u8(header.tos);
  writer.u16(MINIMUM_HEADER + payload.length);
  writer.u16(header.id).u16(0);
  writer.u8(header.ttl).u8(header.protocol).u16(0);
  writer.bytes(addressBytes(header.source, 4)).bytes(addressBytes(header.destination, 4));
  writer.setU16(10, internetChecksum(writer.view()));
  return writer.bytes(payload).finish();
}
