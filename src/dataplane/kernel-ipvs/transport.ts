/** What the dataplane needs of a netlink socket, so that tests put a fake kernel in its place. */
import { NETLINK_GENERIC, NetlinkSocket } from "../../net/netlink-socket.ts";

export interface NetlinkTransport {
  /** One or many messages in one datagram. The kernel has answered when this returns. */
  send(bytes: Uint8Array): void;
  /** One datagram; undefined when none came in time. Throws an error with code ENOBUFS when answers were lost. */
  receive(timeoutMs: number): Uint8Array | undefined;
  /** Discards what is queued. */
  drain(): void;
  close(): void;
}

/** Holds the refusals of a whole batch; the kernel grants it only to root. */
const RECEIVE_BUFFER = 4 << 20;

export const openTransport = (): NetlinkTransport =>
  NetlinkSocket.open(NETLINK_GENERIC, { receiveBuffer: RECEIVE_BUFFER });
