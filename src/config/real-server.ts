/** real_server blocks -> RealServerConfig. */
import type * as z from "zod";
import { parseEndpoint } from "./address.ts";
import { describe, named, readBlock } from "./block.ts";
import { type CheckOptions, inherit, readCheckers } from "./checker.ts";
import type { Context } from "./context.ts";
import { readForwarding } from "./forwarding.ts";
import type { Forwarding, RealServerConfig } from "./model.ts";
import { child, findEntry, isBare, isMap, type MapNode, type Ref } from "./nodes.ts";
import { quote } from "./problem.ts";
import { schemas } from "./schema.ts";

export interface PlacedServer {
  readonly config: RealServerConfig;
  readonly ref: Ref;
}

/** What a real server takes from its service. */
export interface ServiceDefaults {
  /** "" when the service itself is wrong: then nothing but the problems is used. */
  readonly serviceKey: string;
  readonly port: number;
  readonly forwarding: Forwarding;
  readonly defaults: CheckOptions & {
    readonly weight?: number | undefined;
    readonly inhibit_on_failure?: boolean | undefined;
    readonly uthreshold?: number | undefined;
    readonly lthreshold?: number | undefined;
  };
}

type ServerKeys = z.output<ReturnType<typeof schemas>["server"]["schema"]>;
const NO_KEYS: ServerKeys = {};

/** The real servers that could be read; `complete` when that is all of them. */
export function readServers(
  service: Ref<MapNode>,
  from: ServiceDefaults,
  context: Context,
): { readonly servers: readonly PlacedServer[]; readonly complete: boolean } {
  const ref = child(service, "real_server");
  if (ref === undefined) return { servers: [], complete: true };
  const servers: PlacedServer[] = [];
  let complete = true;
  const seen = new Map<string, Ref>();
  for (const { name, block } of named(ref, "real_server", context.problems)) {
    const server = readServer(name, block, from, context);
    if (server === undefined) {
      complete = false;
      continue;
    }
    const first = seen.get(server.config.key);
    if (first !== undefined) {
      const hint = `first at ${context.problems.line(first.at)}`;
      context.problems.error({
        offset: block.at,
        message: `real_server ${server.config.key} is in this service twice`,
        hint,
        via: block.via,
      });
    } else {
      seen.set(server.config.key, block);
      servers.push(server);
    }
  }
  return { servers, complete };
}

function readServer(
  name: string,
  block: Ref,
  from: ServiceDefaults,
  context: Context,
): PlacedServer | undefined {
  const fail = (message: string, hint?: string): undefined => {
    context.problems.error({ offset: block.at, message, hint, via: block.via });
    return undefined;
  };
  const endpoint = parseEndpoint(name);
  if ("message" in endpoint) fail(endpoint.message, endpoint.hint);
  else if (endpoint.protocol !== undefined)
    fail(`real_server ${quote(name)}: no protocol here, it is the service's`);
  const map = isMap(block) ? block : undefined;
  if (map === undefined && !isBare(block))
    return fail(`real_server ${quote(name)} is a block, not ${describe(block.node)}`);
  const keys = map === undefined ? NO_KEYS : readBlock(map, schemas().server, context.problems);
  const { defaults } = from;
  const address = "message" in endpoint ? "" : endpoint.address;
  const port = "message" in endpoint ? from.port : (endpoint.port ?? from.port);
  const key = `${address}:${port}`;
  const { serviceKey } = from;
  const target = { serviceKey, serverKey: key, address, port, serviceDelayLoop: defaults.delay_loop };
  const checkers =
    map === undefined ? [] : readCheckers(map, inherit(defaults, keys ?? NO_KEYS), target, context);
  if (keys === undefined || address === "") return undefined;
  const forwarding = (map && readForwarding(keys, map, context)) ?? from.forwarding;
  if (forwarding !== "NAT" && port !== from.port && from.serviceKey !== "")
    fail(
      `real_server ${key}: port ${port} differs from the service's port ${from.port}, but ${forwarding} can't change ports`,
      `use port ${from.port}, or lb_kind: NAT`,
    );
  const upperThreshold = keys.uthreshold ?? defaults.uthreshold ?? 0;
  const lowerThreshold = keys.lthreshold ?? defaults.lthreshold ?? 0;
  if (upperThreshold > 0 && lowerThreshold > upperThreshold) {
    const entry = map && (findEntry(map.node, "lthreshold") ?? findEntry(map.node, "uthreshold"));
    context.problems.error({
      offset: entry?.value.offset ?? block.at,
      message: `lthreshold ${lowerThreshold} is above uthreshold ${upperThreshold}`,
      via: block.via,
    });
  }
  const config: RealServerConfig = {
    key,
    address,
    family: 4,
    port,
    weight: keys.weight ?? defaults.weight ?? 1,
    forwarding,
    upperThreshold,
    lowerThreshold,
    inhibitOnFailure: keys.inhibit_on_failure ?? defaults.inhibit_on_failure ?? false,
    // alpha holds a server down until its checkers passed; without checkers nothing would ever raise it.
    alpha: checkers.some((checker) => checker.alpha),
    checkers,
  };
  return { config, ref: block };
}
