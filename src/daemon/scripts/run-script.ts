/**
 * Runs one script of the operator's: argv as given and never a shell, in a process group of its own, with a
 * time limit after which the whole group gets SIGTERM and, two seconds later, SIGKILL.
 */
import { spawn } from "node:child_process";

export interface ScriptRequest {
  readonly argv: readonly string[];
  /** Milliseconds; undefined = no limit. */
  readonly timeout?: number;
  readonly user?: ScriptUser;
}
export interface ScriptUser {
  readonly uid: number;
  readonly gid: number;
}

export type ScriptResult =
  | { readonly kind: "exit"; readonly status: number }
  | { readonly kind: "signal"; readonly signal: string }
  | { readonly kind: "timeout" }
  /** Could not be started at all. */
  | { readonly kind: "failed"; readonly message: string };

const KILL_AFTER_MS = 2_000;
/** Nothing of the daemon's own environment reaches a script. */
const ENVIRONMENT = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C" };

/** Never rejects. `onStart` gets how to end it early. */
export function runScript(
  request: ScriptRequest,
  onStart?: (cancel: () => void) => void,
): Promise<ScriptResult> {
  const [command = "", ...args] = request.argv;
  return new Promise((resolve) => {
    let timedOut = false;
    const child = spawn(command, args, {
      detached: true,
      stdio: "ignore",
      cwd: "/",
      env: ENVIRONMENT,
      ...(request.user ?? {}),
    });
    const end = () => endGroup(child.pid);
    const timer =
      request.timeout === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            end();
          }, request.timeout);
    onStart?.(end);
    child.once("error", (error) => {
      clearTimeout(timer);
      resolve({ kind: "failed", message: `cannot run ${command}: ${error.message}` });
    });
    child.once("exit", (status, signal) => {
      clearTimeout(timer);
      if (timedOut) resolve({ kind: "timeout" });
      else if (signal !== null) resolve({ kind: "signal", signal });
      else resolve({ kind: "exit", status: status ?? 1 });
    });
  });
}

/** What the script started dies with it: a group is addressed by its leader's negated pid. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  signalGroup(pid, "SIGTERM");
  setTimeout(() => signalGroup(pid, "SIGKILL"), KILL_AFTER_MS).unref();
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: it ended by itself.
  }
}
