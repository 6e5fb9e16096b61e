/** What the readers of the blocks share. */
import type { Problems } from "./problem.ts";

export interface ParseOptions {
  /** `--node`: chooses the block of `nodes`. */
  readonly node?: string;
  /** The machine's host name: default router_id, and default node. */
  readonly hostname: string;
  /** Reads the file of `auth_pass: { file: ... }`; throws as node:fs does. */
  readonly readSecretFile?: (path: string) => string;
  /** Environment for `auth_pass: { env: ... }`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface Context {
  readonly problems: Problems;
  readonly options: ParseOptions;
}

/** Global defaults that instances inherit. Times in microseconds. */
export interface InstanceDefaults {
  readonly version: number;
  readonly strict: boolean;
  readonly garpMasterDelay: number;
  readonly garpMasterRepeat: number;
  readonly garpMasterRefresh: number;
  readonly garpMasterRefreshRepeat: number;
  readonly downTimerAdverts: number;
}
