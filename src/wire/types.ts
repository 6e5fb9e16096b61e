/** Values the wire codecs produce and consume. Addresses are canonical text. */
import type { Family } from "../config/model.ts";

export type VrrpVersion = 2 | 3;

/** What the VRRP checksum covers: RFC 5798 as deployed, or the message only (v2, RFC 9568 for IPv4). */
export type ChecksumKind = "pseudo-header" | "message-only";

export interface VrrpPdu {
  readonly version: VrrpVersion;
  /** Always 1 (ADVERTISEMENT) when valid; anything else is for admit to refuse. */
  readonly type: number;
  readonly vrid: number;
  readonly priority: number;
  /** v2: seconds (8 bits). v3: centiseconds (12 bits). */
  readonly advertInterval: number;
  readonly addresses: readonly string[];
  /** v2 only: 0 none, 1 simple text password, 2 AH. */
  readonly authType?: number;
  /** v2 only: the 8 bytes of authentication data. */
  readonly authData?: Uint8Array;
}

export interface DecodedVrrp {
  readonly pdu: VrrpPdu;
  /** Which checksum matched. */
  readonly checksumKind: ChecksumKind;
  /** Bytes after the message (an HMAC trailer, or rubbish). Empty for v2. */
  readonly trailer: Uint8Array;
}

/** First failing test wins, in this order: too-short, bad-version, bad-length, bad-checksum. */
export type VrrpDecodeError = "too-short" | "bad-version" | "bad-length" | "bad-checksum";

export interface Ipv4Packet {
  readonly headerLength: number;
  readonly totalLength: number;
  readonly tos: number;
  readonly id: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly source: string;
  readonly destination: string;
  /** Fragment offset not 0 or MF set. */
  readonly fragment: boolean;
  /** totalLength - headerLength bytes; Ethernet padding beyond totalLength is cut off. */
  readonly payload: Uint8Array;
}

export interface AddressContext {
  readonly family: Family;
  readonly source: string;
  readonly destination: string;
}
