/**
 * From a received IPv4 packet to an Advert, or the first reason to drop it.
 * RFC 5798 §7.1, RFC 3768 §7.1, RFC 2338 §10 for authentication; errata 8298 to 8301.
 */
import type { InstanceConfig } from "../config/model.ts";
import { fail, ok, type Result } from "../result.ts";
import { centisecondsToUs, cs, type Microseconds, seconds, secondsToUs } from "../units.ts";
import { decodeIpv4 } from "../wire/ip.ts";
import type { DecodedVrrp, Ipv4Packet, VrrpDecodeError, VrrpPdu } from "../wire/types.ts";
import { decodeVrrp, equalBytes, passData, VRRP_GROUP_V4, VRRP_PROTOCOL, VRRP_TTL } from "../wire/vrrp.ts";
import type { Advert, AdvertNote } from "./advert.ts";

/** Why a packet was dropped: the label of the metric and the word in the log. */
export type DropReason =
  | "ip-malformed"
  | "ip-fragment"
  | "not-vrrp"
  | "ttl"
  | "not-multicast"
  | "version"
  | "type"
  | "length"
  | "checksum"
  | "vrid-unknown"
  | "auth-type"
  | "auth-password"
  | "interval"
  | "interval-zero"
  | "no-addresses";

export const DROP_TEXT: Record<DropReason, string> = {
  "ip-malformed": "the IP header is malformed",
  "ip-fragment": "it is an IP fragment",
  "not-vrrp": "its IP protocol is not 112",
  ttl: "its TTL is not 255, so it may come from another network",
  "not-multicast": "it was not sent to 224.0.0.18",
  version: "its VRRP version is not the configured one",
  type: "its type is not ADVERTISEMENT",
  length: "its length does not fit its address count",
  checksum: "its checksum is wrong",
  "vrid-unknown": "no instance here has its virtual_router_id",
  "auth-type": "its authentication type is not the configured one",
  "auth-password": "its password is not the configured auth_pass",
  interval: "its advert_int is not ours (VRRPv2 routers must agree)",
  "interval-zero": "its advertisement interval is 0",
  "no-addresses": "it lists no addresses (vrrp_strict)",
};

export interface Dropped {
  readonly reason: DropReason;
  readonly source?: string;
  readonly vrid?: number;
}
export interface Admitted {
  readonly vrid: number;
  readonly advert: Advert;
}

/** `lookup` finds the instance with this VRID on the receiving interface. */
export function admitIpv4(
  bytes: Uint8Array,
  lookup: (vrid: number) => InstanceConfig | undefined,
): Result<Admitted, Dropped> {
  const ip = decodeIpv4(bytes);
  if (!ip.ok) return fail({ reason: "ip-malformed" });
  const packet = ip.value;
  const vrid = packet.payload[1];
  const drop = (reason: DropReason): Result<Admitted, Dropped> =>
    fail({ reason, source: packet.source, ...(vrid === undefined ? {} : { vrid }) });

  const network = admitNetwork(packet);
  if (network) return drop(network);
  const config = vrid === undefined ? undefined : lookup(vrid);
  const first = packet.payload[0];
  if (first === undefined) return drop("length");
  if (config && first >> 4 !== config.version) return drop("version");
  if ((first & 0x0f) !== ADVERTISEMENT) return drop("type");
  const decoded = decodeVrrp(packet.payload, {
    family: 4,
    source: packet.source,
    destination: packet.destination,
  });
  if (!decoded.ok) return drop(DECODE_REASON[decoded.error]);
  if (decoded.value.trailer.length > 0) return drop("length");
  if (!config) return drop("vrid-unknown");

  const refused = admitMessage(decoded.value.pdu, config);
  if (refused) return drop(refused);
  return ok({ vrid: config.vrid, advert: toAdvert(packet, decoded.value, config) });
}

/** RFC 5798 §5.2.2: the only type there is. */
const ADVERTISEMENT = 1;

const DECODE_REASON: Record<VrrpDecodeError, DropReason> = {
  "too-short": "length",
  "bad-version": "version",
  "bad-length": "length",
  "bad-checksum": "checksum",
};

function admitNetwork(packet: Ipv4Packet): DropReason | undefined {
  if (packet.protocol !== VRRP_PROTOCOL) return "not-vrrp";
  if (packet.fragment) return "ip-fragment";
  if (packet.ttl !== VRRP_TTL) return "ttl";
  if (packet.destination !== VRRP_GROUP_V4) return "not-multicast";
  return undefined;
}

function admitMessage(pdu: VrrpPdu, config: InstanceConfig): DropReason | undefined {
  if (config.version === 2) {
    const wantType = config.auth.type === "PASS" ? 1 : 0;
    if (pdu.authType !== wantType) return "auth-type";
    if (config.auth.type === "PASS" && !equalBytes(pdu.authData ?? EMPTY, passData(config.auth.pass))) {
      return "auth-password";
    }
    if (pduInterval(pdu) !== config.advertInterval) return "interval";
  } else if (pdu.advertInterval === 0) {
    return "interval-zero";
  }
  if (config.strict && pdu.addresses.length === 0) return "no-addresses";
  return undefined;
}

const EMPTY = new Uint8Array(8);

function pduInterval(pdu: VrrpPdu): Microseconds {
  return pdu.version === 2
    ? secondsToUs(seconds(pdu.advertInterval))
    : centisecondsToUs(cs(pdu.advertInterval));
}

function toAdvert(packet: Ipv4Packet, { pdu, checksumKind }: DecodedVrrp, config: InstanceConfig): Advert {
  const interval = pduInterval(pdu);
  const notes: AdvertNote[] = [];
  if (pdu.addresses.length === 0) notes.push("no-addresses");
  if (!sameAddresses(pdu.addresses, config)) notes.push("vip-list-differs");
  if (interval !== config.advertInterval) notes.push("interval-differs");
  if (pdu.priority === 255 && config.priority === 255) notes.push("owner-conflict");
  return { source: packet.source, priority: pdu.priority, interval, checksumKind, notes };
}

/** Order does not matter: routers may list the same addresses differently. */
function sameAddresses(received: readonly string[], config: InstanceConfig): boolean {
  const ours = new Set(config.vips.map((vip) => vip.address));
  const theirs = new Set(received);
  // The count too: keepalived 2.2.7 refuses another number of addresses, repeated ones included.
  if (received.length !== config.vips.length || theirs.size !== ours.size) return false;
  return received.every((address) => ours.has(address));
}
