/** vrrp_instance blocks -> InstanceConfig, with the rules that hold inside one instance. */
import { us } from "../units.ts";
import { readAuthentication } from "./authentication.ts";
import { describe, named, readBlock } from "./block.ts";
import type { Context, InstanceDefaults } from "./context.ts";
import type { InstanceConfig } from "./model.ts";
import { child, findEntry, isMap, type MapNode, type Ref } from "./nodes.ts";
import { quote } from "./problem.ts";
import { showDuration } from "./scalar.ts";
import { schemas } from "./schema.ts";
import { type PlacedVip, readVips } from "./vip.ts";

const S = 1_000_000;
const CS = 10_000;
/** Twelve bits of centiseconds in a version 3 packet (RFC 5798 5.2.7). */
const MAX_V3_INTERVAL = 4095 * CS;
const MANY_VIPS = 20;

export interface PlacedInstance {
  readonly config: InstanceConfig;
  readonly ref: Ref<MapNode>;
  readonly vips: readonly PlacedVip[];
}

export function readInstances(
  ref: Ref | undefined,
  defaults: InstanceDefaults,
  context: Context,
): PlacedInstance[] {
  if (ref === undefined) return [];
  const out: PlacedInstance[] = [];
  for (const { name, block } of named(ref, "vrrp_instance", context.problems)) {
    if (isMap(block)) {
      const instance = readInstance(name, block, defaults, context);
      if (instance !== undefined) out.push(instance);
    } else {
      const message = `vrrp_instance ${quote(name)} is a block, not ${describe(block.node)}`;
      context.problems.error({
        offset: block.at,
        message,
        hint: "give at least interface and virtual_router_id",
        via: block.via,
      });
    }
  }
  return out;
}

type Keys = NonNullable<ReturnType<typeof readInstanceKeys>>;
const readInstanceKeys = (ref: Ref<MapNode>, context: Context) =>
  readBlock(ref, schemas().instance, context.problems);

function readInstance(
  name: string,
  ref: Ref<MapNode>,
  defaults: InstanceDefaults,
  context: Context,
): PlacedInstance | undefined {
  const keys = readInstanceKeys(ref, context);
  const vipRef = child(ref, "virtual_ipaddress");
  const dev = keys?.interface ?? "eth0";
  const vips = vipRef === undefined ? [] : readVips(vipRef, dev, context);
  const authRef = child(ref, "authentication");
  const version = (keys?.version ?? defaults.version) as 2 | 3;
  const auth =
    authRef === undefined ? { type: "none" as const } : readAuthentication(authRef, keys && version, context);
  if (keys === undefined) return undefined;
  const initialState = keys.state ?? "BACKUP";
  const config: InstanceConfig = {
    name,
    family: 4,
    version,
    interface: keys.interface,
    vrid: keys.virtual_router_id,
    initialState,
    priority: keys.priority ?? (initialState === "MASTER" ? 255 : 100),
    advertInterval: us(keys.advert_int ?? S),
    preempt: keys.preempt ?? !(keys.nopreempt ?? false),
    preemptDelay: us(keys.preempt_delay ?? 0),
    auth,
    vips: vips.map(({ vip }) => vip),
    ...(keys.mcast_src_ip === undefined ? {} : { sourceAddress: keys.mcast_src_ip }),
    downTimerAdverts: keys.down_timer_adverts ?? defaults.downTimerAdverts,
    garpMasterDelay: us(keys.garp_master_delay ?? defaults.garpMasterDelay),
    garpMasterRepeat: keys.garp_master_repeat ?? defaults.garpMasterRepeat,
    garpMasterRefresh: us(keys.garp_master_refresh ?? defaults.garpMasterRefresh),
    garpMasterRefreshRepeat: keys.garp_master_refresh_repeat ?? defaults.garpMasterRefreshRepeat,
    strict: keys.strict_mode ?? keys.vrrp_strict ?? defaults.strict,
  };
  checkInterval(config, ref, context);
  checkPreemption(config, keys, ref, context);
  lint(config, keys, ref, context);
  return { config, ref, vips };
}

/** Place of a key's value, or of the block when the key is not written. */
function at(ref: Ref<MapNode>, key: string): { offset: number; via?: number | undefined } {
  const entry = findEntry(ref.node, key);
  return entry === undefined
    ? { offset: ref.at, via: ref.via }
    : { offset: entry.value.offset, via: entry.via ?? ref.via };
}

/** Place of a key itself. */
function atKey(ref: Ref<MapNode>, key: string): { offset: number; via?: number | undefined } {
  const entry = findEntry(ref.node, key);
  return entry === undefined
    ? { offset: ref.at, via: ref.via }
    : { offset: entry.keyOffset, via: entry.via ?? ref.via };
}

function checkInterval(
  { version, advertInterval }: InstanceConfig,
  ref: Ref<MapNode>,
  { problems }: Context,
): void {
  const shown = showDuration(advertInterval);
  const place = at(ref, "advert_int");
  if (version === 2 && advertInterval % S !== 0)
    problems.error({
      ...place,
      message: `advert_int ${shown}: VRRP version 2 sends whole seconds`,
      hint: "use a whole number of seconds, or version: 3 on every router of this virtual_router_id",
    });
  else if (version === 2 && (advertInterval < S || advertInterval > 255 * S))
    problems.error({
      ...place,
      message: `advert_int ${shown} is out of range`,
      hint: "VRRP version 2: 1 s to 255 s",
    });
  else if (version === 3 && (advertInterval < CS || advertInterval > MAX_V3_INTERVAL))
    problems.error({
      ...place,
      message: `advert_int ${shown} is out of range`,
      hint: "VRRP version 3: 0.01 s to 40.95 s",
    });
  else if (version === 3 && advertInterval % CS !== 0)
    problems.error({
      ...place,
      message: `advert_int ${shown}: VRRP version 3 sends hundredths of a second`,
      hint: "use a multiple of 0.01 s",
    });
}

function checkPreemption(config: InstanceConfig, keys: Keys, ref: Ref<MapNode>, { problems }: Context): void {
  const master = config.initialState === "MASTER";
  if (keys.nopreempt === true && keys.preempt === true)
    problems.error({
      ...atKey(ref, "nopreempt"),
      message: "both preempt and nopreempt",
      hint: "keep one of them",
    });
  if (
    keys.strict_mode !== undefined &&
    keys.vrrp_strict !== undefined &&
    keys.strict_mode !== keys.vrrp_strict
  )
    problems.error({
      ...atKey(ref, "vrrp_strict"),
      message: "strict_mode and vrrp_strict differ",
      hint: "they are one setting: keep strict_mode",
    });
  if (master && !config.preempt)
    problems.error({
      ...atKey(ref, keys.nopreempt === true ? "nopreempt" : "preempt"),
      message: "nopreempt needs state BACKUP",
      hint: "set state: BACKUP on every director; the higher priority wins the first election",
    });
  if (master && config.preemptDelay > 0)
    problems.error({
      ...atKey(ref, "preempt_delay"),
      message: "preempt_delay needs state BACKUP",
      hint: "set state: BACKUP; the priority decides who is master",
    });
  if (!config.preempt && config.preemptDelay > 0)
    problems.warn("preempt_delay", {
      ...atKey(ref, "preempt_delay"),
      message: "preempt_delay has no effect with nopreempt",
    });
}

function lint(config: InstanceConfig, keys: Keys, ref: Ref<MapNode>, { problems }: Context): void {
  if (config.priority === 255)
    problems.warn("owner", {
      ...(keys.priority === undefined ? at(ref, "state") : at(ref, "priority")),
      message:
        keys.priority === undefined
          ? "state MASTER without priority means priority 255, the address owner"
          : "priority 255 means the address owner: it takes over at once, without election",
      hint: "right only where this node holds the addresses for itself; otherwise give a priority of 1 to 254",
    });
  if (config.preempt && config.preemptDelay === 0 && config.vips.length >= MANY_VIPS)
    problems.warn("preempt", {
      ...atKey(ref, "virtual_ipaddress"),
      message: `${config.vips.length} addresses move at once when this node returns`,
      hint: "nopreempt, or a preempt_delay, spares the clients one of the two moves",
    });
  if (config.strict && config.auth.type === "PASS")
    problems.warn("strict-auth", {
      ...atKey(ref, "authentication"),
      message: "strict mode with a password",
      hint: "keepalived drops the password in strict mode: both routers must be set alike",
    });
}
