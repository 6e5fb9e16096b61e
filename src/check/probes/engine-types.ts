/** What the check engine takes and tells. */
import type { CheckerConfig } from "../../config/model.ts";
import type { CheckerSnapshot, CheckVerdict, ProbeResult } from "../types.ts";

export interface VerdictChange {
  readonly id: string;
  readonly serviceKey: string;
  readonly serverKey: string;
  readonly verdict: "up" | "down";
  readonly previous: CheckVerdict;
  readonly result: ProbeResult;
  readonly snapshot: CheckerSnapshot;
}

export interface CheckOutcome {
  readonly id: string;
  readonly serviceKey: string;
  readonly serverKey: string;
  readonly result: ProbeResult;
  /** After this result. */
  readonly verdict: CheckVerdict;
}

/** Must settle, soon after `signal` at the latest. A rejection counts as local-error. */
export type RunProbe = (cfg: CheckerConfig, urlIndex: number, signal: AbortSignal) => Promise<ProbeResult>;

/** Timer of the engine's clock; the default is setTimeout. */
export type SetTimer = (callback: () => void, delayMs: number) => { cancel(): void };

export interface CheckEngineOptions {
  /** A verdict changed; called before onResult. */
  readonly onVerdict: (change: VerdictChange) => void;
  /** Every result that counted, for logs and metrics. */
  readonly onResult?: (outcome: CheckOutcome) => void;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Monotonic ms. */
  readonly now?: () => number;
  /** Wall clock ms, for records only. */
  readonly wallClock?: () => number;
  readonly setTimer?: SetTimer;
  /** Probes at once; default from `fdLimit`. */
  readonly maxConcurrent?: number;
  /** RLIMIT_NOFILE (soft) of this process; default 1024. */
  readonly fdLimit?: number;
  readonly runProbe?: RunProbe;
}
