/** IPv4 and IPv6 addresses: strict text <-> bytes, and their order. */
import type { Family } from "../config/model.ts";

/** Dotted quad, decimal without leading zeros (no octal, no short forms). */
export function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const part = parts[i] ?? "";
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return undefined;
    const value = Number(part);
    if (value > 255) return undefined;
    bytes[i] = value;
  }
  return bytes;
}

export function formatIpv4(bytes: Uint8Array): string {
  if (bytes.length !== 4) throw new TypeError(`an IPv4 address has 4 bytes, not ${bytes.length}`);
  return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
}

/** RFC 4291 §2.2 in all its forms (one "::", a dotted quad at the end); no zone, no brackets, no prefix. */
export function parseIpv6(text: string): Uint8Array | undefined {
  // The longest form is 45 characters; refuse hostile lengths before splitting.
  if (text.length > 45) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groups(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1] ?? "", true) : [];
  if (!head || !tail) return undefined;
  const given = head.length + tail.length;
  // "::" stands for at least one group (RFC 4291); without it all eight must be there.
  if (halves.length === 2 ? given > 7 : given !== 8) return undefined;
  const bytes = new Uint8Array(16);
  const put = (list: readonly number[], first: number): void => {
    list.forEach((group, i) => {
      bytes[2 * (first + i)] = group >> 8;
      bytes[2 * (first + i) + 1] = group & 0xff;
    });
  };
  put(head, 0);
  put(tail, 8 - tail.length);
  return bytes;
}

/** The 16-bit groups of one side of "::"; a dotted quad counts as two and may only come last. */
function groups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === "") return [];
  const result: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      result.push(Number.parseInt(part, 16));
      continue;
    }
    const quad = mayEndInIpv4 && i === parts.length - 1 ? parseIpv4(part) : undefined;
    if (!quad) return undefined;
    result.push(((quad[0] ?? 0) << 8) | (quad[1] ?? 0), ((quad[2] ?? 0) << 8) | (quad[3] ?? 0));
  }
  return result;
}

/** RFC 5952: lower case, the first longest run of two or more zero groups as "::", ::ffff:0:0/96 dotted. */
export function formatIpv6(bytes: Uint8Array): string {
  if (bytes.length !== 16) throw new TypeError(`an IPv6 address has 16 bytes, not ${bytes.length}`);
  const words = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  if (words[5] === 0xffff && words.slice(0, 5).every((word) => word === 0)) {
    return `::ffff:${formatIpv4(bytes.subarray(12))}`;
  }
  const run = longestZeroRun(words);
  const text = (list: readonly number[]): string => list.map((word) => word.toString(16)).join(":");
  if (run.length < 2) return text(words);
  return `${text(words.slice(0, run.start))}::${text(words.slice(run.start + run.length))}`;
}

function longestZeroRun(words: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let i = 0; i <= words.length; i++) {
    if (words[i] === 0) continue;
    if (i - start > best.length) best = { start, length: i - start };
    start = i + 1;
  }
  return best;
}

/** 4 or 16 bytes. Throws TypeError on text that is not an address of that family. */
export function addressBytes(text: string, family: Family): Uint8Array {
  const bytes = family === 4 ? parseIpv4(text) : parseIpv6(text);
  if (!bytes) throw new TypeError(`"${text}" is not an IPv${family} address`);
  return bytes;
}

/** Canonical text of 4 or 16 bytes; TypeError for any other length. */
export function addressText(bytes: Uint8Array): string {
  return bytes.length === 4 ? formatIpv4(bytes) : formatIpv6(bytes);
}

/**
 * Order of two addresses as unsigned numbers in network order (RFC 5798 §6.4.3: the greater wins a tie);
 * every IPv4 address comes before every IPv6 one. Negative, 0 or positive. TypeError on bad text.
 */
export function compareAddresses(a: string, b: string): number {
  const left = addressBytes(a, a.includes(":") ? 6 : 4);
  const right = addressBytes(b, b.includes(":") ? 6 : 4);
  if (left.length !== right.length) return left.length - right.length;
  for (let i = 0; i < left.length; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
