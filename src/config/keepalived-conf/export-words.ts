/** Addresses, routes and rules as the lines of a keepalived.conf. */
import { bitsOf } from "../ip.ts";
import type { RouteConfig, RuleConfig, VipConfig } from "../model.ts";

/** `dev`: where the address goes when the line does not say; undefined: it always says. */
export function vipText(vip: VipConfig, dev: string | undefined): string {
  const full = bitsOf(vip.family);
  const length = vip.prefixLength === full ? "" : `/${vip.prefixLength}`;
  const words =
    vip.peer === undefined ? [`${vip.address}${length}`] : [vip.address, "peer", `${vip.peer}${length}`];
  if (vip.broadcast !== undefined) words.push("brd", vip.broadcast);
  if (vip.dev !== dev) words.push("dev", vip.dev);
  if (vip.scope !== 0) words.push("scope", SCOPES[vip.scope] ?? String(vip.scope));
  if (vip.label !== undefined) words.push("label", vip.label);
  const deprecated = vip.family === 6 && vip.prefixLength === full;
  if (vip.preferredLifetime === undefined ? deprecated : !(deprecated && vip.preferredLifetime === 0))
    words.push(
      "preferred_lft",
      vip.preferredLifetime === undefined ? "forever" : String(vip.preferredLifetime),
    );
  if (vip.noTrack === true) words.push("no_track");
  return words.join(" ");
}

const SCOPES: Readonly<Record<number, string>> = { 0: "global", 200: "site", 253: "link", 254: "host" };
const MAIN_TABLE = 254;

export function routeText(route: RouteConfig): string {
  const everything = route.family === 4 ? "0.0.0.0/0" : "::/0";
  const words: string[] = route.type === "unicast" ? [] : [route.type];
  words.push(route.destination === "default" ? everything : route.destination);
  if (route.via !== undefined) words.push("via", route.via);
  if (route.dev !== undefined) words.push("dev", route.dev);
  if (route.source !== undefined) words.push("src", route.source);
  if (route.table !== MAIN_TABLE) words.push("table", String(route.table));
  if (route.metric !== undefined) words.push("metric", String(route.metric));
  if (route.scope !== undefined) words.push("scope", SCOPES[route.scope] ?? String(route.scope));
  if (route.onlink) words.push("onlink");
  return words.join(" ");
}

export function ruleText(rule: RuleConfig): string {
  const words: string[] = [];
  const put = (name: string, value: string | number | undefined): void => {
    if (value !== undefined) words.push(name, String(value));
  };
  put("from", rule.from);
  put("to", rule.to);
  put("iif", rule.iif);
  put("oif", rule.oif);
  put("fwmark", rule.fwmark);
  if (words.length === 0) words.push("from", "all");
  put("table", rule.table);
  put("priority", rule.priority);
  return words.join(" ");
}
