/**
 * Sockets for ICMP echo. A ping socket (icmp(7)) where ping_group_range allows our group, as most systems do;
 * else a raw one, which needs CAP_NET_RAW. Both are connected: only that host's packets and errors arrive.
 */
import type { ProbeSource } from "../../config/model.ts";
import { check, SystemError } from "../../net/errors.ts";
import { libc } from "../../net/libc.ts";
import { Poller } from "../../net/poller.ts";
import { SOCK_RAW } from "../../net/sockets.ts";
import { bindSource, familyOf, openMarked, reportIcmpErrors, SOCK_DGRAM, socketAddress } from "./source.ts";

const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;
/** ICMP6_FILTER (RFC 3542 3.2): a bit set blocks its type. Only echo replies (129) come in. */
const ICMP6_FILTER = 1;
const ECHO_REPLY6 = 129;

export interface PingSocket {
  readonly fd: number;
  /** Of a ping socket the kernel sets and matches the identifier. */
  readonly raw: boolean;
}

/** Throws SystemError. Closed through {@link unwatch}. */
export function openPing(address: string, source: ProbeSource): PingSocket {
  const protocol = familyOf(address) === 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
  const { fd, raw } = openEither(address, protocol, source);
  try {
    const { bindPort: _, ...withoutPort } = source;
    bindSource(fd, address, withoutPort, "a ping socket");
    if (raw && protocol === IPPROTO_ICMPV6) onlyEchoReplies(fd);
    reportIcmpErrors(fd, address);
    const to = socketAddress(address, 0);
    check(libc().connect(fd, to, to.length), "connect", `reach ${address}`);
    return { fd, raw };
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

function openEither(address: string, protocol: number, source: ProbeSource): PingSocket {
  try {
    return { fd: openMarked(address, SOCK_DGRAM, protocol, source, "a ping socket"), raw: false };
  } catch (error) {
    if (!(error instanceof SystemError) || error.syscall !== "socket" || error.code !== "EACCES") throw error;
    return { fd: openMarked(address, SOCK_RAW, protocol, source, "a raw ICMP socket"), raw: true };
  }
}

function onlyEchoReplies(fd: number): void {
  const filter = Buffer.alloc(32, 0xff);
  const view = new Uint32Array(filter.buffer, filter.byteOffset, 8);
  view[ECHO_REPLY6 >> 5]! &= ~(1 << (ECHO_REPLY6 & 31));
  check(libc().setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, filter, 32), "setsockopt", "filter ICMPv6");
}

/** One poller for all pings that are under way; it ends with the last, since it occupies a pool thread. */
let poller: Poller | undefined;
let watched = 0;

export function watch(fd: number, onReadable: () => void): void {
  if (poller === undefined) {
    poller = new Poller({ onTick: () => undefined, onError: () => undefined });
    poller.start();
  }
  watched++;
  poller.add(fd, onReadable);
}

/** Ends the watch and closes the descriptor. */
export async function unwatch(fd: number): Promise<void> {
  const mine = poller;
  const removed = mine?.remove(fd);
  watched--;
  if (watched === 0) {
    poller = undefined;
    await mine?.stop();
  }
  await removed;
  libc().close(fd);
}
