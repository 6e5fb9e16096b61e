/**
 * YAML file -> frozen Config, or every problem in it.
 *
 * text -> yaml.ts (nodes with places) -> nodes overrides -> block readers (zod) -> rules -> Config
 */
import { createHash } from "node:crypto";
import { lstatSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { readBlock } from "./block.ts";
import { resolveFileChecks } from "./checker-local.ts";
import type { Context, FileFacts, ParseOptions } from "./context.ts";
import { serviceDigest } from "./delta.ts";
import { readGlobal } from "./global.ts";
import { isConf, loadConf } from "./keepalived-conf/load-conf.ts";
import type { Config } from "./model.ts";
import { applyNode } from "./node-overrides.ts";
import { child, type MapNode, type Ref } from "./nodes.ts";
import { bareProblem, type Problem, Problems } from "./problem.ts";
import { schemas } from "./schema.ts";
import { readServices } from "./service.ts";
import { readVrrp } from "./vrrp/read.ts";
import { parseYaml } from "./yaml.ts";
import { MAX_BYTES } from "./yaml-limits.ts";

export type { ParseOptions } from "./context.ts";
export { formatProblems } from "./format.ts";
export type { Problem } from "./problem.ts";

export type LoadResult =
  | {
      readonly ok: true;
      readonly config: Config;
      /** Warnings only. */
      readonly problems: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface LoadOptions extends ParseOptions {
  /** For tests; default reads from disk, refusing what is not a regular file of at most 32 MiB. */
  readonly readFile?: (path: string) => Uint8Array;
}

/** Reads and validates a configuration file. Never throws for what is in the file. */
export function loadConfig(path: string, options: LoadOptions): LoadResult {
  const file = resolve(path);
  const read = options.readFile ?? readLimited;
  let text: string;
  try {
    if (isConf(file)) return loadConf(path, { inspectFile, ...options });
    text = new TextDecoder("utf-8", { fatal: true }).decode(read(file));
  } catch (error) {
    return { ok: false, problems: [bareProblem(path, ...readProblem(error))] };
  }
  const readSecretFile =
    options.readSecretFile ??
    ((name: string): string => new TextDecoder().decode(read(resolve(dirname(file), name))));
  return parseConfig(text, path, { env: process.env, inspectFile, ...options, readSecretFile });
}

/** lstat(2), for scripts; undefined: nothing is there. */
export function inspectFile(path: string): FileFacts | undefined {
  try {
    const stat = lstatSync(path);
    const { uid, gid, mode } = stat;
    if (stat.isSymbolicLink()) return { kind: "link", uid, gid, mode, target: readlinkSync(path) };
    return { kind: stat.isDirectory() ? "directory" : stat.isFile() ? "file" : "other", uid, gid, mode };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

function readLimited(path: string): Uint8Array {
  const stat = statSync(path);
  // A FIFO or device would block or never end.
  if (!stat.isFile())
    throw new Error(stat.isDirectory() ? "is a directory, not a file" : "is not a regular file");
  if (stat.size > MAX_BYTES) throw new Error(`is larger than ${MAX_BYTES >> 20} MiB`);
  return readFileSync(path);
}

function readProblem(error: unknown): [message: string, hint?: string] {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return ["no such file (ENOENT)", "give the path of the configuration file"];
  if (code === "EACCES")
    return ["permission denied (EACCES)", "run as a user who may read it, or change its mode"];
  if (code === "ENOTDIR") return ["a part of the path is not a directory (ENOTDIR)"];
  if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") return ["not UTF-8 text", "save the file as UTF-8"];
  return [`can't be read: ${message}`];
}

/** Parses and validates configuration text. Pure but for secrets asked of `options`. */
export function parseConfig(text: string, fileName: string, options: ParseOptions): LoadResult {
  const problems = new Problems(fileName, text);
  const root = parseYaml(problems);
  problems.parsed = root !== undefined;
  return root === undefined ? { ok: false, problems: problems.list() } : configOf(root, problems, options);
}

/** The same for a file that was read by another parser. */
export function configOf(root: MapNode, problems: Problems, options: ParseOptions): LoadResult {
  const config = readRoot(root, { problems, options });
  if (config === undefined || problems.errors > 0) return { ok: false, problems: problems.list() };
  return { ok: true, config, problems: problems.list() };
}

function readRoot(written: MapNode, context: Context): Config | undefined {
  const { problems } = context;
  const node = applyNode(written, context);
  const ref: Ref<MapNode> = { node, at: node.offset };
  readBlock(ref, schemas().root, problems);
  const { global, defaults } = readGlobal(child(ref, "global_defs"), context);
  const before = problems.errors;
  const services = readServices(child(ref, "virtual_server"), context).map((service) => service.config);
  const servicesComplete = problems.errors === before;
  const vrrp = readVrrp(ref, { global, defaults, services, servicesComplete }, context);
  const checked = resolveFileChecks(services, vrrp.trackFiles ?? [], context);
  if (problems.errors > 0) return undefined;
  const config = { files: [resolve(problems.file)], global, services: checked, ...vrrp };
  return freeze({ hash: hashOf(config), ...config });
}

/** In pieces: the text of a large configuration in one string costs more than hashing it. */
function hashOf({ services, files: _, ...rest }: Omit<Config, "hash">): string {
  const hash = createHash("sha256").update(JSON.stringify(rest));
  for (const service of services) hash.update(serviceDigest(service));
  return hash.digest("hex").slice(0, 12);
}

/** Freezes the whole tree: nobody downstream can change what was validated. */
function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const key in value) freeze(value[key]);
  }
  return value;
}
