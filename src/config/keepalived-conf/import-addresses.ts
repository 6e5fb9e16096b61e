/** Addresses, routes, rules and peers: one a line, written on as words. */
import { bitsOf, parseIp } from "../ip.ts";
import type { Family } from "../model.ts";
import { quote } from "../problem.ts";
import { schemas } from "../schema.ts";
import * as doc from "./document.ts";
import { type Handler, hasBlock } from "./keywords.ts";
import type { Notes } from "./notes.ts";
import { keywordOf, type Statement, wordsOf } from "./tree.ts";

type Rewrite = (words: readonly string[], statement: Statement, notes: Notes) => string | undefined;

/** A block of lines -> a list of texts. */
export const lines =
  (rewrite: Rewrite): Handler =>
  (statement, out, notes) => {
    if (!hasBlock(statement, notes)) return;
    const list = doc.listAt(out, keywordOf(statement), statement.spot);
    for (const item of statement.block) {
      if (item.block !== undefined) {
        notes.error(item.spot, `${keywordOf(statement)} takes lines, not blocks`, "its block is skipped");
        continue;
      }
      const words = wordsOf(item, notes)?.map((word) => word.text);
      const text = words && rewrite(words, item, notes);
      if (text !== undefined) list.items.push(doc.scalar(text, item.spot));
    }
  };

/** Words of an address that take a value. */
const VALUED = new Set(["dev", "label", "brd", "broadcast", "scope", "peer", "preferred_lft", "track_group"]);
const SPELLINGS: Readonly<Record<string, string>> = { broadcast: "brd", "-nodad": "nodad" };

/** "ADDR[/LEN] [brd B] [dev D] ..."; `dev`: where it goes when the line does not say. */
export const vip =
  (dev?: () => string): Rewrite =>
  (words, statement, notes) => {
    const known = new Set(schemas().vip.keys);
    let address = words[0]!;
    const out: string[] = [];
    for (let i = 1; i < words.length; i++) {
      const name = SPELLINGS[words[i]!] ?? words[i]!;
      const value = VALUED.has(name) ? words[++i] : undefined;
      if (VALUED.has(name) && value === undefined) {
        notes.warn(statement.spot, `left out: ${quote(name)} without a value`);
      } else if (!known.has(name)) {
        const hint = "the address stays";
        if (["home", "mngtmpaddr", "noprefixroute", "autojoin", "use_vmac", "track_group"].includes(name))
          notes.warn(
            statement.spot,
            `left out: ${name} of an address is not supported by this version of vipward yet`,
            hint,
          );
        else
          notes.warn(
            statement.spot,
            `left out: unknown word ${quote(name)} of an address`,
            `${hint}, as with keepalived`,
          );
      } else out.push(name, ...(value === undefined ? [] : [value]));
    }
    address = repairPrefix(address, out, statement, notes);
    if (dev !== undefined && !out.includes("dev")) out.unshift("dev", dev());
    return [address, ...out].join(" ");
  };

/** keepalived takes an unusable length for the full one, and none beside a peer. */
function repairPrefix(address: string, words: string[], { spot }: Statement, notes: Notes): string {
  const [host = "", length] = address.split("/");
  const family = parseIp(host)?.family;
  if (family === undefined) return address;
  let kept = address;
  if (
    length !== undefined &&
    !(/^\d+$/.test(length) && Number(length) <= bitsOf(family) && Number(length) > 0)
  ) {
    notes.warn(spot, `${quote(address)}: written as ${host}/${bitsOf(family)}, as keepalived reads it`);
    kept = host;
  } else if (length !== undefined && words.includes("peer")) {
    notes.warn(spot, `${quote(address)}: written without its length, which keepalived ignores beside a peer`);
    kept = host;
  }
  const brd = words.indexOf("brd");
  const bits = kept.includes("/") ? Number(length) : bitsOf(family);
  const derived = brd !== -1 && words[brd + 1] === "+";
  if (brd !== -1 && (words.includes("peer") || (derived && bits > 30) || family === 6)) {
    notes.warn(spot, `left out: brd of ${host}`, "keepalived ignores it here, too");
    words.splice(brd, 2);
  }
  return kept;
}

/** Words that tune a route without changing where it leads. */
const TUNING = new Set(
  `proto protocol mtu advmss rtt rttvar reordering window cwnd ssthresh rto_min hoplimit initcwnd initrwnd
  quickack congctl expires pref fastopen_no_cookie features track_group`.split(/\s+/),
);
const ROUTE_SPELLINGS: Readonly<Record<string, string>> = {
  gw: "via",
  priority: "metric",
  preference: "metric",
};
const ROUTE_FLAGS = new Set(["onlink", "no_track", "inet", "inet6", "append", "nexthop", "or", "not"]);

/** "[src A] [to] PREFIX [via|gw A] [dev D] ..." */
export const route: Rewrite = (words, statement, notes) => {
  const out: string[] = [];
  const dropped: string[] = [];
  let family: string | undefined;
  for (let i = 0; i < words.length; i++) {
    const name = words[i]!;
    if (name === "append") {
      dropped.push(name);
    } else if (name === "inet" || name === "inet6") {
      family = name;
    } else if (TUNING.has(name)) {
      if (words[i + 1] === "lock") i++;
      i++;
      dropped.push(name);
    } else if (name === "or" || name === "nexthop") {
      return notes.warn(
        statement.spot,
        "left out: a route with several gateways is not supported by this version of vipward yet",
      );
    } else {
      out.push(ROUTE_SPELLINGS[name] ?? name);
      if (!ROUTE_FLAGS.has(name) && isValued(name) && words[i + 1] !== undefined) out.push(words[++i]!);
    }
  }
  if (dropped.length > 0)
    notes.warn(
      statement.spot,
      `left out: ${dropped.join(", ")} of a route ${dropped.length > 1 ? "are" : "is"} not supported by this version of vipward yet`,
      "the route itself stays",
    );
  return defaultRoute(out, family);
};

const isValued = (name: string): boolean =>
  /^(via|gw|gateway|to|src|dev|oif|table|metric|scope|priority|preference)$/.test(name);

/** `inet6 default` without any address would be IPv4. */
function defaultRoute(out: string[], family: string | undefined): string {
  const at = out.indexOf("default");
  if (at !== -1 && family === "inet6") out[at] = "::/0";
  return out.join(" ");
}

/** Rules without a preference get 16384, 16383, ... in the order of the file. */
export const rule =
  (nextPreference: () => number): Rewrite =>
  (words, statement, notes) => {
    const out: string[] = [];
    for (let i = 0; i < words.length; i++) {
      const name = words[i]!;
      if (name === "inet" || name === "inet6") continue;
      if (name === "track_group" || name === "protocol") {
        i++;
        notes.warn(
          statement.spot,
          `left out: ${name} of a rule is not supported by this version of vipward yet`,
          "the rule itself stays",
        );
      } else out.push(name);
    }
    if (!out.some((name) => /^(priority|pref|preference|order)$/.test(name))) {
      const preference = nextPreference();
      notes.warn(
        statement.spot,
        `a rule without preference: written with ${preference}, as keepalived sets it`,
      );
      out.push("priority", String(preference));
    }
    return out.join(" ");
  };

/** Other lines go on as they are; vipward's own reader judges them. */
export const asWritten: Rewrite = (words) => words.join(" ");

/** The family of an address, a prefix or the first word of a line. */
export const familyOf = (text: string | undefined): Family | undefined =>
  parseIp((text ?? "").trim().split(/[\s/]/)[0]!)?.family;
