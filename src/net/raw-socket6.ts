/**
 * Raw IPv6 sockets for VRRP: whole packets out (IPV6_HDRINCL); in, the payload with what the header said,
 * since the kernel hands over no IPv6 header.
 */
import { addressBytes, addressText } from "../wire/address.ts";
import { int32, putI32, putU16, putU32 } from "./bytes.ts";
import { check } from "./errors.ts";
import { libc } from "./libc.ts";
import { bindToInterface, configureOrClose } from "./raw-socket.ts";
import { ancillaryInt, receiveMessage } from "./receive-message.ts";
import {
  AF_INET6,
  fromMac,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  setOption,
} from "./sockets.ts";

const IPPROTO_VRRP = 112;
/** linux/in6.h */
const IPPROTO_IPV6 = 41;
const IPV6_MULTICAST_IF = 17;
const IPV6_MULTICAST_HOPS = 18;
const IPV6_MULTICAST_LOOP = 19;
const IPV6_JOIN_GROUP = 20;
const IPV6_MULTICAST_ALL = 29;
const IPV6_HDRINCL = 36;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50;
const IPV6_RECVHOPLIMIT = 51;
const IPV6_HOPLIMIT = 52;

export interface VrrpSocket6Options {
  readonly interfaceIndex: number;
  readonly interfaceName: string;
  /** "ff02::12" (RFC 5798 5.1.2.2). */
  readonly group: string;
  /** Only frames of this Ethernet address. */
  readonly sourceMac?: Uint8Array;
}

export interface Packet6 {
  readonly source: string;
  readonly destination: string;
  readonly hopLimit: number;
  /** Everything after the IPv6 header. */
  readonly payload: Uint8Array;
}

/** A non-blocking descriptor bound to one interface; close it with closeFd(). Throws SystemError. */
export function openVrrpSocket6(options: VrrpSocket6Options): number {
  const where = `on ${options.interfaceName}`;
  const fd = check(
    libc().socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_VRRP),
    "socket",
    `open a raw IPv6 VRRP socket ${where}`,
  );
  const configure = () => {
    const set = (option: number, value: Uint8Array, what: string) =>
      setOption(fd, IPPROTO_IPV6, option, value, `${what} ${where}`);
    bindToInterface(fd, options.interfaceName);
    set(IPV6_HDRINCL, int32(1), "send whole IPv6 packets");
    set(IPV6_MULTICAST_LOOP, int32(0), "switch off multicast loopback");
    set(IPV6_MULTICAST_HOPS, int32(255), "set the multicast hop limit");
    set(IPV6_MULTICAST_ALL, int32(0), "refuse foreign multicast groups");
    set(IPV6_MULTICAST_IF, int32(options.interfaceIndex), "multicast");
    set(IPV6_RECVPKTINFO, int32(1), "learn the destination of packets");
    set(IPV6_RECVHOPLIMIT, int32(1), "learn the hop limit of packets");
    set(IPV6_JOIN_GROUP, ipv6Mreq(options.group, options.interfaceIndex), `join ${options.group}`);
  };
  return configureOrClose(fd, configure, options.sourceMac && fromMac(options.sourceMac));
}

/** Joins a further group on the socket, such as a VIP's solicited-node group. Throws SystemError. */
export function joinGroup6(fd: number, group: string, interfaceIndex: number): void {
  setOption(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, ipv6Mreq(group, interfaceIndex), `join ${group}`);
}

/** struct ipv6_mreq */
function ipv6Mreq(group: string, interfaceIndex: number): Buffer {
  const b = Buffer.alloc(20);
  b.set(addressBytes(group, 6), 0);
  putI32(b, 16, interfaceIndex);
  return b;
}

/** The next packet; undefined when none is queued. Throws SystemError. */
export function receivePacket6(fd: number): Packet6 | undefined {
  for (;;) {
    const message = receiveMessage(fd, "a VRRP packet");
    if (!message) return undefined;
    const { bytes, from, control } = message;
    const info = control.find(({ level, type }) => level === IPPROTO_IPV6 && type === IPV6_PKTINFO);
    const hopLimit = ancillaryInt(control, IPPROTO_IPV6, IPV6_HOPLIMIT);
    // A packet without its ancillary data cannot be judged; the next one may be whole.
    if (!info || info.data.length < 16 || hopLimit === undefined) continue;
    const destination = addressText(info.data.subarray(0, 16));
    return { source: addressText(from.subarray(8, 24)), destination, hopLimit, payload: bytes };
  }
}

/** Sends one whole IPv6 packet as it is, out of the interface. Throws SystemError. */
export function sendPacket6(
  fd: number,
  packet: Uint8Array,
  destination: string,
  interfaceIndex: number,
): void {
  const to = Buffer.alloc(28);
  putU16(to, 0, AF_INET6);
  to.set(addressBytes(destination, 6), 8);
  // sin6_scope_id: link-local destinations mean nothing without it.
  putU32(to, 24, interfaceIndex);
  check(
    libc().sendto(fd, packet, packet.length, MSG_DONTWAIT | MSG_NOSIGNAL, to, to.length),
    "sendto",
    `send ${packet.length} bytes to ${destination}`,
  );
}
