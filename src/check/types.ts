/** Results of health checks, shared by the pure verdict machine, the probes, the lvs process and status. */
import type { Milliseconds } from "../units.ts";

/** Where a probe failed; stable words, used as metric label and in logs. */
export type FailureReason =
  | "refused"
  | "unreachable"
  | "timeout-connect"
  | "timeout-response"
  | "timeout-body"
  | "reset"
  | "closed-early"
  | "bad-status"
  | "protocol-error"
  | "headers-too-large"
  | "local-error";

export type ProbeResult =
  | { readonly ok: true; readonly detail: string; readonly duration: Milliseconds }
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
}
