/** What keepalived itself changes in a vrrp_instance while it reads it: written out, with a warning. */
import { isLinkLocal, parseIp } from "../ip.ts";
import * as doc from "./document.ts";
import { familyOf } from "./import-addresses.ts";
import type { Notes } from "./notes.ts";
import type { Spot } from "./source.ts";

export interface GlobalDefaults {
  readonly version: number;
  readonly strict: boolean;
  /** vrrp_check_unicast_src as written. */
  readonly checkUnicast: boolean | undefined;
}

export function repairInstance(name: string, map: doc.DocMap, defaults: GlobalDefaults, notes: Notes): void {
  const family = repairFamily(name, map, notes);
  const version = family === 6 ? 3 : Number(doc.textOf(map, "version") ?? defaults.version);
  repairPriority(name, map, notes);
  repairStrict(name, map, { family, defaults }, notes);
  repairPreemption(name, map, notes);
  repairInterval(name, map, version, notes);
  repairAuthentication(name, map, version, notes);
  repairUnicast(name, map, defaults, notes);
}

const spotOf = (map: doc.DocMap, key: string): Spot =>
  map.entries.find((entry) => entry.key === key)?.spot ?? map.spot;

const items = (map: doc.DocMap, key: string): readonly doc.Doc[] => {
  const found = doc.get(map, key);
  return found?.kind === "list" ? found.items : [];
};

/** The first address of any kind decides, in the order of the file; addresses of the other family are ignored. */
function repairFamily(name: string, map: doc.DocMap, notes: Notes): 4 | 6 {
  let family: 4 | 6 | undefined;
  for (const { key, value } of map.entries) {
    if (key === "native_ipv6") family ??= 6;
    if (!/^(virtual_ipaddress|unicast_peer|mcast_src_ip|unicast_src_ip)$/.test(key)) continue;
    const first = value.kind === "list" ? value.items.map(textOf).find(familyOf) : textOf(value);
    family ??= familyOf(first);
  }
  for (const key of ["virtual_ipaddress", "unicast_peer"]) {
    const found = doc.get(map, key);
    if (found?.kind !== "list") continue;
    found.items = found.items.filter((item) => {
      const own = familyOf(textOf(item));
      if (own === undefined || family === undefined || own === family) return true;
      notes.warn(
        item.spot,
        `left out: an IPv${own} address in the IPv${family} instance ${name}`,
        "keepalived ignores it, too",
      );
      return false;
    });
  }
  if (family === 6 && items(map, "virtual_ipaddress").length === 0 && !doc.has(map, "native_ipv6"))
    doc.add(map, "native_ipv6", doc.scalar("true", map.spot), map.spot);
  return family ?? 4;
}

const textOf = (value: doc.Doc): string => (value.kind === "scalar" ? value.text : "");

function repairPriority(name: string, map: doc.DocMap, notes: Notes): void {
  if (doc.has(map, "priority")) {
    const written = Number(doc.textOf(map, "priority"));
    if (written >= 1 && written <= 255) return;
    const spot = spotOf(map, "priority");
    notes.warn(spot, `priority ${written} is not 1 to 255: written as 100, as keepalived reads it`);
    doc.set(map, "priority", doc.scalar("100", spot), spot);
  } else if (doc.textOf(map, "state") === "MASTER") {
    const spot = spotOf(map, "state");
    notes.warn(
      spot,
      `${name}: state MASTER without priority: written as priority 255, which keepalived takes`,
      "255 means the address owner; give a priority of 1 to 254 unless this node holds the addresses for itself",
    );
    doc.add(map, "priority", doc.scalar("255", spot), spot);
  }
}

interface Known {
  readonly family: 4 | 6;
  readonly defaults: GlobalDefaults;
}

/** keepalived.conf(5) vrrp_strict: it gives way in some places, where vipward refuses. */
function repairStrict(name: string, map: doc.DocMap, { family, defaults }: Known, notes: Notes): void {
  const written = doc.textOf(map, "strict_mode");
  if (written === undefined ? !defaults.strict : written !== "true") return;
  const spot = spotOf(map, "strict_mode");
  if (doc.textOf(map, "state") === "MASTER" && doc.textOf(map, "priority") !== "255") {
    notes.warn(
      spotOf(map, "state"),
      `${name}: state MASTER below priority 255 in strict mode: written as BACKUP, as keepalived sets it`,
    );
    doc.set(map, "state", doc.scalar("BACKUP", spot), spotOf(map, "state"));
  }
  for (const key of ["authentication", "preempt_delay", "vmac_xmit_base", "higher_prio_send_advert"])
    if (doc.has(map, key)) {
      notes.warn(spotOf(map, key), `left out: ${key} in strict mode`, "keepalived ignores it, too");
      doc.remove(map, key);
    }
  const first = parseIp(textOf(items(map, "virtual_ipaddress")[0] ?? map).split(/[\s/]/)[0]!)?.address;
  const impossible = doc.has(map, "unicast_peer")
    ? "unicast_peer"
    : family === 6 && first !== undefined && !isLinkLocal(first)
      ? "a first address that is not link-local"
      : undefined;
  if (impossible === undefined) return;
  notes.warn(
    spot,
    `${name}: strict mode with ${impossible}: written without strict mode`,
    "keepalived goes on in strict mode; vipward does not",
  );
  doc.set(map, "strict_mode", doc.scalar("false", spot), spot);
  if (!doc.has(map, "accept") && !doc.has(map, "no_accept"))
    doc.add(map, "no_accept", doc.scalar("true", spot), spot);
}

function repairPreemption(name: string, map: doc.DocMap, notes: Notes): void {
  const nopreempt = spotOf(map, "nopreempt");
  if (doc.has(map, "nopreempt") && doc.has(map, "preempt")) {
    // keepalived: the one written last.
    const [last] = map.entries.filter(({ key }) => key === "preempt" || key === "nopreempt").slice(-1);
    const other = last!.key === "preempt" ? "nopreempt" : "preempt";
    notes.warn(
      spotOf(map, other),
      `left out: ${other} before ${last!.key} in ${name}`,
      "the last one counts",
    );
    doc.remove(map, other);
  }
  if (doc.textOf(map, "state") !== "MASTER") return;
  if (doc.has(map, "nopreempt")) {
    notes.warn(
      nopreempt,
      `left out: nopreempt of ${name}, whose state is MASTER`,
      "keepalived ignores it, too; for nopreempt set state BACKUP on every director",
    );
    doc.remove(map, "nopreempt");
  }
  if (doc.has(map, "preempt_delay")) {
    notes.warn(
      spotOf(map, "preempt_delay"),
      `left out: preempt_delay of ${name}, whose state is MASTER`,
      "keepalived ignores it, too",
    );
    doc.remove(map, "preempt_delay");
  }
}

/** keepalived: 0.01 to 255 s; version 2 in whole seconds, version 3 in hundredths and at most 40.95 s. */
function repairInterval(name: string, map: doc.DocMap, version: number, notes: Notes): void {
  const text = doc.textOf(map, "advert_int");
  if (text === undefined) return;
  const spot = spotOf(map, "advert_int");
  const given = Number(text);
  if (!(given >= 0.01 && given <= 255)) {
    notes.warn(spot, `left out: advert_int ${text} of ${name} is not 0.01 to 255`, "keepalived takes 1, too");
    return doc.remove(map, "advert_int");
  }
  const hundredths = Math.round(given * 1e6);
  const wanted =
    version === 3 ? Math.min(4095, Math.round(hundredths / 1e4)) / 100 : Math.max(1, Math.round(given));
  if (wanted === given) return;
  notes.warn(spot, `advert_int ${text} of ${name}: written as ${wanted}, as keepalived rounds it`);
  doc.set(map, "advert_int", doc.scalar(String(wanted), spot), spot);
}

function repairAuthentication(name: string, map: doc.DocMap, version: number, notes: Notes): void {
  const found = doc.get(map, "authentication");
  if (found?.kind !== "map") return;
  const why =
    version === 3
      ? "VRRP version 3 has none"
      : doc.has(found, "auth_pass") && doc.has(found, "auth_type")
        ? undefined
        : "it has no type or no password";
  if (why === undefined) return;
  notes.warn(
    spotOf(map, "authentication"),
    `left out: authentication of ${name}: ${why}`,
    "keepalived ignores it, too",
  );
  doc.remove(map, "authentication");
}

/** keepalived does not look at the source of unicast advertisements unless told to, or a TTL is asked for. */
function repairUnicast(name: string, map: doc.DocMap, defaults: GlobalDefaults, notes: Notes): void {
  if (!doc.has(map, "unicast_peer")) return;
  const peers = items(map, "unicast_peer");
  if (peers.length === 0) {
    notes.warn(
      spotOf(map, "unicast_peer"),
      `left out: unicast_peer of ${name} is empty`,
      "keepalived uses multicast, too",
    );
    return doc.remove(map, "unicast_peer");
  }
  const spot = spotOf(map, "unicast_peer");
  if (doc.has(map, "use_vmac") && !doc.has(map, "vmac_xmit_base")) {
    notes.warn(spot, `${name}: unicast with use_vmac: written with vmac_xmit_base, which keepalived sets`);
    doc.add(map, "vmac_xmit_base", doc.scalar("true", spot), spot);
  }
  const asked = peers.some((peer) => /\b(min|max)_ttl\b/.test(textOf(peer)));
  if (asked) doc.set(map, "check_unicast_src", doc.scalar("true", spot), spot);
  else if (!doc.has(map, "check_unicast_src") && defaults.checkUnicast !== true)
    doc.add(map, "check_unicast_src", doc.scalar("false", spot), spot);
}
