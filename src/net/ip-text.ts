/** IP addresses between text and the bytes of kernel structures. Output is canonical (RFC 5952). */
import { isIP } from "node:net";

/** 4 or 16 bytes; throws on anything that is not an address. A zone ("%eth0") is not accepted. */
export function addressBytes(text: string): Uint8Array {
  const kind = text.includes("%") ? 0 : isIP(text);
  if (kind === 4) return Uint8Array.from(text.split(".").map(Number));
  if (kind === 6) return ipv6Bytes(text);
  throw new Error(`"${text}" is not an IP address`);
}

function ipv6Bytes(text: string): Uint8Array {
  const [head = "", tail] = text.split("::");
  const before = words(head);
  const after = tail === undefined ? [] : words(tail);
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Uint8Array.from(all.flatMap((w) => [w >> 8, w & 0xff]));
}

function words(part: string): number[] {
  if (part === "") return [];
  return part.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}

/** Canonical text of 4 or 16 bytes. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) throw new Error(`an address of ${bytes.length} bytes is neither IPv4 nor IPv6`);
  const w = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  const zeros = longestZeroRun(w);
  const hex = (from: number, to: number) =>
    w
      .slice(from, to)
      .map((x) => x.toString(16))
      .join(":");
  if (zeros.length < 2) return hex(0, 8);
  return `${hex(0, zeros.start)}::${hex(zeros.start + zeros.length, 8)}`;
}

function longestZeroRun(w: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < w.length; start++) {
    let length = 0;
    while (w[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
