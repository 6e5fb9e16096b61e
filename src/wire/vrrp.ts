/**
 * VRRP advertisements: VRRPv2 (RFC 3768, with the authentication of RFC 2338) and VRRPv3
 * (RFC 5798, RFC 9568). The message only: the IP header and what a value means are for others to judge.
 */
import { fail, ok, type Result } from "../result.ts";
import { addressBytes, addressText } from "./address.ts";
import { internetChecksum } from "./checksum.ts";
import { Reader } from "./reader.ts";
import type {
  AddressContext,
  ChecksumKind,
  DecodedVrrp,
  VrrpDecodeError,
  VrrpPdu,
  VrrpVersion,
} from "./types.ts";
import { Writer } from "./writer.ts";

/** IP protocol and IPv6 next header number (IANA). */
export const VRRP_PROTOCOL = 112;
/** RFC 5798 §5.1.1.2. */
export const VRRP_GROUP_V4 = "224.0.0.18";
/** RFC 5798 §5.1.2.2. */
export const VRRP_GROUP_V6 = "ff02::12";
/** Internetwork control (precedence 6), as routers and keepalived send it. */
export const VRRP_TOS = 0xc0;
/** RFC 5798 §5.1.1.3: anything less has crossed a router. */
export const VRRP_TTL = 255;

const HEADER_LENGTH = 8;
const CHECKSUM_OFFSET = 6;
/** RFC 2338 §5.3.10: always there in v2, zero when unused. */
const AUTH_LENGTH = 8;
/** The upper four bits of v3's interval word are reserved and ignored (RFC 5798 §5.2.6). */
const MAX_ADVERT_INTERVAL = 0x0fff;

/**
 * Decodes an IP payload. v2 must be exactly 8 + 4n + 8 bytes; what follows a v3 message is returned as
 * trailer and is outside the checksum. v3 over IPv4 is accepted with either kind of checksum.
 */
export function decodeVrrp(message: Uint8Array, ctx: AddressContext): Result<DecodedVrrp, VrrpDecodeError> {
  if (message.length < HEADER_LENGTH) return fail("too-short");
  const reader = new Reader(message);
  const versionAndType = reader.u8();
  const version = versionAndType >> 4;
  if (!isVersion(version, ctx)) return fail("bad-version");
  const vrid = reader.u8();
  const priority = reader.u8();
  const count = reader.u8();
  const word = reader.u16();
  reader.u16();
  const width = ctx.family === 4 ? 4 : 16;
  const addressesEnd = HEADER_LENGTH + width * count;
  const end = version === 2 ? addressesEnd + AUTH_LENGTH : addressesEnd;
  if (version === 2 ? message.length !== end : message.length < end) return fail("bad-length");

  const checksumKind = matchingChecksum(version, message.subarray(0, end), ctx);
  if (!checksumKind) return fail("bad-checksum");
  const common = {
    type: versionAndType & 0x0f,
    vrid,
    priority,
    addresses: Array.from({ length: count }, () => addressText(reader.bytes(width))),
  };
  // Copies, not views: values outlive the receive buffer they came from.
  const pdu: VrrpPdu =
    version === 2
      ? {
          ...common,
          version,
          advertInterval: word & 0xff,
          authType: word >> 8,
          authData: reader.bytes(AUTH_LENGTH).slice(),
        }
      : { ...common, version, advertInterval: word & MAX_ADVERT_INTERVAL };
  return ok({ pdu, checksumKind, trailer: message.slice(end) });
}

/** VRRPv2 exists for IPv4 only. */
function isVersion(version: number, ctx: AddressContext): version is VrrpVersion {
  return version === 3 || (version === 2 && ctx.family === 4);
}

function matchingChecksum(
  version: VrrpVersion,
  message: Uint8Array,
  ctx: AddressContext,
): ChecksumKind | undefined {
  return possibleChecksums(version, ctx).find((kind) => checksum(message, ctx, kind) === 0);
}

/** The first is the one we send unless told otherwise. */
function possibleChecksums(version: VrrpVersion, ctx: AddressContext): readonly ChecksumKind[] {
  if (version === 2) return ["message-only"];
  return ctx.family === 6 ? ["pseudo-header"] : ["pseudo-header", "message-only"];
}

function checksum(message: Uint8Array, ctx: AddressContext, kind: ChecksumKind): number {
  return kind === "pseudo-header"
    ? internetChecksum(pseudoHeader(ctx, message.length), message)
    : internetChecksum(message);
}

/** RFC 8200 §8.1 for IPv6; the same idea with TCP's layout (RFC 793) for IPv4. */
function pseudoHeader(ctx: AddressContext, length: number): Uint8Array {
  const writer = new Writer(40);
  writer.bytes(addressBytes(ctx.source, ctx.family)).bytes(addressBytes(ctx.destination, ctx.family));
  if (ctx.family === 4) writer.u8(0).u8(VRRP_PROTOCOL).u16(length);
  else writer.u32(length).u32(VRRP_PROTOCOL);
  return writer.finish();
}

/**
 * Encodes one message with its checksum. `checksum` matters for v3 over IPv4 only (default: with the
 * pseudo-header, as deployed); v2 and IPv6 have one kind each. Throws RangeError or TypeError on values that
 * do not fit: v2 interval 0..255 s, v3 0..4095 cs, at most 255 addresses of the context's family, 8 bytes of
 * authentication data.
 */
export function encodeVrrp(pdu: VrrpPdu, ctx: AddressContext, checksumKind?: ChecksumKind): Uint8Array {
  if (pdu.version === 2 && ctx.family !== 4) throw new TypeError("VRRPv2 is for IPv4 only; use version 3");
  if (pdu.type < 0 || pdu.type > 15) throw new RangeError(`VRRP type ${pdu.type} does not fit 4 bits`);
  const writer = new Writer(HEADER_LENGTH + 16 * pdu.addresses.length + AUTH_LENGTH);
  writer.u8((pdu.version << 4) | pdu.type);
  writer.u8(pdu.vrid).u8(pdu.priority).u8(pdu.addresses.length);
  if (pdu.version === 2) writer.u8(pdu.authType ?? 0).u8(pdu.advertInterval);
  else writer.u16(twelveBits(pdu.advertInterval));
  writer.u16(0);
  for (const address of pdu.addresses) writer.bytes(addressBytes(address, ctx.family));
  if (pdu.version === 2) writer.bytes(eightBytes(pdu.authData));
  const possible = possibleChecksums(pdu.version, ctx);
  const kind = checksumKind && possible.includes(checksumKind) ? checksumKind : possible[0]!;
  return writer.setU16(CHECKSUM_OFFSET, checksum(writer.view(), ctx, kind)).finish();
}

function twelveBits(interval: number): number {
  if (interval > MAX_ADVERT_INTERVAL) {
    throw new RangeError(`VRRPv3 advertisement interval ${interval} cs is above the maximum of 4095 cs`);
  }
  return interval;
}

function eightBytes(data: Uint8Array = new Uint8Array(AUTH_LENGTH)): Uint8Array {
  if (data.length !== AUTH_LENGTH) {
    throw new RangeError(`VRRPv2 authentication data has ${AUTH_LENGTH} bytes, not ${data.length}`);
  }
  return data;
}

/** Authentication data of a simple text password: the first 8 bytes of its UTF-8, zero padded (RFC 2338 §5.3.10). */
export function passData(password: string): Uint8Array {
  const data = new Uint8Array(AUTH_LENGTH);
  data.set(new TextEncoder().encode(password).subarray(0, AUTH_LENGTH));
  return data;
}

/** Compares without telling by its duration where the first difference is; lengths are not secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
