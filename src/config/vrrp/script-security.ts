/** Looks at a script and at every directory on the way to it, as the kernel would walk: who could change it? */
import type { Context, FileFacts } from "../context.ts";
import type { Place } from "../place.ts";
import { quote } from "../problem.ts";

const MAX_LINKS = 40;
const STICKY = 0o1000;

export interface Execution {
  /** The user it runs as; undefined: root, as far as can be known here. */
  readonly user: string | undefined;
  /** enable_script_security. */
  readonly strict: boolean;
}

type Found =
  | { readonly kind: "missing"; readonly path: string }
  | { readonly kind: "unknown"; readonly path: string; readonly why: string }
  | { readonly kind: "loop" }
  | {
      readonly kind: "found";
      readonly facts: FileFacts;
      readonly unsafe?: {
        readonly path: string;
        readonly who: "anyone" | "group" | "owner";
        readonly facts: FileFacts;
      };
    };

/** Reports a missing script, one that can't run, and one that root may run but others can write. */
export function checkScript(
  path: string,
  key: string,
  { user, strict }: Execution,
  place: Place,
  { problems, options }: Context,
): void {
  if (options.inspectFile === undefined) return;
  const found = walk(path, options.inspectFile);
  const error = (message: string, hint: string): void =>
    problems.error({ ...place, message: `${key}: ${message}`, hint });
  if (found.kind === "missing")
    return error(`${quote(found.path)} does not exist`, "give the path of the script");
  if (found.kind === "loop")
    return error(`${quote(path)}: too many symbolic links`, "give the path of the script");
  if (found.kind === "unknown")
    return problems.warn("script-unseen", {
      ...place,
      message: `${key}: ${quote(found.path)} can't be looked at: ${found.why}`,
      hint: "check as the user who runs the daemon",
    });
  if (found.facts.kind !== "file")
    return error(`${quote(path)} is not a regular file`, "give the path of the script");
  if ((found.facts.mode & 0o111) === 0) return error(`${quote(path)} is not executable`, "chmod +x");
  if (found.unsafe === undefined || (user !== undefined && user !== "root" && user !== "0")) return;
  const { who, facts } = found.unsafe;
  const writer = who === "anyone" ? "anyone" : who === "group" ? `group ${facts.gid}` : `user ${facts.uid}`;
  const finding = {
    ...place,
    message: `${key}: root may run this script, but ${writer} can write ${quote(found.unsafe.path)}`,
    hint: "chown root and chmod go-w, or give a user (script_user) without privileges",
  };
  // What anyone can write is a way to root, whether or not the file asks for security.
  if (strict || who === "anyone") problems.error(finding);
  else problems.warn("script-security", finding);
}

function walk(path: string, inspect: (path: string) => FileFacts | undefined): Found {
  const queue = path.split("/").filter((part) => part !== "" && part !== ".");
  let at = "";
  let links = 0;
  let unsafe: (Found & { kind: "found" })["unsafe"];
  let facts: FileFacts | undefined;
  const look = (target: string): Found | undefined => {
    try {
      facts = inspect(target);
    } catch (error) {
      return {
        kind: "unknown",
        path: target,
        why: error instanceof Error ? error.message : "no reason given",
      };
    }
    if (facts === undefined) return { kind: "missing", path: target };
    const who = writers(facts);
    if (who !== undefined && (unsafe === undefined || (who === "anyone" && unsafe.who !== "anyone")))
      unsafe = { path: target, who, facts };
    return undefined;
  };
  const root = look("/");
  if (root !== undefined) return root;
  while (queue.length > 0) {
    const part = queue.shift()!;
    if (part === "..") {
      at = at.slice(0, at.lastIndexOf("/"));
      continue;
    }
    const stopped = look(`${at}/${part}`);
    if (stopped !== undefined) return stopped;
    if (facts!.kind !== "link") {
      at = `${at}/${part}`;
      continue;
    }
    if (++links > MAX_LINKS) return { kind: "loop" };
    const target = facts!.target ?? "";
    if (target.startsWith("/")) at = "";
    queue.unshift(...target.split("/").filter((step) => step !== "" && step !== "."));
  }
  return { kind: "found", facts: facts!, ...(unsafe === undefined ? {} : { unsafe }) };
}

/** Who but root can write it. A sticky directory protects the entries of others; a link's own mode says nothing. */
function writers({ kind, uid, gid, mode }: FileFacts): "anyone" | "group" | "owner" | undefined {
  const byMode = kind !== "link" && !(kind === "directory" && (mode & STICKY) !== 0);
  if (byMode && (mode & 0o002) !== 0) return "anyone";
  if (uid !== 0) return "owner";
  return byMode && (mode & 0o020) !== 0 && gid !== 0 ? "group" : undefined;
}
