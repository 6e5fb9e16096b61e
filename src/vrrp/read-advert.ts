/** A decoded message as an Advert, with what is worth telling an operator about it. */
import { centisecondsToUs, cs, type Microseconds, seconds, secondsToUs } from "../units.ts";
import { parseIpv6 } from "../wire/address.ts";
import type { DecodedVrrp, VrrpPdu } from "../wire/types.ts";
import type { Local } from "./admit.ts";
import type { Advert, AdvertNote } from "./advert.ts";

export function pduInterval(pdu: VrrpPdu): Microseconds {
  return pdu.version === 2
    ? secondsToUs(seconds(pdu.advertInterval))
    : centisecondsToUs(cs(pdu.advertInterval));
}

export function readAdvert(
  { pdu, checksumKind }: DecodedVrrp,
  source: string,
  local: Local,
  unsigned: boolean,
): Advert {
  const { config, lastMaster } = local;
  const { addresses, priority } = pdu;
  const interval = pduInterval(pdu);
  const notes: AdvertNote[] = [];
  if (addresses.length === 0) notes.push("no-addresses");
  if (config.family === 6 && addresses.length > 0 && !isLinkLocal(addresses[0]!))
    notes.push("first-address-not-link-local");
  const skip = config.skipCheckAddresses === true && source === lastMaster;
  const list = skip
    ? undefined
    : compareLists(
        addresses,
        config.vips.map((vip) => vip.address),
      );
  if (list) notes.push(list);
  if (interval !== config.advertInterval) notes.push("interval-differs");
  if (priority === 255 && config.priority === 255) notes.push("owner-conflict");
  if (unsigned) notes.push("hmac-missing");
  return { source, priority, interval, checksumKind, notes };
}

/** fe80::/10 (RFC 4291 §2.5.6). */
export function isLinkLocal(address: string): boolean {
  const bytes = parseIpv6(address);
  return bytes !== undefined && bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
}

/** Order does not matter: routers may list the same addresses differently. */
function compareLists(received: readonly string[], own: readonly string[]): AdvertNote | undefined {
  const ours = new Set(own);
  const theirs = new Set(received);
  const common = received.filter((address) => ours.has(address)).length;
  // The count too: keepalived 2.2.7 refuses another number of addresses, repeated ones included.
  const same = common === received.length && received.length === own.length && theirs.size === ours.size;
  if (same) return undefined;
  return common === 0 && own.length > 0 && received.length > 0 ? "foreign-addresses" : "vip-list-differs";
}
