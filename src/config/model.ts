/**
 * The validated configuration: what the rest of the program sees of the YAML.
 * Plain, frozen, JSON-serializable data (it crosses process boundaries); every default is filled in.
 * IP addresses are canonical text (IPv4 dotted quad, IPv6 as RFC 5952).
 */
import type { Microseconds, Milliseconds, Seconds } from "../units.ts";

import type { CheckerConfig } from "./model-check.ts";
import type {
  InstanceConfig,
  RouteConfig,
  RuleConfig,
  SyncGroupConfig,
  TrackFileConfig,
  TrackGatewayConfig,
  TrackProcessConfig,
  TrackScriptConfig,
  VipConfig,
} from "./model-vrrp.ts";

export type * from "./model-check.ts";
export type * from "./model-vrrp.ts";

export type Family = 4 | 6;
export type TransportProtocol = "tcp" | "udp" | "sctp";

export interface Config {
  /** First 12 hex digits of SHA-256 over the whole resolved configuration; names it in events and metrics. */
  readonly hash: string;
  /** Absolute paths read, the main one first. */
  readonly files: readonly string[];
  readonly global: GlobalConfig;
  readonly instances: readonly InstanceConfig[];
  readonly services: readonly ServiceConfig[];
  /** Absent = none. */
  readonly syncGroups?: readonly SyncGroupConfig[];
  readonly trackScripts?: readonly TrackScriptConfig[];
  readonly trackProcesses?: readonly TrackProcessConfig[];
  readonly trackFiles?: readonly TrackFileConfig[];
  readonly trackGateways?: readonly TrackGatewayConfig[];
  /** static_*: put there at start, never removed. */
  readonly staticAddresses?: readonly VipConfig[];
  readonly staticRoutes?: readonly RouteConfig[];
  readonly staticRules?: readonly RuleConfig[];
}

export type DataplaneChoice = "kernel" | "userspace" | "auto";

export interface GlobalConfig {
  /** keepalived `router_id`; default the host name. */
  readonly routerId: string;
  /** Undefined when the file is silent: `run` then means "kernel", the demos "auto". */
  readonly dataplane?: DataplaneChoice;
  /** VIPs get a finite kernel lifetime renewed by adverts (default true). */
  readonly vipLease: boolean;
  /** Full dump of the IPVS table this often (default 10 s). */
  readonly resyncInterval: Milliseconds;
  /** keepalived `lvs_flush`: clear the whole IPVS table at start, foreign services too (default false). */
  readonly lvsFlush: boolean;
  /** SCHED_RR for the vrrp process (default true; says so when not permitted). */
  readonly realtime: boolean;
  /** vrrp_startup_delay: no election before this long after start (default 0). */
  readonly startupDelay?: Microseconds;
  /** enable_script_security: refuse scripts that root runs and others can write. */
  readonly scriptSecurity?: boolean;
  /** script_user "USER [GROUP]". */
  readonly scriptUser?: string;
}

// ---- Virtual services -------------------------------------------------------------------------

export type Forwarding = "NAT" | "DR" | "TUN";

export const SCHEDULERS = [
  "rr",
  "wrr",
  "lc",
  "wlc",
  "lblc",
  "lblcr",
  "sh",
  "dh",
  "mh",
  "sed",
  "nq",
  "fo",
  "ovf",
  "twos",
] as const;
export type SchedulerName = (typeof SCHEDULERS)[number];

export interface ServiceConfig {
  /** Canonical identity, e.g. "tcp 192.0.2.1:80", "udp [2001:db8::1]:53". Unique in a config. */
  readonly key: string;
  readonly protocol: TransportProtocol;
  readonly family: Family;
  readonly address: string;
  readonly port: number;
  readonly scheduler: SchedulerName;
  /** Default forwarding of the service (lb_kind); each real server carries its own effective one. */
  readonly forwarding: Forwarding;
  /** 0 = no persistence. */
  readonly persistenceTimeout: Seconds;
  /** IPv4 prefix length or IPv6 prefix length for persistence; default full. */
  readonly persistencePrefix?: number;
  readonly quorum: number;
  readonly hysteresis: number;
  readonly sorryServer?: DestinationConfig;
  readonly realServers: readonly RealServerConfig[];
}

export interface DestinationConfig {
  readonly address: string;
  readonly family: Family;
  readonly port: number;
  readonly weight: number;
  readonly forwarding: Forwarding;
  /** 0 = none. */
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
}

export interface RealServerConfig extends DestinationConfig {
  /** Canonical "ADDR:PORT", unique in its service. */
  readonly key: string;
  readonly inhibitOnFailure: boolean;
  /** Down until the first check passed (keepalived `alpha`). */
  readonly alpha: boolean;
  readonly checkers: readonly CheckerConfig[];
}
