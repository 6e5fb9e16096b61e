/** ldirectord.cf -> virtual_server blocks. */

import { ipv4ToNumber, numberToIpv4 } from "../address.ts";
import type { ParseOptions } from "../context.ts";
import { parseIp } from "../ip.ts";
import * as doc from "../keepalived-conf/document.ts";
import { finish, type Imported, type Named, placeServices } from "../keepalived-conf/finish.ts";
import { Notes } from "../keepalived-conf/notes.ts";
import { type Spot, sourceFile } from "../keepalived-conf/source.ts";
import { quote } from "../problem.ts";
import { checkerOf, type Settings } from "./checks.ts";
import { parseLdirectord, type Setting, type Virtual } from "./parse.ts";

/** Never throws for what is in the text. `path` is for messages. */
export function importLdirectord(text: string, path: string, options: ParseOptions): Imported {
  const notes = new Notes();
  const file = sourceFile(path, path, text);
  const { globals, virtuals } = parseLdirectord(file, notes);
  for (const setting of globals) judge(setting, GLOBAL, notes);
  const services = virtuals.flatMap((virtual) => service(virtual, globals, notes) ?? []);
  const root = doc.map({ file, line: 1, column: 1 });
  placeServices(root, services);
  return finish(root, notes, [path], options);
}

/** Settings that are read; of services and of all. */
const SHARED = `checktimeout negotiatetimeout checkinterval checkcount failurecount quiescent fallback checktype service
  request receive virtualhost httpmethod checkport checkcommand`;
const GLOBAL = new Set(SHARED.trim().split(/\s+/));
const LOCAL = new Set([...GLOBAL, ..."real scheduler protocol persistent netmask".split(" ")]);
const MAIL = /^email|^smtp$/;
const OWN = /^(autoreload|callback|logfile|supervised|fork|execute|cleanstop|maintenancedir|readdquiescent)$/;

function judge({ key, spot }: Setting, known: ReadonlySet<string>, notes: Notes): void {
  if (known.has(key)) return;
  if (MAIL.test(key))
    notes.warn(spot, `left out: ${key}: mail is not supported by this version of vipward yet`);
  else if (OWN.test(key)) notes.warn(spot, `left out: ${key} has no counterpart in vipward`);
  else notes.warn(spot, `left out: ${key} is not supported by this version of vipward yet`);
}

function service(virtual: Virtual, globals: readonly Setting[], notes: Notes): Named | undefined {
  for (const setting of virtual.settings) judge(setting, LOCAL, notes);
  const find = (key: string): Setting | undefined =>
    virtual.settings.findLast((one) => one.key === key) ?? globals.findLast((one) => one.key === key);
  const name = endpoint(virtual.name);
  const mark = /^\d+$/.test(virtual.name);
  if (name === undefined && !mark)
    return notes.warn(
      virtual.spot,
      `left out: virtual ${quote(virtual.name)} is not an address and port`,
      "host names are not looked up",
    );
  const protocol = (find("protocol")?.value ?? "tcp").toLowerCase();
  const settings: Settings = {
    get: (key) => find(key)?.value,
    spotOf: (key) => find(key)?.spot ?? virtual.spot,
    port: name?.port ?? 0,
    protocol,
    name: virtual.name,
  };
  const map = doc.map(virtual.spot);
  const put = (key: string, text: string, from: string): void =>
    doc.set(map, key, doc.scalar(text, settings.spotOf(from)), settings.spotOf(from));
  put("delay_loop", settings.get("checkinterval") ?? "10", "checkinterval");
  put("lb_algo", settings.get("scheduler") ?? "wrr", "scheduler");
  if (!mark) put("protocol", protocol.toUpperCase(), "protocol");
  for (const [from, key] of [
    ["persistent", "persistence_timeout"],
    ["netmask", "persistence_granularity"],
  ] as const) {
    const value = settings.get(from);
    if (value !== undefined) put(key, value, from);
  }
  if (/^(yes|true|1)$/i.test(settings.get("quiescent") ?? "")) put("inhibit_on_failure", "true", "quiescent");
  // A real server is not used before its first check has passed.
  if (settings.get("checktype") !== "on") put("alpha", "true", "checktype");
  servers(virtual, map, settings, notes);
  sorryServer(map, settings, notes);
  return { name: mark ? `fwmark ${virtual.name}` : `${name!.address} ${name!.port}`, map };
}

interface Endpoint {
  readonly address: string;
  readonly port: number;
}

const PORTS: Readonly<Record<string, number>> = {
  http: 80,
  https: 443,
  smtp: 25,
  domain: 53,
  ftp: 21,
  mysql: 3306,
};

/** "ADDR:PORT" or "[ADDR]:PORT"; a well-known port by name. */
function endpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\w+)$/.exec(text);
  const address = match && parseIp(match[1] ?? match[2]!)?.address;
  const port = match && (/^\d{1,5}$/.test(match[3]!) ? Number(match[3]) : PORTS[match[3]!]);
  return address == null || port == null || port > 65_535 ? undefined : { address, port };
}

const KINDS: Readonly<Record<string, string>> = { gate: "DR", masq: "NAT", ipip: "TUN" };
const MAX_RANGE = 4_096;

/** `real = ADDR[->ADDR]:PORT gate|masq|ipip [WEIGHT] ["REQUEST"[, "RECEIVE"]]` */
const REAL =
  /^(\S+?)(?:->([^\s:]+))?(:\w+)?\s+(gate|masq|ipip)(?:\s+(\d+))?\s*(?:"([^"]*)"\s*(?:,\s*"([^"]*)")?)?$/;

function servers(virtual: Virtual, map: doc.DocMap, settings: Settings, notes: Notes): void {
  const off = settings.get("checktype") === "off";
  if (off)
    notes.warn(
      settings.spotOf("checktype"),
      "checktype off: no real server is ever used: written with weight 0",
      "checktype on uses them unchecked",
    );
  for (const { value, spot } of virtual.settings.filter(({ key }) => key === "real")) {
    const match = REAL.exec(value);
    if (match === null) {
      notes.error(
        spot,
        "real can't be read",
        'ADDR[->ADDR]:PORT gate|masq|ipip [WEIGHT] ["REQUEST", "RECEIVE"]',
      );
      continue;
    }
    const [, first, last, port = `:${settings.port}`, kind, weight, request, receive] = match;
    const targets = range(`${first}${port}`, last);
    if (targets === undefined) {
      notes.warn(
        spot,
        `left out: real ${quote(first!)} is not an address and port`,
        "host names are not looked up",
      );
      continue;
    }
    if (!doc.has(map, "lb_kind")) doc.add(map, "lb_kind", doc.scalar(KINDS[kind!]!, spot), spot);
    for (const target of targets) {
      const made = doc.map(spot);
      if (doc.textOf(map, "lb_kind") !== KINDS[kind!])
        doc.add(made, "lb_kind", doc.scalar(KINDS[kind!]!, spot), spot);
      doc.add(made, "weight", doc.scalar(off ? "0" : (weight ?? "1"), spot), spot);
      const checker = checkerOf(settings, { request, receive }, target, spot, notes);
      if (checker !== undefined) doc.add(made, checker.type, checker.block, spot);
      doc.add(doc.mapAt(map, "real_server", spot), nameOf(target, map, settings, made), made, spot);
    }
  }
}

/** gate and ipip can't change the port. */
function nameOf(target: Endpoint, map: doc.DocMap, settings: Settings, made: doc.DocMap): string {
  const kind = doc.textOf(made, "lb_kind") ?? doc.textOf(map, "lb_kind");
  return `${target.address} ${kind === "NAT" ? target.port : settings.port}`;
}

/** "A:PORT" to "B" -> every address from A to B. */
function range(first: string, last: string | undefined): Endpoint[] | undefined {
  const from = endpoint(first);
  if (from === undefined || last === undefined) return from && [from];
  const to = parseIp(last);
  if (to?.family !== 4 || from.address.includes(":")) return undefined;
  const count = ipv4ToNumber(to.address) - ipv4ToNumber(from.address);
  if (count < 0 || count > MAX_RANGE) return undefined;
  return Array.from({ length: count + 1 }, (_, i) => ({
    ...from,
    address: numberToIpv4(ipv4ToNumber(from.address) + i),
  }));
}

/** `fallback = ADDR[:PORT] [gate|masq|ipip]` */
function sorryServer(map: doc.DocMap, settings: Settings, notes: Notes): void {
  const text = settings.get("fallback");
  if (text === undefined) return;
  const spot: Spot = settings.spotOf("fallback");
  const [where = "", kind] = text.split(/\s+/);
  const target = endpoint(/:\w+$/.test(where) ? where : `${where}:${settings.port}`);
  if (target === undefined)
    return notes.warn(
      spot,
      `left out: fallback ${quote(where)} is not an address and port`,
      "host names are not looked up",
    );
  const method = KINDS[kind ?? "gate"];
  const port = method === "NAT" ? target.port : settings.port;
  doc.add(map, "sorry_server", doc.scalar(`${target.address} ${port}`, spot), spot);
  if (method !== undefined && method !== doc.textOf(map, "lb_kind"))
    doc.add(map, "sorry_server_lvs_method", doc.scalar(method, spot), spot);
}
