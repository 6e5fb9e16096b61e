/** The keys of every block, with their units and ranges. Built on first use: start-up time matters. */
import { checkDefaults, checkerBlocks, checkerKeys } from "./checker-keys.ts";
import { SCHEDULERS } from "./model.ts";
import { block, bool, choice, count, duration, nested, text, word } from "./scalar.ts";
import { persistenceGranularity } from "./values.ts";
import { globalVrrpKeys, vrrpBlocks } from "./vrrp/schema-vrrp.ts";

const S = 1_000_000;
const MS = 1_000;

const seconds = (min: number, max: number, whenBare?: number) =>
  duration({
    min: min * S,
    max: max * S,
    step: S,
    ...(whenBare === undefined ? {} : { whenBare: whenBare * S }),
  }).optional();

const FORWARDING = ["NAT", "DR", "TUN", "FULLNAT"] as const;
/** ipvsadm's words beside keepalived's. */
const forwarding = () =>
  choice(FORWARDING, { aliases: { masq: "NAT", route: "DR", tunnel: "TUN" } }).optional();

const rootBlock = () =>
  block("the file", {
    global_defs: nested().optional(),
    vrrp_instance: nested().optional(),
    vrrp_sync_group: nested().optional(),
    vrrp_script: nested().optional(),
    vrrp_track_process: nested().optional(),
    vrrp_track_file: nested().optional(),
    track_file: nested().optional(),
    vrrp_track_gateway: nested().optional(),
    track_gateway: nested().optional(),
    static_ipaddress: nested().optional(),
    static_routes: nested().optional(),
    static_rules: nested().optional(),
    virtual_server: nested().optional(),
    nodes: nested().optional(),
  });

const globalBlock = () =>
  block("global_defs", {
    router_id: word("router_id").optional(),
    dataplane: choice(["kernel", "userspace", "auto"]).optional(),
    vip_lease: bool(),
    resync_interval: duration({ min: 100 * MS, step: MS }).optional(),
    lvs_flush: bool(),
    vrrp_realtime: bool(),
    ...globalVrrpKeys(),
  });

const serviceBlock = () =>
  block("virtual_server", {
    ...checkDefaults(),
    lb_algo: choice(SCHEDULERS).optional(),
    lvs_sched: choice(SCHEDULERS).optional(),
    lb_kind: forwarding(),
    lvs_method: forwarding(),
    protocol: choice(["tcp", "udp", "sctp"]).optional(),
    persistence_timeout: seconds(0, 31 * 86400, 360),
    persistence_granularity: persistenceGranularity().optional(),
    quorum: count(1, 2 ** 31 - 1),
    hysteresis: count(0, 2 ** 31 - 1),
    sorry_server: text().optional(),
    sorry_server_lvs_method: forwarding(),
    inhibit_on_failure: bool(),
    weight: count(0, 65535),
    uthreshold: count(0, 2 ** 31 - 1),
    lthreshold: count(0, 2 ** 31 - 1),
    virtualhost: word("virtualhost").optional(),
    real_server: nested().optional(),
  });

const serverBlock = () =>
  block("real_server", {
    ...checkDefaults(),
    weight: count(0, 65535),
    inhibit_on_failure: bool(),
    lb_kind: forwarding(),
    lvs_method: forwarding(),
    uthreshold: count(0, 2 ** 31 - 1),
    lthreshold: count(0, 2 ** 31 - 1),
    virtualhost: word("virtualhost").optional(),
    ...checkerKeys(),
  });

function build() {
  return {
    root: rootBlock(),
    global: globalBlock(),
    ...vrrpBlocks(),
    service: serviceBlock(),
    server: serverBlock(),
    ...checkerBlocks(),
  };
}

let built: ReturnType<typeof build> | undefined;
export function schemas(): ReturnType<typeof build> {
  built ??= build();
  return built;
}
