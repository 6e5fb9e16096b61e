/**
 * Splits a command line the way popt(3) does: short options in one word, an argument in the same word with
 * or without "=", or in the next word; long options in full only; "--" ends them. Plain words may stand
 * anywhere.
 */
import { WORDS, type WordSpec } from "./options.ts";

export type Token =
  /** `word`: as typed, for messages. */
  | { readonly kind: "option"; readonly spec: WordSpec; readonly value?: string; readonly word: string }
  | { readonly kind: "plain"; readonly word: string }
  /** Nothing after this can be trusted. */
  | { readonly kind: "error"; readonly message: string };

const LONG: ReadonlyMap<string, WordSpec> = new Map(WORDS.map((spec) => [spec.long, spec]));
const SHORT: ReadonlyMap<string, WordSpec> = new Map(
  WORDS.flatMap((spec) => (spec.short === undefined ? [] : [[spec.short, spec] as const])),
);

export function* tokens(words: readonly string[]): Generator<Token, void> {
  const queue = [...words];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === "--") {
      for (const rest of queue) yield { kind: "plain", word: rest };
      return;
    }
    if (!word.startsWith("-") || word === "-") yield { kind: "plain", word };
    else if (word.startsWith("--")) yield longOption(word, queue);
    else yield* shortOptions(word, queue);
  }
}

function longOption(word: string, queue: string[]): Token {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
  const spec = LONG.get(name);
  if (!spec) return unknown(word);
  if (equals < 0) return withNextWord(spec, word, queue);
  if (spec.argument === "none") return unwanted(word);
  return { kind: "option", spec, value: word.slice(equals + 1), word };
}

function* shortOptions(word: string, queue: string[]): Generator<Token, void> {
  for (let rest = word.slice(1); rest !== ""; ) {
    const spec = SHORT.get(rest.slice(0, 1));
    rest = rest.slice(1);
    if (!spec) return yield unknown(word);
    if (spec.argument === "none") {
      if (rest.startsWith("=")) return yield unwanted(word);
      yield { kind: "option", spec, word };
    } else if (rest === "") {
      yield withNextWord(spec, word, queue);
    } else {
      return yield { kind: "option", spec, value: rest.startsWith("=") ? rest.slice(1) : rest, word };
    }
  }
}

/** A required argument may be any word, an optional one no option. */
function withNextWord(spec: WordSpec, word: string, queue: string[]): Token {
  if (spec.argument === "none") return { kind: "option", spec, word };
  const next = queue[0];
  if (next === undefined || (spec.argument === "optional" && next.startsWith("-"))) {
    if (spec.argument === "optional") return { kind: "option", spec, word };
    return { kind: "error", message: `${word}: its argument is missing` };
  }
  queue.shift();
  return { kind: "option", spec, value: next, word };
}

const unknown = (word: string): Token => ({ kind: "error", message: `${word}: no such option` });
const unwanted = (word: string): Token => ({ kind: "error", message: `${word}: takes no argument` });
