/** virtual_routes, static_routes: the words of `ip route add`, or the same keys in a block. */
import type { Context } from "../context.ts";
import { ipProblem, networkOf, parseIp, parsePrefix } from "../ip.ts";
import type { Family, RouteConfig } from "../model.ts";
import type { Ref } from "../nodes.ts";
import { defined } from "../optional.ts";
import { inside, refuse } from "../place.ts";
import { quote } from "../problem.ts";
import { schemas } from "../schema.ts";
import { validInterfaceName } from "../values.ts";
import { items, readWords, type WordForm, type Words } from "../words.ts";
import { MAIN_TABLE, ROUTE_TYPES, scopeNumber, tableNumber, wholeNumber } from "./ip-words.ts";

const FORM: WordForm = {
  what: "a route",
  lead: "to",
  values: {
    to: "to",
    via: "via",
    gw: "via",
    gateway: "via",
    dev: "dev",
    oif: "dev",
    src: "src",
    source: "src",
    table: "table",
    metric: "metric",
    preference: "metric",
    scope: "scope",
    blackhole: "blackhole",
    unreachable: "unreachable",
    prohibit: "prohibit",
  },
  flags: ["onlink", "no_track"],
  usage:
    "[blackhole|unreachable|prohibit] PREFIX|default [via ADDR] [dev IF] [src ADDR] [table N] [metric N] [scope S] [onlink]",
};

/** What a route takes from its instance. */
export interface RouteDefaults {
  /** Of `default` without a gateway. */
  readonly family: Family;
  /** Undefined at top level: a route must then say where it goes. */
  readonly dev?: string;
}

export function readRoutes(ref: Ref, defaults: RouteDefaults, context: Context): RouteConfig[] {
  const out: RouteConfig[] = [];
  const seen = new Map<string, Ref>();
  for (const item of items(ref)) {
    const words = readWords(item, FORM, schemas().route, context);
    const route = words && resolveRoute(words, defaults, item, context);
    if (route === undefined) continue;
    const identity = `${route.family} ${route.destination} ${route.table} ${route.metric ?? 0}`;
    const first = seen.get(identity);
    if (first !== undefined) {
      const hint = `first at ${context.problems.line(first.node.offset)}; another metric or table makes it another route`;
      refuse(inside(item), context, `the route to ${route.destination} is listed twice`, hint);
    } else {
      seen.set(identity, item);
      out.push(route);
    }
  }
  return out;
}

type Fail = (key: string, message: string, hint?: string) => undefined;

function resolveRoute(
  words: Words,
  defaults: RouteDefaults,
  item: Ref,
  context: Context,
): RouteConfig | undefined {
  const fail: Fail = (key, message, hint) => refuse(inside(item, key), context, message, hint);
  const kind = readType(words, fail);
  if (kind === undefined) return undefined;
  const via = readAddress(words, "via", fail);
  const source = readAddress(words, "src", fail);
  if (via === null || source === null) return undefined;
  const fallback = via?.family ?? source?.family ?? defaults.family;
  const destination = readDestination(kind.to, fallback, fail);
  if (destination === undefined) return undefined;
  const { family } = destination;
  if (via !== undefined && via.family !== family)
    return fail("via", `via ${via.address} is not of the destination's family`, `an IPv${family} gateway`);
  if (source !== undefined && source.family !== family)
    return fail("src", `src ${source.address} is not of the destination's family`, `an IPv${family} address`);
  const numbers = readNumbers(words, fail);
  if (numbers === undefined) return undefined;
  if (words.dev !== undefined && !validInterfaceName(words.dev))
    return fail("dev", `dev: ${quote(words.dev)} is not an interface name`);
  if (kind.type !== "unicast" && (via !== undefined || words.dev !== undefined))
    return fail("type", `a ${kind.type} route leads nowhere: no via or dev`, "remove them");
  // Without a gateway, and for link-local ones, the kernel can't find the interface by itself.
  const needsDev = kind.type === "unicast" && (via === undefined || /^fe[89ab]/.test(via.address));
  const dev = words.dev ?? (needsDev ? defaults.dev : undefined);
  if (needsDev && dev === undefined)
    return fail("to", `the route to ${destination.text} needs dev`, "dev IF, or via ADDR");
  return defined({
    family,
    destination: destination.text,
    via: via?.address,
    dev,
    source: source?.address,
    ...numbers,
    type: kind.type,
    onlink: words.onlink !== undefined,
  });
}

/** "blackhole PREFIX" as words; `type: blackhole, to: PREFIX` as a block. */
function readType(words: Words, fail: Fail): { type: RouteConfig["type"]; to: string } | undefined {
  const asWord = ROUTE_TYPES.filter((type) => words[type] !== undefined);
  const type = asWord[0] ?? (words.type as RouteConfig["type"] | undefined) ?? "unicast";
  const to = [...asWord.map((name) => words[name]), words.to].filter((text) => text !== undefined);
  if (to.length === 1) return { type, to: to[0]! };
  return to.length === 0
    ? fail("to", "a route needs its destination", FORM.usage)
    : fail("to", "a route has one destination", FORM.usage);
}

function readDestination(
  text: string,
  fallback: Family,
  fail: Fail,
): { text: string; family: Family } | undefined {
  if (text === "default" || text === "any") return { text: "default", family: fallback };
  const prefix = parsePrefix(text);
  if (prefix === undefined) {
    const host = text.split("/")[0]!;
    if (parseIp(host) !== undefined) return fail("to", `${quote(text)} is not a prefix`, "ADDR/LEN");
    const { message, hint } = ipProblem(host);
    return fail("to", message, hint);
  }
  const network = networkOf(prefix);
  if (network !== `${prefix.address}/${prefix.length}`)
    return fail("to", `${text} has bits set behind its length`, `write ${network}`);
  return { text: prefix.length === 0 ? "default" : network, family: prefix.family };
}

/** null: wrong, and reported. */
function readAddress(words: Words, key: "via" | "src", fail: Fail) {
  const text = words[key];
  if (text === undefined) return undefined;
  const address = parseIp(text);
  if (address !== undefined) return address;
  const { message, hint } = ipProblem(text);
  fail(key, `${key}: ${message}`, hint);
  return null;
}

function readNumbers(
  words: Words,
  fail: Fail,
): { table: number; metric: number | undefined; scope: number | undefined } | undefined {
  const table = words.table === undefined ? MAIN_TABLE : tableNumber(words.table);
  if (table === undefined)
    return fail("table", `table: ${quote(words.table!)} is unknown`, "a number, main, default or local");
  const metric = words.metric === undefined ? undefined : wholeNumber(words.metric);
  if (words.metric !== undefined && metric === undefined)
    return fail("metric", `metric: ${quote(words.metric)} is not a whole number`, "0 to 4294967295");
  const scope = words.scope === undefined ? undefined : scopeNumber(words.scope);
  if (words.scope !== undefined && scope === undefined)
    return fail("scope", `scope: ${quote(words.scope)} is unknown`, "global, site, link, host, or 0 to 254");
  return { table, metric, scope };
}
