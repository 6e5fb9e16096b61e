/**
 * Graceful end of a probe's connection. close(2) on a socket with unread bytes makes the kernel send RST,
 * which backends that greet first (SMTP, SSH, MySQL) log as an error: so send FIN, read what comes, and close
 * when the peer has closed too. Bounded in time, bytes and number, since the peer is hostile.
 */
import { type OnReadOpts, Socket } from "node:net";

const GRACE_MS = 1000;
const MAX_LINGERING = 256;
const MAX_DRAINED = 65_536;

/**
 * One read buffer for all sockets that discard what they read: libuv fills it and calls back in the same turn,
 * so that sharing is safe, and thousands of probes allocate nothing.
 */
export const DRAIN: OnReadOpts = { buffer: new Uint8Array(16_384), callback: discard };

/** Node calls back with the socket as `this`. */
function discard(this: unknown): boolean {
  if (this instanceof Socket && this.bytesRead > MAX_DRAINED) this.destroy();
  return true;
}

const lingering = new Set<Socket>();

/** Takes the socket over; it is closed within GRACE_MS, sooner when many are closing. */
export function closeGracefully(socket: Socket): void {
  socket.end();
  if (lingering.size >= MAX_LINGERING) {
    // The oldest had the longest time to finish; FIN is sent, so that this is what a plain close would do.
    for (const oldest of lingering) {
      oldest.destroy();
      lingering.delete(oldest);
      break;
    }
  }
  lingering.add(socket);
  const timer = setTimeout(() => socket.destroy(), GRACE_MS);
  timer.unref();
  socket.once("close", () => {
    clearTimeout(timer);
    lingering.delete(socket);
  });
  socket.resume();
}

/** Number of connections still closing; for tests and for the descriptor budget. */
export const lingeringCount = (): number => lingering.size;

/** Closes them all now (shutdown). */
export function closeLingering(): void {
  for (const socket of lingering) socket.destroy();
  lingering.clear();
}
