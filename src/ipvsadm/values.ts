/** The values of options, read as ipvsadm(8) reads them. */
import type { Family, TransportProtocol } from "../config/model.ts";
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from "../wire/address.ts";
import type { Names } from "./names.ts";

/** A whole decimal number (strtol: blanks before it and a sign are fine) within these bounds. */
export function numberIn(text: string, least: number, most: number): number | undefined {
  if (!/^[ \t\n\v\f\r]*[+-]?[0-9]+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

/** An IPv4 address in any notation of inet_aton(3): fewer parts, hexadecimal, octal, a blank after it. */
export function inetAton(text: string): string | undefined {
  const parts = (/^[0-9a-fA-FxX.]+(?=$|[ \t\n\v\f\r])/.exec(text)?.[0] ?? "").split(".");
  if (parts.length > 4) return undefined;
  const numbers = parts.map(cNumber);
  const last = numbers.pop();
  if (last === undefined || last >= 256 ** (4 - numbers.length)) return undefined;
  let value = last;
  for (const [index, number] of numbers.entries()) {
    if (number === undefined || number > 255) return undefined;
    value += number * 256 ** (3 - index);
  }
  return formatIpv4(Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value));
}

/** As C writes numbers: 0x10, 010, 16. */
function cNumber(text: string): number | undefined {
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return Number(text);
  if (/^0[0-7]*$/.test(text)) return Number.parseInt(text, 8);
  return /^[1-9][0-9]*$/.test(text) ? Number(text) : undefined;
}

export interface Endpoint {
  readonly family: Family;
  readonly address: string;
  /** Undefined when none was given, which is not the same as 0. */
  readonly port: number | undefined;
}

/**
 * "192.0.2.1:80", "host:http", "[2001:db8::1]:80"; without a port "192.0.2.1", "2001:db8::1". Host names are
 * IPv4 only. A port by name needs the protocol. Undefined when it is none of these.
 */
export async function endpoint(
  text: string,
  protocol: TransportProtocol | undefined,
  names: Names,
): Promise<Endpoint | undefined> {
  if (!text.startsWith("[")) {
    const bytes = parseIpv6(text);
    if (bytes) return { family: 6, address: formatIpv6(bytes), port: undefined };
    return ipv4Endpoint(text, protocol, names);
  }
  const close = text.indexOf("]");
  if (close < 0 || text[close + 1] !== ":") return undefined;
  const inside = text.slice(1, close);
  const bytes = parseIpv6(inside);
  // Brackets around anything else are not looked behind, as in ipvsadm.
  if (!bytes) return ipv4Endpoint(inside, protocol, names);
  const port = portNumber(text.slice(close + 2), protocol, names);
  return port === undefined ? undefined : { family: 6, address: formatIpv6(bytes), port };
}

async function ipv4Endpoint(
  text: string,
  protocol: TransportProtocol | undefined,
  names: Names,
): Promise<Endpoint | undefined> {
  const colon = text.indexOf(":");
  const host = colon < 0 ? text : text.slice(0, colon);
  const port = colon < 0 ? undefined : portNumber(text.slice(colon + 1), protocol, names);
  if (colon >= 0 && port === undefined) return undefined;
  const address = await ipv4Host(host, names);
  return address === undefined ? undefined : { family: 4, address, port };
}

/** An address in any notation, or a host name. */
export async function ipv4Host(host: string, names: Names): Promise<string | undefined> {
  if (host === "") return undefined;
  return inetAton(host) ?? (await names.ipv4Of(host));
}

function portNumber(text: string, protocol: TransportProtocol | undefined, names: Names): number | undefined {
  const port = numberIn(text, 0, 0xffff);
  if (port !== undefined || protocol === undefined) return port;
  return names.portOf(text, protocol);
}

/** A prefix length 1..128; what follows the number is not looked at, as in ipvsadm. */
export function ipv6Prefix(text: string): number | undefined {
  const value = Number(/^\s*([+-]?[0-9]+)/.exec(text)?.[1] ?? 0);
  return value >= 1 && value <= 128 ? value : undefined;
}

/** Canonical text of a multicast group: 224.0.0.0/4 or ff00::/8. */
export function multicastGroup(text: string): string | undefined {
  const bytes = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  const first = bytes?.[0] ?? 0;
  if (bytes?.length === 4) return first >> 4 === 0xe ? formatIpv4(bytes) : undefined;
  return bytes && first === 0xff ? formatIpv6(bytes) : undefined;
}

const SCHED1 = 0x8;
const SCHED2 = 0x10;
const SCHED3 = 0x20;
const ANY_SCHEDULER: readonly (readonly [string, number])[] = [
  ["flag-1", SCHED1],
  ["flag-2", SCHED2],
  ["flag-3", SCHED3],
];
const OWN_NAMES: Readonly<Record<string, readonly (readonly [string, number])[]>> = {
  sh: [
    ["sh-fallback", SCHED1],
    ["sh-port", SCHED2],
  ],
  mh: [
    ["mh-fallback", SCHED1],
    ["mh-port", SCHED2],
  ],
};

/** IP_VS_SVC_F_SCHED* of a comma-separated list; the one that is wrong instead. */
export function schedulerFlags(text: string, scheduler: string): number | { readonly wrong: string } {
  let flags = 0;
  const known = [...ANY_SCHEDULER, ...(OWN_NAMES[scheduler] ?? [])];
  for (const name of text.split(",")) {
    if (name === "") continue;
    const flag = known.find(([candidate]) => candidate === name);
    if (!flag) return { wrong: name };
    flags |= flag[1];
  }
  return flags;
}

/** The reverse; undefined when none of the scheduler flags is set. */
export function schedulerFlagText(flags: number, scheduler: string): string | undefined {
  if ((flags & (SCHED1 | SCHED2 | SCHED3)) === 0) return undefined;
  return (OWN_NAMES[scheduler] ?? ANY_SCHEDULER)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name)
    .join(",");
}
