/** Round robin, as net/netfilter/ipvs/ip_vs_rr.c behaves: weights matter only in being 0 or not. */
import type { DestKey } from "../table.ts";
import { type Choice, canTake, type SchedDest, type Scheduler } from "./types.ts";

interface RrState {
  /** The list at the last update: finds the place again after an edit. */
  readonly keys: readonly DestKey[];
  /** Index of the destination chosen last; -1 before the first. */
  readonly position: number;
}

/** The place survives edits; when the destination chosen last is gone, the one before it stands in. */
function relocate(state: RrState, dests: readonly SchedDest[]): RrState {
  const keys = dests.map((dest) => dest.key);
  for (let i = state.position; i >= 0; i--) {
    const position = keys.indexOf(state.keys[i]!);
    if (position >= 0) return { keys, position };
  }
  return { keys, position: -1 };
}

function choose(state: RrState, dests: readonly SchedDest[]): Choice<RrState> {
  for (let step = 1; step <= dests.length; step++) {
    const position = (state.position + step) % dests.length;
    const dest = dests[position]!;
    if (canTake(dest)) return { state: { keys: state.keys, position }, dest: dest.key };
  }
  return { state };
}

export const rr: Scheduler<RrState> = {
  name: "rr",
  start: (dests) => ({ keys: dests.map((dest) => dest.key), position: -1 }),
  update: relocate,
  choose,
};
