/** YAML text -> nodes. Every scalar is text (`0123` stays "0123"); merges, aliases, all duplicates, hard limits. */
import { EVENT_ID, type Event, getScalarValue, parseEvents, SCALAR_STYLE, type ScalarEvent } from "js-yaml";
import {
  type Entry,
  type ListNode,
  type MapNode,
  type Node,
  type ScalarNode,
  setFlat,
  sizeOf,
} from "./nodes.ts";
import { type Problems, quote } from "./problem.ts";
import { isSecretKey } from "./secrets.ts";
import { MAX_DEPTH, syntaxError, withinLimits } from "./yaml-limits.ts";

/** Values with all aliases written out: bounds what an alias bomb can become. */
const MAX_EXPANDED = 2_000_000;
const MAX_MERGED = 500_000;

/** The root mapping, or undefined when the file can't be read on (the problems say why). */
export function parseYaml(problems: Problems): MapNode | undefined {
  const { text } = problems;
  if (!withinLimits(text, problems)) return undefined;
  let events: Event[];
  try {
    events = parseEvents(text, { maxDepth: MAX_DEPTH });
  } catch (error) {
    syntaxError(problems, error);
    return undefined;
  }
  return new Builder(events, problems).root();
}

interface Properties {
  readonly anchorStart: number;
  readonly anchorEnd: number;
  readonly tagStart: number;
  readonly tagEnd: number;
}

/** Turns the parser's flat events into nodes in one pass. */
class Builder {
  private index = 0;
  private merged = 0;
  private readonly anchors = new Map<string, Node | undefined>();
  private readonly events: readonly Event[];
  private readonly problems: Problems;
  private fatal = false;
  /** Place of the alias that gave the last value. */
  private via: number | undefined;

  constructor(events: readonly Event[], problems: Problems) {
    this.events = events;
    this.problems = problems;
  }

  root(): MapNode | undefined {
    const { problems } = this;
    if (this.events.length === 0) {
      problems.error({
        offset: 0,
        message: "the file holds no configuration",
        hint: "see the examples in config/",
      });
      return undefined;
    }
    this.index = 1;
    const node = this.value(0);
    if (this.fatal) return undefined;
    this.index++;
    if (this.index < this.events.length) {
      const offset = this.startOf(this.events[this.index + 1]);
      problems.error({
        offset,
        message: "a second YAML document",
        hint: 'one file holds one document: remove the "---"',
      });
      return undefined;
    }
    if (node.kind !== "map") {
      const empty = node.kind === "scalar" && node.empty;
      problems.error({
        offset: node.offset,
        message: empty ? "the file holds no configuration" : "the file must be a mapping of blocks",
        hint: "global_defs, vrrp_instance, virtual_server, each with its keys indented below",
      });
      return undefined;
    }
    if (sizeOf(node) > MAX_EXPANDED) {
      problems.error({
        offset: node.offset,
        message: `aliases expand this file to more than ${MAX_EXPANDED.toLocaleString("en")} values`,
        hint: "this is far beyond any real configuration",
      });
      return undefined;
    }
    return node;
  }

  private startOf(event: Event | undefined): number {
    if (event?.type === EVENT_ID.SCALAR) return scalarOffset(event) ?? 0;
    if (event?.type === EVENT_ID.SEQUENCE || event?.type === EVENT_ID.MAPPING) return event.start;
    if (event?.type === EVENT_ID.ALIAS) return event.anchorStart - 1;
    return 0;
  }

  /** One value; `at` is its place when nothing is written. Sets `via`. */
  private value(at: number): Node {
    const event = this.events[this.index++]!;
    switch (event.type) {
      case EVENT_ID.SCALAR:
        this.via = undefined;
        return this.scalar(event, at);
      case EVENT_ID.ALIAS:
        this.via = event.anchorStart - 1;
        return this.alias(event.anchorStart, event.anchorEnd);
      case EVENT_ID.SEQUENCE:
        return this.anchored(event, "!!seq", this.list(event.start));
      case EVENT_ID.MAPPING:
        return this.anchored(event, "!!map", this.map(event.start));
      default:
        throw new Error(`unexpected YAML event ${event.type}`);
    }
  }

  private anchored(event: Properties, tag: string, node: Node): Node {
    this.properties(event, tag);
    this.anchor(event, node);
    this.via = undefined;
    return node;
  }

  private scalar(event: ScalarEvent, at: number): ScalarNode {
    if (event.tagStart !== -1) this.properties(event, "!!str");
    const offset = scalarOffset(event);
    const text =
      offset === undefined
        ? ""
        : event.fast
          ? this.problems.text.slice(event.valueStart, event.valueEnd)
          : this.decode(event);
    const empty = text === "" && event.style === SCALAR_STYLE.PLAIN;
    const end = event.valueEnd + (isQuoted(event) ? 1 : 0);
    const node: ScalarNode = {
      kind: "scalar",
      offset: offset ?? at,
      end: offset === undefined ? at : end,
      text,
      empty,
    };
    if (event.anchorStart !== -1) this.anchor(event, node);
    return node;
  }

  private decode(event: ScalarEvent): string {
    try {
      return getScalarValue(this.problems.text, event);
    } catch (error) {
      syntaxError(this.problems, error);
      return "";
    }
  }

  private list(offset: number): ListNode {
    const items: { node: Node; via: number | undefined }[] = [];
    let size = 1;
    while (this.events[this.index]!.type !== EVENT_ID.POP) {
      const node = this.value(offset);
      items.push({ node, via: this.via });
      size += sizeOf(node);
    }
    this.index++;
    return { kind: "list", offset, items, size };
  }

  private map(offset: number): MapNode {
    const entries: Entry[] = [];
    const flat: MapNode["flat"] = {};
    const merges: { node: Node; at: number; via: number }[] = [];
    let size = 1;
    while (this.events[this.index]!.type !== EVENT_ID.POP) {
      const keyEvent = this.events[this.index]!;
      let key: string | undefined;
      let keyOffset: number;
      if (keyEvent.type === EVENT_ID.SCALAR && keyEvent.fast && keyEvent.anchorStart === -1) {
        // Nearly every key: no node needed for it.
        this.index++;
        key = this.problems.text.slice(keyEvent.valueStart, keyEvent.valueEnd);
        keyOffset = isQuoted(keyEvent) ? keyEvent.valueStart - 1 : keyEvent.valueStart;
      } else {
        const keyNode = this.value(offset);
        key = keyNode.kind === "scalar" ? keyNode.text : undefined;
        keyOffset = keyEvent.type === EVENT_ID.ALIAS ? keyEvent.anchorStart - 1 : keyNode.offset;
      }
      const node = this.value(keyOffset);
      const { via } = this;
      if (key === undefined)
        this.problems.error({ offset: keyOffset, message: "a key must be text, not a block or list" });
      else if (key === "<<" && keyEvent.type === EVENT_ID.SCALAR && keyEvent.style === SCALAR_STYLE.PLAIN)
        merges.push({ node, at: keyOffset, via: via ?? keyOffset });
      else if (Object.hasOwn(flat, key)) this.duplicate(entries, key, keyOffset);
      else {
        const entry = { key, keyOffset, value: node, via };
        entries.push(entry);
        setFlat(flat, key, node);
        if (isSecretKey(key)) this.problems.secretEntries.push(entry);
        size += sizeOf(node);
      }
    }
    this.index++;
    for (const merge of merges) size += this.merge(entries, flat, merge);
    return { kind: "map", offset, entries, flat, size };
  }

  private duplicate(entries: readonly Entry[], key: string, offset: number): void {
    if (this.problems.full) {
      this.problems.countError();
      return;
    }
    const first = entries.find((entry) => entry.key === key)!;
    this.problems.error({
      offset,
      message: `duplicate key ${quote(key)}`,
      hint: `first given at ${this.problems.line(first.keyOffset)}; a repeated block is written as a list`,
    });
  }

  /** `<<`: keys already there win, earlier merges win over later ones. */
  private merge(
    entries: Entry[],
    flat: MapNode["flat"],
    merge: { node: Node; at: number; via: number },
  ): number {
    const sources = merge.node.kind === "list" ? merge.node.items : [{ node: merge.node, via: merge.via }];
    let size = 0;
    for (const source of sources) {
      if (source.node.kind !== "map") {
        this.problems.error({ offset: merge.at, message: '"<<" takes a block or a list of blocks' });
        continue;
      }
      for (const entry of source.node.entries) {
        if (++this.merged > MAX_MERGED) return this.tooMany(merge.at, size);
        if (Object.hasOwn(flat, entry.key)) continue;
        entries.push({ ...entry, via: source.via ?? merge.via });
        setFlat(flat, entry.key, entry.value);
        size += sizeOf(entry.value);
      }
    }
    return size;
  }

  private tooMany(offset: number, size: number): number {
    if (!this.fatal)
      this.problems.error({
        offset,
        message: `merges ("<<") copy more than ${MAX_MERGED.toLocaleString("en")} keys`,
      });
    this.fatal = true;
    return size;
  }

  private alias(start: number, end: number): Node {
    const name = this.problems.text.slice(start, end);
    const node = this.anchors.get(name);
    if (node !== undefined) return node;
    const shown = this.problems.secretLine(start) ? "" : ` ${quote(`*${name}`)}`;
    this.problems.error({
      offset: start - 1,
      message: `alias${shown} has no anchor before it`,
      hint: "mark the block to repeat with &NAME above this line; text that starts with * needs quotes",
    });
    this.fatal = true;
    return { kind: "scalar", offset: start - 1, end, text: "", empty: true };
  }

  private anchor(event: Properties, node: Node): void {
    if (event.anchorStart !== -1)
      this.anchors.set(this.problems.text.slice(event.anchorStart, event.anchorEnd), node);
  }

  /** Tags change types; here every type comes from the key's schema. */
  private properties(event: Properties, allowed: string): void {
    if (event.tagStart === -1) return;
    const tag = this.problems.text.slice(event.tagStart, event.tagEnd);
    if (tag === allowed || tag === "!") return;
    const shown = this.problems.secretLine(event.tagStart) ? "" : ` ${quote(tag)}`;
    this.problems.error({
      offset: event.tagStart,
      message: `YAML tag${shown} is not used here`,
      hint: "remove the tag; text that starts with ! needs quotes",
    });
    // What follows a tag is often the rest of unquoted text.
    this.fatal = true;
  }
}

const isQuoted = (event: ScalarEvent): boolean =>
  event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED;

/** Where the scalar starts, its quote included; undefined when nothing is written. */
function scalarOffset(event: ScalarEvent): number | undefined {
  if (event.valueStart === -1) return undefined;
  return isQuoted(event) ? event.valueStart - 1 : event.valueStart;
}
