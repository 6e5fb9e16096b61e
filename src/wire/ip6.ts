/** IPv6 headers (RFC 8200 §3), for packets we send whole. */
import { addressBytes } from "./address.ts";
import { Writer } from "./writer.ts";

export interface Ipv6Header {
  readonly trafficClass: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly source: string;
  readonly destination: string;
}

/** The 40-byte header, flow label 0, then the payload. Throws TypeError on a bad address. */
export function encodeIpv6(header: Ipv6Header, payload: Uint8Array): Uint8Array {
  return new Writer(40 + payload.length)
    .u32(((6 << 28) | (header.trafficClass << 20)) >>> 0)
    .u16(payload.length)
    .u8(header.nextHeader)
    .u8(header.hopLimit)
    .bytes(addressBytes(header.source, 6))
    .bytes(addressBytes(header.destination, 6))
    .bytes(payload)
    .finish();
}
