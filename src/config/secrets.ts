/** Finds what must not be shown, before anything is shown. */
import type { Entry, Node } from "./nodes.ts";

/** Half-open offsets of text that must not be shown. */
export interface SecretRange {
  readonly start: number;
  readonly end: number;
}

const SECRET_KEY = /pass|secret|auth|hmac/i;
/** Words that are no secret inside an authentication block. */
const HARMLESS = /^(PASS|AH|true|false|time|monotonic|enforce|permissive|receive-only)$/i;
const MAX_KNOWN = 10_000;

const known = new Map<string, boolean>();
/** Misspelt keys count too: `auth_passs` holds the same secret. */
export function isSecretKey(key: string): boolean {
  let secret = known.get(key);
  if (secret === undefined) {
    secret = SECRET_KEY.test(key);
    if (known.size < MAX_KNOWN) known.set(key, secret);
  }
  return secret;
}

/** Everything under the given entries, aliased values included. */
export function secretRanges(entries: readonly Entry[], text: string): SecretRange[] {
  const out: SecretRange[] = [];
  const seen = new Set<Node>();
  const visit = (node: Node, under: string): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.kind === "list") for (const item of node.items) visit(item.node, under);
    else if (node.kind === "map") {
      for (const { key, keyOffset, value } of node.entries) {
        // `VALUE: ID`, the wrong way round.
        if (under === "key" && !/^(\d{1,3}|file|env)$/.test(key))
          out.push({ start: keyOffset, end: lineEndingFrom(text, keyOffset) });
        // Files and variables are only named; their names help whoever reads the problem.
        if (key !== "file" && key !== "env") visit(value, key);
      }
    } else if (!HARMLESS.test(node.text)) {
      out.push({
        start: node.empty ? lineEndingFrom(text, node.end) : node.offset,
        end: withComment(text, node.end),
      });
    }
  };
  for (const entry of entries) {
    if (entry.value.kind === "scalar" && entry.value.empty) out.push(afterKey(text, entry.keyOffset));
    visit(entry.value, entry.key);
  }
  return disjoint(out);
}

function disjoint(ranges: SecretRange[]): SecretRange[] {
  const out: SecretRange[] = [];
  for (const range of ranges.sort((a, b) => a.start - b.start)) {
    const last = out.at(-1);
    if (last !== undefined && range.start <= last.end)
      out[out.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
    else out.push(range);
  }
  return out;
}

/** Those of the sorted, disjoint ranges that touch [begin, end). */
export function overlapping(ranges: readonly SecretRange[], begin: number, end: number): SecretRange[] {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (ranges[mid]!.end <= begin) low = mid + 1;
    else high = mid;
  }
  const out: SecretRange[] = [];
  for (let i = low; i < ranges.length && ranges[i]!.start < end; i++) out.push(ranges[i]!);
  return out;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text[at] === " " || text[at] === "\t") at++;
  return at;
}

const lineEndingFrom = (text: string, from: number): number => {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.length : end;
};

/** `auth_pass: a #b` reads as "a" and a comment; the writer may have meant all of it. */
function withComment(text: string, end: number): number {
  const at = skipBlanks(text, end);
  return text[at] === "#" ? lineEndingFrom(text, at) : end;
}

function afterKey(text: string, keyOffset: number): SecretRange {
  const end = lineEndingFrom(text, keyOffset);
  const colon = text.indexOf(":", keyOffset);
  return { start: colon === -1 || colon > end ? keyOffset : skipBlanks(text, colon + 1), end };
}

const SECRET_BEFORE_COLON = /(?:pass|secret|hmac)[^\s:]*["']?[ \t]*:/i;
const LOOK_BACK_LINES = 50;
const LONGEST_LINE = 10_000;

/**
 * For a file that could not be read to the end: what to mask of the line [begin, end).
 * The value's end is unknown, so too much is masked rather than too little.
 */
export function secretInLine(text: string, begin: number, end: number): SecretRange | undefined {
  const line = text.slice(begin, Math.min(end, begin + LONGEST_LINE));
  const match = SECRET_BEFORE_COLON.exec(line) ?? /hex:/i.exec(line);
  if (match) return { start: skipBlanks(text, begin + match.index + match[0].length), end };
  let indent = indentOf(line);
  const own = indent;
  let lineEnd = begin - 1;
  for (let i = 0; i < LOOK_BACK_LINES && lineEnd > 0 && indent > 0; i++) {
    const lineBegin = text.lastIndexOf("\n", lineEnd - 1) + 1;
    const before = text.slice(lineBegin, Math.min(lineEnd, lineBegin + LONGEST_LINE));
    if (before.trim() !== "" && indentOf(before) < indent) {
      if (SECRET_BEFORE_COLON.test(before)) return { start: begin + own, end };
      // The keys of auth_hmac stand two blocks below it.
      indent = indentOf(before);
    }
    lineEnd = lineBegin - 1;
  }
  return undefined;
}

const indentOf = (line: string): number => line.length - line.trimStart().length;
