/** What the scheduler models see and return. Pure: a model is a function of its state and its arguments. */
import type { DestKey } from "../table.ts";

/** A destination as a scheduler sees it, in table order: as in the kernel, the newest comes first. */
export interface SchedDest {
  readonly key: DestKey;
  /** 0..65535; 0 takes no new connections. */
  readonly weight: number;
  readonly active: number;
  readonly inactive: number;
  /** Above its upper threshold: takes no new connections. */
  readonly overloaded: boolean;
}

/** The connection to place. Addresses are 4 or 16 bytes, network order. */
export interface Flow {
  readonly clientAddress: Uint8Array;
  readonly clientPort: number;
  readonly serviceAddress: Uint8Array;
}

export interface Choice<S> {
  readonly state: S;
  /** Absent when no destination can take the connection. */
  readonly dest?: DestKey;
}

/**
 * One scheduler. update() must be called after every edit of the destination list, as the kernel
 * calls add_dest, upd_dest and del_dest; positions in the state refer to the list given to it.
 * Methods, not function properties, so that a Scheduler<S> is usable where S is unknown.
 */
export interface Scheduler<S = unknown> {
  readonly name: string;
  start(dests: readonly SchedDest[]): S;
  update(state: S, dests: readonly SchedDest[]): S;
  choose(state: S, dests: readonly SchedDest[], flow: Flow): Choice<S>;
}

export const canTake = (dest: SchedDest): boolean => dest.weight > 0 && !dest.overloaded;
