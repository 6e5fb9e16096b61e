/** The VRRP half of the validated configuration; see model.ts. */
import type { Microseconds, Milliseconds } from "../units.ts";
import type { Family } from "./model.ts";

export type VrrpAuth =
  | { readonly type: "none" }
  | { readonly type: "PASS"; readonly pass: string }
  | ({ readonly type: "HMAC" } & HmacConfig);

/** keepalived >= 2.4 `auth_hmac` (v3 only), also what protects `transport: udp`. */
export interface HmacConfig {
  /** `id` 0..255; `key` 32 to 64 bytes as hex. */
  readonly keys: readonly { readonly id: number; readonly key: string }[];
  readonly activeKey: number;
  readonly antiReplay: "time" | "monotonic";
  /** Accepted difference of the sender's clock; default max(3 A, 5 s). */
  readonly timeWindow: Microseconds;
  readonly mode: "enforce" | "permissive" | "receive-only";
}

export interface UnicastPeer {
  readonly address: string;
  /** Accepted TTL / hop limit of its adverts, inclusive; default 0..255. */
  readonly minTtl: number;
  readonly maxTtl: number;
}
export interface UnicastConfig {
  readonly peers: readonly UnicastPeer[];
  /** unicast_ttl of our own adverts (255). */
  readonly ttl: number;
  /** check_unicast_src: refuse adverts whose source is no configured peer (true). */
  readonly checkSource: boolean;
}

export interface VmacConfig {
  /** Name of the macvlan interface; default "vrrp.<VRID>" (IPv6 "vrrp6.<VRID>"). */
  readonly name: string;
  /** vmac_xmit_base: adverts leave through the base interface, with its MAC. */
  readonly xmitBase: boolean;
}

export interface RouteConfig {
  readonly family: Family;
  /** CIDR or "default". */
  readonly destination: string;
  readonly via?: string;
  readonly dev?: string;
  readonly source?: string;
  readonly table: number;
  readonly metric?: number;
  /** rtnetlink scope number. */
  readonly scope?: number;
  readonly type: "unicast" | "blackhole" | "unreachable" | "prohibit";
  readonly onlink: boolean;
}
export interface RuleConfig {
  readonly family: Family;
  readonly priority?: number;
  readonly from?: string;
  readonly to?: string;
  readonly iif?: string;
  readonly oif?: string;
  readonly fwmark?: number;
  readonly table: number;
}

/** A tracked thing as one instance or group uses it. */
export interface TrackRef {
  readonly kind: "interface" | "script" | "process" | "file" | "bfd" | "virtual_server" | "gateway";
  readonly name: string;
  /** Undefined: FAULT when bad. +w adds when good, -w subtracts when bad; a file multiplies its value. */
  readonly weight?: number;
  readonly reverse: boolean;
}

export interface TrackScriptConfig {
  readonly name: string;
  /** argv; never through a shell. */
  readonly command: readonly string[];
  readonly interval: Milliseconds;
  readonly timeout: Milliseconds;
  readonly rise: number;
  readonly fall: number;
  /** "user" or "user group"; undefined = script_user, else keepalived_script or root's own. */
  readonly user?: string;
  readonly group?: string;
  /** Weight and reverse where a reference gives none. */
  readonly weight?: number;
  readonly reverse: boolean;
  /** init_fail: bad until the first result. */
  readonly initFail: boolean;
}
export interface TrackProcessConfig {
  readonly name: string;
  /** Executable path or name, then the arguments that must match. */
  readonly command: readonly string[];
  readonly paramMatch: "none" | "exact" | "partial" | "initial";
  readonly quorum: number;
  readonly quorumMax: number;
  readonly fullCommand: boolean;
  /** fork_delay, terminate_delay: how long a change must last before it counts. */
  readonly riseDelay: Milliseconds;
  readonly fallDelay: Milliseconds;
  readonly weight?: number;
  readonly reverse: boolean;
}
export interface TrackFileConfig {
  readonly name: string;
  readonly path: string;
  /** Default weight of a reference (1). */
  readonly weight: number;
  readonly reverse: boolean;
  /** init_file: created with this value at start when missing. */
  readonly initValue?: number;
  readonly initOverwrite: boolean;
}
export interface TrackGatewayConfig {
  readonly name: string;
  readonly address: string;
  readonly interface: string;
  readonly method: "arp" | "icmp";
  readonly interval: Milliseconds;
  readonly timeout: Milliseconds;
  readonly rise: number;
  readonly fall: number;
  readonly weight?: number;
}

export interface SyncGroupConfig {
  readonly name: string;
  /** Instance names, at least one. */
  readonly members: readonly string[];
  readonly trackers: readonly TrackRef[];
  readonly notify: NotifyConfig;
}

/** Scripts as argv; run by the supervisor, never in the vrrp process. */
export interface NotifyConfig {
  readonly master?: readonly string[];
  readonly backup?: readonly string[];
  readonly fault?: readonly string[];
  readonly stop?: readonly string[];
  /** Called with {INSTANCE|GROUP} NAME STATE PRIORITY appended. */
  readonly any?: readonly string[];
}

export interface VipConfig {
  readonly address: string;
  readonly family: Family;
  /** Default 32 / 128. */
  readonly prefixLength: number;
  /** Interface the address goes on; default the instance's interface. */
  readonly dev: string;
  /** IFA_LABEL, at most 15 bytes. */
  readonly label?: string;
  /** IFA_BROADCAST; "brd -" leaves it out, "brd +" derives it from the prefix. */
  readonly broadcast?: string;
  /** rtnetlink scope number: global 0, site 200, link 253, host 254. */
  readonly scope: number;
  /** Point-to-point peer (IFA_ADDRESS). */
  readonly peer?: string;
  /** IPv6: seconds; keepalived's default for /128 is 0. Undefined: as the valid lifetime. */
  readonly preferredLifetime?: number;
  /** no_track: the VIP's interface going down is no FAULT. */
  readonly noTrack?: boolean;
}

export interface InstanceConfig {
  readonly name: string;
  readonly family: Family;
  readonly version: 2 | 3;
  readonly interface: string;
  /** virtual_router_id, 1..255. */
  readonly vrid: number;
  readonly initialState: "MASTER" | "BACKUP";
  /** 1..255; 255 is the address owner. */
  readonly priority: number;
  readonly advertInterval: Microseconds;
  readonly preempt: boolean;
  readonly preemptDelay: Microseconds;
  readonly auth: VrrpAuth;
  readonly vips: readonly VipConfig[];
  /** mcast_src_ip: source of our adverts instead of the interface's primary address. */
  readonly sourceAddress?: string;
  /** down_timer_adverts: the 3 in 3*A + skew. */
  readonly downTimerAdverts: number;
  readonly garpMasterDelay: Microseconds;
  readonly garpMasterRepeat: number;
  /** 0 = never. */
  readonly garpMasterRefresh: Microseconds;
  readonly garpMasterRefreshRepeat: number;
  /** vrrp_strict: also drop what cases 8 and 10 accept with a warning. */
  readonly strict: boolean;

  // Further options; absent means keepalived's default, named in each line.
  /** virtual_ipaddress_excluded: held like VIPs, but not in the advert. */
  readonly excludedVips?: readonly VipConfig[];
  readonly virtualRoutes?: readonly RouteConfig[];
  readonly virtualRules?: readonly RuleConfig[];
  /** unicast_peer: adverts go to these instead of the group. */
  readonly unicast?: UnicastConfig;
  /** vrrp_mcast_group4 / vrrp_mcast_group6: 224.0.0.18 / ff02::12. */
  readonly multicastGroup?: string;
  readonly vmac?: VmacConfig;
  /** no_accept (or vrrp_strict): false drops traffic to the VIP unless owner. Default true. */
  readonly accept?: boolean;
  /** skip_check_adv_addr: don't look at the VIP list of an unchanged master. Default false. */
  readonly skipCheckAddresses?: boolean;
  /** v3_checksum_as_v2: send the IPv4 checksum over the message only. Default false. */
  readonly checksumMessageOnly?: boolean;
  /** `transport: udp`: adverts in UDP datagrams to the unicast peers, HMAC mandatory. */
  readonly udp?: { readonly port: number };
  /** Further interfaces that carry the same adverts; a peer is lost only when lost on all. */
  readonly heartbeatInterfaces?: readonly string[];
  readonly trackers?: readonly TrackRef[];
  /** dont_track_primary: our own interface going down is no FAULT. Default false. */
  readonly dontTrackPrimary?: boolean;
  readonly promoteSecondaries?: boolean;
  /** lower_prio_no_advert (false), higher_prio_send_advert (false). */
  readonly lowerPriorityNoAdvert?: boolean;
  readonly higherPrioritySendAdvert?: boolean;
  /** garp_lower_prio_delay / _repeat: default as garp_master_delay / _repeat. */
  readonly garpLowerPriorityDelay?: Microseconds;
  readonly garpLowerPriorityRepeat?: number;
  /** garp_interval / gna_interval between packets on one interface; default 0. */
  readonly garpInterval?: Microseconds;
  readonly gnaInterval?: Microseconds;
  readonly notify?: NotifyConfig;
}
