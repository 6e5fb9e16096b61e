/** The children's end of the IPC channel: typed send, log records instead of writes to a terminal. */
import type { Logger, LogLevel } from "./messages.ts";

export interface ParentChannel<Out> {
  send(message: Out): void;
  readonly log: Logger;
}

/**
 * Connects a child to its supervisor. `onDisconnect` fires once when the supervisor is gone.
 * Sends are asynchronous: a slow supervisor never blocks the child.
 */
export function openParentChannel<In, Out extends { type: string }>(
  onMessage: (message: In) => void,
  onDisconnect: () => void,
): ParentChannel<Out | LogRecord> {
  const send = (message: Out | LogRecord): void => {
    if (!process.connected) return;
    // A full or closing channel reports through the callback; 'disconnect' deals with the rest.
    process.send?.(message, () => {});
  };
  process.on("message", (message) => onMessage(message as In));
  process.once("disconnect", onDisconnect);
  const log: Logger = (level, msg, fields = {}) => send({ type: "log", level, msg, fields });
  return { send, log };
}

interface LogRecord {
  readonly type: "log";
  readonly level: LogLevel;
  readonly msg: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * Signals meant for the supervisor: a terminal's Ctrl-C reaches the whole process group, and only the
 * supervisor knows the order in which to stop. SIGUSR1 would open Node's inspector.
 */
export function ignoreSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE"] as const) {
    process.on(signal, () => {});
  }
}
