/** ARP over Ethernet (RFC 826, RFC 5227), as whole frames without VLAN tag. MAC addresses are 6 bytes. */
import { addressBytes, formatIpv4 } from "./address.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

export const ETHERTYPE_ARP = 0x0806;
export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

const ETHERTYPE_IPV4 = 0x0800;
const HARDWARE_ETHERNET = 1;
const BROADCAST = new Uint8Array(6).fill(0xff);

export interface Arp {
  /** Of the Ethernet header; may differ from the ARP fields. */
  readonly frameDestination: Uint8Array;
  readonly frameSource: Uint8Array;
  readonly operation: number;
  readonly senderMac: Uint8Array;
  readonly senderAddress: string;
  readonly targetMac: Uint8Array;
  readonly targetAddress: string;
}

export interface Garp {
  readonly vip: string;
  /** Source of the frame and of the announcement: the interface's or the virtual router's MAC. */
  readonly mac: Uint8Array;
  /** Target hardware address; default broadcast, as keepalived sends it. */
  readonly targetMac?: Uint8Array;
}

/** A gratuitous ARP request to broadcast: sender and target address are the VIP. 42 bytes, not padded. */
export function encodeGarp({ vip, mac, targetMac = BROADCAST }: Garp): Uint8Array {
  return encodeArp({
    frameDestination: BROADCAST,
    frameSource: mac,
    operation: ARP_REQUEST,
    senderMac: mac,
    senderAddress: vip,
    targetMac,
    targetAddress: vip,
  });
}

/** One frame, 42 bytes. Throws TypeError on addresses that are not IPv4 or MACs that are not 6 bytes. */
export function encodeArp(arp: Arp): Uint8Array {
  const writer = new Writer(42);
  writer.bytes(sixBytes(arp.frameDestination)).bytes(sixBytes(arp.frameSource)).u16(ETHERTYPE_ARP);
  writer.u16(HARDWARE_ETHERNET).u16(ETHERTYPE_IPV4).u8(6).u8(4).u16(arp.operation);
  writer.bytes(sixBytes(arp.senderMac)).bytes(addressBytes(arp.senderAddress, 4));
  writer.bytes(sixBytes(arp.targetMac)).bytes(addressBytes(arp.targetAddress, 4));
  return writer.finish();
}

/** The ARP message of an Ethernet frame (padding ignored), or undefined when it is not one for IPv4. */
export function decodeArp(frame: Uint8Array): Arp | undefined {
  const reader = new Reader(frame);
  const frameDestination = reader.bytes(6).slice();
  const frameSource = reader.bytes(6).slice();
  const etherType = reader.u16();
  const hardware = reader.u16();
  const protocol = reader.u16();
  const lengths = reader.u16();
  const operation = reader.u16();
  const senderMac = reader.bytes(6).slice();
  const sender = reader.bytes(4);
  const targetMac = reader.bytes(6).slice();
  const target = reader.bytes(4);
  if (!reader.ok || etherType !== ETHERTYPE_ARP) return undefined;
  if (hardware !== HARDWARE_ETHERNET || protocol !== ETHERTYPE_IPV4 || lengths !== 0x0604) return undefined;
  return {
    frameDestination,
    frameSource,
    operation,
    senderMac,
    senderAddress: formatIpv4(sender),
    targetMac,
    targetAddress: formatIpv4(target),
  };
}

function sixBytes(mac: Uint8Array): Uint8Array {
  if (mac.length !== 6) throw new TypeError(`a MAC address has 6 bytes, not ${mac.length}`);
  return mac;
}

/** "00:00:5e:00:01:33". */
export function formatMac(mac: Uint8Array): string {
  return Array.from(sixBytes(mac), (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Six pairs of hexadecimal digits joined by ":" or by "-"; undefined otherwise. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$|^[0-9a-f]{2}(-[0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(/[:-]/), (pair) => Number.parseInt(pair, 16));
}

/** The virtual router's MAC: 00-00-5E-00-01-VRID for IPv4, -02- for IPv6 (RFC 5798 §7.3). */
export function virtualRouterMac(vrid: number, family: 4 | 6): Uint8Array {
  return Uint8Array.of(0, 0, 0x5e, 0, family === 4 ? 1 : 2, vrid);
}
