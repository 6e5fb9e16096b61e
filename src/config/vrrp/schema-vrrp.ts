/** The keys of the VRRP blocks, with their units and ranges. */
import { ip } from "../ip.ts";
import { block, bool, choice, count, duration, int, nested, scalar, timer, word } from "../scalar.ts";
import { interfaceName, validInterfaceName } from "../values.ts";
import { parseArgv } from "./argv.ts";
import { parseWeight, WEIGHT_HINT } from "./weight.ts";

const S = 1_000_000;
const MS = 1_000;

/** A probe's time: from 1 ms, in whole milliseconds. */
const probeTime = () => duration({ min: MS, step: MS }).optional();
const delay = () => duration({ min: 0, step: MS }).optional();
const garps = () => count(0, 65535);
/** Names of interfaces and the like that words.ts splits off. */
const wordOf = (name: string) => word(name).optional();

const weight = () =>
  scalar((text) => {
    const value = parseWeight(text);
    return value === undefined
      ? { message: `"${text.slice(0, 40)}" is not a weight`, hint: WEIGHT_HINT }
      : { value };
  }).optional();

/** "USER [GROUP]". */
const user = () =>
  scalar<readonly [string, string?]>((text) => {
    const [name = "", group, ...rest] = text.trim().split(/\s+/);
    const valid = (word: string): boolean => /^[\w.][\w.$-]{0,31}$/.test(word);
    if (rest.length > 0 || !valid(name) || (group !== undefined && !valid(group)))
      return { message: `"${text.slice(0, 60)}" is not a user`, hint: "USER, or USER GROUP" };
    return { value: group === undefined ? [name] : [name, group] };
  }).optional();

/** Bare or a flag's word, otherwise a name. */
const vmac = () =>
  scalar<boolean | string>((text) => {
    if (/^(true|on|yes)$/i.test(text)) return { value: true };
    if (/^(false|off|no)$/i.test(text)) return { value: false };
    return validInterfaceName(text)
      ? { value: text }
      : {
          message: `"${text.slice(0, 60)}" is not an interface name`,
          hint: "true, or a name of at most 15 bytes without blank, slash or colon",
        };
  }, true).optional();

/** A process and the parameters it must have. */
const processWords = () =>
  scalar<readonly string[]>((text) => {
    const parsed = parseArgv(text);
    if ("message" in parsed) return { message: parsed.message };
    return parsed.argv.length === 0 || parsed.argv[0] === ""
      ? { message: "no process", hint: "its name or path, and parameters that must match" }
      : { value: parsed.argv };
  });

/** init_file: bare, "N", "N overwrite", "overwrite". */
const initFile = () =>
  scalar<{ readonly value: number; readonly overwrite: boolean }>(
    (text) => {
      const match = /^(-?\d{1,9})?\s*(overwrite)?$/.exec(text.trim());
      return match === null || text.trim() === ""
        ? { message: `"${text.slice(0, 40)}" is not a value to write`, hint: "N, overwrite, or N overwrite" }
        : { value: { value: Number(match[1] ?? 0), overwrite: match[2] !== undefined } };
    },
    { value: 0, overwrite: false },
  ).optional();

const trackKeys = () => ({
  track_interface: nested().optional(),
  track_script: nested().optional(),
  track_process: nested().optional(),
  track_file: nested().optional(),
  track_gateway: nested().optional(),
  track_virtual_server: nested().optional(),
});
const notifyKeys = () => ({
  notify_master: nested().optional(),
  notify_backup: nested().optional(),
  notify_fault: nested().optional(),
  notify_stop: nested().optional(),
  notify: nested().optional(),
});

export const globalVrrpKeys = () => ({
  vrrp_version: count(2, 3),
  vrrp_strict: bool(),
  vrrp_startup_delay: timer(),
  vrrp_mcast_group4: ip().optional(),
  vrrp_mcast_group6: ip().optional(),
  vrrp_garp_master_delay: timer(),
  vrrp_garp_master_repeat: garps(),
  vrrp_garp_master_refresh: timer(),
  vrrp_garp_master_refresh_repeat: garps(),
  vrrp_garp_lower_prio_delay: timer(),
  vrrp_garp_lower_prio_repeat: garps(),
  vrrp_garp_interval: timer(),
  vrrp_gna_interval: timer(),
  vrrp_lower_prio_no_advert: bool(),
  vrrp_higher_prio_send_advert: bool(),
  vrrp_check_unicast_src: bool(),
  vrrp_skip_check_adv_addr: bool(),
  vrrp_down_timer_adverts: count(1, 100),
  enable_script_security: bool(),
  script_user: user(),
});

const instanceBlock = () =>
  block("vrrp_instance", {
    state: choice(["MASTER", "BACKUP"]).optional(),
    interface: interfaceName(),
    virtual_router_id: int(1, 255),
    priority: count(1, 255),
    // The version decides the range: see election-rules.ts.
    advert_int: duration({ min: 0 }).optional(),
    version: count(2, 3),
    native_ipv6: bool(),
    nopreempt: bool(),
    preempt: bool(),
    preempt_delay: duration({ min: 0, max: 1000 * S }).optional(),
    authentication: nested().optional(),
    auth_hmac: nested().optional(),
    virtual_ipaddress: nested().optional(),
    virtual_ipaddress_excluded: nested().optional(),
    virtual_routes: nested().optional(),
    virtual_rules: nested().optional(),
    mcast_src_ip: ip().optional(),
    mcast_dst_ip: ip().optional(),
    unicast_src_ip: ip().optional(),
    unicast_peer: nested().optional(),
    unicast_ttl: count(1, 255),
    check_unicast_src: bool(),
    transport: nested().optional(),
    heartbeat_interfaces: nested().optional(),
    use_vmac: vmac(),
    vmac_xmit_base: bool(),
    accept: bool(),
    no_accept: bool(),
    skip_check_adv_addr: bool(),
    v3_checksum_as_v2: bool(),
    dont_track_primary: bool(),
    promote_secondaries: bool(),
    lower_prio_no_advert: bool(),
    higher_prio_send_advert: bool(),
    down_timer_adverts: count(1, 100),
    garp_master_delay: timer(),
    garp_master_repeat: garps(),
    garp_master_refresh: timer(),
    garp_master_refresh_repeat: garps(),
    garp_lower_prio_delay: timer(),
    garp_lower_prio_repeat: garps(),
    garp_interval: timer(),
    gna_interval: timer(),
    strict_mode: bool(),
    vrrp_strict: bool(),
    ...trackKeys(),
    ...notifyKeys(),
  });

const authenticationBlock = () =>
  block("authentication", {
    auth_type: choice(["PASS", "AH"], { quiet: true }),
    auth_pass: nested().optional(),
  });

const hmacBlock = () =>
  block("auth_hmac", {
    key: nested(),
    active_key: count(0, 255),
    anti_replay: choice(["time", "monotonic"], { quiet: true }).optional(),
    time_window: duration({ min: MS, step: 1 }).optional(),
    mode: choice(["enforce", "permissive", "receive-only"], { quiet: true }).optional(),
  });

const vipBlock = () =>
  block("virtual_ipaddress", {
    address: word("address"),
    dev: interfaceName().optional(),
    label: wordOf("label"),
    brd: wordOf("brd"),
    scope: wordOf("scope"),
    peer: wordOf("peer"),
    preferred_lft: wordOf("preferred_lft"),
    nodad: bool(),
    no_track: bool(),
  });

const routeBlock = () =>
  block("virtual_routes", {
    to: word("to"),
    via: wordOf("via"),
    dev: interfaceName().optional(),
    src: wordOf("src"),
    table: wordOf("table"),
    metric: wordOf("metric"),
    scope: wordOf("scope"),
    type: choice(["unicast", "blackhole", "unreachable", "prohibit"]).optional(),
    onlink: bool(),
    no_track: bool(),
  });

const ruleBlock = () =>
  block("virtual_rules", {
    from: wordOf("from"),
    to: wordOf("to"),
    iif: interfaceName().optional(),
    oif: interfaceName().optional(),
    fwmark: wordOf("fwmark"),
    table: word("table"),
    priority: wordOf("priority"),
    no_track: bool(),
  });

const scriptBlock = () =>
  block("vrrp_script", {
    script: nested(),
    interval: probeTime(),
    timeout: probeTime(),
    weight: weight(),
    rise: count(1, 65535),
    fall: count(1, 65535),
    user: user(),
    init_fail: bool(),
  });

const processBlock = () =>
  block("vrrp_track_process", {
    process: processWords(),
    param_match: choice(["initial", "partial", "exact"]).optional(),
    weight: weight(),
    quorum: count(0, 2 ** 31 - 1),
    quorum_max: count(0, 2 ** 31 - 1),
    delay: delay(),
    fork_delay: delay(),
    terminate_delay: delay(),
    full_command: bool(),
  });

export const vrrpBlocks = () => ({
  instance: instanceBlock(),
  authentication: authenticationBlock(),
  hmac: hmacBlock(),
  vip: vipBlock(),
  route: routeBlock(),
  rule: ruleBlock(),
  peer: block("unicast_peer", {
    address: word("address"),
    min_ttl: wordOf("min_ttl"),
    max_ttl: wordOf("max_ttl"),
  }),
  transport: block("transport", { udp: nested() }),
  udp: block("udp", { port: count(1, 65535) }),
  track: block("the tracked thing", { name: wordOf("name"), weight: weight(), reverse: bool() }),
  script: scriptBlock(),
  process: processBlock(),
  file: block("vrrp_track_file", { file: word("file", 4096), weight: weight(), init_file: initFile() }),
  gateway: block("track_gateway", {
    address: ip(),
    interface: interfaceName(),
    method: choice(["arp", "icmp"]).optional(),
    interval: probeTime(),
    timeout: probeTime(),
    rise: count(1, 65535),
    fall: count(1, 65535),
    weight: weight(),
  }),
  group: block("vrrp_sync_group", { group: nested(), ...trackKeys(), ...notifyKeys() }),
});
