/** The wanted IPVS table, from the configuration and what the checks say. Pure and total. */
import type { DestinationConfig, Family, Forwarding, ServiceConfig } from "../config/model.ts";
import { destKey } from "./keys.ts";
import { type ServiceState, stepService } from "./service-state.ts";
import type {
  DestKey,
  DestSpec,
  ForwardMethod,
  ServiceKey,
  ServiceSpec,
  Table,
  TableEntry,
} from "./table.ts";

/** IP_VS_SVC_F_PERSISTENT, include/uapi/linux/ip_vs.h. */
const FLAG_PERSISTENT = 0x1;

const FORWARD_METHODS: Readonly<Record<Forwarding, ForwardMethod>> = {
  NAT: "masq",
  DR: "route",
  TUN: "tunnel",
};

const fullPrefix = (family: Family): number => (family === 4 ? 32 : 128);

/**
 * A service without a state has not been checked yet: its servers stand where keepalived starts them
 * (in the table, except those with alpha).
 */
export function desiredTable(
  services: readonly ServiceConfig[],
  states: ReadonlyMap<ServiceKey, ServiceState>,
): Table {
  const table = new Map<ServiceKey, TableEntry>();
  for (const service of services) {
    const state = states.get(service.key) ?? stepService(undefined, { verdicts: new Map() }, service).state;
    table.set(service.key, { service: serviceSpec(service), dests: desiredDests(service, state) });
  }
  return table;
}

export function serviceSpec(service: ServiceConfig): ServiceSpec {
  const { protocol, family, address, port, scheduler, persistenceTimeout } = service;
  const persistent = persistenceTimeout > 0;
  return {
    id: { kind: "address", protocol, family, address, port },
    scheduler,
    flags: persistent ? FLAG_PERSISTENT : 0,
    timeout: persistenceTimeout,
    netmask: persistent ? (service.persistencePrefix ?? fullPrefix(family)) : fullPrefix(family),
    pe: "",
  };
}

function desiredDests(service: ServiceConfig, state: ServiceState): ReadonlyMap<DestKey, DestSpec> {
  const dests = new Map<DestKey, DestSpec>();
  for (const server of service.realServers) {
    const status = state.servers[server.key];
    if (!status || status.admin === "out") continue;
    const live = status.up && !state.sorry;
    // inhibit_on_failure: weight 0 keeps established connections going where removal would cut them.
    if (!live && !server.inhibitOnFailure) continue;
    const weight = live && status.admin !== "drain" ? status.weight : 0;
    dests.set(destKey(server), destSpec(server, weight));
  }
  // Last, because it may be one of the real servers too: as sorry server it must serve.
  if (state.sorry && service.sorryServer) {
    dests.set(destKey(service.sorryServer), destSpec(service.sorryServer, service.sorryServer.weight));
  }
  return dests;
}

export function destSpec(dest: DestinationConfig, weight: number): DestSpec {
  return {
    address: dest.address,
    family: dest.family,
    port: dest.port,
    forward: FORWARD_METHODS[dest.forwarding],
    weight,
    upperThreshold: dest.upperThreshold,
    lowerThreshold: dest.lowerThreshold,
    tunType: 0,
    tunPort: 0,
    tunFlags: 0,
  };
}
