/** vrrp_instance, vrrp_sync_group and what they track -> keepalived.conf. Only what differs from keepalived's defaults. */
import type {
  Config,
  InstanceConfig,
  NotifyConfig,
  SyncGroupConfig,
  TrackProcessConfig,
  TrackRef,
  TrackScriptConfig,
} from "../model.ts";
import { type ConfText, commandText, fromMs, fromUs } from "./conf-text.ts";
import { routeText, ruleText, vipText } from "./export-words.ts";

export function writeTracked(out: ConfText, config: Config): void {
  for (const script of config.trackScripts ?? [])
    named(out, "vrrp_script", script.name, () => writeScript(out, script));
  for (const process of config.trackProcesses ?? [])
    named(out, "vrrp_track_process", process.name, () => writeProcess(out, process));
  for (const file of config.trackFiles ?? [])
    named(out, "track_file", file.name, () => {
      out.put("file", file.path);
      if (file.weight !== 1 || file.reverse)
        out.line(`weight ${file.weight}${file.reverse ? " reverse" : ""}`);
      if (file.initValue !== undefined)
        out.line(`init_file ${file.initValue}${file.initOverwrite ? " overwrite" : ""}`);
    });
  for (const gateway of config.trackGateways ?? []) out.unknown(`track_gateway: ${gateway.name}`);
}

function named(out: ConfText, keyword: string, name: string, inside: () => void): void {
  const text = out.quoted(keyword, name);
  if (text !== undefined) out.block(`${keyword} ${text}`, inside);
}

/** Whole seconds only; what is finer is rounded up, with a note. */
function wholeSeconds(out: ConfText, key: string, ms: number): void {
  if (ms % 1000 !== 0)
    out.lost(`${key} ${fromMs(ms)}: keepalived takes whole seconds, written as ${Math.ceil(ms / 1000)}`);
  out.put(key, Math.ceil(ms / 1000));
}

function writeScript(out: ConfText, script: TrackScriptConfig): void {
  out.line(`script ${commandText(script.command)}`);
  if (script.interval !== 1000) wholeSeconds(out, "interval", script.interval);
  if (script.timeout !== script.interval) wholeSeconds(out, "timeout", script.timeout);
  writeWeight(out, script);
  if (script.rise !== 1) out.put("rise", script.rise);
  if (script.fall !== 1) out.put("fall", script.fall);
  if (script.user !== undefined) out.line(`user ${[script.user, script.group].filter(Boolean).join(" ")}`);
  out.put("init_fail", script.initFail);
}

function writeWeight(
  out: ConfText,
  { weight, reverse }: { readonly weight?: number; readonly reverse: boolean },
): void {
  if (weight !== undefined || reverse) out.line(`weight ${weight ?? 0}${reverse ? " reverse" : ""}`);
}

function writeProcess(out: ConfText, process: TrackProcessConfig): void {
  const words = process.command.map((word) => out.quoted("process", word));
  if (!words.includes(undefined)) out.line(`process ${words.join(" ")}`);
  if (process.paramMatch === "initial" || process.paramMatch === "partial")
    out.put("param_match", process.paramMatch);
  writeWeight(out, process);
  if (process.quorum !== 1) out.put("quorum", process.quorum);
  if (process.quorumMax !== 2 ** 31 - 1) out.put("quorum_max", process.quorumMax);
  if (process.riseDelay !== 0) out.line(`fork_delay ${fromMs(process.riseDelay)}`);
  if (process.fallDelay !== 0) out.line(`terminate_delay ${fromMs(process.fallDelay)}`);
  out.put("full_command", process.fullCommand);
}

export function writeGroup(out: ConfText, group: SyncGroupConfig, config: Config): void {
  named(out, "vrrp_sync_group", group.name, () => {
    out.block("group", () => {
      for (const member of group.members) out.line(out.quoted("group", member) ?? "");
    });
    writeTracks(out, group.trackers, config);
    writeNotify(out, group.notify);
  });
}

const GROUPS = { 4: "224.0.0.18", 6: "ff02::12" };

export function writeInstance(out: ConfText, instance: InstanceConfig, config: Config): void {
  named(out, "vrrp_instance", instance.name, () => {
    writeElection(out, instance);
    writeAuthentication(out, instance);
    writePaths(out, instance);
    writeAnnouncements(out, instance);
    writeBehaviour(out, instance);
    writeHeld(out, instance);
    writeTracks(out, instance.trackers ?? [], config);
    writeNotify(out, instance.notify ?? {});
  });
}

function writeElection(out: ConfText, instance: InstanceConfig): void {
  out.put("state", instance.initialState);
  out.put("interface", instance.interface);
  out.put("virtual_router_id", instance.vrid);
  out.put("priority", instance.priority);
  if (instance.family === 4 && instance.version === 3) out.put("version", 3);
  if (instance.family === 6 && instance.vips.length === 0) out.put("native_ipv6", true);
  out.line(`advert_int ${fromUs(instance.advertInterval)}`);
  out.put("nopreempt", !instance.preempt);
  if (instance.preemptDelay !== 0) out.line(`preempt_delay ${fromUs(instance.preemptDelay)}`);
  if (instance.downTimerAdverts !== 3) out.put("down_timer_adverts", instance.downTimerAdverts);
  out.put("strict_mode", instance.strict);
}

function writeAuthentication(out: ConfText, { auth }: InstanceConfig): void {
  if (auth.type === "PASS")
    out.block("authentication", () => {
      out.line("auth_type PASS");
      out.put("auth_pass", auth.pass);
    });
  // keepalived 2.4 and later.
  if (auth.type === "HMAC")
    out.block("auth_hmac", () => {
      for (const { id, key } of auth.keys) out.line(`key ${id} hex:${key}`);
      out.put("active_key", auth.activeKey);
      out.put("anti_replay", auth.antiReplay);
      out.line(`time_window ${fromUs(auth.timeWindow)}`);
      out.put("mode", auth.mode);
    });
}

function writePaths(out: ConfText, instance: InstanceConfig): void {
  const { unicast, sourceAddress, multicastGroup, family, vmac } = instance;
  if (sourceAddress !== undefined)
    out.put(unicast === undefined ? "mcast_src_ip" : "unicast_src_ip", sourceAddress);
  if (multicastGroup !== undefined && multicastGroup !== GROUPS[family])
    out.put("mcast_dst_ip", multicastGroup);
  if (vmac !== undefined) out.put("use_vmac", vmac.name);
  if (vmac !== undefined) out.put("vmac_xmit_base", vmac.xmitBase);
  if (instance.udp !== undefined) out.unknown("transport");
  if (instance.heartbeatInterfaces !== undefined) out.unknown("heartbeat_interfaces");
  if (unicast === undefined) return;
  if (unicast.peers.length === 0)
    return out.lost("unicast_peer without peers: keepalived would use multicast");
  let limited = false;
  out.block("unicast_peer", () => {
    for (const { address, minTtl, maxTtl } of unicast.peers) {
      limited ||= minTtl !== 0 || maxTtl !== 255;
      out.line(
        `${address}${minTtl === 0 ? "" : ` min_ttl ${minTtl}`}${maxTtl === 255 ? "" : ` max_ttl ${maxTtl}`}`,
      );
    }
  });
  if (unicast.ttl !== 255) out.put("unicast_ttl", unicast.ttl);
  out.put("check_unicast_src", unicast.checkSource);
  if (limited && !unicast.checkSource)
    out.lost("check_unicast_src false: keepalived sets it with min_ttl and max_ttl");
}

function writeAnnouncements(out: ConfText, instance: InstanceConfig): void {
  const seconds = (key: string, us: number | undefined, fallback: number | undefined): void => {
    if (us !== undefined && us !== fallback) wholeSeconds(out, key, us / 1000);
  };
  const count = (key: string, value: number | undefined, fallback: number | undefined): void => {
    if (value !== undefined && value !== fallback) out.put(key, value);
  };
  seconds("garp_master_delay", instance.garpMasterDelay, 5_000_000);
  count("garp_master_repeat", instance.garpMasterRepeat, 5);
  seconds("garp_master_refresh", instance.garpMasterRefresh, 0);
  count("garp_master_refresh_repeat", instance.garpMasterRefreshRepeat, 1);
  seconds("garp_lower_prio_delay", instance.garpLowerPriorityDelay, undefined);
  count("garp_lower_prio_repeat", instance.garpLowerPriorityRepeat, undefined);
}

const onOff = (value: boolean | undefined): string | undefined =>
  value === undefined ? undefined : value ? "on" : "off";

function writeBehaviour(out: ConfText, instance: InstanceConfig): void {
  if (instance.accept === false) out.put("no_accept", !instance.strict);
  else out.put("accept", instance.strict);
  out.put("skip_check_adv_addr", onOff(instance.skipCheckAddresses));
  out.put("v3_checksum_as_v2", onOff(instance.checksumMessageOnly));
  out.put("dont_track_primary", instance.dontTrackPrimary);
  out.put("promote_secondaries", instance.promoteSecondaries);
  out.put("lower_prio_no_advert", onOff(instance.lowerPriorityNoAdvert));
  out.put("higher_prio_send_advert", onOff(instance.higherPrioritySendAdvert));
}

function writeHeld(out: ConfText, instance: InstanceConfig): void {
  const dev = instance.vmac?.name ?? instance.interface;
  const block = <T>(key: string, items: readonly T[] | undefined, text: (item: T) => string): void => {
    if (items !== undefined && items.length > 0)
      out.block(key, () => {
        for (const item of items) out.line(text(item));
      });
  };
  block("virtual_ipaddress", instance.vips, (vip) => vipText(vip, dev));
  block("virtual_ipaddress_excluded", instance.excludedVips, (vip) => vipText(vip, dev));
  block("virtual_routes", instance.virtualRoutes, routeText);
  block("virtual_rules", instance.virtualRules, ruleText);
}

const BLOCKS: Readonly<Record<string, string>> = {
  interface: "track_interface",
  script: "track_script",
  process: "track_process",
  file: "track_file",
  bfd: "track_bfd",
};

function writeTracks(out: ConfText, trackers: readonly TrackRef[], config: Config): void {
  for (const { kind, name } of trackers)
    if (BLOCKS[kind] === undefined) out.unknown(`track_${kind}: ${name}`);
  for (const [kind, block] of Object.entries(BLOCKS)) {
    const own = trackers.filter((track) => track.kind === kind);
    if (own.length === 0) continue;
    out.block(block, () => {
      for (const track of own) {
        const name = out.quoted(block, track.name);
        if (name !== undefined) out.line(`${name}${weightText(track, config)}`);
      }
    });
  }
}

/** Nothing where the definition's own weight says the same. */
function weightText({ kind, name, weight, reverse }: TrackRef, config: Config): string {
  const list: readonly { name: string; weight?: number; reverse: boolean }[] =
    (kind === "script"
      ? config.trackScripts
      : kind === "process"
        ? config.trackProcesses
        : config.trackFiles) ?? [];
  const definition = kind === "interface" ? undefined : list.find((one) => one.name === name);
  if (
    (definition?.weight || undefined) === (weight || undefined) &&
    (definition?.reverse ?? false) === reverse
  )
    return "";
  return ` weight ${weight ?? 0}${reverse ? " reverse" : ""}`;
}

function writeNotify(out: ConfText, notify: NotifyConfig): void {
  const commands = [
    ["notify_master", notify.master],
    ["notify_backup", notify.backup],
    ["notify_fault", notify.fault],
    ["notify_stop", notify.stop],
    ["notify", notify.any],
  ] as const;
  for (const [key, argv] of commands) if (argv !== undefined) out.line(`${key} ${commandText(argv)}`);
}
