/**
 * The IPVS table as values. Identity (keys), specification and observation (stats) are kept apart:
 * the diff never sees statistics.
 */
import type { Family, TransportProtocol } from "../config/model.ts";

export type ServiceId =
  | {
      readonly kind: "address";
      readonly protocol: TransportProtocol;
      readonly family: Family;
      readonly address: string;
      readonly port: number;
    }
  | { readonly kind: "fwmark"; readonly family: Family; readonly mark: number };

/** Canonical text of a ServiceId: "tcp 192.0.2.1:80", "udp [2001:db8::1]:53", "fwmark 7 inet". */
export type ServiceKey = string;
/** Canonical text of a destination: "192.0.2.11:80", "[2001:db8::11]:80". */
export type DestKey = string;

export interface ServiceSpec {
  readonly id: ServiceId;
  readonly scheduler: string;
  /** IP_VS_SVC_F_* without HASHED: PERSISTENT 0x1, ONEPACKET 0x4, SCHED1..3 0x8 0x10 0x20. */
  readonly flags: number;
  /** Persistence timeout in seconds; 0 when not persistent. */
  readonly timeout: number;
  /** Persistence granularity as a prefix length: 32 or 128 when full. */
  readonly netmask: number;
  /** Persistence engine, "" when none. */
  readonly pe: string;
}

export type ForwardMethod = "masq" | "local" | "tunnel" | "route" | "bypass";

export interface DestSpec {
  readonly address: string;
  readonly family: Family;
  readonly port: number;
  readonly forward: ForwardMethod;
  readonly weight: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  /** 0 ipip, 1 gue, 2 gre (tunnel only). */
  readonly tunType: number;
  readonly tunPort: number;
  readonly tunFlags: number;
}

export interface Stats {
  readonly conns: bigint;
  readonly inPkts: bigint;
  readonly outPkts: bigint;
  readonly inBytes: bigint;
  readonly outBytes: bigint;
  readonly cps: bigint;
  readonly inPps: bigint;
  readonly outPps: bigint;
  readonly inBps: bigint;
  readonly outBps: bigint;
}

export interface TableEntry {
  readonly service: ServiceSpec;
  readonly dests: ReadonlyMap<DestKey, DestSpec>;
}
export type Table = ReadonlyMap<ServiceKey, TableEntry>;

export interface DestObservation {
  readonly activeConns: number;
  readonly inactConns: number;
  readonly persistConns: number;
  readonly stats?: Stats;
}

/** What a dataplane reports: the table, with counters beside it. */
export interface Observed {
  readonly table: Table;
  readonly serviceStats: ReadonlyMap<ServiceKey, Stats>;
  readonly dests: ReadonlyMap<ServiceKey, ReadonlyMap<DestKey, DestObservation>>;
}

export type Operation =
  | { readonly op: "addService" | "editService"; readonly key: ServiceKey; readonly service: ServiceSpec }
  | { readonly op: "deleteService"; readonly key: ServiceKey; readonly service: ServiceSpec }
  | {
      readonly op: "addDest" | "editDest" | "deleteDest";
      readonly key: ServiceKey;
      readonly service: ServiceSpec;
      readonly destKey: DestKey;
      readonly dest: DestSpec;
    };
