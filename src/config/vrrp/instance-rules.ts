/** Rules that hold inside one instance. */
import type { Context } from "../context.ts";
import { isLinkLocal } from "../ip.ts";
import type { InstanceConfig } from "../model.ts";
import type { MapNode, Ref } from "../nodes.ts";
import { at, atKey, inside, type Place } from "../place.ts";
import { checkElection } from "./election-rules.ts";
import type { PlacedInstance } from "./instance.ts";
import type { InstanceKeys } from "./instance-keys.ts";

/** Advertised IPv6 addresses that fit into a frame of 1500 bytes: (1500 - 40 - 8) / 16. */
const MAX_IPV6_IN_FRAME = 90;

export function checkInstance(instance: PlacedInstance, keys: InstanceKeys, context: Context): void {
  const { config, ref } = instance;
  checkElection(config, keys, ref, context);
  checkVersion(config, keys, ref, context);
  if (config.family === 6) checkIpv6(instance, context);
  checkSource(config, keys, ref, context);
  checkUnicast(config, ref, context);
  checkUdp(config, ref, context);
  checkOwner(instance, context);
  checkSpellings(keys, ref, context);
}

function checkVersion(
  config: InstanceConfig,
  keys: InstanceKeys,
  ref: Ref<MapNode>,
  { problems }: Context,
): void {
  if (config.family === 6 && keys.version === 2)
    problems.error({
      ...at(ref, "version"),
      message: "version 2 has no IPv6",
      hint: "remove the key: IPv6 means version 3",
    });
  if (config.checksumMessageOnly === true && (config.version === 2 || config.family === 6))
    problems.warn("checksum", {
      ...atKey(ref, "v3_checksum_as_v2"),
      message: "v3_checksum_as_v2 has no effect here: it is about version 3 over IPv4",
    });
}

function checkIpv6({ config, ref, vips }: PlacedInstance, { problems }: Context): void {
  const first = vips.find(({ vip }) => vip === config.vips[0]);
  if (first?.vip.family === 6 && !isLinkLocal(first.vip.address)) {
    const finding = {
      ...inside(first.ref, "address"),
      message: `the first address, ${first.vip.address}, is not link-local (RFC 5798 5.2.9)`,
      hint: "put a link-local address (fe80::...) first: hosts use it as their router's address",
    };
    if (config.strict) problems.error(finding);
    else problems.warn("link-local", finding);
  }
  if (config.vips.length > MAX_IPV6_IN_FRAME)
    problems.warn("frame", {
      ...atKey(ref, "virtual_ipaddress"),
      message: `an advertisement of ${config.vips.length} IPv6 addresses does not fit into 1500 bytes`,
      hint: `advertise at most ${MAX_IPV6_IN_FRAME}, the others in virtual_ipaddress_excluded`,
    });
}

/** spec: the source of advertisements is never a virtual address, but the owner's own. */
function checkSource(
  config: InstanceConfig,
  keys: InstanceKeys,
  ref: Ref<MapNode>,
  { problems }: Context,
): void {
  const { sourceAddress, priority } = config;
  if (sourceAddress === undefined) return;
  const key = sourceAddress === keys.unicast_src_ip?.address ? "unicast_src_ip" : "mcast_src_ip";
  if (priority !== 255 && config.vips.some(({ address }) => address === sourceAddress))
    problems.error({
      ...at(ref, key),
      message: `${key} ${sourceAddress} is a virtual address of this instance`,
      hint: "give an address that stays on this router",
    });
  if (config.family === 6 && config.unicast === undefined && !isLinkLocal(sourceAddress))
    problems.warn("source", {
      ...at(ref, key),
      message: `${key} ${sourceAddress} is not link-local`,
      hint: "IPv6 advertisements come from a link-local address (RFC 5798 5.1.2.1)",
    });
}

function checkUnicast(config: InstanceConfig, ref: Ref<MapNode>, { problems }: Context): void {
  if (config.unicast === undefined) return;
  const place = atKey(ref, "unicast_peer");
  if (config.strict)
    problems.error({
      ...place,
      message: "unicast_peer in strict mode: the protocol is multicast",
      hint: "remove one of them",
    });
  if (config.vmac !== undefined)
    problems.warn("vmac-unicast", {
      ...atKey(ref, "use_vmac"),
      message: "use_vmac with unicast_peer: switches learn the virtual MAC from multicast advertisements",
      hint: "unicast leaves through the base interface; gratuitous ARPs alone must move the MAC",
    });
  if (config.heartbeatInterfaces !== undefined)
    problems.error({
      ...atKey(ref, "heartbeat_interfaces"),
      message: "heartbeat_interfaces with unicast_peer: unicast goes where the routes lead",
      hint: "use multicast, or an instance with peers on the other network",
    });
}

function checkUdp(config: InstanceConfig, ref: Ref<MapNode>, { problems }: Context): void {
  if (config.udp === undefined) return;
  const refuse = (key: string, message: string, hint: string): void =>
    problems.error({ ...atKey(ref, key), message: `transport udp ${message}`, hint });
  if (config.unicast === undefined || config.unicast.peers.length === 0)
    refuse("transport", "needs unicast_peer", "list the other routers");
  if (config.auth.type !== "HMAC")
    refuse("transport", "needs auth_hmac", "anyone can send a datagram: version: 3 and auth_hmac with a key");
  else if (config.auth.mode !== "enforce")
    refuse(
      "auth_hmac",
      `needs auth_hmac mode enforce, not ${config.auth.mode}`,
      "anyone can send a datagram",
    );
  if (config.vmac !== undefined)
    refuse("use_vmac", "with use_vmac: the virtual MAC is for multicast", "keep one");
}

function checkOwner({ config, tracks }: PlacedInstance, { problems }: Context): void {
  if (config.priority !== 255) return;
  for (const { track, place } of tracks)
    if (track.weight !== undefined)
      problems.warn("owner-weight", {
        ...place,
        message: `the weight of ${track.name} is ignored: priority 255 does not change`,
        hint: "without a weight it means FAULT when bad; or give a priority of 1 to 254",
      });
}

/** Two keys of one setting. */
function checkSpellings(keys: InstanceKeys, ref: Ref<MapNode>, { problems }: Context): void {
  const both = (place: Place, message: string, hint: string): void =>
    problems.error({ ...place, message, hint });
  if (keys.accept !== undefined && keys.no_accept !== undefined && keys.accept === keys.no_accept)
    both(atKey(ref, "no_accept"), "accept and no_accept contradict each other", "keep one of them");
  if (
    keys.strict_mode !== undefined &&
    keys.vrrp_strict !== undefined &&
    keys.strict_mode !== keys.vrrp_strict
  )
    both(
      atKey(ref, "vrrp_strict"),
      "strict_mode and vrrp_strict differ",
      "they are one setting: keep strict_mode",
    );
}
