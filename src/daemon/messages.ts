/**
 * Every message between the supervisor and its two children. Plain JSON over the IPC channel.
 * The supervisor owns files, sockets for people and the restart policy; the children own one job each.
 */
import type { CheckerSnapshot, CheckVerdict, ProbeResult } from "../check/types.ts";
import type { ServicesDelta } from "../config/delta.ts";
import type {
  Config,
  GlobalConfig,
  InstanceConfig,
  ServiceConfig,
  SyncGroupConfig,
  TrackGatewayConfig,
  TrackScriptConfig,
} from "../config/model.ts";
import type { ServiceKey } from "../lvs/table.ts";
import type { Microseconds } from "../units.ts";
import type { DropReason } from "../vrrp/admit.ts";
import type { ConflictKind } from "../vrrp/conflict.ts";
import type { Fault, PeerSeen, VrrpState } from "../vrrp/machine.ts";
import type { PriorityPart } from "../vrrp/priority.ts";
import type { TrackerUpdate } from "./trackers/types.ts";

export type LogLevel = "debug" | "info" | "warn" | "error" | "fatal";
export interface LogMessage {
  readonly type: "log";
  readonly level: LogLevel;
  readonly msg: string;
  readonly fields: Readonly<Record<string, unknown>>;
}
export type Logger = (level: LogLevel, msg: string, fields?: Readonly<Record<string, unknown>>) => void;

// ---- vrrp process -----------------------------------------------------------------------------

/** What a restarted vrrp process may go on with, per instance name. */
export type ResumeMap = Readonly<Record<string, { readonly lastAdvertAt: Microseconds }>>;

/** Whether the services behind the VIPs are in the table; no instance becomes master before that. */
export type ServicesState =
  | { readonly kind: "pending" }
  | { readonly kind: "ready" }
  /** The dataplane cannot work: instances whose VIPs carry a service go to FAULT with this reason. */
  | { readonly kind: "unavailable"; readonly reason: string };

export interface InheritedSocket {
  readonly ifindex: number;
  /** needKey() of the socket: its kind, family and group. */
  readonly need: string;
  readonly fd: number;
}

export type ToVrrp =
  | {
      readonly type: "configure";
      readonly global: GlobalConfig;
      readonly instances: readonly InstanceConfig[];
      readonly syncGroups: readonly SyncGroupConfig[];
      readonly trackScripts: readonly TrackScriptConfig[];
      readonly trackGateways: readonly TrackGatewayConfig[];
      /** What the trackers said last. */
      readonly trackers: readonly TrackerUpdate[];
      /** VIPs ("ADDR") that carry a virtual service here. */
      readonly serviceAddresses: readonly string[];
      readonly services: ServicesState;
      readonly resume: ResumeMap;
      /** VIPs a previous run of ours added, where the kernel cannot tell (no IFA_PROTO before 5.18). */
      readonly oursBefore: readonly string[];
      readonly sockets: readonly InheritedSocket[];
      /** Removed by the child when it has to give up without its supervisor. */
      readonly stateFile: string;
    }
  | { readonly type: "services"; readonly services: ServicesState }
  | { readonly type: "tracker"; readonly update: TrackerUpdate }
  | { readonly type: "status"; readonly id: number }
  | { readonly type: "stop"; readonly reason: string };

/** One instance in a heartbeat: all that a successor or a release needs. */
export interface InstancePulse {
  readonly name: string;
  readonly state: VrrpState;
  /** Monotonic; only while master. */
  readonly lastAdvertAt?: Microseconds;
  /** Source address of our adverts on the instance's own interface. */
  readonly source?: string;
  /** Effective priority. */
  readonly priority: number;
  /** VIPs this process added itself (not those that were there before). */
  readonly added: readonly string[];
}

export type FromVrrp =
  | LogMessage
  | { readonly type: "hello" }
  | { readonly type: "configured"; readonly resumed: readonly string[] }
  /** Without `instances`: as told last. */
  | { readonly type: "pulse"; readonly at: Microseconds; readonly instances?: readonly InstancePulse[] }
  | {
      readonly type: "transition";
      readonly instance: string;
      readonly from: VrrpState;
      readonly to: VrrpState;
      readonly reason: string;
      readonly priority: number;
      readonly resumed: boolean;
    }
  | {
      readonly type: "group-transition";
      readonly group: string;
      readonly to: VrrpState;
      readonly reason: string;
    }
  | {
      readonly type: "conflict";
      readonly instance: string;
      readonly change: "raised" | "ongoing" | "cleared";
      readonly kind: ConflictKind;
      readonly subject: string;
      readonly text: string;
      readonly count: number;
    }
  | ({ readonly type: "status"; readonly id: number } & VrrpStatus)
  | { readonly type: "stopped" };

export interface VrrpStatus {
  readonly instances: readonly InstanceStatus[];
  readonly groups: readonly GroupStatus[];
  /** Packets that were for none of our instances, by reason. */
  readonly strayDrops: Readonly<Partial<Record<DropReason, number>>>;
}

export interface GroupStatus {
  readonly name: string;
  readonly members: readonly string[];
  readonly state: VrrpState;
  /** Seconds in this state. */
  readonly age: number;
  readonly reason: string;
}

export interface VrrpCounters {
  readonly advertsReceived: number;
  readonly advertsSent: number;
  readonly priorityZeroReceived: number;
  readonly priorityZeroSent: number;
  readonly becameMaster: number;
  readonly releasedMaster: number;
  readonly sendErrors: number;
  readonly addressesRestored: number;
  readonly drops: Readonly<Partial<Record<DropReason, number>>>;
}

export interface ConflictStatus {
  readonly kind: ConflictKind;
  readonly subject: string;
  readonly text: string;
  readonly count: number;
  /** Seconds since the first and the latest sighting. */
  readonly since: number;
  readonly lastSeen: number;
}

export interface VipStatus {
  readonly address: string;
  readonly prefixLength: number;
  readonly dev: string;
  readonly present: boolean;
  /** True where the address was on the interface before us: never leased, never removed. */
  readonly preexisting: boolean;
  /** virtual_ipaddress_excluded. */
  readonly excluded?: boolean;
}

export interface InstanceStatus {
  readonly name: string;
  readonly interface: string;
  readonly vrid: number;
  readonly version: 2 | 3;
  readonly state: VrrpState;
  /** Seconds in this state. */
  readonly age: number;
  readonly reason: string;
  /** Effective; `basePriority` is the configured one. */
  readonly priority: number;
  readonly basePriority: number;
  readonly trackers: readonly PriorityPart[];
  /** Seconds. */
  readonly advertInterval: number;
  readonly masterDownInterval: number;
  readonly preempt: boolean;
  readonly faults: readonly Fault[];
  readonly peer?: Omit<PeerSeen, "at"> & { readonly ago: number };
  readonly conflicts: readonly ConflictStatus[];
  readonly vips: readonly VipStatus[];
  readonly lease?: { readonly seconds: number; readonly twoOwnersAtMost: number };
  readonly counters: VrrpCounters;
}

// ---- lvs process ------------------------------------------------------------------------------

export type LvsConfig = Pick<Config, "global" | "services">;

export type ToLvs =
  | {
      readonly type: "configure";
      readonly config: LvsConfig;
      readonly dataplane: "kernel" | "userspace" | "auto";
      /** Saved by an earlier run: verdicts go on where they were. */
      readonly saved: readonly CheckerSnapshot[];
      readonly ownedBefore: readonly ServiceKey[];
    }
  /** A reload: against the configuration this process was sent before. */
  | {
      readonly type: "change";
      readonly config: Omit<LvsConfig, "services">;
      readonly services: ServicesDelta;
    }
  | { readonly type: "status"; readonly id: number }
  /** `remove` takes our services out of the table; otherwise the table is left as it is. */
  | { readonly type: "stop"; readonly remove: boolean };

export interface QuorumChange {
  readonly service: ServiceKey;
  readonly up: boolean;
  readonly detail: string;
}

export type FromLvs =
  | LogMessage
  | { readonly type: "hello" }
  | { readonly type: "pulse" }
  /** First complete table, or why there cannot be one. `fatal` ends a starting daemon. */
  | { readonly type: "table"; readonly services: ServicesState; readonly fatal?: string }
  /** All services whose quorum was gained or lost in one turn; at the start that is every one. */
  | { readonly type: "quorum"; readonly changes: readonly QuorumChange[] }
  /** The configuration just sent is in the table, as far as the dataplane accepts it. */
  | { readonly type: "applied" }
  | {
      readonly type: "saved";
      readonly checks: readonly CheckerSnapshot[];
      readonly owned: readonly ServiceKey[];
    }
  | { readonly type: "status"; readonly id: number; readonly lvs: LvsStatus }
  | { readonly type: "stopped" };

export interface CheckerStatus {
  readonly id: string;
  readonly type: string;
  readonly verdict: CheckVerdict;
  readonly consecutiveFailures: number;
  readonly checksRun: number;
  /** Wall clock, ms. */
  readonly since: number;
  readonly last?: { readonly at: number; readonly result: ProbeResult };
}

export interface RealServerStatus {
  readonly key: string;
  readonly up: boolean;
  readonly inTable: boolean;
  readonly configuredWeight: number;
  /** Weight in the table; undefined while not in it. */
  readonly weight?: number;
  readonly forward: string;
  readonly activeConns?: number;
  readonly inactConns?: number;
  readonly checkers: readonly CheckerStatus[];
}

export interface ServiceStatus {
  readonly key: ServiceKey;
  readonly scheduler: string;
  readonly forwarding: string;
  readonly persistenceTimeout: number;
  readonly quorum: number;
  readonly quorumUp: boolean;
  readonly liveWeight: number;
  readonly sorryServer?: { readonly key: string; readonly inTable: boolean };
  readonly realServers: readonly RealServerStatus[];
}

export interface LvsStatus {
  readonly dataplane: "kernel" | "userspace" | "unavailable";
  readonly problem?: string;
  readonly complete: boolean;
  /** Seconds since the counters were read from the table; undefined before the first time. */
  readonly tableAge?: number;
  readonly driftRepaired: number;
  readonly failing: readonly { readonly operation: string; readonly message: string }[];
  readonly services: readonly ServiceStatus[];
}

export type { ServiceConfig };
