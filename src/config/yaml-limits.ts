/** What keeps a hostile file from costing more than a refusal, and the parser's errors in our form. */
import { YAMLException } from "js-yaml";
import type { Problems } from "./problem.ts";

export const MAX_BYTES = 32 * 1024 * 1024;
export const MAX_DEPTH = 64;
/** Lines, commas, colons and the like: bounds the parser's memory before it starts. */
const MAX_MARKS = 2_000_000;

/** Refuses text that would cost the parser too much, before it starts. */
export function withinLimits(text: string, problems: Problems): boolean {
  const refuse = (offset: number, message: string, hint?: string): boolean => {
    problems.error({ offset, message, hint });
    return false;
  };
  // A UTF-16 unit is at least one byte: a cheap bound for callers that hand in text.
  if (text.length > MAX_BYTES)
    return refuse(0, `the file is larger than ${MAX_BYTES >> 20} MiB`, "split it, or generate less");
  const nul = text.indexOf("\0");
  if (nul !== -1) return refuse(nul, "NUL byte", "this is not a text file, or it was damaged");
  let marks = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 10 || c === 13 || c === 44 || c === 91 || c === 123) marks++;
    else if (c === 58 || c === 45 || c === 63) {
      const next = text.charCodeAt(i + 1);
      if (next === 32 || next === 9 || next === 10) marks++;
    }
    if (marks > MAX_MARKS)
      return refuse(
        i,
        `more than ${MAX_MARKS.toLocaleString("en")} lines and entries`,
        "this is far beyond any real configuration",
      );
  }
  return true;
}

/** The parser's own error as a problem. */
export function syntaxError(problems: Problems, error: unknown): void {
  if (error instanceof YAMLException) {
    const offset = Math.min(error.mark?.position ?? 0, problems.text.length);
    problems.error({
      offset,
      // A password that starts with ! or & is quoted back by the parser.
      message: `YAML syntax: ${problems.secretLine(offset) ? error.reason.replace(/".*"/s, "the value") : error.reason}`,
      hint: syntaxHint(problems.text, offset, error.reason),
    });
  } else
    problems.error({
      offset: 0,
      message: `YAML syntax: ${error instanceof Error ? error.message : "unreadable"}`,
    });
}

function syntaxHint(text: string, offset: number, reason: string): string | undefined {
  if (reason.includes("maxDepth")) return `no block of this configuration nests deeper than ${MAX_DEPTH}`;
  if (text[offset] === "\t" || /tab/i.test(reason)) return "indent with spaces, not tabs";
  if (text[offset] === "%" || text[offset] === "@" || text[offset] === "`") return "put the value in quotes";
  return undefined;
}
