/** "user" and "group" names of script_user and vrrp_script to ids, from the local databases. */
import { readFileSync } from "node:fs";
import type { ScriptUser } from "./run-script.ts";

/** Throws naming what is unknown. `group` defaults to the user's own. */
export function resolveUser(user: string, group?: string): ScriptUser {
  const entry = find("/etc/passwd", user);
  if (!entry) throw new Error(`no user "${user}" in /etc/passwd: create it, or name another script_user`);
  const own = { uid: Number(entry[2]), gid: Number(entry[3]) };
  if (group === undefined) return own;
  const found = find("/etc/group", group);
  if (!found) throw new Error(`no group "${group}" in /etc/group`);
  return { ...own, gid: Number(found[2]) };
}

function find(file: string, name: string): string[] | undefined {
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const fields = line.split(":");
    if (fields[0] === name || (/^\d+$/.test(name) && fields[2] === name)) return fields;
  }
  return undefined;
}
