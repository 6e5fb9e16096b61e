/** Results of health checks, shared by the pure verdict machine, the probes, the lvs process and status. */
import type { Milliseconds } from "../units.ts";

/** Where a probe failed; stable words, used as metric label and in logs. */
export const FAILURE_REASONS = [
  // Network
  "refused",
  "unreachable",
  "timeout-connect",
  "timeout-tls",
  "timeout-response",
  "timeout-body",
  "reset",
  "closed-early",
  // TLS
  "tls-alert",
  "tls-error",
  "cert-expired",
  "cert-not-yet-valid",
  "cert-self-signed",
  "cert-wrong-name",
  "cert-untrusted",
  // What was answered
  "protocol-error",
  "headers-too-large",
  "body-too-large",
  "bad-status",
  "digest-differs",
  "regex-mismatch",
  "regex-timeout",
  "unexpected-reply",
  "bad-rcode",
  "not-serving",
  // Scripts, files, results from outside
  "exit-status",
  "killed-by-signal",
  "timeout-script",
  "file-value",
  "external-down",
  "external-expired",
  // Our own trouble: says nothing of the real server
  "local-error",
] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

/** A checker's word on the weight: as such, or added to the configured one. */
export type CheckWeight = { readonly set: number } | { readonly add: number };

export type ProbeResult =
  | {
      readonly ok: true;
      readonly detail: string;
      readonly duration: Milliseconds;
      /** Absent: the checker's earlier word on the weight stands. */
      readonly weight?: CheckWeight;
    }
  | {
      readonly ok: false;
      readonly reason: FailureReason;
      readonly detail: string;
      readonly duration: Milliseconds;
    };

/** What a checker says of its real server now. `unknown` until the first result. */
export type CheckVerdict = "unknown" | "up" | "down";

export interface CheckRecord {
  /** Wall clock, ms since the epoch, for people only. */
  readonly at: number;
  readonly result: ProbeResult;
}

/** Snapshot of one checker; serializable; survives reload and restart of the lvs process. */
export interface CheckerSnapshot {
  readonly id: string;
  readonly verdict: CheckVerdict;
  /** Wall clock ms of the last verdict change. */
  readonly since: number;
  readonly consecutiveFailures: number;
  readonly checksRun: number;
  /** Newest last, at most 20. */
  readonly history: readonly CheckRecord[];
  /** URL probed next (HTTP_GET); 0 when left out. */
  readonly urlIndex?: number;
  /** While down: the URL that must pass before a round over all URLs begins. */
  readonly failedUrl?: number;
  /** With `rise`, while down: rounds passed in a row; 0 when left out. */
  readonly passedRounds?: number;
  /** The checker's word on the weight, where it has one. */
  readonly weight?: CheckWeight;
}
