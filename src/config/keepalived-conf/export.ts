/**
 * Config -> keepalived.conf. Written from the validated configuration, so that defaults, secrets, node overrides and
 * references are what vipward itself uses; importing the text gives the same Config again.
 */
import type { Config } from "../model.ts";
import { ConfText, fromUs } from "./conf-text.ts";
import { writeService } from "./export-service.ts";
import { writeGroup, writeInstance, writeTracked } from "./export-vrrp.ts";
import { routeText, ruleText, vipText } from "./export-words.ts";

export interface Exported {
  readonly text: string;
  /** What keepalived has no words for. */
  readonly notes: readonly string[];
}

/** `hostname`: the machine that would run keepalived with it. */
export function exportKeepalived(config: Config, hostname: string): Exported {
  const out = new ConfText();
  out.line("! Written by vipward export");
  out.block("global_defs", () => writeGlobal(out, config));
  const list = <T>(key: string, items: readonly T[] | undefined, text: (item: T) => string): void => {
    if (items !== undefined)
      out.block(key, () => {
        for (const item of items) out.line(text(item));
      });
  };
  list("static_ipaddress", config.staticAddresses, (vip) => vipText(vip, undefined));
  list("static_routes", config.staticRoutes, routeText);
  list("static_rules", config.staticRules, ruleText);
  const complete = withFiles(config);
  writeTracked(out, complete);
  for (const group of complete.syncGroups ?? []) writeGroup(out, group, complete);
  for (const instance of complete.instances) writeInstance(out, instance, complete);
  for (const service of complete.services) writeService(out, service, hostname);
  return { text: out.text, notes: out.notes };
}

function writeGlobal(out: ConfText, { global, instances }: Config): void {
  out.put("router_id", global.routerId);
  out.put("lvs_flush", global.lvsFlush);
  if (global.startupDelay !== undefined && global.startupDelay !== 0)
    out.line(`vrrp_startup_delay ${fromUs(global.startupDelay)}`);
  out.put("enable_script_security", global.scriptSecurity);
  if (global.scriptUser !== undefined) out.line(`script_user ${global.scriptUser}`);
  // keepalived keeps these for all interfaces, vipward for each instance.
  for (const [key, field] of [
    ["vrrp_garp_interval", "garpInterval"],
    ["vrrp_gna_interval", "gnaInterval"],
  ] as const) {
    const values = new Set(instances.map((instance) => instance[field] ?? 0));
    const [value = 0] = values;
    if (values.size > 1) out.lost(`${key}: not the same for all instances`);
    else if (value !== 0) out.line(`${key} ${fromUs(value)}`);
  }
  if (global.dataplane !== undefined && global.dataplane !== "kernel") out.unknown("dataplane");
  if (!global.vipLease) out.unknown("vip_lease");
  if (global.resyncInterval !== 10_000) out.unknown("resync_interval");
  if (!global.realtime) out.unknown("vrrp_realtime");
}

/** keepalived's FILE_CHECK knows its file by the name of a track_file: those given by their path get one. */
function withFiles(config: Config): Config {
  const files = [...(config.trackFiles ?? [])];
  const nameOf = new Map(files.map((file) => [file.path, file.name]));
  for (const service of config.services)
    for (const server of service.realServers)
      for (const checker of server.checkers)
        if (checker.type === "FILE_CHECK" && !nameOf.has(checker.path)) {
          const name = `file${files.length + 1}`;
          nameOf.set(checker.path, name);
          files.push({ name, path: checker.path, weight: 1, reverse: false, initOverwrite: false });
        }
  if (nameOf.size === 0) return config;
  const services = config.services.map((service) => ({
    ...service,
    realServers: service.realServers.map((server) => ({
      ...server,
      checkers: server.checkers.map((checker) =>
        checker.type === "FILE_CHECK"
          ? { ...checker, path: nameOf.get(checker.path) ?? checker.path }
          : checker,
      ),
    })),
  }));
  return { ...config, trackFiles: files, services };
}
