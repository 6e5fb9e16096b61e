/**
 * MISC_CHECK: a program's exit status. 0 is up; with misc_dynamic 2 to 255 are up and set the weight to two less.
 * Time limit, process group and signals are runScript's.
 */
import type { MiscCheckConfig } from "../../config/model.ts";
import { runScript, type ScriptResult, type ScriptUser } from "../../daemon/scripts/run-script.ts";
import { scriptProblem } from "../../daemon/scripts/security.ts";
import { resolveUser } from "../../daemon/scripts/users.ts";
import type { CheckWeight, ProbeResult } from "../types.ts";
import type { ScriptPolicy } from "./engine-types.ts";
import { CANCELLED, type Failure, failed, passed } from "./outcome.ts";

/** Never rejects. An abort ends the program; the result comes when it has ended. */
export async function probeMisc(
  cfg: MiscCheckConfig,
  policy: ScriptPolicy,
  signal?: AbortSignal,
): Promise<ProbeResult> {
  const started = performance.now();
  if (signal?.aborted) return failed(CANCELLED, started);
  let user: ScriptUser | undefined;
  try {
    user = userOf(cfg, policy);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return failed({ reason: "local-error", detail }, started);
  }
  const runsAsRoot = (user?.uid ?? process.getuid?.()) === 0;
  const unsafe = policy.security && runsAsRoot ? scriptProblem(cfg.argv[0] ?? "") : undefined;
  if (unsafe !== undefined)
    return failed({ reason: "local-error", detail: `enable_script_security: ${unsafe}` }, started);
  let cancel: (() => void) | undefined;
  const onAbort = (): void => cancel?.();
  signal?.addEventListener("abort", onAbort);
  const result = await runScript(
    { argv: cfg.argv, timeout: cfg.timeout, ...(user === undefined ? {} : { user }) },
    (end) => {
      cancel = end;
    },
  );
  signal?.removeEventListener("abort", onAbort);
  return signal?.aborted ? failed(CANCELLED, started) : judge(cfg, result, started);
}

function userOf({ user, group }: MiscCheckConfig, policy: ScriptPolicy): ScriptUser | undefined {
  if (user !== undefined) return resolveUser(user, group);
  if (policy.user === undefined) return undefined;
  const [name = "", groupName] = policy.user.trim().split(/\s+/);
  return resolveUser(name, groupName);
}

function judge(cfg: MiscCheckConfig, result: ScriptResult, started: number): ProbeResult {
  const fail = (failure: Failure): ProbeResult => failed(failure, started);
  switch (result.kind) {
    case "exit": {
      const { status } = result;
      const detail = `exit status ${status}`;
      if (status === 0) return passed(detail, started);
      if (!cfg.dynamic || status === 1) return fail({ reason: "exit-status", detail });
      const weight: CheckWeight = { set: status - 2 };
      return { ...passed(`${detail}: weight ${status - 2}`, started), weight } as ProbeResult;
    }
    case "signal":
      return fail({ reason: "killed-by-signal", detail: `killed by ${result.signal}` });
    case "timeout":
      return fail({ reason: "timeout-script", detail: `not finished within ${cfg.timeout} ms` });
    default:
      return fail({ reason: "local-error", detail: result.message });
  }
}
