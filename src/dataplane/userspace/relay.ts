/**
 * One relayed TCP connection.
 *
 *   client --data--> backend     a side that cannot take more pauses the other (back-pressure);
 *   client <--data-- backend     FIN is passed on and the other direction flows on;
 *                                an error or reset on one side resets the other.
 */
import { connect, type Socket } from "node:net";
import type { Milliseconds } from "../../units.ts";

export interface RelayEvents {
  connected(): void;
  /** The backend refused, was unreachable or did not answer in time; the client is being reset. */
  connectFailed(error: NodeJS.ErrnoException): void;
  fromClient(bytes: number): void;
  toClient(bytes: number): void;
  /** The first FIN of either side. */
  closing(): void;
  /** Both sockets are gone; nothing follows. */
  closed(): void;
}

export interface Relay {
  /** Resets both sides. */
  abort(): void;
}

/** Finds vanished peers: after a minute of silence the kernel probes them. */
export const SOCKET_OPTIONS = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
} as const;

/**
 * A connection closed on one side only must move data at least this often: IPVS's own idle timeout
 * for TCP (15 minutes), long enough for a slow reader with a large socket buffer.
 */
const HALF_CLOSED_IDLE_MS = 900_000;

/** Reset rather than close: the peer learns at once that the rest will not come. */
export function abortSocket(socket: Socket): void {
  if (socket.destroyed) return;
  // While connecting, resetAndDestroy() would wait for the connection first.
  if (socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}

const finished = (socket: Socket): boolean => socket.readableEnded && socket.writableEnded;

function pump(from: Socket, to: Socket, count: (bytes: number) => void, moved: () => void): void {
  from.on("data", (chunk: Buffer) => {
    count(chunk.length);
    moved();
    if (!to.write(chunk)) from.pause();
  });
  to.on("drain", () => {
    moved();
    from.resume();
  });
  from.on("end", () => to.end());
}

function connectBackend(host: string, port: number, timeout: Milliseconds, events: RelayEvents): Socket {
  const backend = connect({ host, port, ...SOCKET_OPTIONS });
  const timer = setTimeout(() => {
    const text = `no answer in ${timeout} ms`;
    backend.destroy(Object.assign(new Error(text), { code: "ETIMEDOUT" }));
  }, timeout);
  let connected = false;
  backend.once("connect", () => {
    connected = true;
    clearTimeout(timer);
    events.connected();
  });
  backend.once("close", () => clearTimeout(timer));
  backend.on("error", (error) => {
    if (!connected) events.connectFailed(error);
  });
  return backend;
}

/** @param timeout for the connection to the backend */
export function startRelay(
  client: Socket,
  target: { readonly host: string; readonly port: number },
  timeout: Milliseconds,
  events: RelayEvents,
): Relay {
  const backend = connectBackend(target.host, target.port, timeout, events);
  const abort = (): void => {
    abortSocket(client);
    abortSocket(backend);
  };

  let idle: NodeJS.Timeout | undefined;
  const moved = (): void => {
    idle?.refresh();
  };
  const closing = (): void => {
    if (idle) return;
    idle = setTimeout(abort, HALF_CLOSED_IDLE_MS);
    events.closing();
  };

  let open = 2;
  const closed = (other: Socket): void => {
    // After a clean end both directions are through and the other side only flushes its rest.
    if (!finished(other)) abortSocket(other);
    open -= 1;
    if (open > 0) return;
    clearTimeout(idle);
    events.closed();
  };

  for (const [socket, other] of [
    [client, backend],
    [backend, client],
  ] as const) {
    socket.on("error", () => abortSocket(other));
    socket.on("end", closing);
    socket.on("close", () => closed(other));
  }
  pump(client, backend, events.fromClient, moved);
  pump(backend, client, events.toClient, moved);
  return { abort };
}
