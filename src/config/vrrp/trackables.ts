/** What instances can track: vrrp_script, vrrp_track_process, vrrp_track_file, track_gateway, virtual_server. */
import type * as z from "zod";
import { ms } from "../../units.ts";
import { type BlockSchema, describe, named, readBlock } from "../block.ts";
import type { Context } from "../context.ts";
import type {
  ServiceConfig,
  TrackFileConfig,
  TrackGatewayConfig,
  TrackProcessConfig,
  TrackScriptConfig,
} from "../model.ts";
import { child, isMap, type MapNode, type Ref } from "../nodes.ts";
import { defined } from "../optional.ts";
import { at, atKey, refuse } from "../place.ts";
import { quote } from "../problem.ts";
import { schemas } from "../schema.ts";
import { readArgv } from "./argv.ts";
import { checkScript, type Execution } from "./script-security.ts";
import type { Weight } from "./weight.ts";

/** Weights and directions by name; a definition that could not be read is in here, so that no reference to it is blamed. */
export interface Trackables {
  readonly script: ReadonlyMap<string, Weight>;
  readonly process: ReadonlyMap<string, Weight>;
  readonly file: ReadonlyMap<string, Weight>;
  readonly gateway: ReadonlyMap<string, Weight>;
  readonly services: readonly Pick<ServiceConfig, "key" | "address" | "port" | "protocol">[];
  /** False when some service could not be read. */
  readonly servicesComplete: boolean;
}

export interface Definitions {
  readonly scripts: readonly TrackScriptConfig[];
  readonly processes: readonly TrackProcessConfig[];
  readonly files: readonly TrackFileConfig[];
  readonly gateways: readonly TrackGatewayConfig[];
  readonly weights: Pick<Trackables, "script" | "process" | "file" | "gateway">;
}

export function readDefinitions(root: Ref<MapNode>, execution: Execution, context: Context): Definitions {
  const s = schemas();
  const scripts = definitions(root, ["vrrp_script"], s.script, context, (name, keys, ref) =>
    readScript(name, keys, ref, execution, context),
  );
  const processes = definitions(root, ["vrrp_track_process"], s.process, context, (name, keys, ref) =>
    readProcess(name, keys, ref, context),
  );
  const files = definitions(root, ["vrrp_track_file", "track_file"], s.file, context, (name, keys, ref) =>
    readFile(name, keys, ref, context),
  );
  const gateways = definitions(
    root,
    ["vrrp_track_gateway", "track_gateway"],
    s.gateway,
    context,
    (name, keys, ref) => readGateway(name, keys, ref, context),
  );
  return {
    scripts: scripts.configs,
    processes: processes.configs,
    files: files.configs,
    gateways: gateways.configs,
    weights: {
      script: scripts.weights,
      process: processes.weights,
      file: files.weights,
      gateway: gateways.weights,
    },
  };
}

interface Defined<T> {
  readonly configs: readonly T[];
  readonly weights: ReadonlyMap<string, Weight>;
}

/** Named blocks under any of the keys, which are names of one thing. */
function definitions<S extends z.ZodType, T extends { readonly name: string; readonly weight?: number }>(
  root: Ref<MapNode>,
  keys: readonly string[],
  block: BlockSchema<S>,
  context: Context,
  read: (
    name: string,
    keys: z.output<S>,
    ref: Ref<MapNode>,
  ) => (T & { readonly reverse?: boolean }) | undefined,
): Defined<T> {
  const configs: T[] = [];
  const weights = new Map<string, Weight>();
  const seen = new Map<string, number>();
  for (const key of keys) {
    const ref = child(root, key);
    for (const { name, block: one } of ref === undefined ? [] : named(ref, key, context.problems)) {
      const first = seen.get(name);
      const place = { offset: one.at, via: one.via };
      if (first !== undefined)
        refuse(
          place,
          context,
          `${key} ${quote(name)} is defined twice`,
          `first at ${context.problems.line(first)}`,
        );
      else seen.set(name, one.at);
      if (!weights.has(name)) weights.set(name, { reverse: false });
      if (!/^\S{1,255}$/.test(name)) refuse(place, context, `${key} ${quote(name)}: a name is one word`);
      else if (!isMap(one))
        refuse(place, context, `${key} ${quote(name)} is a block, not ${describe(one.node)}`);
      else {
        const values = readBlock(one, block, context.problems);
        const config = values && read(name, values as z.output<S>, one);
        if (config === undefined || first !== undefined) continue;
        configs.push(config);
        weights.set(name, defined({ weight: config.weight, reverse: config.reverse ?? false }));
      }
    }
  }
  return { configs, weights };
}

type KeysOf<N extends "script" | "process" | "file" | "gateway"> = z.output<
  ReturnType<typeof schemas>[N]["schema"]
>;
const S = 1_000_000;
const toMs = (us: number) => ms(us / 1000);

function readScript(
  name: string,
  keys: KeysOf<"script">,
  ref: Ref<MapNode>,
  execution: Execution,
  context: Context,
): TrackScriptConfig | undefined {
  const script = child(ref, "script")!;
  const command = readArgv(script, "script", context);
  if (command === undefined) return undefined;
  const [user, group] = keys.user ?? [];
  checkScript(
    command[0]!,
    "script",
    { ...execution, user: user ?? execution.user },
    at(ref, "script"),
    context,
  );
  const interval = keys.interval ?? S;
  return defined({
    name,
    command,
    interval: toMs(interval),
    timeout: toMs(keys.timeout ?? interval),
    rise: keys.rise ?? 1,
    fall: keys.fall ?? 1,
    user,
    group,
    weight: keys.weight?.weight,
    reverse: keys.weight?.reverse ?? false,
    initFail: keys.init_fail ?? false,
  });
}

/** keepalived: unlimited. */
const MAX_QUORUM = 2 ** 31 - 1;

function readProcess(
  name: string,
  keys: KeysOf<"process">,
  ref: Ref<MapNode>,
  context: Context,
): TrackProcessConfig | undefined {
  const command = keys.process;
  const quorum = keys.quorum ?? 1;
  const quorumMax = keys.quorum_max ?? MAX_QUORUM;
  if (quorum > quorumMax)
    return refuse(at(ref, "quorum_max"), context, `quorum_max ${quorumMax} is below quorum ${quorum}`);
  if (quorum === 0 && keys.quorum_max === undefined)
    return refuse(
      at(ref, "quorum"),
      context,
      "quorum 0 without quorum_max is always good",
      "give quorum_max",
    );
  const withParameters = command.length > 1;
  if (keys.param_match !== undefined && !withParameters)
    return refuse(atKey(ref, "param_match"), context, "param_match without parameters after the process");
  return defined({
    name,
    command,
    paramMatch: keys.param_match ?? (withParameters ? ("exact" as const) : ("none" as const)),
    quorum,
    quorumMax,
    fullCommand: keys.full_command ?? false,
    riseDelay: toMs(keys.fork_delay ?? keys.delay ?? 0),
    fallDelay: toMs(keys.terminate_delay ?? keys.delay ?? 0),
    weight: keys.weight?.weight,
    reverse: keys.weight?.reverse ?? false,
  });
}

function readFile(
  name: string,
  keys: KeysOf<"file">,
  ref: Ref<MapNode>,
  context: Context,
): TrackFileConfig | undefined {
  if (!keys.file.startsWith("/"))
    return refuse(at(ref, "file"), context, `file: ${quote(keys.file)} is not an absolute path`);
  return defined({
    name,
    path: keys.file,
    weight: keys.weight?.weight ?? 1,
    reverse: keys.weight?.reverse ?? false,
    initValue: keys.init_file?.value,
    initOverwrite: keys.init_file?.overwrite ?? false,
  });
}

function readGateway(
  name: string,
  keys: KeysOf<"gateway">,
  ref: Ref<MapNode>,
  context: Context,
): TrackGatewayConfig | undefined {
  const interval = keys.interval ?? S;
  const timeout = keys.timeout ?? interval;
  if (timeout > interval)
    return refuse(at(ref, "timeout"), context, "timeout is longer than interval", "probes do not overlap");
  if (keys.weight?.reverse === true)
    return refuse(at(ref, "weight"), context, "a gateway can't be reversed", WEIGHT_ONLY);
  return defined({
    name,
    address: keys.address.address,
    interface: keys.interface,
    method: keys.method ?? "arp",
    interval: toMs(interval),
    timeout: toMs(timeout),
    rise: keys.rise ?? 2,
    fall: keys.fall ?? 3,
    weight: keys.weight?.weight,
  });
}
const WEIGHT_ONLY = "weight: N";
