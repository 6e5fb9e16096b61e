/** Where advertisements go and come from: unicast_peer, unicast_src_ip, mcast_src_ip, transport. */
import { readBlock } from "../block.ts";
import type { Context } from "../context.ts";
import { isMulticast, isUnicast, parseIp } from "../ip.ts";
import type { Family, InstanceConfig, UnicastConfig, UnicastPeer } from "../model.ts";
import { child, isMap, isScalar, type MapNode, type Ref } from "../nodes.ts";
import { defined } from "../optional.ts";
import { at, atKey, inside, refuse } from "../place.ts";
import { quote } from "../problem.ts";
import { schemas } from "../schema.ts";
import { items, readWords, type WordForm } from "../words.ts";
import type { InstanceDefaults, InstanceKeys } from "./instance-keys.ts";

const FORM: WordForm = {
  what: "a peer",
  lead: "address",
  values: { min_ttl: "min_ttl", max_ttl: "max_ttl" },
  flags: [],
  usage: "ADDR [min_ttl N] [max_ttl N]",
};
/** Not assigned to anything that runs beside a load balancer. */
const DEFAULT_UDP_PORT = 8112;

type Paths = Pick<InstanceConfig, "unicast" | "sourceAddress" | "multicastGroup" | "udp">;

export function readPaths(
  keys: InstanceKeys,
  ref: Ref<MapNode>,
  family: Family,
  defaults: InstanceDefaults,
  context: Context,
): Paths {
  const unicast = readUnicast(keys, ref, family, defaults, context);
  return defined({
    unicast,
    sourceAddress: readSource(keys, ref, family, unicast !== undefined, context),
    multicastGroup: readGroup(keys, ref, family, defaults, context),
    udp: readTransport(ref, context),
  });
}

function readUnicast(
  keys: InstanceKeys,
  ref: Ref<MapNode>,
  family: Family,
  defaults: InstanceDefaults,
  context: Context,
): UnicastConfig | undefined {
  const list = child(ref, "unicast_peer");
  if (list === undefined) {
    if (keys.unicast_src_ip !== undefined)
      context.problems.warn("unicast", {
        ...atKey(ref, "unicast_src_ip"),
        message: "unicast_src_ip without unicast_peer: the advertisements still go to the multicast group",
        hint: "list the other routers in unicast_peer",
      });
    return undefined;
  }
  const peers: UnicastPeer[] = [];
  for (const item of items(list)) {
    const peer = readPeer(item, family, context);
    if (peer === undefined) continue;
    if (peers.some(({ address }) => address === peer.address))
      refuse(inside(item), context, `unicast_peer: ${peer.address} is listed twice`);
    else if (peer.address === keys.unicast_src_ip?.address)
      refuse(
        inside(item),
        context,
        `unicast_peer: ${peer.address} is this router's own unicast_src_ip`,
        "list the others",
      );
    else peers.push(peer);
  }
  if (items(list).length === 0)
    context.problems.warn("unicast", {
      ...atKey(ref, "unicast_peer"),
      message: "unicast_peer is empty: nobody hears this router, and it hears nobody",
      hint: "list the other routers, or remove the key for multicast",
    });
  return {
    peers,
    ttl: keys.unicast_ttl ?? 255,
    checkSource: keys.check_unicast_src ?? defaults.checkUnicastSource ?? true,
  };
}

function readPeer(item: Ref, family: Family, context: Context): UnicastPeer | undefined {
  const words = readWords(item, FORM, schemas().peer, context);
  if (words === undefined) return undefined;
  const fail = (key: string, message: string, hint?: string): undefined =>
    refuse(inside(item, key), context, `unicast_peer: ${message}`, hint);
  const address = parseIp(words.address ?? "");
  if (address === undefined)
    return fail("address", `${quote(words.address ?? "")} is not an address`, FORM.usage);
  if (address.family !== family)
    return fail("address", `${address.address} is not of the instance's family`, `an IPv${family} address`);
  if (!isUnicast(address.address)) return fail("address", `${address.address} is not one router's address`);
  const minTtl = ttl(words.min_ttl, 0);
  const maxTtl = ttl(words.max_ttl, 255);
  if (minTtl === undefined) return fail("min_ttl", `min_ttl ${quote(words.min_ttl!)} is not 0 to 255`);
  if (maxTtl === undefined) return fail("max_ttl", `max_ttl ${quote(words.max_ttl!)} is not 0 to 255`);
  if (minTtl > maxTtl) return fail("min_ttl", `min_ttl ${minTtl} is above max_ttl ${maxTtl}`);
  return { address: address.address, minTtl, maxTtl };
}

function ttl(text: string | undefined, fallback: number): number | undefined {
  if (text === undefined) return fallback;
  return /^\d{1,3}$/.test(text) && Number(text) <= 255 ? Number(text) : undefined;
}

function readSource(
  keys: InstanceKeys,
  ref: Ref<MapNode>,
  family: Family,
  unicast: boolean,
  context: Context,
): string | undefined {
  for (const key of ["unicast_src_ip", "mcast_src_ip"] as const) {
    const source = keys[key];
    if (source !== undefined && source.family !== family)
      refuse(
        at(ref, key),
        context,
        `${key} ${source.address} is not of the instance's family`,
        `an IPv${family} address`,
      );
    else if (source !== undefined && !isUnicast(source.address))
      refuse(
        at(ref, key),
        context,
        `${key}: ${source.address} can't be a source`,
        "an address of this router",
      );
  }
  const { unicast_src_ip: own, mcast_src_ip: multicast } = keys;
  if (own !== undefined && multicast !== undefined && own.address !== multicast.address)
    context.problems.warn("source", {
      ...atKey(ref, unicast ? "mcast_src_ip" : "unicast_src_ip"),
      message: `${unicast ? "mcast_src_ip" : "unicast_src_ip"} has no effect here: the other source is used`,
      hint: "keep one of them",
    });
  return (unicast ? (own ?? multicast) : (multicast ?? own))?.address;
}

function readGroup(
  keys: InstanceKeys,
  ref: Ref<MapNode>,
  family: Family,
  defaults: InstanceDefaults,
  context: Context,
): string | undefined {
  const own = keys.mcast_dst_ip;
  if (own === undefined) return family === 4 ? defaults.multicastGroup4 : defaults.multicastGroup6;
  if (own.family !== family || !isMulticast(own.address))
    return refuse(
      at(ref, "mcast_dst_ip"),
      context,
      `mcast_dst_ip: ${own.address} is not an IPv${family} multicast group`,
    );
  return own.address;
}

/** `udp`, `udp PORT`, `{ udp: { port: N } }`; `raw` is the default. */
function readTransport(ref: Ref<MapNode>, context: Context): { readonly port: number } | undefined {
  const transport = child(ref, "transport");
  if (transport === undefined) return undefined;
  const fail = (message: string): undefined =>
    refuse(
      inside(transport),
      context,
      `transport: ${message}`,
      "raw, udp, udp PORT, or { udp: { port: PORT } }",
    );
  if (isScalar(transport)) {
    const [, kind, port] = /^(raw|udp)(?:\s+(\d{1,5}))?$/i.exec(transport.node.text.trim()) ?? [];
    if (kind === undefined || (kind.toLowerCase() === "raw" && port !== undefined))
      return fail("not raw or udp");
    if (kind.toLowerCase() === "raw") return undefined;
    const number = port === undefined ? DEFAULT_UDP_PORT : Number(port);
    return number >= 1 && number <= 65535 ? { port: number } : fail("the port is 1 to 65535");
  }
  if (!isMap(transport)) return fail("takes one transport");
  if (readBlock(transport, schemas().transport, context.problems) === undefined) return undefined;
  const udp = child(transport, "udp")!;
  const keys = isMap(udp) ? readBlock(udp, schemas().udp, context.problems) : undefined;
  if (isMap(udp)) return keys && { port: keys.port ?? DEFAULT_UDP_PORT };
  return isScalar(udp) && udp.node.empty ? { port: DEFAULT_UDP_PORT } : fail("udp is a block");
}
