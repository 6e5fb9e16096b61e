/**
 * A script that root runs must not be changeable by others: neither the file nor any folder or link on the
 * way to it (keepalived enable_script_security).
 */
import { accessSync, constants, lstatSync, readlinkSync } from "node:fs";
import { dirname, resolve } from "node:path";

const MAX_LINKS = 40;

/** Why root must not run it, naming the offending path; undefined when all is well. */
export function scriptProblem(path: string): string | undefined {
  if (!path.startsWith("/")) return `${path} is not an absolute path`;
  let target = resolve(path);
  for (let links = 0; links < MAX_LINKS; links++) {
    const found = writableByOthers(target);
    if (found !== undefined) return found;
    const link = linkTarget(target);
    if (link === undefined) return executable(target);
    target = resolve(dirname(target), link);
  }
  return `${path} is a loop of symbolic links`;
}

function writableByOthers(path: string): string | undefined {
  for (let at = path; ; at = dirname(at)) {
    let stat: ReturnType<typeof lstatSync>;
    try {
      stat = lstatSync(at);
    } catch {
      return `${at} does not exist`;
    }
    // In a sticky folder others can add files but not replace this one; a link's own mode means nothing.
    const loose = !stat.isSymbolicLink() && (stat.mode & 0o022) !== 0 && (stat.mode & 0o1000) === 0;
    if (loose) return `${at} can be written by others: chmod go-w ${at}`;
    if (stat.uid !== 0) return `${at} belongs to uid ${stat.uid}, not to root: chown root ${at}`;
    if (at === "/") return undefined;
  }
}

function linkTarget(path: string): string | undefined {
  return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
}

function executable(path: string): string | undefined {
  if (!lstatSync(path).isFile()) return `${path} is not a file`;
  try {
    accessSync(path, constants.X_OK);
    return undefined;
  } catch {
    return `${path} is not executable: chmod +x ${path}`;
  }
}
