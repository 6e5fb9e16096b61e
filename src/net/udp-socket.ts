/**
 * UDP sockets for `transport: udp`: read through the poller like the raw ones, so that what is queued is
 * seen before any timer is judged (a node:dgram socket would be read in another phase of the event loop).
 */
import { addressBytes, addressText } from "../wire/address.ts";
import { getU16, int32, putU16, putU16Network, putU32 } from "./bytes.ts";
import { check } from "./errors.ts";
import { libc } from "./libc.ts";
import { bindToInterface, configureOrClose } from "./raw-socket.ts";
import { ancillaryInt, receiveMessage } from "./receive-message.ts";
import {
  AF_INET,
  AF_INET6,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  setOption,
} from "./sockets.ts";

const SOCK_DGRAM = 2;
const IPPROTO_IP = 0;
/** linux/in.h */
const IP_TTL = 2;
const IP_RECVTTL = 12;
const IPPROTO_IPV6 = 41;
/** linux/in6.h */
const IPV6_UNICAST_HOPS = 16;
const IPV6_V6ONLY = 26;
const IPV6_RECVHOPLIMIT = 51;
const IPV6_HOPLIMIT = 52;

export interface UdpSocketOptions {
  readonly address: string;
  readonly port: number;
  readonly interfaceName: string;
  readonly interfaceIndex: number;
}
export interface Datagram {
  readonly source: string;
  readonly bytes: Uint8Array;
  /** TTL or hop limit it arrived with. */
  readonly hopLimit?: number;
}

/** Non-blocking, bound to the address and the interface; close it with closeFd(). Throws SystemError (EADDRINUSE). */
export function openUdpSocket(options: UdpSocketOptions): number {
  const ipv6 = options.address.includes(":");
  const what = `listen for VRRP over UDP on ${options.address} port ${options.port}`;
  const fd = check(
    libc().socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
    "socket",
    what,
  );
  return configureOrClose(fd, () => {
    setOption(fd, SOL_SOCKET, SO_REUSEADDR, int32(1), what);
    if (ipv6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, int32(1), what);
    if (ipv6) setOption(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, int32(1), what);
    else setOption(fd, IPPROTO_IP, IP_RECVTTL, int32(1), what);
    bindToInterface(fd, options.interfaceName);
    const address = sockaddr(options.address, options.port, options.interfaceIndex);
    check(libc().bind(fd, address, address.length), "bind", what);
  });
}

/** The next datagram; undefined when none is queued. Throws SystemError. */
export function receiveFrom(fd: number): Datagram | undefined {
  const message = receiveMessage(fd, "a datagram", SENT_IN_VAIN);
  if (!message) return undefined;
  const { bytes, from, control } = message;
  const ipv4 = getU16(from, 0) === AF_INET;
  const hopLimit = ipv4
    ? ancillaryInt(control, IPPROTO_IP, IP_TTL)
    : ancillaryInt(control, IPPROTO_IPV6, IPV6_HOPLIMIT);
  const source = addressText(ipv4 ? from.subarray(4, 8) : from.subarray(8, 24));
  return { source, bytes, ...(hopLimit === undefined ? {} : { hopLimit }) };
}

/**
 * ECONNREFUSED, EHOSTUNREACH, ENETUNREACH (asm-generic/errno.h): an earlier datagram of ours met nobody; the
 * next one may be here.
 */
const SENT_IN_VAIN: ReadonlySet<number> = new Set([111, 113, 101]);

export interface Destination {
  readonly address: string;
  readonly port: number;
  readonly interfaceIndex: number;
  /** TTL or hop limit; the socket is shared, so it goes with each datagram. */
  readonly ttl: number;
}

/** Throws SystemError. */
export function sendDatagram(fd: number, bytes: Uint8Array, destination: Destination): void {
  const { address, port, interfaceIndex, ttl } = destination;
  const what = `send ${bytes.length} bytes to ${address} port ${port}`;
  if (address.includes(":")) setOption(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, int32(ttl), what);
  else setOption(fd, IPPROTO_IP, IP_TTL, int32(ttl), what);
  const to = sockaddr(address, port, interfaceIndex);
  check(libc().sendto(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, to, to.length), "sendto", what);
}

/** struct sockaddr_in, or sockaddr_in6 with the scope a link-local address needs. */
function sockaddr(address: string, port: number, ifindex: number): Buffer {
  const ipv6 = address.includes(":");
  const b = Buffer.alloc(ipv6 ? 28 : 16);
  putU16(b, 0, ipv6 ? AF_INET6 : AF_INET);
  putU16Network(b, 2, port);
  b.set(addressBytes(address, ipv6 ? 6 : 4), ipv6 ? 8 : 4);
  if (ipv6) putU32(b, 24, ifindex);
  return b;
}
