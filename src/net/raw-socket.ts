/**
 * Raw IPv4 sockets for VRRP: whole packets in and out, on one interface.
 *
 * One socket serves both directions: IP_HDRINCL only concerns sending. Our own multicast never
 * comes back: IP_MULTICAST_LOOP is off, and the kernel filter drops looped copies whoever made them.
 */
import { addressBytes } from "../wire/address.ts";
import { int32, putI32, putU16, putU16Network } from "./bytes.ts";
import { check } from "./errors.ts";
import { libc } from "./libc.ts";
import {
  AF_INET,
  AF_INET6,
  attachFilter,
  type BpfInstruction,
  DROP_ALL,
  discardQueued,
  fromMac,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  prioritise,
  receiveDatagram,
  SO_BINDTODEVICE,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_SOCKET,
  setOption,
  setReceiveBuffer,
} from "./sockets.ts";

/** RFC 5798 5.1.1.4 */
const IPPROTO_VRRP = 112;
/** linux/in.h */
const IPPROTO_IP = 0;
const IP_HDRINCL = 3;
const IP_MULTICAST_IF = 32;
const IP_MULTICAST_TTL = 33;
const IP_MULTICAST_LOOP = 34;
const IP_ADD_MEMBERSHIP = 35;
const IP_MULTICAST_ALL = 49;

/** Room for thousands of adverts while JavaScript is stalled. */
const RECEIVE_BUFFER = 1 << 20;

/** linux/filter.h: ld [SKF_AD_OFF + SKF_AD_PKTTYPE]; drop PACKET_OUTGOING (4) and PACKET_LOOPBACK (5). */
export const DROP_LOOPED: readonly BpfInstruction[] = [
  [0x20, 0, 0, 0xfffff004],
  [0x35, 0, 1, 4],
  [0x06, 0, 0, 0],
  [0x06, 0, 0, 0xffffffff],
];

export interface VrrpSocketOptions {
  readonly interfaceIndex: number;
  readonly interfaceName: string;
  /** "224.0.0.18" (RFC 5798 5.1.1.2). Unicast VRRP arrives on the same socket. */
  readonly group: string;
  /** Only frames of this Ethernet address. */
  readonly sourceMac?: Uint8Array;
}

/** A non-blocking descriptor of protocol 112 bound to one interface; the caller closes it with closeFd(). */
export function openVrrpSocket(options: VrrpSocketOptions): number {
  const where = `on ${options.interfaceName}`;
  const fd = check(
    libc().socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_VRRP),
    "socket",
    `open a raw VRRP socket ${where}`,
  );
  const configure = () => {
    setOption(fd, IPPROTO_IP, IP_HDRINCL, int32(1), `send whole IP packets ${where}`);
    bindToInterface(fd, options.interfaceName);
    setOption(fd, IPPROTO_IP, IP_MULTICAST_LOOP, int32(0), `switch off multicast loopback ${where}`);
    setOption(fd, IPPROTO_IP, IP_MULTICAST_TTL, int32(255), `set the multicast TTL ${where}`);
    // Only the groups joined on this socket, not those any other process joined (ip(7)).
    setOption(fd, IPPROTO_IP, IP_MULTICAST_ALL, int32(0), `refuse foreign multicast groups ${where}`);
    setOption(
      fd,
      IPPROTO_IP,
      IP_MULTICAST_IF,
      mreqn("0.0.0.0", options.interfaceIndex),
      `multicast ${where}`,
    );
    setOption(
      fd,
      IPPROTO_IP,
      IP_ADD_MEMBERSHIP,
      mreqn(options.group, options.interfaceIndex),
      `join ${options.group} ${where}`,
    );
  };
  return configureOrClose(fd, configure, options.sourceMac && fromMac(options.sourceMac));
}

/**
 * Between socket() and SO_BINDTODEVICE packets of other interfaces can arrive: nothing is let in
 * until all is set, and what slipped in before that is thrown away.
 */
export function configureOrClose(
  fd: number,
  configure: () => void,
  filter: readonly BpfInstruction[] = DROP_LOOPED,
): number {
  try {
    attachFilter(fd, DROP_ALL, "attach a packet filter");
    configure();
    prioritise(fd);
    setReceiveBuffer(fd, RECEIVE_BUFFER);
    discardQueued(fd);
    attachFilter(fd, filter, "attach a packet filter");
    return fd;
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

export function bindToInterface(fd: number, name: string): void {
  setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${name}\0`), `bind a socket to interface ${name}`);
}

/** struct ip_mreqn: group, local address (any), interface index. */
function mreqn(group: string, interfaceIndex: number): Buffer {
  const b = Buffer.alloc(12);
  b.set(addressBytes(group, 4), 0);
  putI32(b, 8, interfaceIndex);
  return b;
}

/**
 * The next whole IP packet, header included, as a copy; undefined when none is queued.
 * Throws SystemError, which also clears the socket's pending error: the descriptor stays usable.
 */
export function receivePacket(fd: number): Uint8Array | undefined {
  return receiveDatagram(fd, `receive a VRRP packet (descriptor ${fd})`);
}

/**
 * Sends one whole IP packet as it is; the kernel fills in the IPv4 total length, checksum and, when
 * zero, id and source. Throws SystemError: ENETDOWN, ENETUNREACH, ENOBUFS, EAGAIN (send buffer full), ...
 */
export function sendPacket(fd: number, packet: Uint8Array, destination: string): void {
  const to = sockaddr(addressBytes(destination, destination.includes(":") ? 6 : 4));
  check(
    libc().sendto(fd, packet, packet.length, MSG_DONTWAIT | MSG_NOSIGNAL, to, to.length),
    "sendto",
    `send ${packet.length} bytes to ${destination}`,
  );
}

/** struct sockaddr_in or sockaddr_in6, port 0. */
function sockaddr(address: Uint8Array): Buffer {
  const b = Buffer.alloc(address.length === 4 ? 16 : 28);
  putU16(b, 0, address.length === 4 ? AF_INET : AF_INET6);
  putU16Network(b, 2, 0);
  b.set(address, address.length === 4 ? 4 : 8);
  return b;
}

/** Closes a descriptor opened here; if a Poller watches it, after its remove() has resolved. */
export function closeFd(fd: number): void {
  check(libc().close(fd), "close", `close descriptor ${fd}`);
}
