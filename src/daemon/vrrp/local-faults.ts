/** What of the node itself forbids an instance to take part: interfaces and the address to send from. */
import type { InstanceConfig } from "../../config/model.ts";
import type { Fault } from "../../vrrp/machine.ts";
import { FLAPPING_WITHIN_S, type WatchedLink } from "./link-damping.ts";
import { heldVips } from "./vip-set.ts";

type FindLink = (name: string) => WatchedLink | undefined;

/** `source`: the address our adverts leave from, if there is one. */
export function localFaults(config: InstanceConfig, source: string | undefined, link: FindLink): Fault[] {
  return [...ownLinkFaults(config, source, link), ...vipLinkFaults(config, link)];
}

function ownLinkFaults(config: InstanceConfig, source: string | undefined, link: FindLink): Fault[] {
  const name = config.interface;
  const fault = linkFault(name, link(name));
  // dont_track_primary: the link's state is not ours to judge, but without it nothing can be sent.
  const tolerated = config.dontTrackPrimary === true && fault?.kind === "interface-down";
  if (fault && !tolerated) return [fault];
  if (source !== undefined) return [];
  const which =
    config.sourceAddress ?? (config.family === 6 ? "an IPv6 link-local address" : "an IPv4 address");
  return [{ kind: "no-address", detail: `interface ${name} does not have ${which} to send from` }];
}

function vipLinkFaults(config: InstanceConfig, link: FindLink): Fault[] {
  const devs = new Set(heldVips(config).flatMap((vip) => (vip.noTrack ? [] : [vip.dev])));
  devs.delete(config.interface);
  // Our own macvlan follows its parent, and is made by us.
  if (config.vmac) devs.delete(config.vmac.name);
  return [...devs].flatMap((dev) => linkFault(dev, link(dev)) ?? []);
}

function linkFault(name: string, link: WatchedLink | undefined): Fault | undefined {
  if (!link) return { kind: "interface-missing", detail: `interface ${name} does not exist` };
  if (!link.up) return { kind: "interface-down", detail: `interface ${name} is down` };
  if (link.flapping) {
    const detail = `interface ${name} is flapping: it went down ${link.flapping} times within ${FLAPPING_WITHIN_S} s`;
    return { kind: "interface-down", detail };
  }
  if (!link.running) return { kind: "interface-down", detail: `interface ${name} has no carrier` };
  return undefined;
}
