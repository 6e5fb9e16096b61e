/**
 * From a received packet to an Advert, or the first reason to drop it: IPv4 and IPv6, protocol 112 and UDP.
 * RFC 5798 §7.1, RFC 3768 §7.1, RFC 2338 §10 for authentication; errata 8298 to 8301.
 */
import type { Family, InstanceConfig } from "../config/model.ts";
import { fail, ok, type Result } from "../result.ts";
import { type Microseconds, us } from "../units.ts";
import type { Sequence } from "../wire/hmac.ts";
import { decodeIpv4 } from "../wire/ip.ts";
import type { DecodedVrrp, VrrpDecodeError } from "../wire/types.ts";
import { decodeVrrp, VRRP_GROUP_V4, VRRP_GROUP_V6, VRRP_PROTOCOL, VRRP_TTL } from "../wire/vrrp.ts";
import type { Advert } from "./advert.ts";
import { judgeTrailer, refusePassword } from "./authenticate.ts";
import type { Dropped, DropReason } from "./drop.ts";
import { pduInterval, readAdvert } from "./read-advert.ts";
import type { SequenceMemory } from "./sequence.ts";

export { DROP_TEXT, type Dropped, type DropReason } from "./drop.ts";

/** A packet as its socket delivers it. Addresses are canonical text. */
export type Received =
  /** A raw IPv4 socket gives the whole packet. */
  | { readonly transport: "raw"; readonly family: 4; readonly bytes: Uint8Array }
  /** A raw IPv6 socket gives the payload; the rest comes as ancillary data (RFC 3542). */
  | ({ readonly transport: "raw"; readonly family: 6; readonly hopLimit: number } & Payload)
  /** `hopLimit` where the socket tells it. */
  | ({ readonly transport: "udp"; readonly family: Family; readonly hopLimit?: number } & Payload);

interface Payload {
  readonly bytes: Uint8Array;
  readonly source: string;
  readonly destination: string;
}

/** The instance with this VRID and family on the receiving interface, and what is known there. */
export interface Local {
  readonly config: InstanceConfig;
  /** What we send from; in unicast mode the only destination we accept. */
  readonly ownAddress?: string;
  /** Source of the last accepted advertisement, for skip_check_adv_addr. */
  readonly lastMaster?: string;
}

export interface AdmitContext {
  /** Undefined for a family or VRID that is not ours. */
  lookup(vrid: number, family: Family): Local | undefined;
  /** UTC, microseconds since 1970; only auth_hmac looks at it. */
  readonly realTime: Microseconds;
  /** Of the receiving instance. */
  readonly sequences: SequenceMemory;
}

export interface Admitted {
  readonly vrid: number;
  readonly advert: Advert;
  /** Put this into the instance's memory with rememberSequence(). */
  readonly accepted?: { readonly key: string; readonly sequence: Sequence };
}

export function admit(received: Received, context: AdmitContext): Result<Admitted, Dropped> {
  const opened = open(received);
  if (!opened.ok) return opened;
  const packet = opened.value;
  const { bytes, family, source, destination } = packet;
  const vrid = bytes[1];
  const drop = (reason: DropReason): Result<Admitted, Dropped> =>
    fail({ reason, source, ...(vrid === undefined ? {} : { vrid }) });

  const found = vrid === undefined ? undefined : context.lookup(vrid, family);
  const local = found?.config.family === family ? found : undefined;
  const network = refuseNetwork(packet, local);
  if (network) return drop(network);
  const first = bytes[0];
  if (first === undefined) return drop("length");
  if (local && first >> 4 !== local.config.version) return drop("version");
  if ((first & 0x0f) !== ADVERTISEMENT) return drop("type");
  const decoded = decodeVrrp(bytes, { family, source, destination });
  if (!decoded.ok) return drop(DECODE_REASON[decoded.error]);
  if (!local) return drop("vrid-unknown");
  return judge(packet, decoded.value, local, context, drop);
}

/** The message itself: authentication, interval, addresses. */
function judge(
  packet: Packet,
  decoded: DecodedVrrp,
  local: Local,
  context: AdmitContext,
  drop: (reason: DropReason) => Result<Admitted, Dropped>,
): Result<Admitted, Dropped> {
  const { config } = local;
  const { pdu } = decoded;
  if (config.version === 2) {
    const refused = refusePassword(pdu, config);
    if (refused) return drop(refused);
    if (pduInterval(pdu) !== config.advertInterval) return drop("interval");
  }
  const verdict = judgeTrailer({ ...packet, decoded }, config, context.sequences, context.realTime);
  if (!verdict.ok) return drop(verdict.reason);
  if (pdu.advertInterval === 0) return drop("interval-zero");
  const unsigned = "missing" in verdict;
  const advert = readAdvert(decoded, packet.source, local, unsigned);
  if (config.strict && advert.notes.includes("no-addresses")) return drop("no-addresses");
  if (config.strict && advert.notes.includes("first-address-not-link-local")) return drop("not-link-local");
  const accepted = "accepted" in verdict ? verdict.accepted : undefined;
  return ok({ vrid: pdu.vrid, advert, ...(accepted ? { accepted } : {}) });
}

/** For instances that need neither unicast, UDP nor auth_hmac: a whole IPv4 packet to the group. */
export function admitIpv4(
  bytes: Uint8Array,
  lookup: (vrid: number) => InstanceConfig | undefined,
): Result<Admitted, Dropped> {
  return admit(
    { transport: "raw", family: 4, bytes },
    {
      lookup: (vrid) => {
        const config = lookup(vrid);
        return config && { config };
      },
      realTime: us(0),
      sequences: {},
    },
  );
}

/** RFC 5798 §5.2.2: the only type there is. */
const ADVERTISEMENT = 1;

const DECODE_REASON: Record<VrrpDecodeError, DropReason> = {
  "too-short": "length",
  "bad-version": "version",
  "bad-length": "length",
  "bad-checksum": "checksum",
};

// ---- the packet around the message --------------------------------------------------------------

/** Where the message came from and how; `bytes` are the message and its trailer. */
interface Packet extends Payload {
  readonly family: Family;
  readonly transport: "raw" | "udp";
  /** TTL or hop limit, where known. */
  readonly ttl: number | undefined;
}

function open(received: Received): Result<Packet, Dropped> {
  if (received.transport === "udp" || received.family === 6)
    return ok({ ...received, ttl: received.hopLimit });
  const ip = decodeIpv4(received.bytes);
  if (!ip.ok) return fail({ reason: "ip-malformed" });
  const { source, destination, ttl, payload, protocol, fragment } = ip.value;
  const vrid = payload[1];
  const where = { source, ...(vrid === undefined ? {} : { vrid }) };
  if (protocol !== VRRP_PROTOCOL) return fail({ reason: "not-vrrp", ...where });
  if (fragment) return fail({ reason: "ip-fragment", ...where });
  return ok({ family: 4, transport: "raw", source, destination, ttl, bytes: payload });
}

function refuseNetwork(packet: Packet, local: Local | undefined): DropReason | undefined {
  const config = local?.config;
  // A datagram for nobody is judged by the usual rule: one that crossed a router never concerns us.
  if (!config) return packet.transport === "raw" && packet.ttl !== VRRP_TTL ? "ttl" : undefined;
  if (packet.transport !== (config.udp ? "udp" : "raw")) return "transport";
  if (config.unicast) return refuseUnicast(packet, config.unicast, local);
  if (packet.ttl !== VRRP_TTL) return "ttl";
  return packet.destination === groupOf(config) ? undefined : "not-multicast";
}

/** keepalived check_unicast_src, min_ttl and max_ttl; multicast is not for a unicast instance. */
function refuseUnicast(
  packet: Packet,
  unicast: NonNullable<InstanceConfig["unicast"]>,
  local: Local,
): DropReason | undefined {
  const own = local.config.sourceAddress ?? local.ownAddress;
  const { destination, source, ttl } = packet;
  if (own === undefined ? isMulticast(destination) : destination !== own) return "not-unicast";
  const peer = unicast.peers.find(({ address }) => address === source);
  if (!peer) return unicast.checkSource ? "unicast-source" : undefined;
  return ttl !== undefined && (ttl < peer.minTtl || ttl > peer.maxTtl) ? "ttl" : undefined;
}

const isMulticast = (address: string): boolean =>
  address.includes(":") ? address.startsWith("ff") : Number.parseInt(address, 10) >= 224;

/** vrrp_mcast_group4, vrrp_mcast_group6; default RFC 5798 §5.1. */
export const groupOf = (config: InstanceConfig): string =>
  config.multicastGroup ?? (config.family === 4 ? VRRP_GROUP_V4 : VRRP_GROUP_V6);
