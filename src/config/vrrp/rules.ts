/** Rules between instances. */
import type { Context } from "./context.ts";
import type { PlacedInstance } from "./instance.ts";
import { findEntry } from "./nodes.ts";

export function checkInstances(instances: readonly PlacedInstance[], { problems }: Context): void {
  const vrids = new Map<string, PlacedInstance>();
  const vips = new Map<string, { name: string; offset: number }>();
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
    const vrid = `${config.vrid} on ${config.interface} (IPv${config.family})`;
    const sameVrid = vrids.get(vrid);
    if (sameVrid !== undefined) {
      const entry = findEntry(ref.node, "virtual_router_id");
      problems.error({
        offset: entry?.value.offset ?? ref.at,
        message: `virtual_router_id ${vrid} is used by "${sameVrid.config.name}" too`,
        hint: `first at ${problems.line(sameVrid.ref.at)}; each instance on an interface needs its own`,
        via: entry?.via ?? ref.via,
      });
    } else vrids.set(vrid, instance);
    for (const { vip, ref: at } of instance.vips) {
      const first = vips.get(vip.address);
      if (first !== undefined)
        problems.error({
          offset: at.node.offset,
          message: `${vip.address} is also an address of vrrp_instance "${first.name}"`,
          hint: `first at ${problems.line(first.offset)}`,
          via: at.via,
        });
      else vips.set(vip.address, { name: config.name, offset: at.node.offset });
    }
  }
}
