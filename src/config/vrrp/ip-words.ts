/** Words of ip(8): scopes, tables, route types. */
import type { RouteConfig } from "../model.ts";

/** rtnetlink.h RT_SCOPE_*. */
const SCOPES = new Map([
  ["global", 0],
  ["universe", 0],
  ["site", 200],
  ["link", 253],
  ["host", 254],
]);
/** rtnetlink.h RT_TABLE_*; other names are the machine's own (/etc/iproute2/rt_tables). */
const TABLES = new Map([
  ["default", 253],
  ["main", 254],
  ["local", 255],
]);
export const MAIN_TABLE = 254;

export const ROUTE_TYPES: readonly RouteConfig["type"][] = [
  "unicast",
  "blackhole",
  "unreachable",
  "prohibit",
];

export function scopeNumber(text: string): number | undefined {
  if (/^\d{1,3}$/.test(text)) return Number(text) <= 254 ? Number(text) : undefined;
  return SCOPES.get(text);
}

/** 1 to 2^32 - 1. */
export function tableNumber(text: string): number | undefined {
  const number = wholeNumber(text);
  return number === 0 ? undefined : (number ?? TABLES.get(text));
}

/** 0 to 2^32 - 1, also as 0x... */
export function wholeNumber(text: string): number | undefined {
  if (!/^(\d{1,10}|0x[0-9a-f]{1,8})$/i.test(text)) return undefined;
  const number = Number(text);
  return number <= 0xffff_ffff ? number : undefined;
}
