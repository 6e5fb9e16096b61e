/** Addresses and prefixes of either family, as canonical text. */
import { addressBytes, addressText, formatIpv6, parseIpv6 } from "../wire/address.ts";
import { parseIpv4 } from "./address.ts";
import type { Family } from "./model.ts";
import { scalar } from "./scalar.ts";

export interface Ip {
  readonly address: string;
  readonly family: Family;
}
export interface Prefix extends Ip {
  readonly length: number;
}

export function parseIp(text: string): Ip | undefined {
  const v4 = parseIpv4(text);
  if (v4 !== undefined) return { address: v4, family: 4 };
  const v6 = parseIpv6(text);
  return v6 && { address: formatIpv6(v6), family: 6 };
}

/** What is wrong with an address, in words. */
export function ipProblem(text: string): { message: string; hint: string } {
  const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  const message = `"${shown}" is not an IPv4 or IPv6 address`;
  if (/^[0-9a-f:.]+%/i.test(text))
    return { message, hint: "no zone after the address: the interface has its own word (dev)" };
  if (/^[0-9.]+$/.test(text))
    return { message, hint: "IPv4: four numbers of 0 to 255 without leading zeros" };
  return { message, hint: "write the address: names are not looked up" };
}

export const ip = () =>
  scalar<Ip>((text) => {
    const value = parseIp(text);
    return value === undefined ? ipProblem(text) : { value };
  });

export const bitsOf = (family: Family): number => (family === 4 ? 32 : 128);

/** "ADDR[/LEN]"; without LEN the full length. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf("/");
  const address = parseIp(slash === -1 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const bits = bitsOf(address.family);
  if (slash === -1) return { ...address, length: bits };
  const length = text.slice(slash + 1);
  return /^\d{1,3}$/.test(length) && Number(length) <= bits
    ? { ...address, length: Number(length) }
    : undefined;
}

/** The prefix with its host bits zero, in canonical text. */
export function networkOf({ address, family, length }: Prefix): string {
  const bytes = addressBytes(address, family);
  for (let i = 0; i < bytes.length; i++) {
    const keep = Math.max(0, Math.min(8, length - 8 * i));
    bytes[i] = bytes[i]! & (0xff << (8 - keep)) & 0xff;
  }
  return `${addressText(bytes)}/${length}`;
}

/** fe80::/10 or 169.254.0.0/16. */
export const isLinkLocal = (address: string): boolean =>
  address.includes(":") ? /^fe[89ab]/.test(address) : address.startsWith("169.254.");

export const isMulticast = (address: string): boolean =>
  address.includes(":") ? address.startsWith("ff") : /^2(2[4-9]|3\d)\./.test(address);

/** An address a router can hold for others: no multicast, unspecified, loopback or mapped one. */
export function isUnicast(address: string): boolean {
  if (address.includes(":")) return !isMulticast(address) && !/^::(1|ffff:.*\..*)?$/.test(address);
  const first = Number(address.split(".")[0]);
  return first > 0 && first < 224;
}
