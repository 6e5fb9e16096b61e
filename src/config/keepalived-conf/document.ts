/** The configuration being written: keys, values, lists, each with the place it comes from. */
import { type Entry, type ListNode, type MapNode, type Node, setFlat, sizeOf } from "../nodes.ts";
import type { Spot } from "./source.ts";

export interface DocScalar {
  readonly kind: "scalar";
  readonly text: string;
  readonly spot: Spot;
}
export interface DocEntry {
  readonly key: string;
  readonly value: Doc;
  /** Of the keyword. */
  readonly spot: Spot;
}
export interface DocMap {
  readonly kind: "map";
  readonly spot: Spot;
  entries: DocEntry[];
}
export interface DocList {
  readonly kind: "list";
  readonly spot: Spot;
  items: Doc[];
}
export type Doc = DocScalar | DocMap | DocList;

export const scalar = (text: string, spot: Spot): DocScalar => ({ kind: "scalar", text, spot });
export const map = (spot: Spot): DocMap => ({ kind: "map", spot, entries: [] });
export const list = (spot: Spot, items: Doc[] = []): DocList => ({ kind: "list", spot, items });

export const get = (doc: DocMap, key: string): Doc | undefined =>
  doc.entries.find((entry) => entry.key === key)?.value;

/** The text of a scalar key. */
export function textOf(doc: DocMap, key: string): string | undefined {
  const value = get(doc, key);
  return value?.kind === "scalar" ? value.text : undefined;
}

export const has = (doc: DocMap, key: string): boolean => doc.entries.some((entry) => entry.key === key);

export function add(doc: DocMap, key: string, value: Doc, spot: Spot = value.spot): void {
  doc.entries.push({ key, value, spot });
}

/** Replaces the key where it stands, or adds it. */
export function set(doc: DocMap, key: string, value: Doc, spot: Spot = value.spot): void {
  const index = doc.entries.findIndex((entry) => entry.key === key);
  if (index === -1) add(doc, key, value, spot);
  else doc.entries[index] = { key, value, spot };
}

export function remove(doc: DocMap, key: string): void {
  doc.entries = doc.entries.filter((entry) => entry.key !== key);
}

/** The map or list under a key, made when it is not there. */
export function mapAt(doc: DocMap, key: string, spot: Spot): DocMap {
  const found = get(doc, key);
  if (found?.kind === "map") return found;
  const made = map(spot);
  add(doc, key, made, spot);
  return made;
}
export function listAt(doc: DocMap, key: string, spot: Spot): DocList {
  const found = get(doc, key);
  if (found?.kind === "list") return found;
  const made = list(spot);
  add(doc, key, made, spot);
  return made;
}

/** Adds a block that may be repeated: one block stands alone, several are a list. */
export function addRepeated(doc: DocMap, key: string, value: Doc, spot: Spot): void {
  const found = get(doc, key);
  if (found === undefined) add(doc, key, value, spot);
  else if (found.kind === "list") found.items.push(value);
  else set(doc, key, list(found.spot, [found, value]));
}

/** What stands at an offset of the nodes: where it comes from, and the entries and items it is inside of. */
export interface Origin {
  readonly spot: Spot;
  readonly owner: Owner;
}
export type Owner =
  | { readonly in: DocMap; readonly entry: DocEntry; readonly up: Owner | undefined }
  | { readonly in: DocList; readonly item: Doc; readonly up: Owner | undefined }
  | undefined;

/** As the readers of the YAML see it; a node's offset is its index in `origins`. */
export function toNodes(root: DocMap): { readonly node: MapNode; readonly origins: readonly Origin[] } {
  const origins: Origin[] = [{ spot: root.spot, owner: undefined }];
  const place = (spot: Spot, owner: Owner): number => origins.push({ spot, owner }) - 1;
  const convert = (doc: Doc, owner: Owner): Node => {
    const offset = place(doc.spot, owner);
    if (doc.kind === "scalar") return { kind: "scalar", offset, end: offset, text: doc.text, empty: false };
    if (doc.kind === "list") {
      const items = doc.items.map((item) => ({ node: convert(item, { in: doc, item, up: owner }) }));
      return { kind: "list", offset, items, size: sum(items.map(({ node }) => node)) } satisfies ListNode;
    }
    return convertMap(doc, offset, owner);
  };
  const convertMap = (doc: DocMap, offset: number, up: Owner): MapNode => {
    const entries = doc.entries.map((entry): Entry => {
      const owner = { in: doc, entry, up };
      const keyOffset = place(entry.spot, owner);
      return { key: entry.key, keyOffset, value: convert(entry.value, owner), via: undefined };
    });
    const flat: MapNode["flat"] = {};
    for (const entry of entries) setFlat(flat, entry.key, entry.value);
    return { kind: "map", offset, entries, flat, size: sum(entries.map((entry) => entry.value)) };
  };
  return { node: convertMap(root, 0, undefined), origins };
}

const sum = (nodes: readonly Node[]): number => nodes.reduce((total, node) => total + sizeOf(node), 1);

export type Plain = string | number | boolean | Plain[] | { [key: string]: Plain };

/** For the YAML writer: what reads as a number or flag is written as one, but for the given keys. */
export function toPlain(doc: Doc, textKeys: ReadonlySet<string>, key = ""): Plain {
  if (doc.kind === "list") return doc.items.map((item) => toPlain(item, textKeys, key));
  if (doc.kind === "scalar") return textKeys.has(key) ? doc.text : plainScalar(doc.text);
  const out: { [key: string]: Plain } = {};
  for (const { key: name, value } of doc.entries)
    Object.defineProperty(out, name, {
      value: toPlain(value, textKeys, name),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  return out;
}

function plainScalar(text: string): Plain {
  if (text === "true") return true;
  if (text === "false") return false;
  // Only what comes out of the writer exactly as it went in.
  const number = Number(text);
  return /^-?\d{1,15}(\.\d{1,9})?$/.test(text) && String(number) === text ? number : text;
}
