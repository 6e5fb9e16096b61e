/**
 * Regular expressions of keepalived (PCRE2, as configured) in JavaScript's words, with PCRE's meaning where the two
 * differ: ".", "^", "$" and "\s" know no line end but LF, "$" also matches before a final LF. What has no
 * counterpart is refused by name; nothing is approximated silently.
 * Sources: pcre2pattern(3), pcre2api(3), ECMA-262 22.2.
 */
import { PcreTranslator, Refused } from "./pcre-translator.ts";

export interface Translated {
  readonly source: string;
  readonly flags: string;
  /** The subject is UTF-8 text; otherwise its characters, and the expression's, are bytes. */
  readonly utf: boolean;
}
export interface Untranslated {
  readonly problem: string;
}

/** regex_options that change nothing here: they steer PCRE's compiler, or forbid what we refuse anyway. */
const WITHOUT_EFFECT = new Set([
  "auto_callout",
  "never_backslash_c",
  "never_ucp",
  "never_utf",
  "no_auto_possess",
  "no_dotstar_anchor",
  "no_start_optimize",
  "match_unset_backref",
  "use_offset_limit",
]);
const KNOWN = new Set([
  "allow_empty_class",
  "caseless",
  "dollar_endonly",
  "dotall",
  "extended",
  "multiline",
  "no_auto_capture",
  "ungreedy",
  "utf",
]);
export const REGEX_OPTIONS: readonly string[] = [...KNOWN, ...WITHOUT_EFFECT].sort();

/** `options`: words of regex_options. */
export function translatePcre(pattern: string, options: readonly string[]): Translated | Untranslated {
  const unknown = options.find((option) => !KNOWN.has(option) && !WITHOUT_EFFECT.has(option));
  if (unknown !== undefined) return { problem: `regex option ${unknown} is not supported` };
  if (pattern === "") return { problem: "the expression is empty" };
  const translator = new PcreTranslator(pattern, new Set(options));
  try {
    const source = translator.run();
    const flags = `${translator.caseless ? "i" : ""}${translator.utf ? "u" : ""}`;
    new RegExp(source, flags);
    return { source, flags, utf: translator.utf };
  } catch (error) {
    if (error instanceof Refused) return { problem: error.message };
    // "Invalid regular expression: /.../: Unterminated group": what follows the last colon is the cause.
    const text = error instanceof Error ? error.message : String(error);
    return { problem: (text.split(": ").at(-1) ?? text).toLowerCase() };
  }
}
