/** Advertisements as the state machine sees them, and the packets we send. */
import type { InstanceConfig } from "../config/model.ts";
import { type Microseconds, usToCentiseconds, usToSeconds } from "../units.ts";
import { fromHex } from "../wire/hex.ts";
import { encodeHmacTrailer, type Sequence } from "../wire/hmac.ts";
import { encodeIpv4 } from "../wire/ip.ts";
import { encodeIpv6 } from "../wire/ip6.ts";
import type { ChecksumKind, VrrpPdu } from "../wire/types.ts";
import { encodeVrrp, VRRP_GROUP_V4, VRRP_PROTOCOL, VRRP_TOS, VRRP_TTL } from "../wire/vrrp.ts";
import { groupOf } from "./admit.ts";
import { authDataOf, authTypeOf } from "./authenticate.ts";
import { isLinkLocal } from "./read-advert.ts";

/** Things worth telling an operator about a packet that is accepted all the same. */
export type AdvertNote =
  | "vip-list-differs"
  /** None of its addresses is ours: probably another virtual router with our VRID. */
  | "foreign-addresses"
  | "no-addresses"
  | "first-address-not-link-local"
  | "interval-differs"
  | "owner-conflict"
  /** auth_hmac in a mode that still takes unsigned advertisements. */
  | "hmac-missing";

export interface Advert {
  readonly source: string;
  /** 0 = the sender gives up mastership. */
  readonly priority: number;
  readonly interval: Microseconds;
  readonly checksumKind: ChecksumKind;
  readonly notes: readonly AdvertNote[];
}

/** One packet to send. */
export interface Outgoing {
  readonly destination: string;
  /** Raw: the whole IP packet. UDP: the datagram's payload. */
  readonly bytes: Uint8Array;
  /** For UDP, where the socket has to be told. */
  readonly ttl: number;
}

export interface AdvertParts {
  /** 0 announces the end of mastership. */
  readonly priority: number;
  /** Canonical text: of the interface it goes out of; link-local for IPv6 multicast; never a VIP. */
  readonly source: string;
  /** From nextSequence(); needed when signs(config), the same for every path of one advertisement. */
  readonly sequence?: Sequence;
}

/** Whether our advertisements carry an auth_hmac trailer. */
export const signs = ({ auth, udp }: Pick<InstanceConfig, "auth" | "udp">): boolean =>
  auth.type === "HMAC" && (auth.mode !== "receive-only" || udp !== undefined);

/**
 * One advertisement (RFC 5798 §5, RFC 2338 §5.3.10 for PASS) as packets: one to the group, or one to each
 * unicast peer. Throws TypeError without the sequence it needs or with addresses of another family,
 * RangeError on an interval that cannot be expressed.
 */
export function buildAdverts(config: InstanceConfig, parts: AdvertParts): Outgoing[] {
  const ttl = config.unicast?.ttl ?? VRRP_TTL;
  const destinations = config.unicast?.peers.map((peer) => peer.address) ?? [groupOf(config)];
  return destinations.map((destination) => {
    const payload = message(config, parts, destination);
    const bytes = config.udp ? payload : inIp(config, parts.source, destination, ttl, payload);
    return { destination, bytes, ttl };
  });
}

/** For IPv4 multicast without auth_hmac: the whole packet. */
export function buildAdvertPacket(config: InstanceConfig, priority: number, source: string): Uint8Array {
  return inIp(config, source, VRRP_GROUP_V4, VRRP_TTL, message(config, { priority, source }, VRRP_GROUP_V4));
}

function message(config: InstanceConfig, parts: AdvertParts, destination: string): Uint8Array {
  const { family } = config;
  const { source, sequence } = parts;
  const kind: ChecksumKind = sentChecksum(config);
  const bytes = encodeVrrp(pdu(config, parts.priority), { family, source, destination }, kind);
  if (!signs(config) || config.auth.type !== "HMAC") return bytes;
  const { keys, activeKey } = config.auth;
  const active = keys.find((key) => key.id === activeKey);
  if (!active || !sequence) throw new TypeError("auth_hmac needs its active_key and a sequence to sign with");
  const trailer = encodeHmacTrailer(active.id, fromHex(active.key), sequence, {
    family,
    source,
    message: bytes,
  });
  const signed = new Uint8Array(bytes.length + trailer.length);
  signed.set(bytes);
  signed.set(trailer, bytes.length);
  return signed;
}

/** v3_checksum_as_v2; v2 and IPv6 have one kind each. */
export function sentChecksum({
  version,
  family,
  checksumMessageOnly,
}: Pick<InstanceConfig, "version" | "family" | "checksumMessageOnly">): ChecksumKind {
  return version === 2 || (family === 4 && checksumMessageOnly) ? "message-only" : "pseudo-header";
}

function pdu(config: InstanceConfig, priority: number): VrrpPdu {
  const common = { type: 1, vrid: config.vrid, priority, addresses: advertised(config) };
  if (config.version === 3)
    return { ...common, version: 3, advertInterval: usToCentiseconds(config.advertInterval) };
  return {
    ...common,
    version: 2,
    advertInterval: usToSeconds(config.advertInterval),
    authType: authTypeOf(config.auth),
    authData: authDataOf(config.auth),
  };
}

/** RFC 5798 §5.2.9: an IPv6 list starts with the link-local address, wherever it is configured. */
export function advertised({ family, vips }: Pick<InstanceConfig, "family" | "vips">): string[] {
  const addresses = vips.map((vip) => vip.address);
  if (family === 4) return addresses;
  const linkLocal = addresses.filter(isLinkLocal);
  return [...linkLocal, ...addresses.filter((address) => !linkLocal.includes(address))];
}

function inIp(
  config: InstanceConfig,
  source: string,
  destination: string,
  ttl: number,
  payload: Uint8Array,
): Uint8Array {
  return config.family === 4
    ? encodeIpv4({ tos: VRRP_TOS, id: 1, ttl, protocol: VRRP_PROTOCOL, source, destination }, payload)
    : encodeIpv6(
        { trafficClass: VRRP_TOS, nextHeader: VRRP_PROTOCOL, hopLimit: ttl, source, destination },
        payload,
      );
}
