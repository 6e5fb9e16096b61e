/**
 * UDP sockets for `transport: udp`: read through the poller like the raw ones, so that what is queued is
 * seen before any timer is judged (a node:dgram socket would be read in another phase of the event loop).
 */
import { addressBytes, addressText } from "../wire/address.ts";
import { getU16, int32, putU16, putU16Network, putU32 } from "./bytes.ts";
import { check, EAGAIN, EINTR, SystemError } from "./errors.ts";
import { lastErrno, libc } from "./libc.ts";
import { bindToInterface, configureOrClose } from "./raw-socket.ts";
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
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

export interface UdpSocketOptions {
  readonly address: string;
  readonly port: number;
  readonly interfaceName: string;
  readonly interfaceIndex: number;
}
export interface Datagram {
  readonly source: string;
  readonly bytes: Uint8Array;
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
    bindToInterface(fd, options.interfaceName);
    const address = sockaddr(options.address, options.port, options.interfaceIndex);
    check(libc().bind(fd, address, address.length), "bind", what);
  });
}

const buffer = Buffer.allocUnsafeSlow(65_536);
const from = Buffer.alloc(28);
const fromLength = Buffer.alloc(4);

/** The next datagram; undefined when none is queued. Throws SystemError. */
export function receiveFrom(fd: number): Datagram | undefined {
  for (;;) {
    putU32(fromLength, 0, from.length);
    const length = libc().recvfrom(fd, buffer, buffer.length, MSG_DONTWAIT, from, fromLength);
    if (length >= 0) {
      const address = getU16(from, 0) === AF_INET ? from.subarray(4, 8) : from.subarray(8, 24);
      return { source: addressText(address), bytes: new Uint8Array(buffer.subarray(0, length)) };
    }
    const errno = lastErrno();
    if (errno === EAGAIN) return undefined;
    // ECONNREFUSED and the like: an earlier datagram of ours met nobody; the next one may be here.
    if (errno === EINTR || SENT_IN_VAIN.has(errno)) continue;
    throw new SystemError({ errno, syscall: "recvfrom", what: `receive a datagram (descriptor ${fd})` });
  }
}

/** ECONNREFUSED, EHOSTUNREACH, ENETUNREACH (asm-generic/errno.h). */
const SENT_IN_VAIN = new Set([111, 113, 101]);

/** Throws SystemError. */
export function sendDatagram(
  fd: number,
  bytes: Uint8Array,
  address: string,
  port: number,
  ifindex: number,
): void {
  const to = sockaddr(address, port, ifindex);
  check(
    libc().sendto(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, to, to.length),
    "sendto",
    `send ${bytes.length} bytes to ${address} port ${port}`,
  );
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
