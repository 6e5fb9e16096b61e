/** Reads one block of keys through its schema; every finding is placed at its key or value. */
import type * as z from "zod";
import { type Entry, findEntry, type MapNode, type Node, type Ref } from "./nodes.ts";
import { type Problems, quote } from "./problem.ts";
import { isSecretKey } from "./secrets.ts";
import { suggest } from "./suggest.ts";
import { notYet } from "./unsupported.ts";

export interface BlockSchema<S extends z.ZodType> {
  /** The block's name in messages, e.g. "vrrp_instance". */
  readonly name: string;
  readonly schema: S;
  readonly keys: readonly string[];
}

const MAX_CACHED = 1000;

/**
 * Values of blocks that read the same, by schema. Thousands of real servers carry the same few keys and texts;
 * nested values are not part of the result's meaning (their readers take them from the node).
 */
const cache = new WeakMap<object, Map<string, unknown>>();

/** The block's values, or undefined when one of them is wrong (then the problems say which). */
export function readBlock<S extends z.ZodType>(
  ref: Ref<MapNode>,
  block: BlockSchema<S>,
  problems: Problems,
): z.output<S> | undefined {
  const { node } = ref;
  if (node.wrongFor === block && (ref.via === undefined || node.wrongVia)) return undefined;
  const same = cache.get(block) ?? new Map<string, unknown>();
  cache.set(block, same);
  const signature = signatureOf(node);
  const cached = signature === undefined ? undefined : same.get(signature);
  if (cached !== undefined) return cached as z.output<S>;
  const result = block.schema.safeParse(node.flat);
  if (result.success) {
    if (signature !== undefined && same.size < MAX_CACHED) same.set(signature, result.data);
    return result.data;
  }
  node.wrongFor = block;
  node.wrongVia = ref.via !== undefined;
  for (const issue of result.error.issues) report(ref, block, issue as z.core.$ZodIssue, problems);
  return undefined;
}

/** Keys and texts of a small block; undefined for one too large to be like others. */
function signatureOf(node: MapNode): string | undefined {
  if (node.entries.length > 30) return undefined;
  let out = "";
  for (const { key, value } of node.entries) {
    // Lengths keep the parts apart whatever they contain.
    if (value.kind !== "scalar") out += `${key.length}${value.kind}${key}`;
    else if (value.empty) out += `${key.length}-${key}`;
    else if (value.text.length > 100 || isSecretKey(key)) return undefined;
    else out += `${key.length},${value.text.length}:${key}${value.text}`;
  }
  return out;
}

function report(
  ref: Ref<MapNode>,
  block: BlockSchema<z.ZodType>,
  issue: z.core.$ZodIssue,
  problems: Problems,
): void {
  if (issue.code === "unrecognized_keys") {
    for (const key of issue.keys) unknownKey(ref, block, key, problems);
    return;
  }
  const key = String(issue.path[0] ?? "");
  const entry = findEntry(ref.node, key);
  if (entry === undefined) {
    problems.error({ offset: ref.at, message: `${block.name} needs ${key}`, via: ref.via });
    return;
  }
  const wrongShape = issue.code === "invalid_type";
  problems.error({
    offset: placeOf(entry),
    message: `${key}: ${wrongShape ? `takes a value, not a ${entry.value.kind === "list" ? "list" : "block"}` : issue.message}`,
    hint: issue.code === "custom" ? (issue.params?.hint as string | undefined) : undefined,
    via: entry.via ?? ref.via,
  });
}

/** Where a value stands; the key's place when nothing is written. */
export const placeOf = (entry: Entry): number => entry.value.offset;

function unknownKey(ref: Ref<MapNode>, block: BlockSchema<z.ZodType>, key: string, problems: Problems): void {
  if (problems.full) {
    problems.countError();
    return;
  }
  const entry = findEntry(ref.node, key)!;
  const where = { offset: entry.keyOffset, via: entry.via ?? ref.via };
  const later = notYet(block.name, key);
  if (later !== undefined) {
    problems.error({
      ...where,
      message: `${key} is not supported by this version of vipward yet`,
      hint: later,
    });
    return;
  }
  const near = suggest(key, block.keys);
  problems.error({
    ...where,
    message: `unknown key ${quote(key)} in ${block.name}`,
    hint: near === undefined ? knownKeys(block) : `did you mean ${near}?`,
  });
}

const MAX_LISTED = 30;
const knownKeys = ({ name, keys }: BlockSchema<z.ZodType>): string =>
  keys.length > MAX_LISTED ? `config/README.md lists the keys of ${name}` : `known keys: ${keys.join(", ")}`;

/** `key: block` or `key: [block, block]` as the list of blocks. */
export function repeated(ref: Ref): Ref[] {
  if (ref.node.kind !== "list") return [ref];
  return ref.node.items.map(
    (item): Ref => ({ node: item.node, at: item.node.offset, via: item.via ?? ref.via }),
  );
}

/** Named blocks: a map `NAME: block`, or a list of such maps. */
export function named(ref: Ref, what: string, problems: Problems): { name: string; block: Ref }[] {
  const out: { name: string; block: Ref }[] = [];
  for (const part of repeated(ref)) {
    if (part.node.kind === "map") {
      for (const { key, keyOffset, value, via } of part.node.entries)
        out.push({ name: key, block: { node: value, at: keyOffset, via: via ?? part.via } });
    } else if (!(part.node.kind === "scalar" && part.node.empty)) {
      problems.error({
        offset: part.node.offset,
        message: `${what} takes blocks by name, not ${describe(part.node)}`,
        via: part.via,
      });
    }
  }
  return out;
}

export const describe = (node: Node): string =>
  node.kind === "scalar" ? "a single value" : node.kind === "list" ? "a list" : "a block";
