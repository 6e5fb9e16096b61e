/** Tables of keywords: what each takes, and the key it becomes. */

import { quote } from "../problem.ts";
import { suggest } from "../suggest.ts";
import { notYet } from "../unsupported.ts";
import * as doc from "./document.ts";
import type { Word } from "./lexer.ts";
import type { Notes } from "./notes.ts";
import { keywordOf, type Statement, wordsOf } from "./tree.ts";

/** Writes one statement into the block's map. */
export type Handler = (statement: Statement, out: doc.DocMap, notes: Notes) => void;

export interface Table {
  /** The block's name in messages and in vipward's schema. */
  readonly name: string;
  /** Keys of this version of vipward for the block. */
  readonly keys: () => readonly string[];
  readonly keywords: Readonly<Record<string, Handler>>;
}

/** Every statement of a block through its table. */
export function translate(block: readonly Statement[], table: Table, out: doc.DocMap, notes: Notes): void {
  const keys = new Set(table.keys());
  for (const statement of block) {
    const keyword = keywordOf(statement);
    const handler = Object.hasOwn(table.keywords, keyword) ? table.keywords[keyword]! : undefined;
    if (handler === undefined) unknown(statement, keyword, table, notes);
    else {
      const written = new Guarded(out, keys, table.name, statement, notes);
      handler(statement, written.map, notes);
      written.finish();
    }
    if (notes.full) return;
  }
}

function unknown(statement: Statement, keyword: string, table: Table, notes: Notes): void {
  const near = suggest(keyword, Object.keys(table.keywords));
  const skipped = statement.block === undefined ? "" : "; its block is skipped";
  notes.error(
    statement.spot,
    `unknown keyword ${quote(keyword)} in ${table.name}`,
    (near === undefined ? "remove it, or put it into the block it belongs to" : `did you mean ${near}?`) +
      skipped,
  );
}

/** Lets a handler write, and takes out again what this version of vipward does not know. */
class Guarded {
  readonly map: doc.DocMap;
  readonly #before: number;
  readonly #keys: ReadonlySet<string>;
  readonly #block: string;
  readonly #statement: Statement;
  readonly #notes: Notes;

  constructor(map: doc.DocMap, keys: ReadonlySet<string>, block: string, statement: Statement, notes: Notes) {
    this.map = map;
    this.#before = map.entries.length;
    this.#keys = keys;
    this.#block = block;
    this.#statement = statement;
    this.#notes = notes;
  }

  finish(): void {
    const added = this.map.entries.slice(this.#before);
    for (const { key } of added) {
      if (this.#keys.has(key)) continue;
      doc.remove(this.map, key);
      notSupported(this.#statement, key, this.#notes, notYet(this.#block, key));
    }
  }
}

/** Left out for want of it in this version. */
export function notSupported(statement: Statement, what: string, notes: Notes, hint?: string): undefined {
  return notes.warn(
    statement.spot,
    `left out: ${what} is not supported by this version of vipward yet`,
    hint ?? "keep keepalived for this node until a version supports it, if it is needed",
  );
}

/** A keyword of keepalived's that can't be carried over, whatever stands behind it. */
export const unsupported: Handler = (statement, _, notes) =>
  notSupported(statement, keywordOf(statement), notes);

/** A setting of keepalived's own processes. */
export const noCounterpart: Handler = (statement, _, notes) =>
  notes.warn(statement.spot, `left out: ${keywordOf(statement)} has no counterpart in vipward`);

/** The words after the keyword, at most `max`; undefined after a report. */
export function args(statement: Statement, notes: Notes, max: number, min = 1): readonly Word[] | undefined {
  const words = wordsOf(statement, notes)?.slice(1);
  return words && counted(words, statement, notes, max, min);
}

/** Says what is too much and too little. */
export function counted(
  words: readonly Word[],
  statement: Statement,
  notes: Notes,
  max: number,
  min: number,
): readonly Word[] | undefined {
  const keyword = keywordOf(statement);
  if (statement.block !== undefined)
    return notes.error(statement.spot, `${keyword} takes no block`, "its block is skipped");
  if (words.length < min)
    return notes.warn(statement.spot, `left out: ${keyword} without a value`, "keepalived ignores it, too");
  if (words.length > max)
    notes.warn(statement.spot, `words after the value of ${keyword} are ignored, as by keepalived`);
  return words.slice(0, max);
}

/** Sets a key; given again, the last one counts, as in keepalived. */
export function put(out: doc.DocMap, key: string, text: string, { spot }: Statement, notes: Notes): void {
  if (doc.has(out, key)) notes.warn(spot, `${key} is given again: the last one counts`);
  doc.set(out, key, doc.scalar(text, spot), spot);
}

/** True when the key is there already: with these keywords keepalived keeps the first. */
export function givenBefore(out: doc.DocMap, key: string, { spot }: Statement, notes: Notes): boolean {
  if (!doc.has(out, key)) return false;
  notes.warn(spot, `left out: ${key} is given again: the first one counts`);
  return true;
}

/** The handler for the first of several. */
export const firstOf =
  (key: string, handler: Handler): Handler =>
  (statement, out, notes) => {
    if (!givenBefore(out, key, statement, notes)) handler(statement, out, notes);
  };

type Read = (words: readonly string[], statement: Statement, notes: Notes) => string | undefined;

const value =
  (max: number, read: Read, key?: string, min = 1): Handler =>
  (statement, out, notes) => {
    const words = args(statement, notes, max, min);
    if (words === undefined) return;
    const text = read(
      words.map((word) => word.text),
      statement,
      notes,
    );
    if (text !== undefined) put(out, key ?? keywordOf(statement), text, statement, notes);
  };

/** Left out by keepalived, too. */
export const leftOut = (statement: Statement, notes: Notes, what: string): undefined =>
  notes.warn(
    statement.spot,
    `left out: ${keywordOf(statement)}: ${what}`,
    "keepalived ignores it, too, and takes the default",
  );

/** One word as it stands. */
export const word = (key?: string): Handler => value(1, ([text]) => text, key);
/** All words, one blank between them. */
export const words = (key?: string): Handler => value(1000, (all) => all.join(" "), key);
/** A bare keyword, or on|off|true|false|yes|no. */
export const flag = (key?: string): Handler =>
  value(
    1,
    ([text = "true"], statement, notes) => {
      if (/^(on|true|yes)$/i.test(text)) return "true";
      if (/^(off|false|no)$/i.test(text)) return "false";
      return leftOut(statement, notes, `${quote(text)} is not on or off`);
    },
    key,
    0,
  );
/** A keyword that takes nothing. */
export const bare = (key?: string): Handler => value(0, () => "true", key, 0);
/** A whole number. */
export const int = (key?: string): Handler =>
  value(
    1,
    ([text = ""], statement, notes) =>
      /^[+-]?\d+$/.test(text)
        ? text.replace(/^\+/, "")
        : leftOut(statement, notes, `${quote(text)} is not a whole number`),
    key,
  );
/** Whole seconds; keepalived reads "2.5" as 2 and "x" as 0, and says so. */
export const seconds = (key?: string): Handler =>
  value(
    1,
    ([text = ""], statement, notes) => {
      if (text.startsWith("-")) return leftOut(statement, notes, `${quote(text)} is negative`);
      const whole = /^\+?(\d+)/.exec(text)?.[1] ?? "0";
      if (!/^\+?\d+$/.test(text))
        notes.warn(
          statement.spot,
          `${keywordOf(statement)} ${quote(text)}: written as ${whole}, as keepalived reads it`,
        );
      return whole;
    },
    key,
  );
/** Seconds with fractions. */
export const timer = (key?: string): Handler =>
  value(
    1,
    ([text = ""], statement, notes) =>
      /^\d+(\.\d*)?$|^\.\d+$/.test(text)
        ? plainDecimal(text)
        : leftOut(statement, notes, `${quote(text)} is not a number of seconds`),
    key,
  );

/** ".5" and "3." as vipward writes them; what is finer than a microsecond is cut off, as by keepalived. */
function plainDecimal(text: string): string {
  const [whole = "", fraction = ""] = text.split(".");
  const digits = fraction.slice(0, 6).replace(/0+$/, "");
  return `${whole.replace(/^0+(?=\d)/, "") || "0"}${digits === "" ? "" : `.${digits}`}`;
}

/** A block of its own table; given again, its keys are added to the first one's. */
export const block =
  (table: Table, key?: string): Handler =>
  (statement, out, notes) => {
    const name = key ?? keywordOf(statement);
    if (!hasBlock(statement, notes)) return;
    translate(statement.block, table, doc.mapAt(out, name, statement.spot), notes);
  };

export function hasBlock(
  statement: Statement,
  notes: Notes,
): statement is Statement & { readonly block: readonly Statement[] } {
  if (statement.block !== undefined) return true;
  notes.error(statement.spot, `${keywordOf(statement)} needs its block`, `${keywordOf(statement)} { ... }`);
  return false;
}
