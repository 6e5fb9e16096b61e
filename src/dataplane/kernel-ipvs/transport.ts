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

export function openTransport(): NetlinkTransport {
  const socket = NetlinkSocket.open(NETLINK_GENERIC, { receiveBuffer: RECEIVE_BUFFER });
  return {
    send: (bytes) => socket.send(bytes),
    // The answer is there already: the deadline's clock reading is only for when it is not.
    receive: (timeoutMs) => socket.tryReceive() ?? (timeoutMs > 0 ? socket.receive(timeoutMs) : undefined),
    drain: () => socket.drain(),
    close: () => socket.close(),
  };
}
