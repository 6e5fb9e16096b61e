/** use_vmac: bare, true, or the name of the macvlan interface. */
import type { Context } from "../context.ts";
import type { Family, VmacConfig } from "../model.ts";
import type { MapNode, Ref } from "../nodes.ts";
import { at, atKey, refuse } from "../place.ts";
import { quote } from "../problem.ts";
import { validInterfaceName } from "../values.ts";
import type { InstanceKeys } from "./instance-keys.ts";

export function readVmac(
  keys: InstanceKeys,
  ref: Ref<MapNode>,
  family: Family,
  context: Context,
): VmacConfig | undefined {
  if (keys.use_vmac === undefined || keys.use_vmac === false) {
    if (keys.vmac_xmit_base === true)
      context.problems.warn("vmac", {
        ...atKey(ref, "vmac_xmit_base"),
        message: "vmac_xmit_base has no effect without use_vmac",
      });
    return undefined;
  }
  const name = keys.use_vmac === true ? defaultName(family, keys.virtual_router_id) : keys.use_vmac;
  if (!validInterfaceName(name))
    return refuse(
      at(ref, "use_vmac"),
      context,
      `use_vmac: ${quote(name)} is not an interface name`,
      "at most 15 bytes, no blank, slash or colon",
    );
  if (name === keys.interface)
    return refuse(
      at(ref, "use_vmac"),
      context,
      `use_vmac: ${quote(name)} is the instance's own interface`,
      "choose a new name",
    );
  return { name, xmitBase: keys.vmac_xmit_base ?? false };
}

/** keepalived's names. */
const defaultName = (family: Family, vrid: number): string => `vrrp${family === 6 ? "6" : ""}.${vrid}`;
