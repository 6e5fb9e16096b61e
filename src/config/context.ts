/** What the readers of the blocks share. */
import type { Problems } from "./problem.ts";

/** What lstat(2) says of one path. */
export interface FileFacts {
  readonly kind: "file" | "directory" | "link" | "other";
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** Of a link: what it holds. */
  readonly target?: string;
}

export interface ParseOptions {
  /** `--node`: chooses the block of `nodes`. */
  readonly node?: string;
  /** The machine's host name: default router_id, and default node. */
  readonly hostname: string;
  /** Reads the file of `auth_pass: { file: ... }`; throws as node:fs does. */
  readonly readSecretFile?: (path: string) => string;
  /** Environment for `auth_pass: { env: ... }`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** lstat of a script or a directory above it; undefined: it does not exist. Without it scripts are not looked at. */
  readonly inspectFile?: (path: string) => FileFacts | undefined;
}

export interface Context {
  readonly problems: Problems;
  readonly options: ParseOptions;
}
