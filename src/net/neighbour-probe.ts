/**
 * Asks who has an address on a link, by ARP (IPv4) or neighbour solicitation (IPv6), and hears the answers
 * itself: every answer with its MAC, where the kernel's neighbour table would keep only one.
 */
import { addressBytes, addressText } from "../wire/address.ts";
import { ARP_REPLY, ARP_REQUEST, decodeArp, encodeArp } from "../wire/arp.ts";
import { solicitedNodeGroup } from "../wire/ndp.ts";
import { int32, putU16, putU32 } from "./bytes.ts";
import { check } from "./errors.ts";
import { libc } from "./libc.ts";
import { ETH_P_ARP, openPacketSocket, receiveFrame, sendFrame } from "./packet-socket.ts";
import { bindToInterface, closeFd } from "./raw-socket.ts";
import {
  AF_INET6,
  attachFilter,
  type BpfInstruction,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  receiveDatagram,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  setOption,
} from "./sockets.ts";

export interface NeighbourAnswer {
  readonly address: string;
  readonly mac: Uint8Array;
}

export interface NeighbourProbe {
  /** Readable when answers may be waiting. */
  readonly fd: number;
  /** Sends one question. `source` is our own address on the link (0.0.0.0: an RFC 5227 probe). Throws SystemError. */
  ask(target: string, source: string): void;
  /** The answers that came since; foreign traffic is skipped. Throws SystemError. */
  answers(): NeighbourAnswer[];
  close(): void;
}

export interface ProbeLink {
  readonly index: number;
  readonly name: string;
  readonly mac: Uint8Array;
}

/** Bounds one turn, so that a flood of ARP cannot hold the loop. */
const MAX_PER_TURN = 256;

/** linux/filter.h: accept ARP replies only (operation 2 at byte 20); requests are most of a LAN's ARP. */
const ONLY_REPLIES: readonly BpfInstruction[] = [
  [0x28, 0, 0, 20],
  [0x15, 0, 1, ARP_REPLY],
  [0x06, 0, 0, 0xffffffff],
  [0x06, 0, 0, 0],
];

export function openArpProbe(link: ProbeLink): NeighbourProbe {
  const fd = openPacketSocket(link.index, { receive: ETH_P_ARP });
  attachFilter(fd, ONLY_REPLIES, `attach a packet filter on ${link.name}`);
  return {
    fd,
    ask(target, source) {
      const question = {
        frameDestination: new Uint8Array(6).fill(0xff),
        frameSource: link.mac,
        operation: ARP_REQUEST,
        senderMac: link.mac,
        senderAddress: source,
        targetMac: new Uint8Array(6),
        targetAddress: target,
      };
      sendFrame(fd, link.index, encodeArp(question));
    },
    answers() {
      return collect(() => {
        const frame = receiveFrame(fd);
        if (!frame) return undefined;
        const arp = decodeArp(frame);
        if (arp?.operation !== ARP_REPLY) return "skip";
        return { address: arp.senderAddress, mac: arp.senderMac };
      });
    },
    close: () => closeFd(fd),
  };
}

const IPPROTO_IPV6 = 41;
const IPPROTO_ICMPV6 = 58;
const IPV6_UNICAST_HOPS = 16;
const IPV6_MULTICAST_IF = 17;
const IPV6_MULTICAST_HOPS = 18;
/** linux/icmpv6.h */
const ICMPV6_FILTER = 1;
const NEIGHBOUR_SOLICITATION = 135;
const NEIGHBOUR_ADVERTISEMENT = 136;
const OPTION_SOURCE_LINK_LAYER = 1;
const OPTION_TARGET_LINK_LAYER = 2;

export function openNdProbe(link: ProbeLink): NeighbourProbe {
  const what = `open an ICMPv6 socket on ${link.name}`;
  const fd = check(
    libc().socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6),
    "socket",
    what,
  );
  try {
    bindToInterface(fd, link.name);
    setOption(fd, IPPROTO_ICMPV6, ICMPV6_FILTER, onlyAdvertisements(), what);
    // RFC 4861 §7.1: anything but 255 is ignored.
    for (const option of [IPV6_UNICAST_HOPS, IPV6_MULTICAST_HOPS])
      setOption(fd, IPPROTO_IPV6, option, int32(255), what);
    setOption(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, int32(link.index), what);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  return {
    fd,
    ask(target) {
      const group = addressText(solicitedNodeGroup(target));
      const to = Buffer.alloc(28);
      putU16(to, 0, AF_INET6);
      to.set(addressBytes(group, 6), 8);
      putU32(to, 24, link.index);
      const message = solicitation(target, link.mac);
      check(
        libc().sendto(fd, message, message.length, MSG_DONTWAIT | MSG_NOSIGNAL, to, to.length),
        "sendto",
        `ask for ${target} on ${link.name}`,
      );
    },
    answers() {
      return collect(() => {
        const message = receiveDatagram(fd, `hear neighbours on ${link.name}`);
        return message === undefined ? undefined : (parseAdvertisement(message) ?? "skip");
      });
    },
    close: () => closeFd(fd),
  };
}

/** struct icmp6_filter: a set bit blocks its type. */
function onlyAdvertisements(): Buffer {
  const filter = Buffer.alloc(32, 0xff);
  const word = NEIGHBOUR_ADVERTISEMENT >> 5;
  putU32(filter, word * 4, (0xffffffff & ~(1 << (NEIGHBOUR_ADVERTISEMENT & 31))) >>> 0);
  return filter;
}

/** RFC 4861 §4.3; the kernel fills in the checksum. */
function solicitation(target: string, mac: Uint8Array): Buffer {
  const message = Buffer.alloc(32);
  message[0] = NEIGHBOUR_SOLICITATION;
  message.set(addressBytes(target, 6), 8);
  message[24] = OPTION_SOURCE_LINK_LAYER;
  message[25] = 1;
  message.set(mac, 26);
  return message;
}

/** RFC 4861 §4.4; undefined when malformed or without a link-layer address. */
function parseAdvertisement(message: Uint8Array): NeighbourAnswer | undefined {
  if (message.length < 24 || message[0] !== NEIGHBOUR_ADVERTISEMENT) return undefined;
  for (let at = 24; at + 8 <= message.length; ) {
    const size = (message[at + 1] ?? 0) * 8;
    // A zero length would never end (RFC 4861 §4.6).
    if (size === 0 || at + size > message.length) return undefined;
    if (message[at] === OPTION_TARGET_LINK_LAYER) {
      return { address: addressText(message.subarray(8, 24)), mac: message.slice(at + 2, at + 8) };
    }
    at += size;
  }
  return undefined;
}

function collect(next: () => NeighbourAnswer | "skip" | undefined): NeighbourAnswer[] {
  const found: NeighbourAnswer[] = [];
  for (let n = 0; n < MAX_PER_TURN; n++) {
    const answer = next();
    if (answer === undefined) break;
    if (answer !== "skip") found.push(answer);
  }
  return found;
}
