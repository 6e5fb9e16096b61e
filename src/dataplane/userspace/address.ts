/** IP address text to bytes. */
import { isIPv4, isIPv6 } from "node:net";
import type { Family } from "../../config/model.ts";

const ipv4Bytes = (text: string): Uint8Array => Uint8Array.from(text.split("."), Number);

function ipv6Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  const [head = "", tail] = text.split("::");
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  bytes.set(front, 0);
  bytes.set(back, 16 - back.length);
  return bytes;
}

/** "1:2" as 4 bytes, "ffff:1.2.3.4" as 6. */
function groups(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return [...ipv4Bytes(group)];
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** 4 or 16 bytes; undefined when the text is no address of that family or carries a zone ("%eth0"). */
export function addressBytes(text: string, family: Family): Uint8Array | undefined {
  if (family === 4) return isIPv4(text) ? ipv4Bytes(text) : undefined;
  return isIPv6(text) && !text.includes("%") ? ipv6Bytes(text) : undefined;
}

/** A client as the socket names it: the zone of a link-local address is not part of its identity. */
export const clientBytes = (text: string, family: Family): Uint8Array | undefined =>
  addressBytes(text.replace(/%.*$/, ""), family);

/** The first `prefixLength` bits, as text to key a map with. */
export function networkKey(address: Uint8Array, prefixLength: number): string {
  const masked = address.map((byte, i) => {
    const bits = Math.min(8, Math.max(0, prefixLength - i * 8));
    return byte & (0xff00 >> bits) & 0xff;
  });
  return Buffer.from(masked).toString("hex");
}

export const endpoint = (address: string, port: number): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
