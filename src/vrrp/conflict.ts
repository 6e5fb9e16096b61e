/**
 * What is wrong between routers, beyond one packet: found from what is heard, refused and probed, named within
 * a few advertisement intervals, told once, repeated rarely, withdrawn when it is over.
 *
 * Feed every sighting after the machine has had it (a master that yields to an advertisement has no conflict),
 * and a "tick" now and then (each heartbeat of the process is fine) for what ends by silence.
 */
import type { Microseconds } from "../units.ts";
import type { Advert } from "./advert.ts";
import { type Finding, isMoot, judge } from "./conflict-judge.ts";
import type { DropReason } from "./drop.ts";
import type { InstanceState, MachineConfig } from "./state.ts";

export type ConflictKind =
  /** We are master, and so is another router that should yield to us: it probably does not hear us. */
  | "two-masters"
  /** Two address owners (priority 255) for one virtual router (erratum 8298). */
  | "two-owners"
  /** Another router has our address and priority. */
  | "same-address"
  /** Somebody who is not one of us uses our virtual_router_id. */
  | "foreign-router"
  /** A router for our virtual_router_id whose advertisements we refuse: deaf to it, we may be master beside it. */
  | "one-way"
  /** It differs from us in what it checks: it probably drops our advertisements. */
  | "peer-may-ignore-us"
  /** A VIP is answered by a MAC address that should not. */
  | "duplicate-address";

export interface Conflict {
  readonly kind: ConflictKind;
  /** Source address of the other router; the VIP for duplicate-address. */
  readonly subject: string;
  readonly first: Microseconds;
  readonly last: Microseconds;
  /** Sightings. */
  readonly count: number;
  /** For people: what, and what to do. */
  readonly text: string;
  /** Certain enough to be told; until then it is a suspicion. */
  readonly raised: boolean;
  /** When it was last told, raised or withdrawn. */
  readonly toldAt?: Microseconds;
  /** Silent for so long, it is over. */
  readonly lasts: Microseconds;
}

export interface ConflictEvent {
  readonly change: "raised" | "ongoing" | "cleared";
  readonly conflict: Conflict;
}

export type Sighting =
  /** An admitted advertisement; `identity` where several paths lead to one router, see paths.ts. */
  | {
      readonly kind: "advert";
      readonly advert: Advert;
      readonly identity?: string;
      readonly ownAddress?: string;
    }
  /** A packet for our virtual_router_id that was refused. */
  | { readonly kind: "drop"; readonly source: string; readonly reason: DropReason }
  /** Who answered an ARP request or neighbour solicitation for a VIP; `own`: MAC addresses that are ours. */
  | {
      readonly kind: "probe";
      readonly address: string;
      readonly macs: readonly string[];
      readonly own: readonly string[];
    }
  | { readonly kind: "tick" };

export interface ConflictContext {
  readonly state: InstanceState;
  readonly config: MachineConfig;
}

export interface Noted {
  readonly conflicts: readonly Conflict[];
  readonly events: readonly ConflictEvent[];
}

const REPEAT_EVERY = 60_000_000;
/** Sources are the network's to choose: bounded, or an attacker fills memory and log. */
const MAX_PER_KIND = 8;

export function noteConflict(
  conflicts: readonly Conflict[],
  sighting: Sighting,
  now: Microseconds,
  context: ConflictContext,
): Noted {
  const { findings, refuted } = judge(sighting, conflicts, now, context);
  const seen = findings.reduce((list, finding) => merge(list, finding, now), conflicts);
  return settle(seen, now, (conflict) => refuted(conflict) || isMoot(conflict, context.state));
}

/** What stands at the moment, for status. */
export const activeConflicts = (conflicts: readonly Conflict[]): Conflict[] =>
  conflicts.filter((conflict) => conflict.raised);

function merge(conflicts: readonly Conflict[], found: Finding, now: Microseconds): readonly Conflict[] {
  const { kind, subject, text, lasts, needs, apart } = found;
  const at = conflicts.findIndex((conflict) => conflict.kind === kind && conflict.subject === subject);
  const before = conflicts[at];
  const alive = before && before.count > 0 && (before.raised || now - before.last <= before.lasts);
  const going = alive ? before : undefined;
  const first = going?.first ?? now;
  const count = (going?.count ?? 0) + 1;
  const raised = going?.raised === true || (count >= needs && now - first >= (needs === 1 ? 0 : apart));
  const toldAt = before?.toldAt;
  const next: Conflict = {
    ...{ kind, subject, text, lasts, count, first, raised },
    ...(toldAt === undefined ? {} : { toldAt }),
    last: now,
  };
  if (at >= 0) return conflicts.with(at, next);
  const room = makeRoom(conflicts, kind);
  return room ? [...room, next] : conflicts;
}

/** A suspicion gives way to a newer one; what has been told stays until it is over and a while longer. */
function makeRoom(conflicts: readonly Conflict[], kind: ConflictKind): readonly Conflict[] | undefined {
  const rivals = conflicts.filter((conflict) => conflict.kind === kind);
  if (rivals.length < MAX_PER_KIND) return conflicts;
  const [oldest] = rivals
    .filter((conflict) => !conflict.raised && conflict.toldAt === undefined)
    .sort((a, b) => a.last - b.last);
  return oldest && conflicts.filter((conflict) => conflict !== oldest);
}

/** Tells what is new, repeats what goes on, withdraws and forgets what is over. */
function settle(
  conflicts: readonly Conflict[],
  now: Microseconds,
  isOver: (conflict: Conflict) => boolean,
): Noted {
  const events: ConflictEvent[] = [];
  const kept = conflicts.flatMap((conflict): Conflict[] => {
    const over = now - conflict.last > conflict.lasts || isOver(conflict);
    const quiet = conflict.toldAt !== undefined && now - conflict.toldAt < REPEAT_EVERY;
    if (over && conflict.raised) {
      // What was never told (it came back too soon) need not be withdrawn.
      if ((conflict.toldAt ?? 0) >= conflict.first)
        events.push({ change: "cleared", conflict: { ...conflict, raised: false } });
      // Remembered a while: what comes and goes is not told each time.
      return [{ ...conflict, raised: false, count: 0, toldAt: conflict.toldAt ?? now }];
    }
    if (over) return quiet ? [conflict] : [];
    if (!conflict.raised || quiet) return [conflict];
    const told = { ...conflict, toldAt: now };
    events.push({ change: conflict.toldAt === undefined ? "raised" : "ongoing", conflict: told });
    return [told];
  });
  return { conflicts: kept, events };
}
