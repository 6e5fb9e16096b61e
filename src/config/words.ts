/** Values written as words after each other ("ADDR dev X label Y") or as the same keys in a block. */
import type * as z from "zod";
import { type BlockSchema, readBlock, repeated } from "./block.ts";
import type { Context } from "./context.ts";
import { isMap, isScalar, type Ref } from "./nodes.ts";
import { inside, refuse } from "./place.ts";
import { quote } from "./problem.ts";
import { suggest } from "./suggest.ts";
import { notYet } from "./unsupported.ts";

export interface WordForm {
  /** What one value is, e.g. "an address". */
  readonly what: string;
  /** The key that takes the first word, when that is not itself a known word. */
  readonly lead?: string;
  /** Word -> key it stands for; a value follows. */
  readonly values: Readonly<Record<string, string>>;
  /** Words that stand alone. */
  readonly flags: readonly string[];
  readonly usage: string;
}

/** Key -> text; a flag that is set holds "true". */
export type Words = Readonly<Record<string, string | undefined>>;

/** The items of `key: value` or `key: [value, value]`; nothing for a key without value. */
export function items(ref: Ref): Ref[] {
  return ref.node.kind === "scalar" && ref.node.empty ? [] : repeated(ref);
}

export function readWords(
  item: Ref,
  form: WordForm,
  block: BlockSchema<z.ZodType<Record<string, unknown>>>,
  context: Context,
): Words | undefined {
  if (isMap(item)) {
    const keys = readBlock(item, block, context.problems);
    return keys && fromBlock(keys);
  }
  if (!isScalar(item)) return refuse(inside(item), context, `${form.what} is text or a block, not a list`);
  const fail = (message: string, hint?: string): undefined => refuse(inside(item), context, message, hint);
  /** Any word but a leading value must be known; one of keepalived's is named as such. */
  const refused = (word: string, lead: boolean): boolean => {
    const later = notYet(block.name, word.replace(/^-/, ""));
    if (later !== undefined) fail(`${word} is not supported by this version of vipward yet`, later);
    else if (lead) return false;
    else {
      const near = suggest(word, [...Object.keys(form.values), ...form.flags]);
      fail(
        `unknown word ${quote(word)} in ${form.what}`,
        near === undefined ? form.usage : `did you mean ${near}?`,
      );
    }
    return true;
  };
  return splitWords(item.node.text, form, fail, refused);
}

function fromBlock(keys: Record<string, unknown>): Words {
  const out: Record<string, string> = {};
  for (const [key, value] of Object.entries(keys)) {
    if (value === undefined || value === false) continue;
    out[key] = String(value);
  }
  return out;
}

type Fail = (message: string, hint?: string) => undefined;

function splitWords(
  text: string,
  form: WordForm,
  fail: Fail,
  refused: (word: string, lead: boolean) => boolean,
): Words | undefined {
  const words = text.trim().split(/\s+/);
  const out: Record<string, string> = {};
  const known = (word: string): boolean => Object.hasOwn(form.values, word) || form.flags.includes(word);
  let i = 0;
  if (form.lead !== undefined && !known(words[0]!)) {
    if (refused(words[0]!, true)) return undefined;
    out[form.lead] = words[i++]!;
  }
  while (i < words.length) {
    const word = words[i++]!;
    if (!known(word) && refused(word, false)) return undefined;
    const flag = form.flags.includes(word);
    const key = flag ? word : form.values[word]!;
    const value = flag ? "true" : words[i++];
    if (value === undefined) return fail(`${word} needs a value after it`, form.usage);
    if (Object.hasOwn(out, key)) return fail(`${key} is given twice`);
    out[key] = value;
  }
  return out;
}
