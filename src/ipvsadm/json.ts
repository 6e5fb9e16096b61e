/**
 * `ipvs -L --json`: the same facts for programs. Addresses and ports are never names; counters that don't
 * fit in a double are strings.
 *
 *   {"version","size","services":[{protocol, family, address, port | mark, scheduler, schedulerFlags,
 *     persistence: {timeout, netmask, engine} | null, onePacket, stats, destinations:[{family, address, port,
 *     forward, weight, upperThreshold, lowerThreshold, activeConnections, inactiveConnections,
 *     persistentConnections, tunnel: {type, port, checksum} | null, stats}]}]}
 *   -c: {"connections":[...]}   --timeout: {"timeouts":{...}}   --daemon: {"daemons":[...]}
 */
import type { DestSpec, ServiceSpec, Stats } from "../lvs/table.ts";
import { IP_VS_SVC_F_ONEPACKET, IP_VS_SVC_F_PERSISTENT, type IpvsInfo } from "../wire/ipvs.ts";
import { type ListedDest, type ListedService, sortServices } from "./format.ts";
import { schedulerFlagText } from "./values.ts";

const TUNNEL_TYPES = ["ipip", "gue", "gre"];
const CHECKSUMS = ["none", "checksum", "remote"];

export function servicesJson(info: IpvsInfo, services: readonly ListedService[], sorted: boolean): unknown {
  const listed = sorted ? sortServices(services) : services;
  return { version: info.version, size: info.connTabSize, services: listed.map(serviceJson) };
}

function serviceJson({ spec, stats, dests }: ListedService): unknown {
  const { id, scheduler, flags } = spec;
  const flagText = schedulerFlagText(flags, scheduler);
  return {
    ...(id.kind === "fwmark"
      ? { protocol: "fwmark", family: id.family, mark: id.mark }
      : { protocol: id.protocol, family: id.family, address: id.address, port: id.port }),
    scheduler,
    schedulerFlags: flagText ? flagText.split(",") : [],
    persistence: persistence(spec),
    onePacket: (flags & IP_VS_SVC_F_ONEPACKET) !== 0,
    stats: statsJson(stats),
    destinations: dests.map(destJson),
  };
}

function persistence({ flags, timeout, netmask, pe }: ServiceSpec): unknown {
  if ((flags & IP_VS_SVC_F_PERSISTENT) === 0) return null;
  return { timeout, netmask, engine: pe === "" ? null : pe };
}

function destJson({ spec, observation }: ListedDest): unknown {
  return {
    family: spec.family,
    address: spec.address,
    port: spec.port,
    forward: spec.forward,
    weight: spec.weight,
    upperThreshold: spec.upperThreshold,
    lowerThreshold: spec.lowerThreshold,
    activeConnections: observation.activeConns,
    inactiveConnections: observation.inactConns,
    persistentConnections: observation.persistConns,
    tunnel: spec.forward === "tunnel" ? tunnel(spec) : null,
    stats: statsJson(observation.stats),
  };
}

function tunnel({ tunType, tunPort, tunFlags }: DestSpec): unknown {
  return { type: TUNNEL_TYPES[tunType] ?? tunType, port: tunPort, checksum: CHECKSUMS[tunFlags] ?? tunFlags };
}

function statsJson(stats: Stats | undefined): unknown {
  if (!stats) return null;
  return Object.fromEntries(
    Object.entries(stats as unknown as Record<string, bigint>).map(([name, value]) => [
      name,
      value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value),
    ]),
  );
}
