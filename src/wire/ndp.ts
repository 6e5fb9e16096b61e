/** Unsolicited neighbour advertisements (RFC 4861 §4.4, §7.2.6): IPv6's gratuitous ARP. */
import { addressBytes } from "./address.ts";
import { internetChecksum } from "./checksum.ts";
import { encodeIpv6 } from "./ip6.ts";
import { Writer } from "./writer.ts";

/** IPv6 next header number (IANA). */
export const ICMPV6_PROTOCOL = 58;
/** Link-local all-nodes group: where unsolicited advertisements go, with hop limit 255. */
export const ALL_NODES = "ff02::1";
/** RFC 4861 §7.1: anything less has crossed a router. */
export const NDP_HOP_LIMIT = 255;

/** RFC 2464 §7: 33:33 and the group's last four bytes. */
const ALL_NODES_MAC = Uint8Array.of(0x33, 0x33, 0, 0, 0, 1);
const ETHERTYPE_IPV6 = 0x86dd;
const TYPE_NEIGHBOUR_ADVERTISEMENT = 136;
const FLAG_ROUTER = 0x80000000;
const FLAG_OVERRIDE = 0x20000000;
const OPTION_TARGET_LINK_LAYER_ADDRESS = 2;
const CHECKSUM_OFFSET = 2;

export interface UnsolicitedNa {
  readonly vip: string;
  /** Source of the IPv6 packet; default the VIP itself. */
  readonly source?: string;
  readonly mac: Uint8Array;
  /** R flag: set when this node forwards (RFC 5798 §6.4.2). */
  readonly router: boolean;
}

/** The ICMPv6 message (no IPv6 header) to ff02::1: Solicited clear, Override set, checksum filled in. */
export function encodeUnsolicitedNa({ vip, source = vip, mac, router }: UnsolicitedNa): Uint8Array {
  if (mac.length !== 6) throw new TypeError(`a MAC address has 6 bytes, not ${mac.length}`);
  const writer = new Writer(32);
  writer.u8(TYPE_NEIGHBOUR_ADVERTISEMENT).u8(0).u16(0);
  writer.u32(FLAG_OVERRIDE + (router ? FLAG_ROUTER : 0));
  writer.bytes(addressBytes(vip, 6));
  // Length in units of 8 bytes.
  writer.u8(OPTION_TARGET_LINK_LAYER_ADDRESS).u8(1).bytes(mac);
  const pseudo = new Writer(40)
    .bytes(addressBytes(source, 6))
    .bytes(addressBytes(ALL_NODES, 6))
    .u32(writer.length)
    .u32(ICMPV6_PROTOCOL);
  return writer.setU16(CHECKSUM_OFFSET, internetChecksum(pseudo.view(), writer.view())).finish();
}

/** The same as a whole Ethernet frame, source MAC and address as given. */
export function encodeNaFrame(na: UnsolicitedNa): Uint8Array {
  const header = {
    trafficClass: 0,
    nextHeader: ICMPV6_PROTOCOL,
    hopLimit: NDP_HOP_LIMIT,
    source: na.source ?? na.vip,
    destination: ALL_NODES,
  };
  const packet = encodeIpv6(header, encodeUnsolicitedNa(na));
  return new Writer(14 + packet.length)
    .bytes(ALL_NODES_MAC)
    .bytes(na.mac)
    .u16(ETHERTYPE_IPV6)
    .bytes(packet)
    .finish();
}

/** Solicited-node multicast group of an address: ff02::1:ff00:0/104 with its last 24 bits (RFC 4291 §2.7.1). */
export function solicitedNodeGroup(address: string): Uint8Array {
  const group = addressBytes("ff02::1:ff00:0", 6);
  group.set(addressBytes(address, 6).subarray(13), 13);
  return group;
}
