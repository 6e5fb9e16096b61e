/** What the check engine takes and tells. */
import type { CheckerConfig } from "../../config/model.ts";
import type { CheckerSnapshot, CheckVerdict, CheckWeight, ProbeResult } from "../types.ts";

export interface VerdictChange {
  readonly id: string;
  readonly serviceKey: string;
  readonly serverKey: string;
  readonly verdict: "up" | "down";
  readonly previous: CheckVerdict;
  readonly result: ProbeResult;
  readonly snapshot: CheckerSnapshot;
}

/** A checker wants another weight for its real server (misc_dynamic, FILE_CHECK dynamic). */
export interface WeightChange {
  readonly id: string;
  readonly serviceKey: string;
  readonly serverKey: string;
  readonly weight: CheckWeight;
  readonly result: ProbeResult;
}

/** A result posted from outside (EXTERNAL). */
export interface ExternalResult {
  readonly ok: boolean;
  /** Shown in status and logs; cut at 200 characters. */
  readonly detail?: string;
  /** ms the result stands for; the checker's own by default. */
  readonly ttl?: number;
}

export interface CheckOutcome {
  readonly id: string;
  readonly serviceKey: string;
  readonly serverKey: string;
  readonly result: ProbeResult;
  /** After this result. */
  readonly verdict: CheckVerdict;
  /** log_all_failures of the checker. */
  readonly logAllFailures: boolean;
}

/** Must settle, soon after `signal` at the latest. A rejection counts as local-error. */
export type RunProbe = (cfg: CheckerConfig, urlIndex: number, signal: AbortSignal) => Promise<ProbeResult>;

/** global_defs for scripts. */
export interface ScriptPolicy {
  /** script_user: "USER [GROUP]", for checkers without `user`. */
  readonly user?: string;
  /** enable_script_security. */
  readonly security: boolean;
}

/** Timer of the engine's clock; the default is setTimeout. */
export type SetTimer = (callback: () => void, delayMs: number) => { cancel(): void };

export interface CheckEngineOptions {
  /** A verdict changed; called before onResult. */
  readonly onVerdict: (change: VerdictChange) => void;
  /** Called before onVerdict and onResult; `weight()` answers with the new value already. */
  readonly onWeight?: (change: WeightChange) => void;
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
  /** Who runs MISC_CHECK's scripts; asked at every run. */
  readonly scripts?: () => ScriptPolicy;
}
