/** Problems of a configuration file: what, where, and what to do. Secrets never get in here. */
import type { Entry } from "./nodes.ts";
import { overlapping, type SecretRange, secretInLine, secretRanges } from "./secrets.ts";

export interface Problem {
  readonly severity: "error" | "warning";
  readonly file: string;
  /** 1-based; 0 when the problem has no place (an unreadable file). */
  readonly line: number;
  /** 1-based, in UTF-16 units. */
  readonly column: number;
  readonly message: string;
  readonly hint?: string;
  /** The source line, secrets masked, control characters replaced, cut around the place when long. */
  readonly snippetLine: string;
  /** 0-based place of the caret in snippetLine. */
  readonly caret: number;
}

export interface Finding {
  readonly offset: number;
  readonly message: string;
  readonly hint?: string | undefined;
  /** Offset of the alias or merge this value was reached through. */
  readonly via?: number | undefined;
}

const MAX_ERRORS = 500;
const MAX_PER_LINT = 3;
const SNIPPET_WIDTH = 160;
const MASK = "****";

// Escapes and other controls must not reach the terminal of whoever checks a hostile file.
const clean = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "\ufffd");

/** Shortens what is quoted from the file in a message. */
export function quote(text: string): string {
  return `"${clean(text.length > 60 ? `${text.slice(0, 57)}...` : text)}"`;
}

/** Collects findings by source offset; turns them into placed, sorted problems. */
export class Problems {
  readonly file: string;
  readonly text: string;
  /** Keys whose values are secrets. */
  readonly secretEntries: Entry[] = [];
  /** Set when the file was read to the end: only then the secrets' places are known exactly. */
  parsed = false;
  private secrets: readonly SecretRange[] = [];
  errors = 0;
  private readonly found: { severity: "error" | "warning"; finding: Finding }[] = [];
  /** Index in `found` by place and message. */
  private readonly seen = new Map<string, number>();
  private readonly lints = new Map<string, number>();
  /** Index in `found` of the last shown problem of a lint kind. */
  private readonly lintLast = new Map<string, number>();
  private lineStarts: number[] | undefined;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
  }

  /** True when enough errors were collected; more are only counted. */
  get full(): boolean {
    return this.errors >= MAX_ERRORS;
  }

  error(finding: Finding): void {
    if (this.full) this.countError();
    else if (this.push("error", finding)) this.errors++;
  }

  /** One more that won't be shown. */
  countError(): void {
    this.errors++;
  }

  /** A lint kind is shown at its first places only, the rest counted: a file of 4,000 services stays readable. */
  warn(kind: string, finding: Finding): void {
    const count = (this.lints.get(kind) ?? 0) + 1;
    if (count <= MAX_PER_LINT && !this.push("warning", finding)) return;
    this.lints.set(kind, count);
    if (count === MAX_PER_LINT) this.lintLast.set(kind, this.found.length - 1);
  }

  private push(severity: "error" | "warning", finding: Finding): boolean {
    const key = `${finding.offset} ${finding.message}`;
    const before = this.seen.get(key);
    if (before !== undefined) {
      // One value reached through several aliases is one problem; the first alias is named.
      const { finding: first } = this.found[before]!;
      if (first.via === undefined) this.found[before]!.finding = { ...first, via: finding.via };
      return false;
    }
    this.seen.set(key, this.found.length);
    this.found.push({ severity, finding });
    return true;
  }

  /** "line 12" for references to another place of the same file. */
  line(offset: number): string {
    return `line ${this.locate(offset).line}`;
  }

  locate(offset: number): { line: number; column: number } {
    const starts = this.starts();
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const mid = (low + high + 1) >> 1;
      if (starts[mid]! <= offset) low = mid;
      else high = mid - 1;
    }
    return { line: low + 1, column: offset - starts[low]! + 1 };
  }

  /** True when a message about this place must not quote from the file. */
  secretLine(offset: number): boolean {
    const { begin, end } = this.lineAt(this.locate(offset).line);
    const range = secretInLine(this.text, begin, end);
    return range !== undefined && offset >= range.start;
  }

  private lineAt(line: number): { begin: number; end: number } {
    const starts = this.starts();
    const begin = starts[line - 1]!;
    let end = starts[line] ?? this.text.length;
    while (end > begin && (this.text[end - 1] === "\n" || this.text[end - 1] === "\r")) end--;
    return { begin, end };
  }

  /** All problems in the order of the file. */
  list(): Problem[] {
    this.secrets = secretRanges(this.secretEntries, this.text);
    for (const [kind, index] of this.lintLast) {
      const more = this.lints.get(kind)! - MAX_PER_LINT;
      const entry = this.found[index];
      if (more <= 0 || entry === undefined) continue;
      const hint = entry.finding.hint === undefined ? "" : `${entry.finding.hint}; `;
      entry.finding = { ...entry.finding, hint: `${hint}${more} more like this not shown` };
    }
    const rank = { error: 0, warning: 1 };
    const sorted = [...this.found].sort(
      (a, b) => a.finding.offset - b.finding.offset || rank[a.severity] - rank[b.severity],
    );
    const out = sorted.map(({ severity, finding }) => this.place(severity, finding));
    if (this.errors > MAX_ERRORS) {
      out.push(bareProblem(this.file, `${this.errors - MAX_ERRORS} more errors not shown`));
    }
    return out;
  }

  private place(severity: "error" | "warning", finding: Finding): Problem {
    const { line, column } = this.locate(finding.offset);
    const hints = finding.hint === undefined ? [] : [finding.hint];
    if (finding.via !== undefined) {
      const at = this.locate(finding.via);
      hints.push(`reached through the alias at ${this.file}:${at.line}:${at.column}`);
    }
    return {
      severity,
      file: this.file,
      line,
      column,
      message: clean(finding.message),
      ...(hints.length > 0 ? { hint: clean(hints.join("; ")) } : {}),
      ...this.snippet(line, column),
    };
  }

  private snippet(line: number, column: number): { snippetLine: string; caret: number } {
    const { begin, end } = this.lineAt(line);
    const masked = this.mask(begin, end, column - 1);
    let { shown, caret } = masked;
    if (shown.length > SNIPPET_WIDTH) {
      const from = Math.max(0, Math.min(caret - 60, shown.length - SNIPPET_WIDTH));
      const cut = shown.slice(from, from + SNIPPET_WIDTH);
      shown = `${from > 0 ? "..." : ""}${cut}${from + SNIPPET_WIDTH < masked.shown.length ? "..." : ""}`;
      caret = caret - from + (from > 0 ? 3 : 0);
    }
    return { snippetLine: clean(shown), caret };
  }

  /** Replaces every secret that touches the line; the caret stays on its character. */
  private mask(begin: number, end: number, caret: number): { shown: string; caret: number } {
    const guessed = this.parsed ? undefined : secretInLine(this.text, begin, end);
    const inLine = overlapping(this.secrets, begin, guessed?.start ?? end);
    if (guessed !== undefined) inLine.push(guessed);
    let shown = "";
    let at = begin;
    let moved = caret;
    for (const range of inLine) {
      const from = Math.max(range.start, at);
      const to = Math.min(range.end, end);
      if (to <= from) continue;
      shown += this.text.slice(at, from) + MASK;
      if (begin + caret >= to) moved += MASK.length - (to - from);
      else if (begin + caret > from) moved -= begin + caret - from;
      at = to;
    }
    return { shown: shown + this.text.slice(at, end), caret: moved };
  }

  private starts(): number[] {
    if (this.lineStarts !== undefined) return this.lineStarts;
    const starts = [0];
    const { text } = this;
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (c === 10 || (c === 13 && text.charCodeAt(i + 1) !== 10)) starts.push(i + 1);
    }
    this.lineStarts = starts;
    return starts;
  }
}

/** A problem with the file as a whole. */
export function bareProblem(file: string, message: string, hint?: string): Problem {
  return {
    severity: "error",
    file,
    line: 0,
    column: 0,
    message,
    ...(hint === undefined ? {} : { hint }),
    snippetLine: "",
    caret: 0,
  };
}
