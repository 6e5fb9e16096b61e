/** virtual_rules, static_rules: the words of `ip rule add`, or the same keys in a block. */
import type { Context } from "../context.ts";
import { ipProblem, networkOf, parseIp, parsePrefix } from "../ip.ts";
import type { Family, RuleConfig } from "../model.ts";
import type { Ref } from "../nodes.ts";
import { defined } from "../optional.ts";
import { inside, refuse } from "../place.ts";
import { quote } from "../problem.ts";
import { schemas } from "../schema.ts";
import { validInterfaceName } from "../values.ts";
import { items, readWords, type WordForm, type Words } from "../words.ts";
import { tableNumber, wholeNumber } from "./ip-words.ts";

const FORM: WordForm = {
  what: "a rule",
  values: {
    from: "from",
    to: "to",
    iif: "iif",
    dev: "iif",
    oif: "oif",
    fwmark: "fwmark",
    table: "table",
    lookup: "table",
    priority: "priority",
    pref: "priority",
    preference: "priority",
    order: "priority",
  },
  flags: ["no_track"],
  usage: "[from PREFIX|all] [to PREFIX|all] [iif IF] [oif IF] [fwmark N] table N [priority N]",
};

/** `family` is that of rules without an address. */
export function readRules(ref: Ref, family: Family, context: Context): RuleConfig[] {
  const out: RuleConfig[] = [];
  const seen = new Map<string, Ref>();
  for (const item of items(ref)) {
    const words = readWords(item, FORM, schemas().rule, context);
    const rule = words && resolveRule(words, family, item, context);
    if (rule === undefined) continue;
    const identity = JSON.stringify(rule);
    const first = seen.get(identity);
    if (first !== undefined) {
      const hint = `first at ${context.problems.line(first.node.offset)}`;
      refuse(inside(item), context, "the rule is listed twice", hint);
    } else {
      seen.set(identity, item);
      out.push(rule);
    }
  }
  return out;
}

type Fail = (key: string, message: string, hint?: string) => undefined;

function resolveRule(words: Words, family: Family, item: Ref, context: Context): RuleConfig | undefined {
  const fail: Fail = (key, message, hint) => refuse(inside(item, key), context, message, hint);
  if (words.table === undefined) return fail("table", "a rule needs its table", FORM.usage);
  const table = tableNumber(words.table);
  if (table === undefined)
    return fail("table", `table: ${quote(words.table)} is unknown`, "a number, main, default or local");
  if (["from", "to", "iif", "oif", "fwmark"].every((key) => words[key] === undefined))
    return fail("table", "the rule takes every packet of this machine", 'write "from all" if that is meant');
  const from = readSelector(words, "from", fail);
  const to = readSelector(words, "to", fail);
  if (from === null || to === null) return undefined;
  if (from !== undefined && to !== undefined && from.family !== to.family)
    return fail("to", "from and to are of different families");
  for (const key of ["iif", "oif"] as const)
    if (words[key] !== undefined && !validInterfaceName(words[key]))
      return fail(key, `${key}: ${quote(words[key])} is not an interface name`);
  const fwmark = readNumber(words, "fwmark", fail);
  const priority = readNumber(words, "priority", fail);
  if (fwmark === null || priority === null) return undefined;
  return defined({
    family: from?.family ?? to?.family ?? family,
    priority,
    from: from?.prefix,
    to: to?.prefix,
    iif: words.iif,
    oif: words.oif,
    fwmark,
    table,
  });
}

/** undefined: every address; null: wrong, and reported. */
function readSelector(
  words: Words,
  key: "from" | "to",
  fail: Fail,
): { prefix: string; family: Family } | undefined | null {
  const text = words[key];
  if (text === undefined || text === "all" || text === "any" || text === "default") return undefined;
  const prefix = parsePrefix(text);
  if (prefix === undefined) {
    const host = text.split("/")[0]!;
    const known = parseIp(host) !== undefined;
    const { message, hint } = known
      ? { message: `${quote(text)} is not a prefix`, hint: "ADDR/LEN" }
      : ipProblem(host);
    return fail(key, `${key}: ${message}`, hint) ?? null;
  }
  const network = networkOf(prefix);
  return network === `${prefix.address}/${prefix.length}`
    ? { prefix: network, family: prefix.family }
    : (fail(key, `${key}: ${text} has bits set behind its length`, `write ${network}`) ?? null);
}

function readNumber(words: Words, key: "fwmark" | "priority", fail: Fail): number | undefined | null {
  const text = words[key];
  if (text === undefined) return undefined;
  const number = wholeNumber(text);
  return number ?? fail(key, `${key}: ${quote(text)} is not a whole number`, "0 to 4294967295") ?? null;
}
