/** What keepalived itself changes in a virtual_server while it reads it: written out, with a warning. */
import * as doc from "./document.ts";
import type { ServiceDraft } from "./import-service.ts";
import type { Notes } from "./notes.ts";

/** False when keepalived ignores the whole service. */
export function repairService({ map, name, statement }: ServiceDraft, notes: Notes): boolean {
  const { spot } = statement;
  removeTwins(map, name, notes);
  if (!repairTunnels(map, notes)) return false;
  const servers = serversOf(map);
  if (servers.length === 0 && !doc.has(map, "sorry_server")) {
    notes.warn(spot, `left out: virtual_server ${name} has no real_server`, "keepalived ignores it, too");
    return false;
  }
  if (!doc.has(map, "protocol") && !name.startsWith("fwmark")) {
    doc.add(map, "protocol", doc.scalar("UDP", spot), spot);
    notes.warn(
      spot,
      `virtual_server ${name} has no protocol: written as UDP, which keepalived takes`,
      "protocol TCP is probably meant",
    );
  }
  const port = name.split(" ")[1]!;
  if (port === "0" && Number(doc.textOf(map, "persistence_timeout") ?? 0) === 0) {
    doc.set(map, "persistence_timeout", doc.scalar("360", spot), spot);
    notes.warn(spot, "port 0 without persistence_timeout: written as 360, which keepalived sets");
  }
  repairPorts(map, port, notes);
  repairQuorum(map, notes);
  return true;
}

const serversOf = (map: doc.DocMap): readonly doc.DocEntry[] => {
  const found = doc.get(map, "real_server");
  return found?.kind === "map" ? found.entries : [];
};

/** "ADDR PORT" once; keepalived removes the second. */
function removeTwins(map: doc.DocMap, service: string, notes: Notes): void {
  const found = doc.get(map, "real_server");
  if (found?.kind !== "map") return;
  const seen = new Set<string>();
  const kept = found.entries.filter(({ key, spot }) => {
    const known = seen.has(key);
    seen.add(key);
    if (known)
      notes.warn(
        spot,
        `left out: real_server ${key} is in virtual_server ${service} already`,
        "keepalived removes it, too",
      );
    return !known;
  });
  found.entries = kept;
}

/** Another tunnel than plain ipip would reach nobody: what is behind it is left out. False: that is the service. */
function repairTunnels(map: doc.DocMap, notes: Notes): boolean {
  const foreign = (from: doc.Doc, key = "lb_kind"): doc.Doc | undefined => {
    const kind = from.kind === "map" ? doc.get(from, key) : undefined;
    return kind?.kind === "scalar" && kind.text.includes(" ") ? kind : undefined;
  };
  const say = (kind: doc.Doc, what: string): void => {
    const text = kind.kind === "scalar" ? kind.text : "";
    notes.warn(
      kind.spot,
      `left out: ${what}: ${text} is not supported by this version of vipward yet`,
      "lb_kind TUN is plain ipip",
    );
  };
  const own = foreign(map);
  if (own !== undefined) {
    say(own, "the virtual_server");
    return false;
  }
  const servers = doc.get(map, "real_server");
  if (servers?.kind === "map")
    servers.entries = servers.entries.filter(({ value }) => {
      const kind = foreign(value);
      if (kind !== undefined) say(kind, "the real_server");
      return kind === undefined;
    });
  const sorry = foreign(map, "sorry_server_lvs_method");
  if (sorry !== undefined) {
    say(sorry, "the sorry_server");
    for (const key of ["sorry_server", "sorry_server_lvs_method"]) doc.remove(map, key);
  }
  return true;
}

/** DR and TUN can't change ports: keepalived sets the service's. */
function repairPorts(map: doc.DocMap, port: string, notes: Notes): void {
  const kind = doc.textOf(map, "lb_kind") ?? "NAT";
  const servers = doc.get(map, "real_server");
  if (servers?.kind === "map")
    servers.entries = servers.entries.map((entry) => {
      const own = entry.value.kind === "map" ? doc.textOf(entry.value, "lb_kind") : undefined;
      const [address = "", ownPort] = entry.key.split(" ");
      if ((own ?? kind) === "NAT" || ownPort === undefined || ownPort === port) return entry;
      notes.warn(
        entry.spot,
        `real_server ${entry.key}: written with port ${port}, which keepalived sets with ${own ?? kind}`,
      );
      return { ...entry, key: `${address} ${port}` };
    });
  const sorry = doc.get(map, "sorry_server");
  const sorryKind = doc.textOf(map, "sorry_server_lvs_method") ?? kind;
  if (sorry?.kind !== "scalar" || sorryKind === "NAT") return;
  const [address = "", ownPort] = sorry.text.split(" ");
  if (ownPort === undefined || ownPort === port) return;
  notes.warn(sorry.spot, `sorry_server: written with port ${port}, which keepalived sets with ${sorryKind}`);
  doc.set(map, "sorry_server", doc.scalar(`${address} ${port}`, sorry.spot), sorry.spot);
}

/** A quorum beyond the weights, a hysteresis beyond the quorum. */
function repairQuorum(map: doc.DocMap, notes: Notes): void {
  const number = (from: doc.DocMap, key: string, fallback: number): number =>
    Number(doc.textOf(from, key) ?? fallback);
  const base = number(map, "weight", 1);
  const sum = serversOf(map).reduce(
    (total, { value }) => total + (value.kind === "map" ? number(value, "weight", base) : base),
    0,
  );
  const quorum = doc.get(map, "quorum");
  if (quorum?.kind === "scalar" && Number(quorum.text) > sum) {
    const { spot } = quorum;
    notes.warn(
      spot,
      `quorum ${quorum.text} is above the total weight: written as ${sum}, as keepalived reduces it`,
    );
    if (sum > 0) doc.set(map, "quorum", doc.scalar(String(sum), spot), spot);
    else doc.remove(map, "quorum");
  }
  const limit = number(map, "quorum", 1);
  const hysteresis = doc.get(map, "hysteresis");
  if (hysteresis?.kind === "scalar" && Number(hysteresis.text) >= limit) {
    const { spot } = hysteresis;
    notes.warn(
      spot,
      `hysteresis ${hysteresis.text} is not below quorum ${limit}: written as ${limit - 1}, as keepalived sets it`,
    );
    doc.set(map, "hysteresis", doc.scalar(String(limit - 1), spot), spot);
  }
}
