/** AF_PACKET sockets: Ethernet frames (gratuitous ARP, unsolicited NA, conflict probes). */
import { addressBytes } from "../wire/address.ts";
import { putI32, putU16, putU16Network } from "./bytes.ts";
import { check } from "./errors.ts";
import { libc } from "./libc.ts";
import {
  AF_PACKET,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  prioritise,
  receiveDatagram,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
} from "./sockets.ts";

/** linux/if_ether.h */
export const ETH_P_ARP = 0x0806;
export const ETH_P_IPV6 = 0x86dd;

export interface PacketSocketOptions {
  /** Ethertype to receive; by default nothing is received, and the socket costs nothing per packet. */
  readonly receive?: number;
}

/** A non-blocking AF_PACKET descriptor bound to one interface. Close it with closeFd(). */
export function openPacketSocket(ifindex: number, options: PacketSocketOptions = {}): number {
  const what = `open a packet socket on interface ${ifindex}`;
  // Protocol 0 receives nothing; the ethertype comes with bind(), so that no other interface's frames slip in.
  const fd = check(libc().socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket", what);
  const address = sockaddrLl(ifindex, options.receive ?? 0);
  try {
    check(libc().bind(fd, address, address.length), "bind", what);
  } catch (error) {
    libc().close(fd);
    throw error;
  }
  prioritise(fd);
  return fd;
}

/** Sends a whole Ethernet frame (14-byte header first). Throws SystemError: ENETDOWN, ENOBUFS, EAGAIN, ... */
export function sendFrame(fd: number, ifindex: number, frame: Uint8Array): void {
  if (frame.length < 14) throw new RangeError(`a frame of ${frame.length} bytes has no Ethernet header`);
  const to = sockaddrLl(ifindex, ((frame[12] ?? 0) << 8) | (frame[13] ?? 0));
  check(
    libc().sendto(fd, frame, frame.length, MSG_DONTWAIT | MSG_NOSIGNAL, to, to.length),
    "sendto",
    `send a frame on interface ${ifindex}`,
  );
}

/** Sends a whole IPv6 packet to a group (RFC 2464 §7), past the kernel's routing. Throws SystemError. */
export function sendMulticast6(
  fd: number,
  { index, mac }: { readonly index: number; readonly mac: Uint8Array },
  packet: Uint8Array,
  group: string,
): void {
  const frame = new Uint8Array(14 + packet.length);
  frame.set([0x33, 0x33, ...addressBytes(group, 6).subarray(12)]);
  frame.set(mac, 6);
  frame.set([ETH_P_IPV6 >> 8, ETH_P_IPV6 & 0xff], 12);
  frame.set(packet, 14);
  sendFrame(fd, index, frame);
}

/** The next frame as a copy, ours included; undefined when none is queued. Throws SystemError (ENETDOWN). */
export function receiveFrame(fd: number): Uint8Array | undefined {
  return receiveDatagram(fd, `receive a frame (descriptor ${fd})`);
}

/** struct sockaddr_ll (linux/if_packet.h). */
function sockaddrLl(ifindex: number, etherType: number): Buffer {
  const b = Buffer.alloc(20);
  putU16(b, 0, AF_PACKET);
  putU16Network(b, 2, etherType);
  putI32(b, 4, ifindex);
  return b;
}
