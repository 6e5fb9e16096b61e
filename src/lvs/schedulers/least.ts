/**
 * The schedulers that take the least loaded destination; the first in list order wins a tie.
 * As net/netfilter/ipvs/ip_vs_lc.c, ip_vs_wlc.c, ip_vs_sed.c and ip_vs_nq.c behave.
 */
import { type Choice, canTake, type SchedDest, type Scheduler } from "./types.ts";

type Overhead = (dest: SchedDest) => number;

/** An active connection weighs as much as 256 inactive ones (ip_vs_dest_conn_overhead). */
const connections: Overhead = (dest) => dest.active * 256 + dest.inactive;
/** The load the destination would have with the new connection. */
const expected: Overhead = (dest) => dest.active + 1;

const one = (): number => 1;
const weight = (dest: SchedDest): number => dest.weight;

/** The smallest overhead / share; compared crosswise, which is exact in integers. */
function least(dests: readonly SchedDest[], overhead: Overhead, share: Overhead): SchedDest | undefined {
  let best: SchedDest | undefined;
  for (const dest of dests) {
    if (!canTake(dest)) continue;
    if (!best || overhead(best) * share(dest) > overhead(dest) * share(best)) best = dest;
  }
  return best;
}

function stateless(
  name: string,
  pick: (dests: readonly SchedDest[]) => SchedDest | undefined,
): Scheduler<null> {
  const choose = (_state: null, dests: readonly SchedDest[]): Choice<null> => {
    const dest = pick(dests);
    return dest ? { state: null, dest: dest.key } : { state: null };
  };
  return { name, start: () => null, update: () => null, choose };
}

const idle = (dests: readonly SchedDest[]): SchedDest | undefined =>
  dests.find((dest) => canTake(dest) && dest.active === 0);

export const lc = stateless("lc", (dests) => least(dests, connections, one));
export const wlc = stateless("wlc", (dests) => least(dests, connections, weight));
export const sed = stateless("sed", (dests) => least(dests, expected, weight));
/** Never queue: an idle destination whatever its speed, else the shortest expected delay. */
export const nq = stateless("nq", (dests) => idle(dests) ?? least(dests, expected, weight));
