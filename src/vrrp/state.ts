/** What the state machine of one instance is made of: states, events, actions. Plain JSON data. */
import type { InstanceConfig } from "../config/model.ts";
import type { Microseconds } from "../units.ts";
import type { ChecksumKind } from "../wire/types.ts";
import type { Advert, AdvertNote } from "./advert.ts";
import type { Note } from "./notes.ts";

export type VrrpState = "INIT" | "BACKUP" | "MASTER" | "FAULT";

/**
 * The configuration a step works with: `priority` is the effective one (see effectivePriority), the rest as
 * configured. Tell the machine of every change with a "reconfigured" event.
 */
export type MachineConfig = InstanceConfig & {
  /** Member of a sync group: becomes master only through "group-master". */
  readonly grouped?: boolean;
};

/** Something local that forbids taking part; `detail` is for people. */
export interface Fault {
  readonly kind:
    | "interface-down"
    | "interface-missing"
    | "no-address"
    | "services-unavailable"
    | "send-failed"
    /** An unweighted tracker, see effectivePriority. */
    | "tracker"
    /** Another member of the sync group is in FAULT. */
    | "sync-group"
    /** Raised and withdrawn by the machine itself: the VIP was taken away again and again. */
    | "vip-lost";
  readonly detail: string;
}

export interface PeerSeen {
  readonly source: string;
  readonly priority: number;
  readonly interval: Microseconds;
  readonly checksumKind: ChecksumKind;
  readonly notes: readonly AdvertNote[];
  readonly at: Microseconds;
}

/** A claim that waits for the rest of the sync group. */
export interface Wish {
  readonly since: Microseconds;
  readonly reason: string;
}

interface Common {
  readonly since: Microseconds;
  /** Why the last transition happened, for status and events. */
  readonly reason: string;
  readonly peer?: PeerSeen;
  /** vrrp_startup_delay: no mastership before this. */
  readonly notBefore?: Microseconds;
}

export type Backup = Common & {
  readonly state: "BACKUP";
  readonly downAt: Microseconds;
  /** Adopted from the master (v3), else our own. */
  readonly masterInterval: Microseconds;
  /** End of preempt_delay; undefined while no lower master has been heard. */
  readonly preemptAt?: Microseconds;
  /** Its timer has run out, the sync group is not ready: no timer runs. */
  readonly wish?: Wish;
  /** After "release": lower masters are left alone, until there is none. */
  readonly steppedAside?: true;
};

export type Master = Common & {
  readonly state: "MASTER";
  readonly advertAt: Microseconds;
  readonly lastAdvertAt: Microseconds;
  /** Second round of gratuitous ARP, garp_master_delay after the transition. */
  readonly announceAt?: Microseconds;
  /** The same after a lower master was heard (garp_lower_prio_delay). */
  readonly lowerAnnounceAt?: Microseconds;
  readonly refreshAt?: Microseconds;
  /** Another owner (255) that does not give way though it should. */
  readonly rogue?: { readonly source: string; readonly since: Microseconds; readonly last: Microseconds };
  /** When a VIP was taken from us, within the last 10 s. */
  readonly vipLostAt?: readonly Microseconds[];
};

export type Faulty = Common & {
  readonly state: "FAULT";
  /** All of them, the machine's own among them. */
  readonly faults: readonly Fault[];
  /** Until when the machine's own fault ("vip-lost") lasts. */
  readonly holdUntil?: Microseconds;
};

export type InstanceState = (Common & { readonly state: "INIT" }) | Backup | Master | Faulty;

export type Event =
  /**
   * `resume` goes on as master with what this node owned a moment ago, after a quick restart; `delay` is
   * what is left of vrrp_startup_delay.
   */
  | {
      readonly kind: "startup";
      readonly faults: readonly Fault[];
      readonly resume?: boolean;
      readonly delay?: Microseconds;
    }
  | { readonly kind: "advert"; readonly advert: Advert; readonly ownAddress: string }
  | { readonly kind: "tick" }
  /** The complete current set of faults from outside the machine; empty = healthy. */
  | { readonly kind: "faults"; readonly faults: readonly Fault[] }
  /** The configuration or effective priority changed; the step gets the new one. */
  | { readonly kind: "reconfigured"; readonly before: MachineConfig }
  /** The process or machine slept: nothing it believes is current. */
  | { readonly kind: "paused"; readonly detail: string }
  /** A VIP of ours was deleted by somebody else (not: its lease ran out). */
  | { readonly kind: "vip-lost"; readonly address: string }
  /** An operator's failover: give up, and take back only if nobody takes over. */
  | { readonly kind: "release"; readonly reason: string }
  /** Ends what "release" began: contend for mastership as configured. */
  | { readonly kind: "contend" }
  /** From settleGroup(): every member wants to be master; and: a member fell back. */
  | { readonly kind: "group-master"; readonly group: string }
  | { readonly kind: "group-backup"; readonly reason: string }
  | { readonly kind: "shutdown"; readonly reason: string };

export type Action =
  | { readonly kind: "send-advert"; readonly priority: number }
  | { readonly kind: "add-addresses" }
  | { readonly kind: "remove-addresses" }
  /**
   * `count` rounds of gratuitous ARP or unsolicited NA for every VIP, `gap` between two packets on one
   * interface (garp_interval, gna_interval; 0 = all at once).
   */
  | { readonly kind: "announce"; readonly count: number; readonly gap: Microseconds }
  | {
      readonly kind: "transition";
      readonly from: VrrpState;
      readonly to: VrrpState;
      readonly reason: string;
    }
  | { readonly kind: "note"; readonly note: Note };

export interface Step {
  readonly state: InstanceState;
  readonly actions: readonly Action[];
}

export const same = (state: InstanceState): Step => ({ state, actions: [] });
