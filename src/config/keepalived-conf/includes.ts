/** `include PATTERN` and its checking variants: wildcards and csh braces, relative to the including file. */
import { dirname, resolve } from "node:path";
import { LimitReached } from "./limits.ts";

export interface Include {
  /** "", "r", "m", "w", "b" or "a": what must be there. */
  readonly variant: string;
  readonly pattern: string;
}

export function parseInclude(line: string): Include | undefined {
  const match = /^include([rmwba]?)\s+(\S.*)$/s.exec(line);
  if (match === null) return undefined;
  return { variant: match[1]!, pattern: match[2]!.replace(/^"(.*)"$/s, "$1") };
}

export interface Matches {
  /** Absolute paths, in the order of the pattern, each expansion sorted. */
  readonly paths: readonly string[];
  /** Expansions that are no file, of those that must be one. */
  readonly missing: readonly string[];
}

const MAX_EXPANSIONS = 1_000;
const MAX_MATCHES = 5_000;

/**
 * The files a pattern names. A name without wildcard must be there; with one, keepalived.conf(5): includew and
 * includea want at least one match, include may find nothing.
 */
export function findFiles(
  { variant, pattern }: Include,
  fromFile: string,
  listDirectory: (path: string) => readonly string[],
): Matches {
  const paths: string[] = [];
  const missing: string[] = [];
  for (const expansion of expandBraces(pattern)) {
    const absolute = resolve(dirname(fromFile), expansion);
    if (!hasWildcard(expansion)) {
      paths.push(absolute);
      continue;
    }
    const found = glob(absolute, listDirectory);
    paths.push(...found);
    if (paths.length > MAX_MATCHES) throw new LimitReached(`include: more than ${MAX_MATCHES} files`);
    if (found.length === 0 && (variant === "w" || variant === "a")) missing.push(expansion);
  }
  return { paths, missing };
}

const hasWildcard = (text: string): boolean => /[*?[]/.test(text);

/** "a{b,c{d,e}}" -> ab, acd, ace */
export function expandBraces(pattern: string): string[] {
  const open = pattern.indexOf("{");
  const close = open === -1 ? -1 : closing(pattern, open);
  if (close === -1) return [pattern];
  const before = pattern.slice(0, open);
  const parts = alternatives(pattern.slice(open + 1, close));
  const after = expandBraces(pattern.slice(close + 1));
  const out = parts.flatMap(expandBraces).flatMap((part) => after.map((tail) => before + part + tail));
  if (out.length > MAX_EXPANSIONS) throw new LimitReached(`include: more than ${MAX_EXPANSIONS} expansions`);
  return out;
}

function closing(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === "{") depth++;
    else if (text[i] === "}" && --depth === 0) return i;
  }
  return -1;
}

function alternatives(text: string): string[] {
  const out: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "{") depth++;
    else if (text[i] === "}") depth--;
    else if (text[i] === "," && depth === 0) {
      out.push(text.slice(from, i));
      from = i + 1;
    }
  }
  out.push(text.slice(from));
  if (out.length > MAX_EXPANSIONS) throw new LimitReached(`include: more than ${MAX_EXPANSIONS} expansions`);
  return out;
}

function glob(pattern: string, listDirectory: (path: string) => readonly string[]): string[] {
  let found = ["/"];
  for (const part of pattern.split("/").filter((step) => step !== "")) {
    const join = (base: string, name: string): string => (base === "/" ? `/${name}` : `${base}/${name}`);
    if (!hasWildcard(part)) {
      found = found.map((base) => join(base, part));
      continue;
    }
    found = found.flatMap((base) =>
      listDirectory(base)
        .filter((name) => matches(name, part))
        .sort()
        .map((name) => join(base, name)),
    );
    if (found.length > MAX_MATCHES) throw new LimitReached(`include: more than ${MAX_MATCHES} files`);
  }
  // A literal tail behind a wildcard may be missing in some of the directories.
  const last = pattern.slice(pattern.lastIndexOf("/") + 1);
  if (hasWildcard(last)) return found;
  return found.filter((path) => listDirectory(dirname(path)).includes(last));
}

/** fnmatch(3) of one path component: `*`, `?`, `[a-c]`, `[!a]`; a leading dot must be written. */
export function matches(name: string, pattern: string): boolean {
  if (name.startsWith(".") && !pattern.startsWith(".")) return false;
  // Greedy with one point to come back to: linear in practice, never exponential.
  let n = 0;
  let p = 0;
  let starAt = -1;
  let starName = 0;
  while (n < name.length) {
    if (pattern[p] === "*") {
      starAt = p++;
      starName = n;
      continue;
    }
    const next = p < pattern.length ? matchOne(name[n]!, pattern, p) : undefined;
    if (next !== undefined) {
      n++;
      p = next;
    } else if (starAt !== -1) {
      p = starAt + 1;
      n = ++starName;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** Where the pattern goes on when this character fits. */
function matchOne(c: string, pattern: string, at: number): number | undefined {
  if (pattern[at] === "?") return at + 1;
  if (pattern[at] !== "[") return pattern[at] === c ? at + 1 : undefined;
  const close = pattern.indexOf("]", at + 2);
  if (close === -1) return c === "[" ? at + 1 : undefined;
  let set = pattern.slice(at + 1, close);
  const negated = set.startsWith("!") || set.startsWith("^");
  if (negated) set = set.slice(1);
  let inside = false;
  for (let i = 0; i < set.length; i++) {
    if (set[i + 1] === "-" && i + 2 < set.length) {
      inside ||= c >= set[i]! && c <= set[i + 2]!;
      i += 2;
    } else inside ||= c === set[i];
  }
  return inside === negated ? undefined : close + 1;
}
