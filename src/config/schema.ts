/** The keys of every block, with their units and ranges. Built on first use: start-up time matters. */
import * as z from "zod";
import { SCHEDULERS } from "./model.ts";
import { choice, duration, flag, int, ipv4, nested, text, word } from "./scalar.ts";
import { interfaceName, persistenceGranularity } from "./values.ts";

const S = 1_000_000;
const MS = 1_000;

function block<T extends z.ZodRawShape>(name: string, shape: T) {
  return { name, schema: z.strictObject(shape), keys: Object.keys(shape) };
}

const timer = () => duration({ min: 0, step: 1 }).optional();
const seconds = (min: number, max: number, whenBare?: number) =>
  duration({
    min: min * S,
    max: max * S,
    step: S,
    ...(whenBare === undefined ? {} : { whenBare: whenBare * S }),
  }).optional();
const count = (min: number, max: number) => int(min, max).optional();
const bool = () => flag().optional();

/** What services, real servers and checkers hand down to each other. */
const checkDefaults = () => ({
  delay_loop: duration({ min: MS, step: MS }).optional(),
  connect_timeout: duration({ min: MS, max: 3600 * S, step: MS }).optional(),
  retry: count(0, 65535),
  delay_before_retry: duration({ min: 0, step: MS }).optional(),
  warmup: duration({ min: 0, step: MS }).optional(),
  alpha: bool(),
});

const FORWARDING = ["NAT", "DR", "TUN", "FULLNAT"] as const;
/** ipvsadm's words beside keepalived's. */
const forwarding = () =>
  choice(FORWARDING, { aliases: { masq: "NAT", route: "DR", tunnel: "TUN" } }).optional();

const rootBlock = () =>
  block("the file", {
    global_defs: nested().optional(),
    vrrp_instance: nested().optional(),
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
    vrrp_version: count(2, 3),
    vrrp_strict: bool(),
    vrrp_garp_master_delay: timer(),
    vrrp_garp_master_repeat: count(0, 65535),
    vrrp_garp_master_refresh: timer(),
    vrrp_garp_master_refresh_repeat: count(0, 65535),
    vrrp_down_timer_adverts: count(1, 100),
  });

const instanceBlock = () =>
  block("vrrp_instance", {
    state: choice(["MASTER", "BACKUP"]).optional(),
    interface: interfaceName(),
    virtual_router_id: int(1, 255),
    priority: count(1, 255),
    // The version decides the range: see instance.ts.
    advert_int: duration({ min: 0 }).optional(),
    version: count(2, 3),
    nopreempt: bool(),
    preempt: bool(),
    preempt_delay: duration({ min: 0, max: 1000 * S }).optional(),
    authentication: nested().optional(),
    virtual_ipaddress: nested().optional(),
    mcast_src_ip: ipv4().optional(),
    down_timer_adverts: count(1, 100),
    garp_master_delay: timer(),
    garp_master_repeat: count(0, 65535),
    garp_master_refresh: timer(),
    garp_master_refresh_repeat: count(0, 65535),
    strict_mode: bool(),
    vrrp_strict: bool(),
  });

const authenticationBlock = () =>
  block("authentication", {
    auth_type: choice(["PASS", "AH"], { quiet: true }),
    auth_pass: nested().optional(),
  });

const vipBlock = () =>
  block("virtual_ipaddress", {
    address: word("address"),
    dev: interfaceName().optional(),
    label: word("label").optional(),
    brd: word("brd").optional(),
    scope: word("scope").optional(),
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
    TCP_CHECK: nested().optional(),
    HTTP_GET: nested().optional(),
  });

const checkerCommon = () => ({
  ...checkDefaults(),
  connect_ip: ipv4().optional(),
  connect_port: count(1, 65535),
  bindto: ipv4().optional(),
});

const tcpBlock = () => block("TCP_CHECK", checkerCommon());

const httpBlock = () =>
  block("HTTP_GET", {
    ...checkerCommon(),
    url: nested(),
    http_protocol: choice(["1.0", "1.0C", "1.1"]).optional(),
    virtualhost: word("virtualhost").optional(),
  });

const urlBlock = () =>
  block("url", {
    path: word("path", 4096),
    status_code: nested().optional(),
    virtualhost: word("virtualhost").optional(),
  });

function build() {
  return {
    root: rootBlock(),
    global: globalBlock(),
    instance: instanceBlock(),
    authentication: authenticationBlock(),
    vip: vipBlock(),
    service: serviceBlock(),
    server: serverBlock(),
    tcp: tcpBlock(),
    http: httpBlock(),
    url: urlBlock(),
  };
}

let built: ReturnType<typeof build> | undefined;
export function schemas(): ReturnType<typeof build> {
  built ??= build();
  return built;
}
