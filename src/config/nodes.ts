/** The YAML file as nodes with source offsets: what the schemas read and the problems point at. */

export interface ScalarNode {
  readonly kind: "scalar";
  readonly offset: number;
  readonly end: number;
  readonly text: string;
  /** Nothing written at all (`nopreempt:`). */
  readonly empty: boolean;
}

export interface Entry {
  readonly key: string;
  readonly keyOffset: number;
  readonly value: Node;
  /** Offset of the alias or `<<` that brought the value here. */
  readonly via: number | undefined;
}

export interface MapNode {
  readonly kind: "map";
  readonly offset: number;
  readonly entries: Entry[];
  /** Scalars as text (null when empty), anything else as its node: the input of a block's schema. */
  readonly flat: Record<string, string | null | MapNode | ListNode>;
  /** Number of values with every alias written out. */
  readonly size: number;
  /** The schema that found this block wrong: an aliased block is reported once. */
  wrongFor?: unknown;
  /** Its problems name an alias already. */
  wrongVia?: boolean;
}

export interface ListNode {
  readonly kind: "list";
  readonly offset: number;
  readonly items: readonly { readonly node: Node; readonly via?: number | undefined }[];
  readonly size: number;
}

export type Node = ScalarNode | MapNode | ListNode;

/** A node and how it was reached. */
export interface Ref<N extends Node = Node> {
  readonly node: N;
  /** Place of the key (or of the list item) that holds it. */
  readonly at: number;
  readonly via?: number | undefined;
}

/** Values of a scalar, map or list with every alias written out. */
export const sizeOf = (node: Node): number => (node.kind === "scalar" ? 1 : node.size);

/** Sets a key that may be `__proto__`, which plain assignment would not store. */
export function setFlat(flat: MapNode["flat"], key: string, node: Node): void {
  const value = flatValue(node);
  if (key !== "__proto__") flat[key] = value;
  else Object.defineProperty(flat, key, { value, enumerable: true, configurable: true, writable: true });
}

export const flatValue = (node: Node): string | null | MapNode | ListNode =>
  node.kind === "scalar" ? (node.empty ? null : node.text) : node;

export const findEntry = (map: MapNode, key: string): Entry | undefined =>
  Object.hasOwn(map.flat, key) ? map.entries.find((entry) => entry.key === key) : undefined;

/** The value of a key, with the way it was reached carried on. */
export function child(parent: Ref<MapNode>, key: string): Ref | undefined {
  const entry = findEntry(parent.node, key);
  return entry && { node: entry.value, at: entry.keyOffset, via: entry.via ?? parent.via };
}

export const isMap = (ref: Ref): ref is Ref<MapNode> => ref.node.kind === "map";
export const isList = (ref: Ref): ref is Ref<ListNode> => ref.node.kind === "list";
export const isScalar = (ref: Ref): ref is Ref<ScalarNode> => ref.node.kind === "scalar";
/** Nothing, `null`, `~` or `true` where a block may be left out. */
export const isBare = (ref: Ref): boolean =>
  ref.node.kind === "scalar" && (ref.node.empty || ["null", "~", "true"].includes(ref.node.text));

/** `over` laid on `base`, maps merged key by key, anything else replaced; places stay those of the source. */
export function mergeMaps(base: MapNode, over: MapNode): MapNode {
  const entries = new Map(base.entries.map((entry) => [entry.key, entry]));
  for (const entry of over.entries) {
    const old = entries.get(entry.key);
    const value =
      old?.value.kind === "map" && entry.value.kind === "map"
        ? mergeMaps(old.value, entry.value)
        : entry.value;
    entries.set(entry.key, { ...entry, value });
  }
  const flat: MapNode["flat"] = {};
  for (const entry of entries.values()) setFlat(flat, entry.key, entry.value);
  return {
    kind: "map",
    offset: base.offset,
    entries: [...entries.values()],
    flat,
    size: base.size + over.size,
  };
}
