/**
 * A keepalived.conf and what it includes -> the lines that remain.
 *
 * comments -> @conditions -> $definitions -> ~repetitions -> substitution -> includes -> lines (tree.ts splits braces)
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { quote } from "../problem.ts";
import { isSecretKey } from "../secrets.ts";
import { applyConditions } from "./conditionals.ts";
import { type BodyLine, type BuiltIns, continued, Definitions, parseDefinition } from "./definitions.ts";
import { findFiles, type Include, parseInclude } from "./includes.ts";
import { stripComment } from "./lexer.ts";
import {
  LimitReached,
  MAX_EXPANDED,
  MAX_FILE_BYTES,
  MAX_FILES,
  MAX_INCLUDE_DEPTH,
  MAX_LINE,
  MAX_LINES,
  MAX_NESTING,
} from "./limits.ts";
import type { Notes } from "./notes.ts";
import { isRepetition, parseRepetition } from "./sequences.ts";
import { lineText, type SourceFile, type Spot, sourceFile } from "./source.ts";

export interface ReadOptions {
  /** Decides `@id` lines; also ${_INSTANCE}. */
  readonly id: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly readFile?: (path: string) => Uint8Array;
  readonly listDirectory?: (path: string) => readonly string[];
  readonly random?: (min: number, max: number) => number;
}

export interface Line {
  readonly text: string;
  readonly spot: Spot;
  /** The text is the file's own, so that columns can be told exactly. */
  readonly exact: boolean;
}

export interface ReadResult {
  readonly lines: readonly Line[];
  readonly main: SourceFile;
  readonly files: readonly SourceFile[];
}

export function readConf(path: string, options: ReadOptions, notes: Notes): ReadResult {
  const absolute = resolve(path);
  const main = sourceFile(path, absolute, readText(absolute, options.readFile ?? readRegular));
  return readLines(main, options, notes);
}

/** For text that is in memory already. Never throws. */
export function readLines(main: SourceFile, options: ReadOptions, notes: Notes): ReadResult {
  const reader = new Reader(options, notes);
  reader.file(main);
  return { lines: reader.lines, main, files: reader.files };
}

/** Comments may be in any encoding: bytes that are no UTF-8 become U+FFFD. */
const readText = (path: string, read: (path: string) => Uint8Array): string =>
  new TextDecoder("utf-8").decode(read(path));

function readRegular(path: string): Uint8Array {
  const stat = statSync(path);
  // A FIFO or device would block or never end.
  if (!stat.isFile())
    throw new Error(stat.isDirectory() ? "is a directory, not a file" : "is not a regular file");
  if (stat.size > MAX_FILE_BYTES) throw new Error(`is larger than ${MAX_FILE_BYTES >> 20} MiB`);
  return readFileSync(path);
}

function listNames(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

class Reader {
  readonly lines: Line[] = [];
  readonly files: SourceFile[] = [];
  readonly #definitions = new Definitions();
  readonly #stack: SourceFile[] = [];
  readonly #options: ReadOptions;
  readonly #notes: Notes;
  #characters = 0;
  #randomNoted = false;

  constructor(options: ReadOptions, notes: Notes) {
    this.#options = options;
    this.#notes = notes;
  }

  file(file: SourceFile): void {
    this.files.push(file);
    this.#stack.push(file);
    let at: Spot = { file, line: 1, column: 1 };
    try {
      for (let line = 1; line <= file.starts.length; line++) {
        const raw = lineText(file, line);
        at = { file, line, column: raw.length - raw.trimStart().length + 1 };
        line = this.#physical(raw, at);
      }
    } catch (error) {
      if (!(error instanceof LimitReached) || this.#stack.length > 1) throw error;
      this.#notes.error(at, error.message, error.hint);
      // What was read is no configuration any more: not worth the work.
      this.lines.length = 0;
    } finally {
      this.#stack.pop();
    }
  }

  /** Takes one line, and those that a definition goes on over; the number of the last one taken. */
  #physical(raw: string, spot: Spot): number {
    if (raw.includes("\0")) throw new LimitReached("NUL byte", "this is not a text file, or it was damaged");
    if (raw.length > MAX_LINE) throw new LimitReached(`a line of more than ${MAX_LINE} characters`);
    const text = stripComment(raw);
    if (text === "") return spot.line;
    const wanted = applyConditions(text, this.#options.id);
    const definition = parseDefinition(wanted ?? applyAny(text));
    if (definition === undefined) {
      if (wanted !== undefined)
        this.#line(wanted, spot, raw.trim() === wanted || raw.trimStart().startsWith(wanted), 0);
      return spot.line;
    }
    const body: BodyLine[] = definition.value === "" ? [] : [{ text: definition.value, spot }];
    let { line } = spot;
    for (let more = definition.more; more && line < spot.file.starts.length; ) {
      line++;
      const next = continued(stripComment(lineText(spot.file, line)));
      if (next.text !== "") body.push({ text: next.text, spot: { ...spot, line, column: 1 } });
      more = next.more;
    }
    if (wanted !== undefined)
      this.#definitions.define(definition.name, definition.more ? body : definition.value);
    return line;
  }

  /** A line that may still hold conditions, repetitions and parameters. */
  #line(text: string, spot: Spot, exact: boolean, depth: number): void {
    if (depth > MAX_NESTING)
      throw new LimitReached("parameters nested too deeply", "a definition may not use itself");
    const wanted = applyConditions(text, this.#options.id);
    if (wanted === undefined || wanted === "") return;
    const definition = parseDefinition(wanted);
    if (definition !== undefined) return this.#definitions.define(definition.name, definition.value);
    if (isRepetition(wanted)) return this.#repeat(wanted, spot, depth);
    const substituted = this.#definitions.substitute(wanted, spot, this.#builtIns(spot));
    if (substituted.lines !== undefined) {
      for (const line of substituted.lines) this.#line(line.text, line.spot, false, depth + 1);
      return;
    }
    const result = substituted.text.trim();
    if (substituted.changed && (result === "" || /^[@~]|^\$\w+=/.test(result)))
      return this.#line(result, spot, false, depth + 1);
    const include = parseInclude(result);
    if (include !== undefined) return this.#include(include, spot);
    this.#push({ text: result, spot, exact: exact && !substituted.changed && wanted === text });
  }

  #push(line: Line): void {
    this.#undefined(line);
    this.#characters += line.text.length;
    if (this.lines.length >= MAX_LINES)
      throw new LimitReached(`more than ${MAX_LINES} lines after repetitions`);
    if (this.#characters > MAX_EXPANDED)
      throw new LimitReached(`more than ${MAX_EXPANDED >> 20} MiB of text after substitution`);
    this.lines.push(line);
  }

  /** keepalived leaves an unknown parameter as it is; in quotes it may be a shell's. */
  #undefined({ text, spot }: Line): void {
    if (!text.includes("$")) return;
    const found = /\$(?:\{[A-Za-z_]\w*\}|[A-Za-z_]\w*(?=\s|$))/.exec(text.replace(/"[^"]*"?/g, '""'))?.[0];
    if (found === undefined) return;
    const what = isSecretKey(/^\S*/.exec(text)![0]) ? "a parameter" : found;
    this.#notes.warn(
      spot,
      `${what} is not defined and stays as it is`,
      "define it before this line: $NAME=value",
    );
  }

  #repeat(text: string, spot: Spot, depth: number): void {
    // Parameters in the ~SEQ itself are known now; those behind it only in each round.
    const close = text.indexOf(")");
    const head = this.#definitions.substitute(text.slice(0, close + 1), spot, this.#builtIns(spot)).text;
    const repetition = parseRepetition(head + text.slice(close + 1));
    if ("message" in repetition) return this.#notes.error(spot, repetition.message, repetition.hint);
    for (const round of repetition.rounds) {
      for (const [name, value] of round) this.#definitions.define(name, value);
      // Rounds that yield no line must not run for ever either.
      this.#characters += 64 + repetition.rest.length;
      if (this.#characters > MAX_EXPANDED) throw new LimitReached("too many repetitions");
      this.#line(repetition.rest, spot, false, depth + 1);
    }
  }

  #builtIns(spot: Spot): BuiltIns {
    const { id, env = {}, random = drawn } = this.#options;
    return {
      directory: dirname(spot.file.absolute),
      instance: id,
      env,
      random: (min, max) => {
        if (!this.#randomNoted)
          this.#notes.warn(
            spot,
            "_RANDOM is drawn once, now",
            "keepalived draws anew whenever it reads the file",
          );
        this.#randomNoted = true;
        return random(min, max);
      },
    };
  }

  #include(include: Include, spot: Spot): void {
    if (this.#stack.length > MAX_INCLUDE_DEPTH)
      throw new LimitReached(`files included more than ${MAX_INCLUDE_DEPTH} deep`);
    const list = this.#options.listDirectory ?? listNames;
    const { paths, missing } = findFiles(include, spot.file.absolute, list);
    for (const name of missing) this.#notes.error(spot, `include: nothing matches ${quote(name)}`);
    for (const path of paths) {
      if (this.#stack.some((file) => file.absolute === path)) {
        this.#notes.error(spot, `include: ${path} includes itself`, "remove one of the includes");
        continue;
      }
      if (this.files.length >= MAX_FILES) throw new LimitReached(`more than ${MAX_FILES} files`);
      const text = this.#read(path, spot);
      if (text !== undefined) this.file(sourceFile(path, path, text));
    }
  }

  #read(path: string, spot: Spot): string | undefined {
    try {
      return readText(path, this.#options.readFile ?? readRegular);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const why =
        code === "ENOENT"
          ? "no such file (ENOENT)"
          : code === "EACCES"
            ? "permission denied (EACCES)"
            : message;
      return this.#notes.error(spot, `include ${path}: ${why}`, "paths are relative to the including file");
    }
  }
}

const drawn = (min: number, max: number): number => min + Math.floor(Math.random() * (max - min + 1));

/** A line that is not for this node, without its conditions: a definition there may go on over further lines. */
const applyAny = (text: string): string => text.replace(/^(?:@\S*\s*)+/, "");
