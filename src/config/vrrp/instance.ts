/** vrrp_instance blocks -> InstanceConfig. */
import { us } from "../../units.ts";
import { describe, named } from "../block.ts";
import type { Context } from "../context.ts";
import type { Family, InstanceConfig, VrrpAuth } from "../model.ts";
import { child, isMap, type MapNode, type Ref } from "../nodes.ts";
import { defined, some } from "../optional.ts";
import { quote } from "../problem.ts";
import { readAuthentication } from "./authentication.ts";
import { readHeartbeats } from "./heartbeat.ts";
import { readHmac } from "./hmac.ts";
import { type InstanceDefaults, type InstanceKeys, readInstanceKeys } from "./instance-keys.ts";
import { checkInstance } from "./instance-rules.ts";
import { readNotify } from "./notify.ts";
import { readRules } from "./policy-rule.ts";
import { readRoutes } from "./route.ts";
import type { Execution } from "./script-security.ts";
import { type PlacedTrack, readTracks } from "./track.ts";
import type { Trackables } from "./trackables.ts";
import { readPaths } from "./unicast.ts";
import { familyOfFirst, type PlacedVip, readAddresses, readVips } from "./vip.ts";
import { readVmac } from "./vmac.ts";

const S = 1_000_000;

export interface PlacedInstance {
  readonly config: InstanceConfig;
  readonly ref: Ref<MapNode>;
  /** Advertised and excluded ones. */
  readonly vips: readonly PlacedVip[];
  readonly tracks: readonly PlacedTrack[];
}

/** What instances need to know of the rest of the file. */
export interface Surroundings {
  readonly defaults: InstanceDefaults;
  readonly known: Trackables;
  readonly execution: Execution;
}

export function readInstances(
  ref: Ref | undefined,
  around: Surroundings,
  context: Context,
): { readonly instances: PlacedInstance[]; readonly names: ReadonlySet<string> } {
  const instances: PlacedInstance[] = [];
  const names = new Set<string>();
  for (const { name, block } of ref === undefined ? [] : named(ref, "vrrp_instance", context.problems)) {
    names.add(name);
    if (isMap(block)) {
      const instance = readInstance(name, block, around, context);
      if (instance !== undefined) instances.push(instance);
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
  return { instances, names };
}

function readInstance(
  name: string,
  ref: Ref<MapNode>,
  around: Surroundings,
  context: Context,
): PlacedInstance | undefined {
  const { defaults, known, execution } = around;
  const keys = readInstanceKeys(ref, context);
  const family = familyOf(ref, keys);
  const vmac = keys && readVmac(keys, ref, family, context);
  const dev = vmac?.name ?? keys?.interface ?? "eth0";
  const held = readHeld(ref, family, dev, context);
  const version = family === 6 ? 3 : ((keys?.version ?? defaults.version) as 2 | 3);
  const auth = readAuth(ref, keys, version, context);
  const tracks = readTracks(ref, known, context);
  const notify = readNotify(ref, execution, context);
  if (keys === undefined) return undefined;
  const config: InstanceConfig = {
    ...readElection(keys, defaults),
    name,
    family,
    version,
    auth,
    vips: held.vips.map(({ vip }) => vip),
    ...readAnnouncements(keys, defaults),
    ...readPaths(keys, ref, family, defaults, context),
    ...readBehaviour(keys, defaults),
    ...defined({
      excludedVips: some(held.excluded.map(({ vip }) => vip)),
      virtualRoutes: some(held.routes),
      virtualRules: some(held.rules),
      vmac,
      heartbeatInterfaces: some(readHeartbeats(ref, keys.interface, context)),
      trackers: some(tracks.map(({ track }) => track)),
      notify: Object.keys(notify).length === 0 ? undefined : notify,
    }),
  };
  const instance = { config, ref, vips: [...held.vips, ...held.excluded], tracks };
  checkInstance(instance, keys, context);
  return instance;
}

/** The advertised addresses decide; an instance without them goes by what else names a family. */
function familyOf(ref: Ref<MapNode>, keys: InstanceKeys | undefined): Family {
  if (keys?.native_ipv6 === true) return 6;
  const fromAddresses = familyOfFirst(child(ref, "virtual_ipaddress"));
  const fromPaths = (keys?.unicast_src_ip ?? keys?.mcast_src_ip)?.family;
  return fromAddresses ?? fromPaths ?? familyOfFirst(child(ref, "unicast_peer")) ?? 4;
}

function readHeld(ref: Ref<MapNode>, family: Family, dev: string, context: Context) {
  const vips = child(ref, "virtual_ipaddress");
  const excluded = child(ref, "virtual_ipaddress_excluded");
  const routes = child(ref, "virtual_routes");
  const rules = child(ref, "virtual_rules");
  return {
    vips: vips === undefined ? [] : readVips(vips, family, dev, context),
    excluded: excluded === undefined ? [] : readAddresses(excluded, dev, context),
    routes: routes === undefined ? [] : readRoutes(routes, { family, dev }, context),
    rules: rules === undefined ? [] : readRules(rules, family, context),
  };
}

function readAuth(
  ref: Ref<MapNode>,
  keys: InstanceKeys | undefined,
  version: 2 | 3,
  context: Context,
): VrrpAuth {
  const password = child(ref, "authentication");
  const signature = child(ref, "auth_hmac");
  const plain: VrrpAuth =
    password === undefined ? { type: "none" } : readAuthentication(password, keys && version, context);
  if (signature === undefined) return plain;
  const hmac = readHmac(signature, keys?.advert_int ?? S, context);
  const place = { offset: signature.at, via: signature.via };
  if (keys !== undefined && version === 2)
    context.problems.error({
      ...place,
      message: "auth_hmac in a version 2 instance: its packets have no room for it",
      hint: "set version: 3 on every router of this virtual_router_id",
    });
  return hmac === undefined ? plain : { type: "HMAC", ...hmac };
}

function readElection(keys: InstanceKeys, defaults: InstanceDefaults) {
  const initialState = keys.state ?? "BACKUP";
  return {
    interface: keys.interface,
    vrid: keys.virtual_router_id,
    initialState,
    priority: keys.priority ?? (initialState === "MASTER" ? 255 : 100),
    advertInterval: us(keys.advert_int ?? S),
    preempt: keys.preempt ?? !(keys.nopreempt ?? false),
    preemptDelay: us(keys.preempt_delay ?? 0),
    downTimerAdverts: keys.down_timer_adverts ?? defaults.downTimerAdverts,
    strict: keys.strict_mode ?? keys.vrrp_strict ?? defaults.strict,
  };
}

const optionalUs = (time: number | undefined) => (time === undefined ? undefined : us(time));

function readAnnouncements(keys: InstanceKeys, defaults: InstanceDefaults) {
  return {
    garpMasterDelay: us(keys.garp_master_delay ?? defaults.garpMasterDelay),
    garpMasterRepeat: keys.garp_master_repeat ?? defaults.garpMasterRepeat,
    garpMasterRefresh: us(keys.garp_master_refresh ?? defaults.garpMasterRefresh),
    garpMasterRefreshRepeat: keys.garp_master_refresh_repeat ?? defaults.garpMasterRefreshRepeat,
    ...defined({
      garpLowerPriorityDelay: optionalUs(keys.garp_lower_prio_delay ?? defaults.garpLowerPriorityDelay),
      garpLowerPriorityRepeat: keys.garp_lower_prio_repeat ?? defaults.garpLowerPriorityRepeat,
      garpInterval: optionalUs(keys.garp_interval ?? defaults.garpInterval),
      gnaInterval: optionalUs(keys.gna_interval ?? defaults.gnaInterval),
    }),
  };
}

function readBehaviour(keys: InstanceKeys, defaults: InstanceDefaults) {
  const strict = keys.strict_mode ?? keys.vrrp_strict ?? defaults.strict;
  const refusesTraffic = keys.accept === undefined ? (keys.no_accept ?? strict) : !keys.accept;
  return defined({
    accept: refusesTraffic ? false : undefined,
    skipCheckAddresses: keys.skip_check_adv_addr ?? defaults.skipCheckAddresses,
    checksumMessageOnly: keys.v3_checksum_as_v2,
    dontTrackPrimary: keys.dont_track_primary,
    promoteSecondaries: keys.promote_secondaries,
    lowerPriorityNoAdvert: keys.lower_prio_no_advert ?? defaults.lowerPriorityNoAdvert,
    higherPrioritySendAdvert: keys.higher_prio_send_advert ?? defaults.higherPrioritySendAdvert,
  });
}
