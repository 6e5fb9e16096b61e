/** The last steps of every import: top-level order, vipward's own rules, the result. */
import type { ParseOptions } from "../context.ts";
import type { LoadResult } from "../load.ts";
import * as doc from "./document.ts";
import type { Notes } from "./notes.ts";
import { type Placed, validate } from "./validate.ts";

export interface Imported {
  /** The configuration as it would be written: see write.ts. */
  readonly document: doc.DocMap;
  readonly result: LoadResult;
  /** What could not be carried over as it stands. */
  readonly notes: Notes;
  /** Warnings of vipward's own about the result. */
  readonly lints: readonly Placed[];
  /** Absolute paths read, the main one first. */
  readonly files: readonly string[];
}

export function finish(
  written: doc.DocMap,
  notes: Notes,
  files: readonly string[],
  options: ParseOptions,
): Imported {
  const document = ordered(written);
  const { result, lints } = validate(document, options, notes);
  if (!result.ok && notes.errors === 0)
    notes.error(written.spot, "no valid configuration could be made of this file");
  return { document: ordered(document), result, notes, lints, files };
}

/** One service of an import, before its name is known to be unique. */
export interface Named {
  /** "ADDR PORT", "fwmark N" or "group NAME". */
  readonly name: string;
  readonly map: doc.DocMap;
}

/** Services by name, with the protocol behind it where one address and port is used twice. */
export function placeServices(root: doc.DocMap, services: readonly Named[]): void {
  const protocols = new Map<string, Set<string>>();
  const protocolOf = ({ map }: Named): string => (doc.textOf(map, "protocol") ?? "").toLowerCase();
  for (const service of services) {
    const known = protocols.get(service.name) ?? new Set();
    protocols.set(service.name, known.add(protocolOf(service)));
  }
  for (const service of services) {
    const several = protocols.get(service.name)!.size > 1;
    const name = several ? `${service.name} ${protocolOf(service)}` : service.name;
    const { spot } = service.map;
    doc.add(doc.mapAt(root, "virtual_server", spot), name, service.map, spot);
  }
}

const ORDER = [
  "global_defs",
  "static_ipaddress",
  "static_routes",
  "static_rules",
  "vrrp_script",
  "vrrp_track_process",
  "vrrp_track_file",
  "vrrp_sync_group",
  "vrrp_instance",
  "virtual_server_group",
  "virtual_server",
];

/** Top-level blocks in one order, whatever that of the file; what became empty is not written. */
function ordered(root: doc.DocMap): doc.DocMap {
  const out = doc.map(root.spot);
  const rank = (key: string): number => (ORDER.includes(key) ? ORDER.indexOf(key) : ORDER.length);
  out.entries = [...root.entries]
    .filter(({ value }) => (value.kind === "map" ? value.entries.length : 1) > 0)
    .sort((a, b) => rank(a.key) - rank(b.key));
  return out;
}
