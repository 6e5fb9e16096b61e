/**
 * Known packets. Unless said otherwise: VRID 51, priority 100, interval 1 s, VIP 192.0.2.100, from
 * 192.0.2.11 to 224.0.0.18, or from fe80::11 to ff02::12. Captures are of the daemons named.
 */
import type { AddressContext, ChecksumKind, VrrpPdu } from "../../src/wire/types.ts";
import { passData } from "../../src/wire/vrrp.ts";

export const V4: AddressContext = { family: 4, source: "192.0.2.11", destination: "224.0.0.18" };
export const V6: AddressContext = { family: 6, source: "fe80::11", destination: "ff02::12" };

const common = { type: 1, vrid: 51, priority: 100, addresses: ["192.0.2.100"] } as const;
const v2 = { ...common, version: 2, advertInterval: 1 } as const;
const v3 = { ...common, version: 3, advertInterval: 100 } as const;
const v6 = { ...v3, addresses: ["fe80::100", "2001:db8::100"] } as const;

export interface VrrpVector {
  readonly name: string;
  readonly hex: string;
  readonly ctx: AddressContext;
  readonly checksum: ChecksumKind;
  readonly pdu: VrrpPdu;
  /** The IPv4 header in front of it, where the vector is a whole packet. */
  readonly ipHeader?: string;
}

export const VRRP_VECTORS: readonly VrrpVector[] = [
  {
    name: "v2 PASS (RFC 2338 5.3.10), whole IP packet",
    ipHeader: "45c0002800010000ff701887c000020be0000012",
    hex: "21336401010149e7c00002647365637265743132",
    ctx: V4,
    checksum: "message-only",
    pdu: { ...v2, authType: 1, authData: passData("secret12") },
  },
  {
    name: "v2 PASS, priority 0",
    hex: "213300010101ade7c00002647365637265743132",
    ctx: V4,
    checksum: "message-only",
    pdu: { ...v2, priority: 0, authType: 1, authData: passData("secret12") },
  },
  {
    name: "v2 without authentication (RFC 3768)",
    hex: "213364010001b865c00002640000000000000000",
    ctx: V4,
    checksum: "message-only",
    pdu: { ...v2, authType: 0, authData: new Uint8Array(8) },
  },
  {
    name: "v3/IPv4 with pseudo-header (RFC 5798 5.2.8), whole IP packet",
    ipHeader: "45c0002000010000ff70188fc000020be0000012",
    hex: "3133640100640568c0000264",
    ctx: V4,
    checksum: "pseudo-header",
    pdu: v3,
  },
  {
    name: "v3/IPv4 message only (RFC 9568 5.2.8)",
    hex: "313364010064a802c0000264",
    ctx: V4,
    checksum: "message-only",
    pdu: v3,
  },
  {
    name: "v3/IPv4 with pseudo-header, priority 0",
    hex: "3133000100646968c0000264",
    ctx: V4,
    checksum: "pseudo-header",
    pdu: { ...v3, priority: 0 },
  },
  {
    name: "v3/IPv4 with pseudo-header, priority 255",
    hex: "3133ff0100646a67c0000264",
    ctx: V4,
    checksum: "pseudo-header",
    pdu: { ...v3, priority: 255 },
  },
  {
    name: "v3/IPv6, two addresses",
    hex: "3133640200643dedfe80000000000000000000000000010020010db8000000000000000000000100",
    ctx: V6,
    checksum: "pseudo-header",
    pdu: v6,
  },
  {
    name: "v3/IPv6, priority 0",
    hex: "313300020064a1edfe80000000000000000000000000010020010db8000000000000000000000100",
    ctx: V6,
    checksum: "pseudo-header",
    pdu: { ...v6, priority: 0 },
  },
  {
    name: "v2 captured from keepalived 2.2.7 (auth_pass 1111)",
    ipHeader: "45c0002800010000ff70d0880a090001e0000012",
    hex: "2133640101010cfb0a0900643131313100000000",
    ctx: { family: 4, source: "10.9.0.1", destination: "224.0.0.18" },
    checksum: "message-only",
    pdu: { ...v2, addresses: ["10.9.0.100"], authType: 1, authData: passData("1111") },
  },
];

/** v3/IPv4 captured from keepalived 2.4.3: the message, then the 28-byte trailer of auth_hmac (key id 7). */
export const HMAC_MESSAGE = "3133640100640568c0000264";
export const HMAC_TRAILER = "010700006b0048ea272b00002661743025ef85cec81f4774c414452c";

/** Gratuitous ARP for VIP 192.0.2.100 with the virtual MAC; target hardware address zero. */
export const GARP = "ffffffffffff00005e0001330806000108000604000100005e000133c0000264000000000000c0000264";

/** ICMPv6 unsolicited neighbour advertisement for 2001:db8::100, from it to ff02::1; flags R and O. */
export const UNSOLICITED_NA = "880018faa000000020010db8000000000000000000000100020100005e000233";
