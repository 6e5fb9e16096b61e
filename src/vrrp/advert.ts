/** Advertisements as the state machine sees them, and the packets we send. */
import type { InstanceConfig } from "../config/model.ts";
import { type Microseconds, usToCentiseconds, usToSeconds } from "../units.ts";
import { encodeIpv4 } from "../wire/ip.ts";
import type { ChecksumKind } from "../wire/types.ts";
import { encodeVrrp, passData, VRRP_GROUP_V4, VRRP_PROTOCOL, VRRP_TOS, VRRP_TTL } from "../wire/vrrp.ts";

/** Things worth telling an operator about a packet that is accepted all the same. */
export type AdvertNote = "vip-list-differs" | "no-addresses" | "interval-differs" | "owner-conflict";

export interface Advert {
  readonly source: string;
  /** 0 = the sender gives up mastership. */
  readonly priority: number;
  readonly interval: Microseconds;
  readonly checksumKind: ChecksumKind;
  readonly notes: readonly AdvertNote[];
}

/**
 * The whole IPv4 packet of one advertisement (RFC 5798 §5.1, RFC 2338 §5.3.10 for PASS).
 * `priority` 0 announces the end of mastership.
 */
export function buildAdvertPacket(config: InstanceConfig, priority: number, source: string): Uint8Array {
  const context = { family: 4, source, destination: VRRP_GROUP_V4 } as const;
  const addresses = config.vips.map((vip) => vip.address);
  const message =
    config.version === 2
      ? encodeVrrp(
          {
            version: 2,
            type: 1,
            vrid: config.vrid,
            priority,
            advertInterval: usToSeconds(config.advertInterval),
            addresses,
            authType: config.auth.type === "PASS" ? 1 : 0,
            authData: config.auth.type === "PASS" ? passData(config.auth.pass) : new Uint8Array(8),
          },
          context,
        )
      : encodeVrrp(
          {
            version: 3,
            type: 1,
            vrid: config.vrid,
            priority,
            advertInterval: usToCentiseconds(config.advertInterval),
            addresses,
          },
          context,
        );
  return encodeIpv4(
    { tos: VRRP_TOS, id: 1, ttl: VRRP_TTL, protocol: VRRP_PROTOCOL, source, destination: VRRP_GROUP_V4 },
    message,
  );
}
