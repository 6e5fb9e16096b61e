/** Addresses and endpoints as keepalived writes them. */
import { isIPv6 } from "node:net";

/** Canonical dotted quad, or undefined. Leading zeros are refused: some libraries read them as octal. */
export function parseIpv4(text: string): string | undefined {
  let value = 0;
  let digits = 0;
  let dots = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 46) {
      if (digits === 0 || ++dots > 3) return undefined;
      value = 0;
      digits = 0;
    } else if (c >= 48 && c <= 57) {
      if (digits > 0 && value === 0) return undefined;
      value = value * 10 + c - 48;
      if (++digits > 3 || value > 255) return undefined;
    } else return undefined;
  }
  return dots === 3 && digits > 0 ? text : undefined;
}

export const looksIpv6 = (text: string): boolean => isIPv6(text.replace(/^\[|\]$/g, ""));

export function ipv4ToNumber(address: string): number {
  let value = 0;
  for (const part of address.split(".")) value = value * 256 + Number(part);
  return value;
}

export const numberToIpv4 = (value: number): string =>
  [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join(".");

/** What is wrong with an address, in words. */
export function addressProblem(text: string): { message: string; hint?: string } {
  const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  if (looksIpv6(text))
    return {
      message: `IPv6 address "${shown}": this version supports IPv4 only`,
      hint: "IPv6 comes with a later version",
    };
  if (/^[0-9.]+$/.test(text))
    return {
      message: `"${shown}" is not an IPv4 address`,
      hint: "four numbers of 0 to 255 without leading zeros",
    };
  return {
    message: `"${shown}" is not an IPv4 address`,
    hint: "host names are not supported by this version: write the address",
  };
}

export interface Endpoint {
  readonly address: string;
  /** Undefined when not written. */
  readonly port?: number;
  readonly protocol?: "tcp" | "udp" | "sctp";
}

/** "ADDR PORT", "ADDR:PORT" or "ADDR", a protocol after it where allowed. */
export function parseEndpoint(text: string): Endpoint | { message: string; hint?: string } {
  const words = text.trim().split(/\s+/);
  let protocol: Endpoint["protocol"];
  const last = words.at(-1)!.toLowerCase();
  if (words.length > 1 && (last === "tcp" || last === "udp" || last === "sctp")) {
    protocol = last;
    words.pop();
  }
  let [host, portText] = words as [string, string?];
  if (words.length > 2)
    return { message: `"${text.slice(0, 60)}" is not an address and port`, hint: 'write "192.0.2.1 80"' };
  const colon = host.indexOf(":");
  if (
    portText === undefined &&
    colon !== -1 &&
    (colon === host.lastIndexOf(":") || /^\[.*\]:\d+$/.test(host))
  ) {
    const at = host.lastIndexOf(":");
    portText = host.slice(at + 1);
    host = host.slice(0, at);
  }
  const address = parseIpv4(host);
  if (address === undefined) return addressProblem(host);
  if (portText === undefined) return protocol === undefined ? { address } : { address, protocol };
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : Number.NaN;
  if (!(port <= 65535)) return { message: `"${portText.slice(0, 60)}" is not a port`, hint: "0 to 65535" };
  return protocol === undefined ? { address, port } : { address, port, protocol };
}
