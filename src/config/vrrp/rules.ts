/** Rules between instances. */
import type { Context } from "../context.ts";
import { findEntry } from "../nodes.ts";
import { at, type Place } from "../place.ts";
import type { PlacedInstance } from "./instance.ts";
import { type PlacedVip, vipIdentity } from "./vip.ts";

export function checkInstances(
  instances: readonly PlacedInstance[],
  statics: readonly PlacedVip[],
  context: Context,
): void {
  checkNames(instances, context);
  checkVrids(instances, context);
  checkAddresses(instances, statics, context);
  checkVmacs(instances, context);
}

function checkNames(instances: readonly PlacedInstance[], { problems }: Context): void {
  const names = new Map<string, PlacedInstance>();
  for (const instance of instances) {
    const { config, ref } = instance;
    const sameName = names.get(config.name);
    if (sameName !== undefined)
      problems.error({
        offset: ref.at,
        message: `vrrp_instance "${config.name}" is defined twice`,
        hint: `first at ${problems.line(sameName.ref.at)}`,
        via: ref.via,
      });
    names.set(config.name, instance);
  }
}

/** One VRID per family on each link that carries its advertisements. */
function checkVrids(instances: readonly PlacedInstance[], { problems }: Context): void {
  const seen = new Map<string, PlacedInstance>();
  for (const instance of instances) {
    const { config, ref } = instance;
    for (const link of [config.interface, ...(config.heartbeatInterfaces ?? [])]) {
      const vrid = `${config.vrid} on ${link} (IPv${config.family})`;
      const same = seen.get(vrid);
      if (same === undefined) seen.set(vrid, instance);
      else {
        const entry = findEntry(ref.node, "virtual_router_id");
        problems.error({
          offset: entry?.value.offset ?? ref.at,
          message: `virtual_router_id ${vrid} is used by "${same.config.name}" too`,
          hint: `first at ${problems.line(same.ref.at)}; each instance on an interface needs its own`,
          via: entry?.via ?? ref.via,
        });
      }
    }
  }
}

function checkAddresses(
  instances: readonly PlacedInstance[],
  statics: readonly PlacedVip[],
  { problems }: Context,
): void {
  const vips = new Map<string, { what: string; offset: number }>();
  for (const { vip, ref } of statics)
    vips.set(vipIdentity(vip), { what: "a static_ipaddress", offset: ref.node.offset });
  for (const { config, vips: held } of instances) {
    const what = `an address of vrrp_instance "${config.name}"`;
    for (const { vip, ref } of held) {
      const first = vips.get(vipIdentity(vip));
      if (first === undefined) vips.set(vipIdentity(vip), { what, offset: ref.node.offset });
      else {
        const again = first.what === what;
        problems.error({
          offset: ref.node.offset,
          message: again ? `${vip.address} is listed twice` : `${vip.address} is also ${first.what}`,
          hint: `first at ${problems.line(first.offset)}`,
          via: ref.via,
        });
      }
    }
  }
}

function checkVmacs(instances: readonly PlacedInstance[], { problems }: Context): void {
  const taken = new Map<string, { what: string; place: Place }>();
  for (const { config, ref } of instances)
    taken.set(config.interface, { what: `the interface of "${config.name}"`, place: at(ref, "interface") });
  for (const { config, ref } of instances) {
    if (config.vmac === undefined) continue;
    const place = at(ref, "use_vmac");
    const first = taken.get(config.vmac.name);
    if (first !== undefined && config.vmac.name !== config.interface)
      problems.error({
        ...place,
        message: `use_vmac: ${config.vmac.name} is ${first.what} too`,
        hint: `first at ${problems.line(first.place.offset)}; give each its own name: use_vmac: NAME`,
      });
    else taken.set(config.vmac.name, { what: `the vmac of "${config.name}"`, place });
  }
}
