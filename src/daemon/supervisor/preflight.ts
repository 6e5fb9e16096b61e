/** What can be known to be wrong before anything is started or changed. */
import type { Config } from "../../config/model.ts";
import { RtNetlink } from "../../net/rtnetlink.ts";
import { heldVips } from "../vrrp/vip-set.ts";

/** Throws one error naming every missing interface. */
export function checkInterfaces(config: Config): void {
  const rtnetlink = RtNetlink.open();
  try {
    const names = rtnetlink.links().map((link) => link.name);
    const problems = config.instances.flatMap((instance) => {
      const wanted = new Set([
        instance.interface,
        ...(instance.heartbeatInterfaces ?? []),
        ...heldVips(instance).map((vip) => vip.dev),
      ]);
      // The macvlan of use_vmac is ours to make.
      if (instance.vmac) wanted.delete(instance.vmac.name);
      return [...wanted]
        .filter((dev) => !names.includes(dev))
        .map((dev) => `vrrp_instance ${instance.name}: interface ${dev} does not exist`);
    });
    if (problems.length > 0) throw new Error(`${problems.join("\n")}\ninterfaces here: ${names.join(", ")}`);
  } finally {
    rtnetlink.close();
  }
}
