/** Who runs the scripts: keepalived has a user for each command, vipward one for all notify commands. */
import * as doc from "./document.ts";
import type { ScriptUse } from "./import-track.ts";
import type { Notes } from "./notes.ts";
import { keywordOf } from "./tree.ts";

/**
 * Where every command of the file names the same user, that is script_user. Otherwise a command with a user of its own is left
 * out: under another one it might do more than it should, or less.
 */
export function settleUsers(root: doc.DocMap, uses: readonly ScriptUse[], notes: Notes): void {
  const written = uses.filter((use) => doc.has(use.in, use.key));
  const named = written.filter((use) => use.user !== undefined && !use.ownUser);
  if (named.length === 0) return;
  const global = doc.get(root, "global_defs");
  const current = global?.kind === "map" ? doc.textOf(global, "script_user") : undefined;
  const only = new Set(named.map((use) => use.user));
  const unnamed = written.some((use) => use.user === undefined && !(use.ownUser && doc.has(use.in, "user")));
  if (current === undefined && only.size === 1 && !unnamed) {
    const [first] = named;
    doc.set(
      doc.mapAt(root, "global_defs", root.spot),
      "script_user",
      doc.scalar(first!.user!, first!.statement.spot),
    );
    return;
  }
  for (const use of named) {
    if (use.user === current) continue;
    doc.remove(use.in, use.key);
    notes.warn(
      use.statement.spot,
      `left out: ${keywordOf(use.statement)} as another user than script_user is not supported by this version of vipward yet`,
      "set script_user in global_defs, or change the user in the script itself",
    );
  }
}
