/**
 * Where the daemon and its clients meet: /run/vipward and /var/lib/vipward, per network namespace
 * outside the initial one, so that several namespaces of one machine never clash.
 */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { inInitialNetns, netnsInode } from "../../net/netns.ts";

export interface Paths {
  readonly runDir: string;
  readonly stateDir: string;
  readonly lock: string;
  readonly socket: string;
  /** Who was master a moment ago; lives in memory and dies with the boot. */
  readonly vrrpState: string;
  /** Says that packet filter rules of ours may be in the kernel. */
  readonly firewall: string;
  /** Check verdicts and owned services; survives reboots. */
  readonly lvsState: string;
}

export interface PathOptions {
  readonly runDir?: string | undefined;
  readonly stateDir?: string | undefined;
}

export function resolvePaths(options: PathOptions): Paths {
  const suffix = inInitialNetns() ? "" : `net-${netnsInode()}`;
  const runDir = options.runDir ?? join("/run/vipward", suffix);
  const stateDir = options.stateDir ?? join("/var/lib/vipward", suffix);
  return {
    runDir,
    stateDir,
    lock: join(runDir, "lock"),
    socket: join(runDir, "vipward.sock"),
    vrrpState: join(runDir, "vrrp.json"),
    firewall: join(runDir, "firewall"),
    lvsState: join(stateDir, "lvs.json"),
  };
}

/** Creates both directories, private; throws with what to do. */
export function createDirectories(paths: Paths): void {
  for (const [dir, option] of [
    [paths.runDir, "--run-dir"],
    [paths.stateDir, "--state-dir"],
  ] as const) {
    try {
      makeDirectory(dir);
      const { mode } = statSync(dir);
      // Others could swap our socket or state for theirs.
      if ((mode & 0o002) !== 0 && (mode & 0o1000) === 0) {
        throw new Error(`it is writable by everybody; chmod o-w ${dir}`);
      }
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const why =
        code === "EACCES" || code === "EPERM" ? "permission denied: run as root, or name another" : message;
      throw new Error(`cannot use ${dir}: ${why} (${option})`);
    }
  }
}

/** Not mkdirSync's `recursive`: on a file system that answers ENOENT (/proc) it never returns (Node 20). */
function makeDirectory(dir: string): void {
  if (existsSync(dir)) return;
  makeDirectory(dirname(dir));
  mkdirSync(dir, { mode: 0o750 });
}
