/** A command as its words: quotes and backslashes as a shell reads them, and nothing else of a shell. */
import type { Context } from "../context.ts";
import type { Node, Ref } from "../nodes.ts";
import { type Place, refuse } from "../place.ts";
import { quote } from "../problem.ts";

const MAX_LENGTH = 4096;

/** The words, or what is wrong. Inside '...' nothing is special; inside "..." a backslash takes the next character. */
export function parseArgv(text: string): { readonly argv: readonly string[] } | { readonly message: string } {
  const argv: string[] = [];
  let word: string | undefined;
  let quoted: '"' | "'" | undefined;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === "\\" && quoted !== "'") {
      const next = text[++i];
      if (next === undefined) return { message: "a backslash at the end" };
      word = (word ?? "") + next;
    } else if (quoted !== undefined) {
      if (c === quoted) quoted = undefined;
      else word = (word ?? "") + c;
    } else if (c === '"' || c === "'") {
      quoted = c;
      word ??= "";
    } else if (/\s/.test(c)) {
      if (word !== undefined) argv.push(word);
      word = undefined;
    } else word = (word ?? "") + c;
  }
  if (quoted !== undefined) return { message: `a ${quoted} without its end` };
  if (word !== undefined) argv.push(word);
  return { argv };
}

/** Words that only a shell would act on. */
const SHELL = /^([|<>;&]|\|\||&&|>>|2>.*)$|\$\(|`|^\$\w/;

/** `key: text` or `key: [word, word]` as argv with an absolute path first. */
export function readArgv(ref: Ref, key: string, context: Context): readonly string[] | undefined {
  const place: Place = { offset: ref.node.offset, via: ref.via };
  const fail = (message: string, hint?: string): undefined =>
    refuse(place, context, `${key}: ${message}`, hint);
  const parsed = wordsOf(ref.node);
  if ("message" in parsed)
    return fail(parsed.message, 'a path and its words: "/path/to/script arg", or a list');
  const { argv } = parsed;
  const path = argv[0] ?? "";
  if (path === "") return fail("no command", "the path of a script, and its words");
  if (argv.reduce((sum, word) => sum + word.length, 0) > MAX_LENGTH)
    return fail(`longer than ${MAX_LENGTH} characters`, "put it into a script");
  if (argv.some((word) => word.includes("\0"))) return fail("a NUL byte in the command");
  if (!path.startsWith("/"))
    return fail(`${quote(path)} is not an absolute path`, "scripts run without a shell and without PATH");
  const shell = argv.find((word) => SHELL.test(word));
  if (shell !== undefined)
    context.problems.warn("shell", {
      ...place,
      message: `${key}: ${quote(shell)} is passed on as it stands: there is no shell`,
      hint: "put it into a script",
    });
  return argv;
}

function wordsOf(node: Node): { readonly argv: readonly string[] } | { readonly message: string } {
  if (node.kind === "scalar") return parseArgv(node.text);
  if (node.kind === "map") return { message: "a block" };
  const argv: string[] = [];
  for (const item of node.items) {
    if (item.node.kind !== "scalar") return { message: "a list of something else than words" };
    argv.push(item.node.text);
  }
  return { argv };
}
