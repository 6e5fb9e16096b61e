/** MISC_CHECK, FILE_CHECK and EXTERNAL blocks: checkers that open no connection of ours. */
import { readBlock } from "./block.ts";
import { type CheckOptions, common, inherit, type Target, toMs } from "./checker-common.ts";
import type { Context } from "./context.ts";
import type {
  ExternalCheckConfig,
  FileCheckConfig,
  MiscCheckConfig,
  ServiceConfig,
  TrackFileConfig,
} from "./model.ts";
import { child, type MapNode, type Ref } from "./nodes.ts";
import { defined } from "./optional.ts";
import { at, type Place, refuse } from "./place.ts";
import { quote } from "./problem.ts";
import { schemas } from "./schema.ts";
import { suggest } from "./suggest.ts";
import { readArgv } from "./vrrp/argv.ts";

export function readMisc(
  id: string,
  block: Ref<MapNode>,
  outer: CheckOptions,
  target: Target,
  context: Context,
): MiscCheckConfig | undefined {
  const keys = readBlock(block, schemas().misc, context.problems);
  const path = child(block, "misc_path");
  if (path === undefined) {
    if (keys !== undefined)
      refuse({ offset: block.at, via: block.via }, context, "MISC_CHECK needs misc_path");
    return undefined;
  }
  const argv = readArgv(path, "misc_path", context);
  if (keys === undefined || argv === undefined) return undefined;
  const options = inherit(outer, keys);
  return defined({
    type: "MISC_CHECK" as const,
    ...common(id, keys, options, target, { retry: 0, portless: true }),
    argv,
    // Of the virtual server, not of the checker: keepalived takes it so.
    timeout: toMs(keys.misc_timeout ?? target.serviceDelayLoop ?? 60_000_000),
    dynamic: keys.misc_dynamic ?? false,
    user: keys.user?.[0],
    group: keys.user?.[1],
  });
}

export function readExternal(
  id: string,
  block: Ref<MapNode> | undefined,
  outer: CheckOptions,
  target: Target,
  context: Context,
): ExternalCheckConfig | undefined {
  const keys = block === undefined ? {} : readBlock(block, schemas().external, context.problems);
  if (keys === undefined) return undefined;
  const base = common(id, keys, inherit(outer, keys), target, { retry: 0, portless: true });
  // Time for a poster of the same rhythm to miss one round.
  const ttl = "ttl" in keys && keys.ttl !== undefined ? toMs(keys.ttl) : toMs(2 * base.delayLoop * 1000);
  return { type: "EXTERNAL", ...base, ttl };
}

interface NamedFile {
  readonly config: FileCheckConfig;
  readonly name: string;
  /** What the block itself does not say comes from the track_file. */
  readonly ownWeight: boolean;
  readonly place: Place;
}
/** FILE_CHECKs by the name of a track_file, which is read after the services. */
const namedFiles = new WeakMap<Context, NamedFile[]>();

export function readFile(
  id: string,
  block: Ref<MapNode>,
  outer: CheckOptions,
  target: Target,
  context: Context,
): FileCheckConfig | undefined {
  const keys = readBlock(block, schemas().fileCheck, context.problems);
  if (keys === undefined) return undefined;
  const options = inherit(outer, keys);
  const config: FileCheckConfig = {
    type: "FILE_CHECK",
    // What is watched needs no jitter and, being ours, no second try.
    ...common(id, keys, options, target, { retry: 0, warmup: 0, portless: true }),
    path: keys.track_file,
    ...weightOf(keys.weight?.weight ?? 1, keys.weight?.reverse ?? false),
    dynamic: keys.dynamic ?? false,
  };
  if (!keys.track_file.startsWith("/")) {
    const named = namedFiles.get(context) ?? [];
    named.push({
      config,
      name: keys.track_file,
      ownWeight: keys.weight !== undefined,
      place: at(block, "track_file"),
    });
    namedFiles.set(context, named);
  }
  return config;
}

/** A factor of 0 has no sign: there `reverse` says which number is the bad one. */
const weightOf = (weight: number, reverse: boolean): Pick<FileCheckConfig, "weight" | "reverse"> =>
  weight === 0 ? { weight: 0, reverse } : { weight: reverse ? -weight : weight, reverse: false };

/** The services with the names of track_files replaced by their paths and weights. */
export function resolveFileChecks(
  services: readonly ServiceConfig[],
  trackFiles: readonly TrackFileConfig[],
  context: Context,
): readonly ServiceConfig[] {
  const named = namedFiles.get(context);
  if (named === undefined) return services;
  const resolved = new Map<unknown, FileCheckConfig>();
  for (const { config, name, ownWeight, place } of named) {
    const file = trackFiles.find((one) => one.name === name);
    if (file === undefined) {
      const near = suggest(
        name,
        trackFiles.map((one) => one.name),
      );
      refuse(
        place,
        context,
        `FILE_CHECK: no track_file ${quote(name)}`,
        near === undefined ? "define it at the top level, or give an absolute path" : `did you mean ${near}?`,
      );
      continue;
    }
    const weight = ownWeight ? {} : weightOf(file.weight, file.reverse);
    resolved.set(config, { ...config, path: file.path, ...weight });
  }
  return services.map((service) => ({
    ...service,
    realServers: service.realServers.map((server) => ({
      ...server,
      checkers: server.checkers.map((checker) => resolved.get(checker) ?? checker),
    })),
  }));
}
