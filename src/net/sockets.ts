/** What all sockets here share: constants, options, the receive loop's single buffer. */
import { int32, putU16, putU32, putU64 } from "./bytes.ts";
import { check, EAGAIN, EINTR, SystemError } from "./errors.ts";
import { addressOf, lastErrno, libc } from "./libc.ts";

/** sys/socket.h, asm-generic/socket.h (the same on x86-64, arm64, riscv64, s390x, ppc64). */
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0o2000000;
export const SOCK_NONBLOCK = 0o4000;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
const SO_PRIORITY = 12;
export const SO_BINDTODEVICE = 25;
export const SO_ATTACH_FILTER = 26;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;

/** linux/pkt_sched.h: ahead of bulk traffic in pfifo_fast and prio. */
const TC_PRIO_INTERACTIVE = 6;
const TC_PRIO_CONTROL = 7;

/** The highest class allowed: above 6 needs CAP_NET_ADMIN. */
export function prioritise(fd: number): void {
  if (!tryOption(fd, SOL_SOCKET, SO_PRIORITY, int32(TC_PRIO_CONTROL)))
    tryOption(fd, SOL_SOCKET, SO_PRIORITY, int32(TC_PRIO_INTERACTIVE));
}

export function setOption(fd: number, level: number, option: number, value: Uint8Array, what: string): void {
  check(libc().setsockopt(fd, level, option, value, value.length), "setsockopt", what);
}

/** An option older kernels lack, or one that is only a help: failure is no failure. */
export function tryOption(fd: number, level: number, option: number, value: Uint8Array): boolean {
  return libc().setsockopt(fd, level, option, value, value.length) === 0;
}

/** Beyond net.core.rmem_max where CAP_NET_ADMIN allows, else as far as it goes. */
export function setReceiveBuffer(fd: number, bytes: number): void {
  if (!tryOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, int32(bytes)))
    tryOption(fd, SOL_SOCKET, SO_RCVBUF, int32(bytes));
}

export function setSendBuffer(fd: number, bytes: number): void {
  if (!tryOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, int32(bytes)))
    tryOption(fd, SOL_SOCKET, SO_SNDBUF, int32(bytes));
}

/** One classic BPF instruction: code, jump if true, jump if false, constant (linux/filter.h). */
export type BpfInstruction = readonly [code: number, jt: number, jf: number, k: number];

export function attachFilter(fd: number, program: readonly BpfInstruction[], what: string): void {
  const code = Buffer.alloc(program.length * 8);
  program.forEach(([op, jt, jf, k], i) => {
    putU16(code, i * 8, op);
    code[i * 8 + 2] = jt;
    code[i * 8 + 3] = jf;
    putU32(code, i * 8 + 4, k >>> 0);
  });
  const fprog = Buffer.alloc(16);
  putU16(fprog, 0, program.length);
  putU64(fprog, 8, addressOf(code));
  setOption(fd, SOL_SOCKET, SO_ATTACH_FILTER, fprog, what);
}

/** linux/filter.h SKF_LL_OFF: the link-layer header, which a raw IP socket's filter can still see. */
const LINK_LAYER = 0xffe00000;

/** Only Ethernet frames of this sender. */
export const fromMac = (mac: Uint8Array): readonly BpfInstruction[] => {
  const view = new DataView(mac.buffer, mac.byteOffset, 6);
  return [
    [0x20, 0, 0, LINK_LAYER + 6],
    [0x15, 0, 3, view.getUint32(0)],
    [0x28, 0, 0, LINK_LAYER + 10],
    [0x15, 0, 1, view.getUint16(4)],
    [0x06, 0, 0, 0xffffffff],
    [0x06, 0, 0, 0],
  ];
};

export const DROP_ALL: readonly BpfInstruction[] = [[0x06, 0, 0, 0]];

/** 64 KiB: no IP packet is longer. Shared, since every read here is synchronous. */
const receiveBuffer = Buffer.allocUnsafeSlow(65_536);

/** One datagram as a copy; undefined when there is none. */
export function receiveDatagram(fd: number, what: string): Uint8Array | undefined {
  for (;;) {
    const length = libc().recv(fd, receiveBuffer, receiveBuffer.length, MSG_DONTWAIT);
    if (length >= 0) return new Uint8Array(receiveBuffer.subarray(0, length));
    const errno = lastErrno();
    if (errno === EAGAIN) return undefined;
    if (errno !== EINTR) throw new SystemError({ errno, syscall: "recv", what });
  }
}

/** Throws away what is queued. */
export function discardQueued(fd: number): void {
  while (libc().recv(fd, receiveBuffer, receiveBuffer.length, MSG_DONTWAIT) >= 0);
}
