/** The rules that `ipvsadm -Sn` prints -> virtual_server blocks. Such rules know no health checks: none are written. */
import { Refused } from "../../ipvsadm/invocation.ts";
import { NUMERIC } from "../../ipvsadm/names.ts";
import { parse } from "../../ipvsadm/parse.ts";
import { schedulerFlagText } from "../../ipvsadm/values.ts";
import { serviceKey } from "../../lvs/keys.ts";
import type { DestSpec, ServiceSpec } from "../../lvs/table.ts";
import { IP_VS_SVC_F_ONEPACKET, IP_VS_SVC_F_PERSISTENT } from "../../wire/ipvs.ts";
import type { ParseOptions } from "../context.ts";
import * as doc from "../keepalived-conf/document.ts";
import { finish, type Imported, type Named, placeServices } from "../keepalived-conf/finish.ts";
import { Notes } from "../keepalived-conf/notes.ts";
import { lineText, type Spot, sourceFile } from "../keepalived-conf/source.ts";
import { schemas } from "../schema.ts";

/** Never throws for what is in the text. `path` is for messages. */
export async function importRules(text: string, path: string, options: ParseOptions): Promise<Imported> {
  const notes = new Notes();
  const file = sourceFile(path, path, text);
  const services = new Map<string, Named>();
  for (let line = 1; line <= file.starts.length && !notes.full; line++) {
    const words = lineText(file, line).replace(/#.*/, "").trim();
    if (words !== "") await takeLine(words.split(/\s+/), { file, line, column: 1 }, services, notes);
  }
  const root = doc.map({ file, line: 1, column: 1 });
  placeServices(root, [...services.values()]);
  return finish(root, notes, [path], options);
}

async function takeLine(
  words: readonly string[],
  spot: Spot,
  services: Map<string, Named>,
  notes: Notes,
): Promise<void> {
  try {
    const rule = await parse(words, NUMERIC, true);
    if (rule.command === "add-service") {
      const key = serviceKey(rule.service.id);
      if (services.has(key)) notes.error(spot, `the service ${key} is added twice`);
      else services.set(key, service(rule.service, spot, notes));
    } else if (rule.command === "add-server") {
      const known = services.get(serviceKey(rule.id));
      if (known === undefined)
        notes.error(spot, `a real server of the unknown service ${serviceKey(rule.id)}`);
      else server(known.map, rule.dest, spot, notes);
    } else
      notes.error(spot, `${rule.command}: not a rule that adds something`, "take the output of ipvsadm -Sn");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    notes.error(spot, error.message, "take the output of ipvsadm -Sn: addresses and ports as numbers");
  }
}

/** Sets a key where this version of vipward has it. */
function put(
  map: doc.DocMap,
  block: "service" | "server",
  key: string,
  value: string,
  spot: Spot,
  notes: Notes,
): void {
  if (schemas()[block].keys.includes(key)) doc.set(map, key, doc.scalar(value, spot), spot);
  else notes.warn(spot, `left out: ${key} is not supported by this version of vipward yet`);
}

function service(
  { id, scheduler, flags, timeout, netmask, pe }: ServiceSpec,
  spot: Spot,
  notes: Notes,
): Named {
  const map = doc.map(spot);
  const set = (key: string, value: string): void => put(map, "service", key, value, spot, notes);
  set("lb_algo", scheduler);
  if (id.kind === "address") set("protocol", id.protocol.toUpperCase());
  if ((flags & IP_VS_SVC_F_PERSISTENT) !== 0) set("persistence_timeout", String(timeout));
  if (netmask !== (id.family === 4 ? 32 : 128)) set("persistence_granularity", String(netmask));
  if (pe !== "") set("persistence_engine", pe);
  if ((flags & IP_VS_SVC_F_ONEPACKET) !== 0) set("ops", "true");
  for (const name of schedulerFlagText(flags, scheduler)?.split(",") ?? []) set(name, "true");
  const name = id.kind === "address" ? `${id.address} ${id.port}` : `fwmark ${id.mark}`;
  if (id.kind === "fwmark" && id.family === 6) set("ip_family", "inet6");
  return { name, map };
}

const KINDS: Readonly<Record<DestSpec["forward"], string>> = {
  masq: "NAT",
  route: "DR",
  tunnel: "TUN",
  local: "NAT",
  bypass: "NAT",
};

/** The first real server's forwarding is the service's; another one's its own. */
function server(parent: doc.DocMap, dest: DestSpec, spot: Spot, notes: Notes): void {
  const name = `${dest.address} ${dest.port}`;
  if (dest.forward === "tunnel" && dest.tunType !== 0)
    return notes.warn(
      spot,
      "left out: a real server behind a GUE or GRE tunnel is not supported by this version of vipward yet",
      "lb_kind TUN is plain ipip",
    );
  const kind = KINDS[dest.forward];
  const map = doc.map(spot);
  const set = (key: string, value: string): void => put(map, "server", key, value, spot, notes);
  if (!doc.has(parent, "lb_kind")) doc.add(parent, "lb_kind", doc.scalar(kind, spot), spot);
  else if (doc.textOf(parent, "lb_kind") !== kind) set("lb_kind", kind);
  set("weight", String(dest.weight));
  if (dest.upperThreshold > 0) set("uthreshold", String(dest.upperThreshold));
  if (dest.lowerThreshold > 0) set("lthreshold", String(dest.lowerThreshold));
  const servers = doc.mapAt(parent, "real_server", spot);
  if (doc.has(servers, name)) notes.error(spot, `the real server ${name} is added twice`);
  else doc.add(servers, name, map, spot);
}
