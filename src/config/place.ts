/** Places of keys and values for problems. */
import type { Context } from "./context.ts";
import { findEntry, isMap, type MapNode, type Ref } from "./nodes.ts";

export interface Place {
  readonly offset: number;
  readonly via?: number | undefined;
}

/** Place of a key's value, or of the block when the key is not written. */
export function at(ref: Ref<MapNode>, key: string): Place {
  const entry = findEntry(ref.node, key);
  return entry === undefined
    ? { offset: ref.at, via: ref.via }
    : { offset: entry.value.offset, via: entry.via ?? ref.via };
}

/** Place of a key itself, or of the block when the key is not written. */
export function atKey(ref: Ref<MapNode>, key: string): Place {
  const entry = findEntry(ref.node, key);
  return entry === undefined
    ? { offset: ref.at, via: ref.via }
    : { offset: entry.keyOffset, via: entry.via ?? ref.via };
}

/** Place of a value: of one key in it when it is a block that has the key. */
export const inside = (ref: Ref, key?: string): Place =>
  key !== undefined && isMap(ref) && findEntry(ref.node, key) !== undefined
    ? at(ref, key)
    : { offset: ref.node.offset, via: ref.via };

/** Reports an error at a value and returns undefined. */
export function refuse(place: Place, context: Context, message: string, hint?: string): undefined {
  context.problems.error({ ...place, message, hint });
  return undefined;
}
