/**
 * The little of DNS a probe needs (RFC 1035 4): one question out; header, question and answers in.
 * Replies are hostile: every read is bounded, compression can only lead backwards.
 */
import { formatIpv4, formatIpv6 } from "../wire/address.ts";

export interface DnsQuestion {
  readonly id: number;
  /** Without the final dot; "" is the root. */
  readonly name: string;
  readonly type: number;
}

export interface DnsReply {
  readonly rcode: number;
  readonly truncated: boolean;
  /** Data of the answers of the type asked for (or of any, for ANY), in presentation form. */
  readonly answers: readonly string[];
}

/** `foreign`: not the answer to this question, so perhaps forged; `malformed`: what is wrong with it. */
export type DnsDecoded = DnsReply | { readonly foreign: true } | { readonly malformed: string };

const HEADER = 12;
const CLASS_IN = 1;
const TYPE_ANY = 255;
const MAX_NAME = 255;
const MAX_ANSWERS = 512;

/** Labels of a configured name as bytes, or what is wrong with it. RFC 1035 2.3.4: 63 a label, 255 in all. */
export function encodeName(name: string): Uint8Array | { readonly problem: string } {
  const bytes: number[] = [];
  const bare = name.endsWith(".") ? name.slice(0, -1) : name;
  for (const label of bare === "" ? [] : bare.split(".")) {
    const text = new TextEncoder().encode(label);
    if (text.length === 0) return { problem: "an empty label (two dots)" };
    if (text.length > 63) return { problem: `the label ${label.slice(0, 20)}... is longer than 63 bytes` };
    bytes.push(text.length, ...text);
  }
  bytes.push(0);
  return bytes.length > MAX_NAME ? { problem: "the name is longer than 255 bytes" } : Uint8Array.from(bytes);
}

/** A standard query with recursion desired. Throws RangeError for a name that `encodeName` refuses. */
export function encodeQuery({ id, name, type }: DnsQuestion): Uint8Array {
  const labels = encodeName(name);
  if ("problem" in labels) throw new RangeError(`DNS name ${name}: ${labels.problem}`);
  const bytes = new Uint8Array(HEADER + labels.length + 4);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, id);
  view.setUint16(2, 0x0100);
  view.setUint16(4, 1);
  bytes.set(labels, HEADER);
  view.setUint16(HEADER + labels.length, type);
  view.setUint16(HEADER + labels.length + 2, CLASS_IN);
  return bytes;
}

export function decodeReply(bytes: Uint8Array, question: DnsQuestion): DnsDecoded {
  if (bytes.length < HEADER) return { malformed: `${bytes.length} bytes are no DNS message` };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = view.getUint16(2);
  if (view.getUint16(0) !== question.id || (flags & 0x8000) === 0) return { foreign: true };
  const rcode = flags & 0xf;
  const truncated = (flags & 0x0200) !== 0;
  const questions = view.getUint16(4);
  // A server that could not read the question need not repeat it (RFC 1035 4.1.1, FORMERR).
  if (questions === 0) return rcode === 0 ? { foreign: true } : { rcode, truncated, answers: [] };
  if (questions !== 1) return { foreign: true };
  const asked = readName(bytes, HEADER);
  if (asked === undefined || asked.end + 4 > bytes.length) return { malformed: "the question is cut short" };
  const same =
    asked.name.toLowerCase() === question.name.toLowerCase().replace(/\.$/, "") &&
    view.getUint16(asked.end) === question.type &&
    view.getUint16(asked.end + 2) === CLASS_IN;
  if (!same) return { foreign: true };
  const answers = readAnswers(bytes, asked.end + 4, view.getUint16(6), question.type);
  // Of a truncated message the rest is expected to be missing.
  if (answers === undefined && !truncated) return { malformed: "the answers are cut short or malformed" };
  return { rcode, truncated, answers: answers ?? [] };
}

function readAnswers(bytes: Uint8Array, from: number, count: number, type: number): string[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: string[] = [];
  let at = from;
  for (let i = 0; i < Math.min(count, MAX_ANSWERS); i++) {
    const owner = readName(bytes, at);
    if (owner === undefined || owner.end + 10 > bytes.length) return undefined;
    const found = view.getUint16(owner.end);
    const data = owner.end + 10;
    at = data + view.getUint16(owner.end + 8);
    if (at > bytes.length) return undefined;
    if (found !== type && type !== TYPE_ANY) continue;
    const text = present(bytes, data, at, found);
    if (text === undefined) return undefined;
    out.push(text);
  }
  return out;
}

/** Presentation form (RFC 1035 5.1) of the common types; RFC 3597 hex of all others. */
function present(bytes: Uint8Array, from: number, to: number, type: number): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const numbers = (...at: number[]): string => at.map((offset) => view.getUint16(from + offset)).join(" ");
  const names = (at: number, count: number): { text: string; end: number } | undefined => {
    const out: string[] = [];
    let end = from + at;
    for (let i = 0; i < count; i++) {
      const name = readName(bytes, end);
      if (name === undefined || name.end > to) return undefined;
      out.push(name.name === "" ? "." : name.name);
      end = name.end;
    }
    return { text: out.join(" "), end };
  };
  const length = to - from;
  switch (type) {
    case 1:
      return length === 4 ? formatIpv4(bytes.subarray(from, to)) : undefined;
    case 28:
      return length === 16 ? formatIpv6(bytes.subarray(from, to)) : undefined;
    case 2:
    case 5:
    case 12:
      return names(0, 1)?.text;
    case 6: {
      const both = names(0, 2);
      if (both === undefined || both.end + 20 !== to) return undefined;
      return [both.text, ...[0, 4, 8, 12, 16].map((n) => view.getUint32(both.end + n))].join(" ");
    }
    case 15: {
      const host = length < 3 ? undefined : names(2, 1);
      return host && `${numbers(0)} ${host.text}`;
    }
    case 33: {
      const host = length < 7 ? undefined : names(6, 1);
      return host && `${numbers(0, 2, 4)} ${host.text}`;
    }
    case 16:
      return readStrings(bytes, from, to);
    default:
      return `\\# ${length} ${hexOf(bytes.subarray(from, to))}`.trim();
  }
}

/** TXT: its strings as one, as mail and certificate tools read them. */
function readStrings(bytes: Uint8Array, from: number, to: number): string | undefined {
  let out = "";
  let at = from;
  while (at < to) {
    const length = bytes[at]!;
    if (at + 1 + length > to) return undefined;
    out += labelText(bytes.subarray(at + 1, at + 1 + length));
    at += 1 + length;
  }
  return out;
}

const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** A possibly compressed name (RFC 1035 4.1.4) without its final dot, and where it ends. */
function readName(bytes: Uint8Array, from: number): { name: string; end: number } | undefined {
  const labels: string[] = [];
  let at = from;
  /** Pointers must lead before this: there are no loops that way. */
  let limit = from;
  let end: number | undefined;
  let length = 0;
  for (;;) {
    const size = bytes[at];
    if (size === undefined) return undefined;
    if (size === 0) return { name: labels.join("."), end: end ?? at + 1 };
    if ((size & 0xc0) === 0xc0) {
      const low = bytes[at + 1];
      if (low === undefined) return undefined;
      end ??= at + 2;
      at = ((size & 0x3f) << 8) | low;
      if (at >= limit) return undefined;
      limit = at;
      continue;
    }
    if ((size & 0xc0) !== 0 || at + 1 + size > bytes.length) return undefined;
    length += size + 1;
    if (length > MAX_NAME) return undefined;
    labels.push(labelText(bytes.subarray(at + 1, at + 1 + size)));
    at += 1 + size;
  }
}

/** Bytes that are not visible ASCII come as \DDD, so that they can't reach a terminal (RFC 1035 5.1). */
function labelText(bytes: Uint8Array): string {
  let out = "";
  for (const byte of bytes) {
    out += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, "0")}`;
  }
  return out;
}
