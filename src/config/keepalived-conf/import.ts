/**
 * keepalived.conf -> vipward's configuration: faithful, or with a warning that names the line.
 *
 * file -> reader.ts (lines) -> tree.ts (statements) -> import-*.ts (document) -> repair-*.ts (what keepalived itself
 * changes) -> validate.ts (vipward's own rules) -> YAML, or the Config itself
 */
import type { ParseOptions } from "../context.ts";
import type { LoadResult } from "../load.ts";
import { schemas } from "../schema.ts";
import * as doc from "./document.ts";
import { lines, route, rule, vip } from "./import-addresses.ts";
import { globalTable } from "./import-global.ts";
import { type ServiceDraft, serverGroup, serviceTable, virtualServer } from "./import-service.ts";
import { definition, fileTable, processTable, type ScriptUse, scriptTable } from "./import-track.ts";
import { groupTable, instanceTable } from "./import-vrrp.ts";
import { block, type Handler, noCounterpart, type Table, translate, unsupported } from "./keywords.ts";
import { Notes } from "./notes.ts";
import { type ReadOptions, type ReadResult, readConf, readLines } from "./reader.ts";
import { type GlobalDefaults, repairInstance } from "./repair-instance.ts";
import { repairService } from "./repair-service.ts";
import { settleUsers } from "./script-users.ts";
import { sourceFile } from "./source.ts";
import { buildTree, keywordOf, type Statement, wordsOf } from "./tree.ts";
import { type Placed, validate } from "./validate.ts";

export interface ImportOptions extends ReadOptions, Omit<ParseOptions, "env"> {}

export interface Imported {
  /** The configuration as it would be written, for yaml() of write.ts. */
  readonly document: doc.DocMap;
  readonly result: LoadResult;
  /** What could not be carried over as it stands. */
  readonly notes: Notes;
  /** Warnings of vipward's own about the result. */
  readonly lints: readonly Placed[];
  /** Absolute paths read, the main one first. */
  readonly files: readonly string[];
}

/** Reads a keepalived.conf and what it includes. Throws only when the file itself can't be read. */
export function importKeepalived(path: string, options: ImportOptions): Imported {
  const notes = new Notes();
  return importLines(readConf(path, options, notes), notes, options);
}

/** The same for text; never throws. */
export function importText(text: string, path: string, options: ImportOptions): Imported {
  const notes = new Notes();
  return importLines(readLines(sourceFile(path, path, text), options, notes), notes, options);
}

function importLines(
  { lines: read, main, files }: ReadResult,
  notes: Notes,
  options: ImportOptions,
): Imported {
  const tree = buildTree(read, main, notes);
  const written = doc.map({ file: main, line: 1, column: 1 });
  const uses: ScriptUse[] = [];
  const drafts: ServiceDraft[] = [];
  translate(tree, rootTable(uses, drafts, tree, notes), written, notes);
  placeServices(written, drafts, notes);
  repairInstances(written, notes);
  settleUsers(written, uses, notes);
  const document = ordered(written);
  const { result, lints } = validate(document, options, notes);
  if (!result.ok && notes.errors === 0)
    notes.error(written.spot, "no valid configuration could be made of this file");
  return { document: ordered(document), result, notes, lints, files: files.map((file) => file.absolute) };
}

function rootTable(
  uses: ScriptUse[],
  drafts: ServiceDraft[],
  tree: readonly Statement[],
  notes: Notes,
): Table {
  let preference = 16_385;
  const nextPreference = (): number => --preference;
  const device = defaultInterface(tree, notes);
  const named = (table: Table, key: string): Handler =>
    definition(table, key, (statement, into, out, to) => translate(statement.block ?? [], into, out, to));
  return {
    name: "keepalived.conf",
    keys: () => schemas().root.keys,
    keywords: {
      global_defs: block(globalTable),
      static_ipaddress: lines(vip(() => device)),
      static_routes: lines(route),
      static_rules: lines(rule(nextPreference)),
      vrrp_script: named(scriptTable(uses), "vrrp_script"),
      vrrp_track_process: named(processTable, "vrrp_track_process"),
      track_file: named(fileTable, "vrrp_track_file"),
      vrrp_track_file: named(fileTable, "vrrp_track_file"),
      vrrp_sync_group: named(groupTable(uses), "vrrp_sync_group"),
      vrrp_instance: named(instanceTable(uses, nextPreference), "vrrp_instance"),
      virtual_server_group: serverGroup,
      virtual_server: virtualServer(drafts, serviceTable(uses)),
      track_group: unsupported,
      garp_group: unsupported,
      bfd_instance: unsupported,
      interface_up_down_delays: unsupported,
      linkbeat_interfaces: unsupported,
      linkbeat_use_polling: unsupported,
      SSL: unsupported,
      net_namespace: unsupported,
      net_namespace_ipvs: unsupported,
      namespace_with_ipsets: noCounterpart,
      instance: noCounterpart,
      use_pid_dir: noCounterpart,
      child_wait_time: noCounterpart,
    },
  };
}

/** Static addresses without dev go to global_defs' default_interface, or eth0. */
function defaultInterface(tree: readonly Statement[], notes: Notes): string {
  let found = "eth0";
  for (const statement of tree)
    if (keywordOf(statement) === "global_defs")
      for (const inner of statement.block ?? [])
        if (keywordOf(inner) === "default_interface") found = wordsOf(inner, notes)?.[1]?.text ?? found;
  return found;
}

/** Services by "ADDR PORT", with the protocol behind it where one address and port is used twice. */
function placeServices(root: doc.DocMap, drafts: readonly ServiceDraft[], notes: Notes): void {
  const kept = drafts.filter((draft) => repairService(draft, notes));
  const protocols = new Map<string, Set<string>>();
  const protocolOf = ({ map }: ServiceDraft): string => (doc.textOf(map, "protocol") ?? "").toLowerCase();
  for (const draft of kept) {
    const known = protocols.get(draft.name) ?? new Set();
    protocols.set(draft.name, known.add(protocolOf(draft)));
  }
  for (const draft of kept) {
    const several = protocols.get(draft.name)!.size > 1;
    const name = several ? `${draft.name} ${protocolOf(draft)}` : draft.name;
    const { spot } = draft.statement;
    doc.add(doc.mapAt(root, "virtual_server", spot), name, draft.map, spot);
  }
}

function repairInstances(root: doc.DocMap, notes: Notes): void {
  const global = doc.get(root, "global_defs");
  const text = (key: string): string | undefined =>
    global?.kind === "map" ? doc.textOf(global, key) : undefined;
  const checked = text("vrrp_check_unicast_src");
  const defaults: GlobalDefaults = {
    version: Number(text("vrrp_version") ?? 2),
    strict: text("vrrp_strict") === "true",
    checkUnicast: checked === undefined ? undefined : checked === "true",
  };
  const instances = doc.get(root, "vrrp_instance");
  if (instances?.kind !== "map") return;
  for (const { key, value } of instances.entries)
    if (value.kind === "map") repairInstance(key, value, defaults, notes);
  dropEmpty(instances);
}

/** Empty lists say nothing. */
function dropEmpty(instances: doc.DocMap): void {
  for (const { value } of instances.entries)
    if (value.kind === "map")
      value.entries = value.entries.filter(
        ({ value: held }) => held.kind !== "list" || held.items.length > 0,
      );
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
