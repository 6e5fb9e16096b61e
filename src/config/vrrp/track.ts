/** track_interface, track_script, ...: what an instance or group watches, with the weights resolved. */
import { parseEndpoint } from "../address.ts";
import { describe, readBlock } from "../block.ts";
import type { Context } from "../context.ts";
import type { TrackRef } from "../model.ts";
import { child, findEntry, isMap, isScalar, type MapNode, type Ref } from "../nodes.ts";
import { defined } from "../optional.ts";
import { type Place, refuse } from "../place.ts";
import { quote } from "../problem.ts";
import { schemas } from "../schema.ts";
import { suggest } from "../suggest.ts";
import { validInterfaceName } from "../values.ts";
import { items } from "../words.ts";
import type { Trackables } from "./trackables.ts";
import { parseWeight, WEIGHT_HINT, type Weight } from "./weight.ts";

const KINDS = {
  track_interface: "interface",
  track_script: "script",
  track_process: "process",
  track_file: "file",
  track_gateway: "gateway",
  track_virtual_server: "virtual_server",
} as const satisfies Readonly<Record<string, TrackRef["kind"]>>;
type Key = keyof typeof KINDS;

export interface PlacedTrack {
  readonly track: TrackRef;
  readonly key: Key;
  readonly place: Place;
}

/** Every track_* key of the block. */
export function readTracks(ref: Ref<MapNode>, known: Trackables, context: Context): PlacedTrack[] {
  return (Object.keys(KINDS) as Key[]).flatMap((key) => {
    const value = child(ref, key);
    return value === undefined ? [] : readList(value, key, known, context);
  });
}

interface Written {
  readonly name: string;
  readonly own: Weight | undefined;
  readonly place: Place;
}

function readList(ref: Ref, key: Key, known: Trackables, context: Context): PlacedTrack[] {
  const out: PlacedTrack[] = [];
  const seen = new Map<string, Place>();
  for (const { name, own, place } of items(ref).flatMap((item) => readItem(item, key, context))) {
    const found = resolveName(name, key, known, place, context);
    if (found === undefined) continue;
    const first = seen.get(found.name);
    if (first !== undefined) {
      refuse(
        place,
        context,
        `${key}: ${quote(name)} is tracked twice`,
        `first at ${context.problems.line(first.offset)}`,
      );
      continue;
    }
    seen.set(found.name, place);
    out.push({ key, place, track: merge(KINDS[key], found.name, own, found.defaults) });
  }
  return out;
}

/**
 * A weight given here brings its own direction; otherwise both come from the definition.
 * keepalived writes FAULT as 0; of a file that means "faults when not 0", which stays apart from its default 1.
 */
function merge(kind: TrackRef["kind"], name: string, own: Weight | undefined, base: Weight): TrackRef {
  const weight = own?.weight ?? base.weight;
  const reverse = own?.weight === undefined ? (own?.reverse ?? false) || base.reverse : own.reverse;
  return defined({ kind, name, weight: weight === 0 && kind !== "file" ? undefined : weight, reverse });
}

function readItem(item: Ref, key: Key, context: Context): Written[] {
  const place = { offset: item.node.offset, via: item.via };
  if (isScalar(item)) {
    const [, name = "", rest] = /^\s*(.*?)(?:\s+((?:weight\s|reverse\b).*))?\s*$/s.exec(item.node.text) ?? [];
    return written(name, rest, place, key, context);
  }
  if (!isMap(item)) {
    refuse(place, context, `${key} takes names, not ${describe(item.node)}`);
    return [];
  }
  if (findEntry(item.node, "name") !== undefined) return readOne(item, undefined, place, context);
  return item.node.entries.flatMap(({ key: name, keyOffset, value, via }) => {
    const at = { offset: keyOffset, via: via ?? item.via };
    const one: Ref = { node: value, at: keyOffset, via: at.via };
    if (isMap(one)) return readOne(one, name, at, context);
    if (isScalar(one)) {
      const text = one.node.empty || one.node.text === "true" ? undefined : one.node.text;
      return written(
        name,
        text,
        text === undefined ? at : { offset: value.offset, via: at.via },
        key,
        context,
      );
    }
    refuse(at, context, `${key}: a weight, not ${describe(value)}`, WEIGHT_HINT);
    return [];
  });
}

function readOne(ref: Ref<MapNode>, name: string | undefined, place: Place, context: Context): Written[] {
  const keys = readBlock(ref, schemas().track, context.problems);
  if (keys === undefined) return [];
  if (name !== undefined && keys.name !== undefined) {
    refuse(place, context, `both ${quote(name)} and name: ${quote(keys.name)}`, "keep one of them");
    return [];
  }
  const own =
    keys.weight === undefined && keys.reverse === undefined
      ? undefined
      : defined({ weight: keys.weight?.weight, reverse: keys.reverse ?? keys.weight?.reverse ?? false });
  return [{ name: name ?? keys.name!, own, place }];
}

function written(
  name: string,
  weight: string | undefined,
  place: Place,
  key: Key,
  context: Context,
): Written[] {
  if (name === "") {
    refuse(place, context, `${key}: a name is missing`, "NAME [weight N] [reverse]");
    return [];
  }
  const own = weight === undefined ? undefined : parseWeight(weight);
  if (weight !== undefined && own === undefined) {
    refuse(place, context, `${key}: ${quote(weight)} is not a weight`, WEIGHT_HINT);
    return [];
  }
  return [{ name, own, place }];
}

function resolveName(
  name: string,
  key: Key,
  known: Trackables,
  place: Place,
  context: Context,
): { readonly name: string; readonly defaults: Weight } | undefined {
  const plain = { reverse: false };
  if (key === "track_interface")
    return validInterfaceName(name)
      ? { name, defaults: plain }
      : refuse(
          place,
          context,
          `${key}: ${quote(name)} is not an interface name`,
          "NAME [weight N] [reverse]",
        );
  if (key === "track_virtual_server") {
    const service = resolveService(name, known, place, context);
    return service === undefined ? undefined : { name: service, defaults: plain };
  }
  const defaults = known[KINDS[key] as "script"].get(name);
  if (defaults !== undefined) return { name, defaults };
  const near = suggest(name, known[KINDS[key] as "script"].keys());
  const definition =
    key === "track_gateway" ? "track_gateway at top level" : `vrrp_${key.replace("track_script", "script")}`;
  return refuse(
    place,
    context,
    `${key}: there is no ${quote(name)}`,
    near === undefined ? `define it in ${definition}` : `did you mean ${near}?`,
  );
}

/** The service's key: "tcp 192.0.2.1:80". */
function resolveService(name: string, known: Trackables, place: Place, context: Context): string | undefined {
  const endpoint = parseEndpoint(name);
  if ("message" in endpoint)
    return refuse(place, context, `track_virtual_server: ${endpoint.message}`, endpoint.hint);
  const found = known.services.filter(
    (service) =>
      service.address === endpoint.address &&
      service.port === endpoint.port &&
      (endpoint.protocol === undefined || service.protocol === endpoint.protocol),
  );
  if (found.length === 1) return found[0]!.key;
  if (found.length > 1)
    return refuse(place, context, `track_virtual_server: ${quote(name)} is several`, "add tcp, udp or sctp");
  // One that could not be read is reported where it stands.
  if (!known.servicesComplete) return undefined;
  return refuse(
    place,
    context,
    `track_virtual_server: there is no virtual_server ${quote(name)}`,
    'name it as in virtual_server: "ADDR PORT"',
  );
}
