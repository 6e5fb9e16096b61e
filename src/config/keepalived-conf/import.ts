/**
 * keepalived.conf -> vipward's configuration: faithful, or with a warning that names the line.
 *
 * file -> reader.ts (lines) -> tree.ts (statements) -> import-*.ts (document) -> repair-*.ts (what keepalived itself
 * changes) -> validate.ts (vipward's own rules) -> YAML, or the Config itself
 */
import type { ParseOptions } from "../context.ts";
import { schemas } from "../schema.ts";
import * as doc from "./document.ts";
import { finish, type Imported, placeServices } from "./finish.ts";
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

export interface ImportOptions extends ReadOptions, Omit<ParseOptions, "env"> {}

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
  placeServices(
    written,
    drafts.filter((draft) => repairService(draft, notes)),
  );
  repairInstances(written, notes);
  settleUsers(written, uses, notes);
  return finish(
    written,
    notes,
    files.map((file) => file.absolute),
    options,
  );
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
