/** Keywords that take a command, its words and its user. */
import * as doc from "./document.ts";
import { counted, type Handler, leftOut, put } from "./keywords.ts";
import type { Notes } from "./notes.ts";
import { keywordOf, type Statement, scriptWordsOf } from "./tree.ts";

/** A command for vipward: a list of words, or text where that is the same. */
export function command(argv: readonly string[], statement: Statement): doc.Doc {
  const plain = argv.every((one) => /^[\w@%+=:,./-]+$/.test(one));
  return plain
    ? doc.scalar(argv.join(" "), statement.spot)
    : doc.list(
        statement.spot,
        argv.map((one) => doc.scalar(one, statement.spot)),
      );
}

/** `KEYWORD "COMMAND ARG 'ARG'" [USER [GROUP]]` taken apart. */
export function readScript(
  statement: Statement,
  notes: Notes,
): { readonly argv: readonly string[]; readonly user: string | undefined } | undefined {
  const all = scriptWordsOf(statement, notes);
  if (all === undefined) return undefined;
  const parts = counted(all.slice(1), statement, notes, 3, 1);
  if (parts === undefined) return undefined;
  // The quoted text is read a second time, now for the command's own words.
  const inner = scriptWordsOf({ ...statement, text: parts[0]!.text }, notes);
  const argv = inner?.map((one) => one.text);
  if (argv === undefined || argv.length === 0 || argv[0] === "")
    return argv && leftOut(statement, notes, "no command");
  const user = parts.slice(1).map((one) => one.text);
  return { argv, user: user.length === 0 ? undefined : user.join(" ") };
}

/** A command whose user has a key of its own, or none. */
export const script =
  (key?: string, userKey?: string): Handler =>
  (statement, out, notes) => {
    const read = readScript(statement, notes);
    if (read === undefined) return;
    const name = key ?? keywordOf(statement);
    if (doc.has(out, name)) notes.warn(statement.spot, `${name} is given again: the last one counts`);
    doc.set(out, name, command(read.argv, statement), statement.spot);
    if (read.user !== undefined && userKey !== undefined) put(out, userKey, read.user, statement, notes);
  };
