/** Authentication of one message: VRRPv2 passwords (RFC 2338 §10) and keepalived's auth_hmac. */
import type { Family, HmacConfig, InstanceConfig, VrrpAuth } from "../config/model.ts";
import type { Microseconds } from "../units.ts";
import { fromHex } from "../wire/hex.ts";
import { decodeHmacTrailer, type HmacTrailer, type Sequence, trailerMac } from "../wire/hmac.ts";
import type { DecodedVrrp, VrrpPdu } from "../wire/types.ts";
import { equalBytes, passData } from "../wire/vrrp.ts";
import type { DropReason } from "./drop.ts";
import { refuseSequence, type SequenceMemory, senderKey } from "./sequence.ts";

/** RFC 2338 §5.3.6: 0 none, 1 simple text password. */
export const authTypeOf = (auth: VrrpAuth): 0 | 1 => (auth.type === "PASS" ? 1 : 0);
export const authDataOf = (auth: VrrpAuth): Uint8Array =>
  auth.type === "PASS" ? passData(auth.pass) : new Uint8Array(8);

export function refusePassword(pdu: VrrpPdu, config: InstanceConfig): DropReason | undefined {
  if (pdu.authType !== authTypeOf(config.auth)) return "auth-type";
  // Without authentication its data is undefined (RFC 3768 §5.3.10) and not looked at.
  if (config.auth.type !== "PASS") return undefined;
  const same = equalBytes(pdu.authData ?? new Uint8Array(0), authDataOf(config.auth));
  return same ? undefined : "auth-password";
}

export interface Signed {
  readonly family: Family;
  readonly source: string;
  /** The message and its trailer as received. */
  readonly bytes: Uint8Array;
  readonly decoded: DecodedVrrp;
}

export type HmacVerdict =
  | { readonly ok: false; readonly reason: DropReason }
  /** `accepted` is to be remembered once the packet as a whole is admitted. */
  | { readonly ok: true; readonly accepted?: { readonly key: string; readonly sequence: Sequence } }
  | { readonly ok: true; readonly missing: true };

/**
 * Judges what follows a VRRPv3 message. `mode` enforce demands a trailer; permissive and receive-only take
 * messages without one (noted), so that routers can be changed over one by one; a wrong trailer is refused
 * in every mode.
 */
export function judgeTrailer(
  signed: Signed,
  config: InstanceConfig,
  memory: SequenceMemory,
  realTime: Microseconds,
): HmacVerdict {
  const { trailer } = signed.decoded;
  const present = decodeHmacTrailer(trailer);
  if (config.auth.type !== "HMAC") {
    if (trailer.length === 0) return { ok: true };
    // We have no key to judge it by; the sender signs, and we are not configured to.
    return { ok: false, reason: present ? "auth-type" : "length" };
  }
  if (trailer.length === 0) {
    const required = config.auth.mode === "enforce" || config.udp !== undefined;
    return required ? { ok: false, reason: "hmac-missing" } : { ok: true, missing: true };
  }
  if (!present) return { ok: false, reason: "length" };
  return verify(signed, present, config.auth, memory, realTime);
}

function verify(
  { family, source, bytes, decoded }: Signed,
  trailer: HmacTrailer,
  hmac: HmacConfig,
  memory: SequenceMemory,
  realTime: Microseconds,
): HmacVerdict {
  const known = hmac.keys.find((key) => key.id === trailer.keyId);
  if (!known) return { ok: false, reason: "hmac-unknown-key" };
  const message = bytes.subarray(0, bytes.length - decoded.trailer.length);
  const expected = trailerMac(fromHex(known.key), decoded.trailer, { family, source, message });
  if (!equalBytes(expected, trailer.mac)) return { ok: false, reason: "hmac-mismatch" };
  const key = senderKey(source, decoded.pdu.vrid, trailer.keyId);
  const highest = Object.hasOwn(memory, key) ? memory[key] : undefined;
  const refused = refuseSequence(trailer.sequence, highest, realTime, hmac);
  return refused
    ? { ok: false, reason: refused }
    : { ok: true, accepted: { key, sequence: trailer.sequence } };
}
