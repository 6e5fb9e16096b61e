/** pino for people and for machines: readable lines on a terminal, <N> priorities under journald, or JSON. */
import pc from "picocolors";
import pino from "pino";
import type { Logger, LogLevel } from "../messages.ts";

export type LogFormat = "text" | "json";
export interface LogOptions {
  readonly format: LogFormat;
  readonly level: LogLevel;
}

export interface DaemonLog {
  readonly log: Logger;
  from(source: string): Logger;
  /** Writes what is buffered; to be called last. */
  flush(): void;
}

/** Writes are asynchronous and bounded: whoever stops reading the log must not stop the daemon. */
const MAX_BUFFERED = 8 * 1024 * 1024;

export function openLog({ format, level }: LogOptions): DaemonLog {
  const destination = pino.destination({ dest: 1, sync: false, maxLength: MAX_BUFFERED });
  // A reader that went away (EPIPE) is no reason to end.
  destination.on("error", () => {});
  const stream =
    format === "json" ? destination : { write: (line: string) => destination.write(toText(line)) };
  const root = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  const from = (source: string): Logger => {
    return (severity, msg, fields = {}) => root[severity]({ process: source, ...fields }, msg);
  };
  return {
    log: from("supervisor"),
    from,
    flush: () => {
      try {
        destination.flushSync();
      } catch {
        // Nothing left to tell it to.
      }
    },
  };
}

const journald = process.env.JOURNAL_STREAM !== undefined;
const colors = pc.createColors(process.stdout.isTTY === true && !process.env.NO_COLOR);
/** syslog(3) severities. */
const PRIORITY: Record<LogLevel, number> = { debug: 7, info: 6, warn: 4, error: 3, fatal: 2 };
const PAINT: Record<LogLevel, (text: string) => string> = {
  debug: colors.dim,
  info: (text) => text,
  warn: colors.yellow,
  error: colors.red,
  fatal: colors.red,
};
/** Said in the message already, or of no use to a reader. */
const HIDDEN = new Set([
  "level",
  "time",
  "msg",
  "process",
  "instance",
  "service",
  "server",
  "type",
  "from",
  "to",
  "reason",
  "verdict",
  "source",
]);

function toText(line: string): string {
  const record = JSON.parse(line) as Record<string, unknown> & { level: LogLevel; time: string; msg: string };
  const rest = Object.entries(record).filter(([key]) => !HIDDEN.has(key));
  const fields = rest.map(([key, value]) => ` ${colors.dim(`${key}=${JSON.stringify(value)}`)}`).join("");
  // A message may quote the network: no control characters reach a terminal or start a second line.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
  const msg = record.msg.replace(/[\x00-\x08\x0a-\x1f\x7f]/g, "?");
  if (journald) return `<${PRIORITY[record.level]}>${msg}${fields}\n`;
  const time = record.time.slice(11, 23);
  return `${colors.dim(time)} ${PAINT[record.level](`${record.level.toUpperCase().padEnd(5)} ${msg}`)}${fields}\n`;
}
