/** A keepalived.conf taken as it is, by `run`, `check` and a reload: imported, then validated like YAML. */
import type { LoadOptions, LoadResult } from "../load.ts";
import { importKeepalived } from "./import.ts";

/** Files that are read as keepalived's. */
export const isConf = (path: string): boolean => path.endsWith(".conf");

/** Problems name the .conf's lines. Throws only when the file itself can't be read. */
export function loadConf(path: string, { node, ...options }: LoadOptions): LoadResult {
  const id = node ?? options.hostname.split(".")[0]!;
  const { result, notes, lints, files } = importKeepalived(path, { env: process.env, ...options, id });
  for (const { problem, spot } of lints) notes.warn(spot, problem.message, problem.hint);
  const problems = notes.list();
  if (!result.ok || notes.errors > 0) return { ok: false, problems };
  return { ok: true, config: Object.freeze({ ...result.config, files: Object.freeze(files) }), problems };
}
