/** Open files the checks may need at once, held against RLIMIT_NOFILE when the daemon starts. */
import type { CheckerConfig } from "../config/model.ts";

/** Kept for netlink, IPC, logs, the admin API and connections that are still closing. */
export const RESERVED_FDS = 512;

export interface FdBudget {
  /** On average, when every server lets every probe run into its deadline. */
  readonly needed: number;
  /** What the limit leaves for probes. */
  readonly available: number;
  /** Set when they do not fit: what to do, with the numbers. */
  readonly problem?: string;
}

/** `fdLimit`: RLIMIT_NOFILE (soft); Infinity when unlimited. */
export function fdBudget(checkers: readonly CheckerConfig[], fdLimit: number): FdBudget {
  let needed = 0;
  for (const cfg of checkers) needed += descriptorsOf(cfg) * busyShare(cfg);
  needed = Math.ceil(needed);
  const available = Math.max(fdLimit - RESERVED_FDS, Math.floor(fdLimit / 2));
  if (needed <= available) return { needed, available };
  const wanted = needed + RESERVED_FDS;
  return {
    needed,
    available,
    problem:
      `${checkers.length} checkers may hold ${needed} descriptors at once when their servers hang, but the limit ` +
      `on open files (RLIMIT_NOFILE ${fdLimit}) leaves ${available} for them: raise LimitNOFILE to ${wanted}, ` +
      "or use a longer delay_loop or a shorter connect_timeout",
  };
}

/** A script's pipes to the child, UDP then TCP, poller and socket; one for a plain connection. */
function descriptorsOf(cfg: CheckerConfig): number {
  switch (cfg.type) {
    case "EXTERNAL":
    case "FILE_CHECK":
      return 0;
    case "DNS_CHECK":
    case "MISC_CHECK":
      return 2;
    default:
      return 1;
  }
}

/** Share of its time a checker spends in probes that time out: probe, then delay_loop. */
function busyShare(cfg: CheckerConfig): number {
  const busy = deadlineOf(cfg);
  return busy / (busy + cfg.delayLoop);
}

function deadlineOf(cfg: CheckerConfig): number {
  switch (cfg.type) {
    case "MISC_CHECK":
      return cfg.timeout;
    case "DNS_CHECK":
    case "UDP_CHECK":
    case "PING_CHECK":
      return cfg.connectTimeout;
    case "SMTP_CHECK":
      return 2 * cfg.connectTimeout * cfg.hosts.length;
    default:
      return 2 * cfg.connectTimeout;
  }
}
