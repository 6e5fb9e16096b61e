/** global_defs -> GlobalConfig, and the defaults of instances. */
import { ms, us } from "../units.ts";
import { readBlock } from "./block.ts";
import type { Context } from "./context.ts";
import { isMulticast } from "./ip.ts";
import type { Family, GlobalConfig } from "./model.ts";
import { isBare, isMap, type MapNode, type Ref } from "./nodes.ts";
import { defined } from "./optional.ts";
import { at, inside, refuse } from "./place.ts";
import { schemas } from "./schema.ts";
import type { InstanceDefaults } from "./vrrp/instance-keys.ts";

/** keepalived's. */
const DEFAULTS = {
  version: 2,
  strict: false,
  garpMasterDelay: 5_000_000,
  garpMasterRepeat: 5,
  garpMasterRefresh: 0,
  garpMasterRefreshRepeat: 1,
  downTimerAdverts: 3,
};

export function readGlobal(
  ref: Ref | undefined,
  context: Context,
): { global: GlobalConfig; defaults: InstanceDefaults } {
  if (ref !== undefined && !isMap(ref) && !isBare(ref))
    refuse(inside(ref), context, "global_defs is a block");
  const block = ref !== undefined && isMap(ref) ? ref : undefined;
  const keys = (block && readBlock(block, schemas().global, context.problems)) ?? {};
  const group = (key: "vrrp_mcast_group4" | "vrrp_mcast_group6", family: Family): string | undefined => {
    const value = keys[key];
    if (value === undefined || (value.family === family && isMulticast(value.address))) return value?.address;
    const where = at(block as Ref<MapNode>, key);
    return refuse(where, context, `${key}: ${value.address} is not an IPv${family} multicast group`);
  };
  return {
    global: defined({
      routerId: keys.router_id ?? context.options.hostname,
      dataplane: keys.dataplane,
      vipLease: keys.vip_lease ?? true,
      resyncInterval: ms((keys.resync_interval ?? 10_000_000) / 1000),
      lvsFlush: keys.lvs_flush ?? false,
      realtime: keys.vrrp_realtime ?? true,
      startupDelay: keys.vrrp_startup_delay === undefined ? undefined : us(keys.vrrp_startup_delay),
      scriptSecurity: keys.enable_script_security,
      scriptUser: keys.script_user?.join(" "),
    }),
    defaults: {
      version: keys.vrrp_version ?? DEFAULTS.version,
      strict: keys.vrrp_strict ?? DEFAULTS.strict,
      garpMasterDelay: keys.vrrp_garp_master_delay ?? DEFAULTS.garpMasterDelay,
      garpMasterRepeat: keys.vrrp_garp_master_repeat ?? DEFAULTS.garpMasterRepeat,
      garpMasterRefresh: keys.vrrp_garp_master_refresh ?? DEFAULTS.garpMasterRefresh,
      garpMasterRefreshRepeat: keys.vrrp_garp_master_refresh_repeat ?? DEFAULTS.garpMasterRefreshRepeat,
      downTimerAdverts: keys.vrrp_down_timer_adverts ?? DEFAULTS.downTimerAdverts,
      garpLowerPriorityDelay: keys.vrrp_garp_lower_prio_delay,
      garpLowerPriorityRepeat: keys.vrrp_garp_lower_prio_repeat,
      garpInterval: keys.vrrp_garp_interval,
      gnaInterval: keys.vrrp_gna_interval,
      lowerPriorityNoAdvert: keys.vrrp_lower_prio_no_advert,
      higherPrioritySendAdvert: keys.vrrp_higher_prio_send_advert,
      checkUnicastSource: keys.vrrp_check_unicast_src,
      skipCheckAddresses: keys.vrrp_skip_check_adv_addr,
      multicastGroup4: group("vrrp_mcast_group4", 4),
      multicastGroup6: group("vrrp_mcast_group6", 6),
    },
  };
}
