/**
 * Weighted round robin, as net/netfilter/ipvs/ip_vs_wrr.c behaves. The list is walked in passes; a
 * pass takes the destinations whose weight reaches the threshold, which falls from the greatest
 * weight by the greatest common divisor of all weights, down to 1, then starts again.
 */
import { type Choice, canTake, type SchedDest, type Scheduler } from "./types.ts";

interface WrrState {
  /** Index of the destination chosen last; -1 is the head of the list. */
  readonly position: number;
  readonly threshold: number;
  /** Threshold of the first pass: greatest weight - (divisor - 1), so that the last pass is at 1. */
  readonly highest: number;
  readonly divisor: number;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

function measure(dests: readonly SchedDest[]): { readonly highest: number; readonly divisor: number } {
  const divisor = dests.reduce((g, dest) => gcd(dest.weight, g), 0) || 1;
  const greatest = dests.reduce((max, dest) => Math.max(max, dest.weight), 0);
  return { highest: greatest - (divisor - 1), divisor };
}

function start(dests: readonly SchedDest[]): WrrState {
  const { highest, divisor } = measure(dests);
  return { position: -1, threshold: highest, highest, divisor };
}

/** Every edit goes back to the head of the list; the threshold is kept where it still makes sense. */
function update(state: WrrState, dests: readonly SchedDest[]): WrrState {
  const { highest, divisor } = measure(dests);
  const stale = state.threshold > highest || state.threshold === 0;
  const aligned = divisor > 1 ? Math.floor(state.threshold / divisor) * divisor + 1 : state.threshold;
  return { position: -1, threshold: stale ? highest : aligned, highest, divisor };
}

function choose(state: WrrState, dests: readonly SchedDest[]): Choice<WrrState> {
  if (state.highest <= 0) return { state };
  let { position, threshold } = state;
  // In the lowest pass every weight above 0 qualifies: all seen there and none free means none is.
  let seenInLowest = 0;
  for (;;) {
    position += 1;
    if (position >= dests.length) {
      position = 0;
      threshold -= state.divisor;
      if (threshold <= 0) threshold = state.highest;
    }
    const dest = dests[position]!;
    if (canTake(dest) && dest.weight >= threshold) {
      return { state: { ...state, position, threshold }, dest: dest.key };
    }
    if (threshold <= state.divisor) seenInLowest += 1;
    if (seenInLowest === dests.length) return { state: { ...state, position, threshold } };
  }
}

export const wrr: Scheduler<WrrState> = { name: "wrr", start, update, choose };
