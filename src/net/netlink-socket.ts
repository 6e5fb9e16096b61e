/**
 * AF_NETLINK sockets. Synchronous: a request to the kernel is answered within the send, so waiting
 * for the answer is a read of what is already queued.
 */

import { getU16, getU32, int32, putI32, putU16, putU32, putU64 } from "./bytes.ts";
import { monotonicUs } from "./clock.ts";
import { check, EAGAIN, EINTR, EMSGSIZE, ENOBUFS, SystemError } from "./errors.ts";
import { lastErrno, libc } from "./libc.ts";
import {
  AF_NETLINK,
  MSG_DONTWAIT,
  MSG_TRUNC,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  setOption,
  setReceiveBuffer,
  setSendBuffer,
  tryOption,
} from "./sockets.ts";

/** linux/netlink.h */
export const NETLINK_ROUTE = 0;
export const NETLINK_GENERIC = 16;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const SOCKADDR_NL = 12;
const POLLIN = 1;

/** Larger than any dump part (32 KiB) and any link notification. Pages are only used when touched. */
const buffer = Buffer.allocUnsafeSlow(1 << 20);
const source = Buffer.alloc(SOCKADDR_NL);
const sourceLength = Buffer.alloc(4);

export interface NetlinkSocketOptions {
  /** Multicast groups to join, by number (RTNLGRP_LINK is 1). */
  readonly groups?: readonly number[];
  /** Bytes; default 1 MiB. A small one loses messages: see tryReceive. */
  readonly receiveBuffer?: number;
  /** Bytes one send() may have; default 1 MiB. */
  readonly sendBuffer?: number;
}

export class NetlinkSocket {
  readonly fd: number;
  /** Our address: the kernel puts it in the header of its answers. */
  readonly portId: number;
  #closed = false;

  private constructor(fd: number, portId: number) {
    this.fd = fd;
    this.portId = portId;
  }

  /** @param protocol NETLINK_ROUTE, NETLINK_GENERIC, ... */
  static open(protocol: number, options: NetlinkSocketOptions = {}): NetlinkSocket {
    const what = `open a netlink socket (protocol ${protocol})`;
    const fd = check(
      libc().socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol),
      "socket",
      what,
      "the kernel or the container's seccomp profile lacks this netlink family",
    );
    try {
      setReceiveBuffer(fd, options.receiveBuffer ?? 1 << 20);
      setSendBuffer(fd, options.sendBuffer ?? 1 << 20);
      tryOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, int32(1));
      tryOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, int32(1));
      const address = sockaddrNl();
      check(libc().bind(fd, address, address.length), "bind", what);
      for (const group of options.groups ?? [])
        setOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, int32(group), `join netlink group ${group}`);
      return new NetlinkSocket(fd, ownPort(fd));
    } catch (error) {
      libc().close(fd);
      throw error;
    }
  }

  /** One datagram to the kernel: one message or many, each aligned to 4 bytes. */
  send(bytes: Uint8Array): void {
    const to = sockaddrNl();
    for (;;) {
      const sent = libc().sendto(this.fd, bytes, bytes.length, 0, to, to.length);
      if (sent >= 0) return;
      const errno = lastErrno();
      if (errno === EINTR) continue;
      throw new SystemError({ errno, syscall: "sendto", what: `send ${bytes.length} bytes over netlink` });
    }
  }

  /** send() on a pool thread: it returns when the kernel has carried out the requests. */
  sendAsync(bytes: Uint8Array): Promise<void> {
    const to = sockaddrNl();
    return new Promise((resolve, reject) => {
      libc().sendtoAsync(this.fd, bytes, bytes.length, 0, to, to.length, (_error, sent) => {
        try {
          // Its errno is lost with its thread; here the same failure shows again, or it goes through.
          if (sent < 0) this.send(bytes);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /**
   * The next datagram; undefined when none came in `timeoutMs` milliseconds.
   * Throws as tryReceive does.
   */
  receive(timeoutMs: number): Buffer | undefined {
    const until = monotonicUs() + timeoutMs * 1_000;
    for (;;) {
      const data = this.tryReceive();
      if (data !== undefined) return data;
      const left = until - monotonicUs();
      if (left <= 0) return undefined;
      this.#waitReadable(left);
    }
  }

  /**
   * The next datagram, now; undefined when none is queued. Only what the kernel itself sent is
   * returned: other processes may write to this port, too.
   * Throws SystemError; code ENOBUFS: messages were lost (the socket stays usable): resync by dump.
   */
  tryReceive(): Buffer | undefined {
    for (;;) {
      putU32(sourceLength, 0, SOCKADDR_NL);
      const length = libc().recvfrom(
        this.fd,
        buffer,
        buffer.length,
        MSG_DONTWAIT | MSG_TRUNC,
        source,
        sourceLength,
      );
      if (length < 0) {
        const errno = lastErrno();
        if (errno === EAGAIN) return undefined;
        if (errno === EINTR) continue;
        throw new SystemError({ errno, syscall: "recvfrom", what: "receive from netlink" });
      }
      if (getU16(source, 0) !== AF_NETLINK || getU32(source, 4) !== 0) continue;
      // With MSG_TRUNC the length is the datagram's own: more than fits was cut off.
      if (length > buffer.length)
        throw new SystemError({
          errno: EMSGSIZE,
          syscall: "recvfrom",
          what: `receive a netlink datagram of ${length} bytes`,
          hint: "resync by dump",
        });
      return Buffer.from(buffer.subarray(0, length));
    }
  }

  /** Throws away what is queued, overflow marks included. */
  drain(): void {
    for (;;) {
      if (libc().recv(this.fd, buffer, buffer.length, MSG_DONTWAIT | MSG_TRUNC) >= 0) continue;
      const errno = lastErrno();
      if (errno !== EINTR && errno !== ENOBUFS) return;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    check(libc().close(this.fd), "close", "close a netlink socket");
  }

  #waitReadable(us: number): void {
    const set = Buffer.alloc(8);
    putI32(set, 0, this.fd);
    putU16(set, 4, POLLIN);
    const timeout = Buffer.alloc(16);
    putU64(timeout, 0, BigInt(Math.floor(us / 1_000_000)));
    putU64(timeout, 8, BigInt(Math.ceil(us % 1_000_000) * 1_000));
    // EINTR is as good as a timeout: the caller looks and waits again.
    libc().ppoll(set, 1, timeout, null);
  }
}

/** struct sockaddr_nl with port 0: the kernel as destination, any port to bind. */
function sockaddrNl(): Buffer {
  const b = Buffer.alloc(SOCKADDR_NL);
  putU16(b, 0, AF_NETLINK);
  return b;
}

function ownPort(fd: number): number {
  const address = Buffer.alloc(SOCKADDR_NL);
  const length = Buffer.alloc(4);
  putU32(length, 0, SOCKADDR_NL);
  check(libc().getsockname(fd, address, length), "getsockname", "read a netlink socket's port");
  return getU32(address, 4);
}
