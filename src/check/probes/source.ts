/**
 * Sockets with bind_if and fwmark: SO_BINDTODEVICE and SO_MARK must be set before connect(2) and Node has neither,
 * so that such a socket is made through libc and handed to Node.
 */
import { connect, type OnReadOpts, Socket, type SocketConstructorOpts } from "node:net";
import type { ProbeSource } from "../../config/model.ts";
import { int32, putU16, putU16Network, putU32 } from "../../net/bytes.ts";
import { check } from "../../net/errors.ts";
import { libc } from "../../net/libc.ts";
import {
  AF_INET,
  AF_INET6,
  SO_BINDTODEVICE,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  setOption,
} from "../../net/sockets.ts";
import { addressBytes } from "../../wire/address.ts";

/** asm-generic/socket.h, sys/socket.h */
const SO_MARK = 36;
const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;

export const familyOf = (address: string): 4 | 6 => (address.includes(":") ? 6 : 4);

export const addressFamily = (address: string): number => (familyOf(address) === 6 ? AF_INET6 : AF_INET);

/** A socket of the source's interface and mark, neither bound nor connected. Throws SystemError. */
export function openMarked(
  address: string,
  type: number,
  protocol: number,
  source: ProbeSource,
  what: string,
): number {
  const fd = check(
    libc().socket(addressFamily(address), type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol),
    "socket",
    `open ${what}`,
  );
  try {
    const { bindIf, fwmark } = source;
    if (bindIf !== undefined)
      setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${bindIf}\0`), `bind ${what} to ${bindIf}`);
    if (fwmark !== undefined) {
      const mark = Buffer.alloc(4);
      putU32(mark, 0, fwmark);
      setOption(fd, SOL_SOCKET, SO_MARK, mark, `set fwmark ${fwmark} on ${what}`);
    }
    return fd;
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

/** bind(2) to bindto and bind_port, where given. Throws SystemError. */
export function bindSource(fd: number, address: string, source: ProbeSource, what: string): void {
  const { bindTo, bindPort = 0 } = source;
  if (bindTo === undefined && bindPort === 0) return;
  const name = socketAddress(bindTo ?? (familyOf(address) === 6 ? "::" : "0.0.0.0"), bindPort);
  check(libc().bind(fd, name, name.length), "bind", `bind ${what} to ${bindTo ?? "any address"}:${bindPort}`);
}

/** struct sockaddr_in or sockaddr_in6. */
export function socketAddress(address: string, port: number): Buffer {
  const v6 = familyOf(address) === 6;
  const bytes = Buffer.alloc(v6 ? 28 : 16);
  putU16(bytes, 0, v6 ? AF_INET6 : AF_INET);
  putU16Network(bytes, 2, port);
  bytes.set(addressBytes(address, v6 ? 6 : 4), v6 ? 8 : 4);
  return bytes;
}

/** IP_RECVERR, IPV6_RECVERR (linux/in.h, linux/in6.h): soft ICMP errors (host unreachable) are reported too. */
export function reportIcmpErrors(fd: number, address: string): void {
  const [level, option] = familyOf(address) === 6 ? [41, 25] : [0, 11];
  setOption(fd, level, option, int32(1), "have ICMP errors reported");
}

export interface TcpTarget extends ProbeSource {
  readonly connectIp: string;
  readonly connectPort: number;
}

/**
 * Begins to connect; the caller puts "error" and "connect" on the socket at once. Throws for bad addresses and
 * where the socket can't be made as asked.
 */
export function openTcp(target: TcpTarget, onread?: OnReadOpts): Socket {
  const { connectIp, connectPort, bindTo, bindPort } = target;
  const options = {
    host: connectIp,
    port: connectPort,
    autoSelectFamily: false,
    ...(bindTo === undefined ? {} : { localAddress: bindTo }),
    ...(bindPort === undefined ? {} : { localPort: bindPort }),
  };
  const read = onread === undefined ? {} : { onread };
  if (target.bindIf === undefined && target.fwmark === undefined) return connect({ ...options, ...read });
  const fd = openMarked(connectIp, SOCK_STREAM, 0, target, "a TCP socket");
  // manualStart: nothing can be read before the connect, and trying fails the socket.
  const wrapped: SocketConstructorOpts & { manualStart: boolean } = { fd, manualStart: true, ...read };
  let socket: Socket;
  try {
    socket = new Socket(wrapped);
  } catch (error) {
    libc().close(fd);
    throw error;
  }
  return socket.connect(options);
}
