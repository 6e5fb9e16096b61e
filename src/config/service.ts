/** virtual_server blocks -> ServiceConfig. */
import { seconds } from "../units.ts";
import { type Endpoint, parseEndpoint } from "./address.ts";
import { describe, named, readBlock } from "./block.ts";
import type { Context } from "./context.ts";
import { fullnatRefused, readForwarding } from "./forwarding.ts";
import type { DestinationConfig, Forwarding, ServiceConfig, TransportProtocol } from "./model.ts";
import { child, isMap, type MapNode, type Ref } from "./nodes.ts";
import { quote } from "./problem.ts";
import { readServers } from "./real-server.ts";
import { schemas } from "./schema.ts";
import { checkService } from "./service-rules.ts";

export interface PlacedService {
  readonly config: ServiceConfig;
  readonly ref: Ref<MapNode>;
  /** False when some of its real servers could not be read: what they would change is not judged then. */
  readonly complete: boolean;
}

export type ServiceKeys = NonNullable<ReturnType<typeof readServiceKeys>>;
const readServiceKeys = (ref: Ref<MapNode>, context: Context) =>
  readBlock(ref, schemas().service, context.problems);

export function readServices(ref: Ref | undefined, context: Context): PlacedService[] {
  if (ref === undefined) return [];
  const out: PlacedService[] = [];
  const seen = new Map<string, Ref>();
  for (const { name, block } of named(ref, "virtual_server", context.problems)) {
    const service = readService(name, block, context);
    if (service === undefined) continue;
    const first = seen.get(service.config.key);
    if (first !== undefined) {
      const hint = `first at ${context.problems.line(first.at)}`;
      context.problems.error({
        offset: block.at,
        message: `virtual_server ${service.config.key} is defined twice`,
        hint,
        via: block.via,
      });
    } else {
      seen.set(service.config.key, block);
      out.push(service);
    }
  }
  return out;
}

function readService(name: string, block: Ref, context: Context): PlacedService | undefined {
  const fail = (message: string, hint?: string, offset = block.at): undefined => {
    context.problems.error({ offset, message, hint, via: block.via });
    return undefined;
  };
  const endpoint = readServiceName(name, fail);
  if (!isMap(block)) return fail(`virtual_server ${quote(name)} is a block, not ${describe(block.node)}`);
  const keys = readServiceKeys(block, context);
  if (keys === undefined || endpoint === undefined) {
    // Go on for the problems inside, under a name that is not used further.
    readServers(block, { serviceKey: "", port: 80, forwarding: "NAT", defaults: {} }, context);
    return undefined;
  }
  if (endpoint.protocol !== undefined && keys.protocol !== undefined && keys.protocol !== endpoint.protocol)
    return fail(
      `protocol ${keys.protocol} differs from the name's ${endpoint.protocol}`,
      "keep one of them",
      child(block, "protocol")!.node.offset,
    );
  const protocol: TransportProtocol = endpoint.protocol ?? keys.protocol ?? "tcp";
  const forwarding = readForwarding(keys, block, context) ?? "NAT";
  const key = `${protocol} ${endpoint.address}:${endpoint.port}`;
  const { servers, complete } = readServers(
    block,
    { serviceKey: key, port: endpoint.port, forwarding, defaults: keys },
    context,
  );
  const sorryServer = readSorryServer(keys, block, endpoint.port, forwarding, context);
  const config: ServiceConfig = {
    key,
    protocol,
    family: 4,
    address: endpoint.address,
    port: endpoint.port,
    scheduler: readScheduler(keys, block, context),
    forwarding,
    persistenceTimeout: seconds((keys.persistence_timeout ?? 0) / 1e6),
    ...(keys.persistence_granularity === undefined
      ? {}
      : { persistencePrefix: keys.persistence_granularity }),
    quorum: keys.quorum ?? 1,
    hysteresis: keys.hysteresis ?? 0,
    ...(sorryServer === undefined ? {} : { sorryServer }),
    realServers: servers.map((server) => server.config),
  };
  const service = { config, ref: block, complete };
  checkService(service, keys, context);
  return service;
}

type Fail = (message: string, hint?: string) => undefined;

function readServiceName(name: string, fail: Fail): (Endpoint & { readonly port: number }) | undefined {
  const kind = /^(fwmark|group)\b/i.exec(name)?.[1]?.toLowerCase();
  if (kind !== undefined)
    return fail(
      `virtual_server "${kind} ..." is not supported by this version of vipward yet`,
      "write one virtual_server per address and port",
    );
  const endpoint = parseEndpoint(name);
  if ("message" in endpoint) return fail(endpoint.message, endpoint.hint);
  if (endpoint.port === undefined)
    return fail(
      `virtual_server ${quote(name)} has no port`,
      `write "${endpoint.address} 80"; port 0 with persistence_timeout means every port`,
    );
  return { ...endpoint, port: endpoint.port };
}

function readScheduler(keys: ServiceKeys, ref: Ref<MapNode>, context: Context): ServiceConfig["scheduler"] {
  if (keys.lb_algo !== undefined && keys.lvs_sched !== undefined) {
    const place = child(ref, "lvs_sched")!;
    context.problems.error({
      offset: place.at,
      message: "both lb_algo and lvs_sched: they are one setting",
      hint: "keep lb_algo",
      via: place.via,
    });
  }
  return keys.lb_algo ?? keys.lvs_sched ?? "wlc";
}

function readSorryServer(
  keys: ServiceKeys,
  ref: Ref<MapNode>,
  port: number,
  serviceForwarding: Forwarding,
  context: Context,
): DestinationConfig | undefined {
  if (keys.sorry_server === undefined) return undefined;
  const place = child(ref, "sorry_server")!;
  const fail = (message: string, hint?: string): undefined => {
    context.problems.error({
      offset: place.node.offset,
      message: `sorry_server: ${message}`,
      hint,
      via: place.via,
    });
    return undefined;
  };
  const endpoint = parseEndpoint(keys.sorry_server);
  if ("message" in endpoint) return fail(endpoint.message, endpoint.hint);
  if (endpoint.protocol !== undefined) return fail("no protocol here: it is the service's");
  const method = child(ref, "sorry_server_lvs_method");
  const forwarding =
    keys.sorry_server_lvs_method === undefined
      ? serviceForwarding
      : fullnatRefused(
          keys.sorry_server_lvs_method,
          { offset: method!.node.offset, via: method!.via },
          context,
        );
  if (forwarding === undefined) return undefined;
  const sorryPort = endpoint.port ?? port;
  if (forwarding !== "NAT" && sorryPort !== port)
    return fail(
      `port ${sorryPort} differs from the service's port ${port}, but ${forwarding} can't change ports`,
      "use the service's port, or NAT",
    );
  return {
    address: endpoint.address,
    family: 4,
    port: sorryPort,
    weight: 1,
    forwarding,
    upperThreshold: 0,
    lowerThreshold: 0,
  };
}
