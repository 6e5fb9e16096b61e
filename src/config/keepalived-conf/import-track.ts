/** What is tracked, who tracks it, and the scripts that are told. */
import { quote } from "../problem.ts";
import { schemas } from "../schema.ts";
import { command, readScript, script } from "./commands.ts";
import * as doc from "./document.ts";
import {
  bare,
  firstOf,
  flag,
  givenBefore,
  type Handler,
  hasBlock,
  int,
  seconds,
  type Table,
  timer,
  unsupported,
  word,
  words,
} from "./keywords.ts";
import type { Notes } from "./notes.ts";
import { keywordOf, type Statement, wordsOf } from "./tree.ts";

/** A command of the file and the user it names; who runs the others is decided at the end. */
export interface ScriptUse {
  readonly in: doc.DocMap;
  readonly key: string;
  readonly user: string | undefined;
  readonly statement: Statement;
  /** vipward has a user for this one alone. */
  readonly ownUser: boolean;
}

/** Remembers the command for the users' sake. */
const noting =
  (uses: ScriptUse[], key: string, handler: Handler): Handler =>
  (statement, out, notes) => {
    handler(statement, out, notes);
    if (doc.has(out, key)) uses.push({ in: out, key, user: undefined, statement, ownUser: true });
  };

/** notify_master and the like: the command; vipward runs all of them as script_user. */
const notify =
  (uses: ScriptUse[]): Handler =>
  (statement, out, notes) => {
    const key = keywordOf(statement);
    const read = readScript(statement, notes);
    if (read === undefined) return;
    if (givenBefore(out, key, statement, notes)) return;
    doc.set(out, key, command(read.argv, statement), statement.spot);
    uses.push({ in: out, key, user: read.user, statement, ownUser: false });
  };

export const notifyKeywords = (uses: ScriptUse[]): Record<string, Handler> => ({
  notify_master: notify(uses),
  notify_backup: notify(uses),
  notify_fault: notify(uses),
  notify_stop: notify(uses),
  notify: notify(uses),
  notify_deleted: unsupported,
  notify_priority_changes: flag(),
  smtp_alert: flag(),
});

/** "NAME [weight N] [reverse|noreverse]", one a line. */
const trackList: Handler = (statement, out, notes) => {
  if (!hasBlock(statement, notes)) return;
  const list = doc.listAt(out, keywordOf(statement), statement.spot);
  for (const item of statement.block) {
    const parts = wordsOf(item, notes)?.map((one) => one.text);
    if (parts === undefined) continue;
    if (item.block !== undefined) {
      notes.error(item.spot, `${keywordOf(statement)} takes names, not blocks`);
      continue;
    }
    const kept = parts.filter((part, index) => index === 0 || !/^no_?reverse$/.test(part));
    list.items.push(doc.scalar(kept.join(" "), item.spot));
  }
};

export const trackKeywords = (): Record<string, Handler> => ({
  track_interface: trackList,
  track_script: trackList,
  track_process: trackList,
  track_file: trackList,
  track_bfd: unsupported,
});

/** A definition with a name: `KEYWORD NAME { ... }` -> KEY: { NAME: ... }. */
export const definition =
  (
    table: Table,
    key: string,
    translateInto: (s: Statement, t: Table, out: doc.DocMap, n: Notes) => void,
  ): Handler =>
  (statement, out, notes) => {
    const parts = wordsOf(statement, notes);
    if (parts === undefined || !hasBlock(statement, notes)) return;
    const name = parts[1]?.text;
    if (name === undefined || name === "") {
      notes.error(
        statement.spot,
        `${keywordOf(statement)} needs a name`,
        `${keywordOf(statement)} NAME { ... }`,
      );
      return;
    }
    if (parts.length > 2)
      notes.warn(statement.spot, `words after the name ${quote(name)} are ignored, as by keepalived`);
    const made = doc.map(statement.spot);
    doc.add(doc.mapAt(out, key, statement.spot), name, made, statement.spot);
    translateInto(statement, table, made, notes);
  };

export const scriptTable = (uses: ScriptUse[]): Table => ({
  name: "vrrp_script",
  keys: () => schemas().script.keys,
  keywords: {
    script: noting(uses, "script", script()),
    interval: seconds(),
    timeout: seconds(),
    weight: words(),
    rise: int(),
    fall: int(),
    user: words(),
    init_fail: bare(),
  },
});

/** `process "/bin/a b" c` -> text that vipward's own quoting takes apart again. */
const process: Handler = (statement, out, notes) => {
  const parts = wordsOf(statement, notes)?.slice(1);
  if (parts === undefined || parts.length === 0) return;
  const quoted = parts.map(({ text }) =>
    /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`,
  );
  doc.set(out, "process", doc.scalar(quoted.join(" "), statement.spot), statement.spot);
};

export const processTable: Table = {
  name: "vrrp_track_process",
  keys: () => schemas().process.keys,
  keywords: {
    process: firstOf("process", process),
    param_match: word(),
    weight: words(),
    quorum: int(),
    quorum_max: int(),
    delay: timer(),
    fork_delay: timer(),
    terminate_delay: timer(),
    full_command: bare(),
  },
};

/** `init_file [VALUE] [overwrite]`; bare: the value 0, and only where there is no file. */
const initFile: Handler = (statement, out, notes) => {
  const parts = wordsOf(statement, notes)?.slice(1);
  if (parts === undefined) return;
  const text = parts.length === 0 ? "0" : parts.map((one) => one.text).join(" ");
  doc.set(out, "init_file", doc.scalar(text, statement.spot), statement.spot);
};

export const fileTable: Table = {
  name: "vrrp_track_file",
  keys: () => schemas().file.keys,
  keywords: { file: firstOf("file", word()), weight: words(), init_file: initFile },
};
