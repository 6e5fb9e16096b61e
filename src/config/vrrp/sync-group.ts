/** vrrp_sync_group blocks: instances that change state together. */
import { describe, named, readBlock } from "../block.ts";
import type { Context } from "../context.ts";
import type { SyncGroupConfig } from "../model.ts";
import { child, isMap, isScalar, type MapNode, type Ref } from "../nodes.ts";
import { type Place, refuse } from "../place.ts";
import { quote } from "../problem.ts";
import { schemas } from "../schema.ts";
import { suggest } from "../suggest.ts";
import { items } from "../words.ts";
import { readNotify } from "./notify.ts";
import type { Execution } from "./script-security.ts";
import { readTracks } from "./track.ts";
import type { Trackables } from "./trackables.ts";

export interface GroupSurroundings {
  /** Names of all vrrp_instance blocks, also of those that could not be read. */
  readonly instances: ReadonlySet<string>;
  readonly known: Trackables;
  readonly execution: Execution;
}

export function readSyncGroups(
  ref: Ref | undefined,
  around: GroupSurroundings,
  context: Context,
): SyncGroupConfig[] {
  if (ref === undefined) return [];
  const out: SyncGroupConfig[] = [];
  const names = new Map<string, number>();
  /** Member -> the group that has it. */
  const taken = new Map<string, string>();
  for (const { name, block } of named(ref, "vrrp_sync_group", context.problems)) {
    const place = { offset: block.at, via: block.via };
    const first = names.get(name);
    if (first !== undefined)
      refuse(
        place,
        context,
        `vrrp_sync_group ${quote(name)} is defined twice`,
        `first at ${context.problems.line(first)}`,
      );
    names.set(name, block.at);
    if (!isMap(block)) {
      refuse(
        place,
        context,
        `vrrp_sync_group ${quote(name)} is a block, not ${describe(block.node)}`,
        "group: [INSTANCE, INSTANCE]",
      );
      continue;
    }
    if (readBlock(block, schemas().group, context.problems) === undefined) continue;
    const members = readMembers(name, block, around.instances, taken, context);
    const trackers = readTracks(block, around.known, context).map(({ track }) => track);
    out.push({ name, members, trackers, notify: readNotify(block, around.execution, context) });
  }
  return out;
}

function readMembers(
  group: string,
  ref: Ref<MapNode>,
  instances: ReadonlySet<string>,
  taken: Map<string, string>,
  context: Context,
): string[] {
  const out: string[] = [];
  const list = child(ref, "group")!;
  for (const { name, place } of items(list).flatMap((item) => memberNames(item, context))) {
    const other = taken.get(name);
    if (!instances.has(name)) {
      const near = suggest(name, instances);
      refuse(
        place,
        context,
        `group: there is no vrrp_instance ${quote(name)}`,
        near === undefined ? "name the instances of this file" : `did you mean ${near}?`,
      );
    } else if (other !== undefined)
      refuse(
        place,
        context,
        other === group
          ? `group: ${quote(name)} is listed twice`
          : `group: ${quote(name)} is in vrrp_sync_group ${quote(other)} too`,
        "an instance is in one group at most, once",
      );
    else {
      taken.set(name, group);
      out.push(name);
    }
  }
  const place = { offset: list.at, via: list.via };
  if (items(list).length === 0) refuse(place, context, "group is empty", "group: [INSTANCE, INSTANCE]");
  else if (out.length === 1)
    context.problems.warn("lonely-group", {
      ...place,
      message: `vrrp_sync_group ${quote(group)} has one member: nothing to keep in step`,
      hint: "list the instances that must move together",
    });
  return out;
}

/** One name each, or several in one text, as keepalived.conf has them on one line. */
function memberNames(item: Ref, context: Context): { name: string; place: Place }[] {
  const place = { offset: item.node.offset, via: item.via };
  if (isScalar(item))
    return item.node.text
      .split(/\s+/)
      .filter((name) => name !== "")
      .map((name) => ({ name, place }));
  refuse(place, context, `group takes names of instances, not ${describe(item.node)}`);
  return [];
}
