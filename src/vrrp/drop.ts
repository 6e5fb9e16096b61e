/** Why a received packet is not an advertisement for us. */

/** The label of the metric and the word in the log. */
export type DropReason =
  | "ip-malformed"
  | "ip-fragment"
  | "not-vrrp"
  | "transport"
  | "ttl"
  | "not-multicast"
  | "not-unicast"
  | "unicast-source"
  | "version"
  | "type"
  | "length"
  | "checksum"
  | "vrid-unknown"
  | "auth-type"
  | "auth-password"
  | "hmac-missing"
  | "hmac-unknown-key"
  | "hmac-mismatch"
  | "hmac-time"
  | "hmac-replay"
  | "interval"
  | "interval-zero"
  | "no-addresses"
  | "not-link-local";

export const DROP_TEXT: Record<DropReason, string> = {
  "ip-malformed": "the IP header is malformed",
  "ip-fragment": "it is an IP fragment",
  "not-vrrp": "its IP protocol is not 112",
  transport: "its transport (protocol 112 or UDP) is not the configured one",
  ttl: "its TTL is not the one required (255, or min_ttl to max_ttl of a unicast peer), so it may come from another network",
  "not-multicast": "it was not sent to this instance's multicast group",
  "not-unicast": "it was not sent to our unicast address, though this instance has unicast_peer",
  "unicast-source": "its source is not among the unicast_peer addresses (check_unicast_src)",
  version: "its VRRP version is not the configured one",
  type: "its type is not ADVERTISEMENT",
  length: "its length does not fit its address count",
  checksum: "its checksum is wrong",
  "vrid-unknown": "no instance here has its virtual_router_id",
  "auth-type": "its authentication type is not the configured one",
  "auth-password": "its password is not the configured auth_pass",
  "hmac-missing": "it carries no auth_hmac trailer, and mode is enforce",
  "hmac-unknown-key": "its auth_hmac key id is not configured here",
  "hmac-mismatch": "its auth_hmac value is wrong: another key, or a forgery",
  "hmac-time":
    "its auth_hmac time is outside time_window: the clocks of the routers differ, or it is a replay",
  "hmac-replay": "its auth_hmac sequence was seen before: a replay, or packets out of order",
  interval: "its advert_int is not ours (VRRPv2 routers must agree)",
  "interval-zero": "its advertisement interval is 0",
  "no-addresses": "it lists no addresses (vrrp_strict)",
  "not-link-local": "its first IPv6 address is not link-local (vrrp_strict)",
};

export interface Dropped {
  readonly reason: DropReason;
  readonly source?: string;
  readonly vrid?: number;
}
