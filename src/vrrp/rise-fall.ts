/** Counting results of scripts and gateway probes before believing a change: keepalived's rise and fall. */
import type { TrackerStatus } from "./priority.ts";

export interface RiseFall {
  readonly status: TrackerStatus;
  /** Consecutive results against the current status. */
  readonly streak: number;
}

/** init_fail: bad until `rise` successes. Otherwise unknown, and the first result counts at once. */
export const startRiseFall = (initFail = false): RiseFall => ({
  status: initFail ? "bad" : "unknown",
  streak: 0,
});

/** `rise` successes make it good, `fall` failures bad; both at least 1. */
export function countResult(
  state: RiseFall,
  good: boolean,
  { rise, fall }: { readonly rise: number; readonly fall: number },
): RiseFall {
  const result = good ? "good" : "bad";
  if (state.status === "unknown") return { status: result, streak: 0 };
  if (state.status === result) return { status: result, streak: 0 };
  const streak = state.streak + 1;
  return streak >= (good ? rise : fall) ? { status: result, streak: 0 } : { ...state, streak };
}
