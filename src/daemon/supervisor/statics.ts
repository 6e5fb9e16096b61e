/** static_ipaddress, static_routes and static_rules: put there at start and at reload, never removed. */
import type { Config, VipConfig } from "../../config/model.ts";
import { RtNetlink } from "../../net/rtnetlink.ts";
import { describeRoute, describeRule, RtNetlinkRoutes } from "../../net/rtnetlink-routes.ts";
import { seconds } from "../../units.ts";
import type { Logger } from "../messages.ts";

export function applyStatics(config: Config, log: Logger): void {
  const { staticAddresses = [], staticRoutes = [], staticRules = [] } = config;
  if (staticAddresses.length + staticRoutes.length + staticRules.length === 0) return;
  const rtnetlink = RtNetlink.open();
  const routes = RtNetlinkRoutes.open();
  const attempt = (what: string, act: () => void) => {
    try {
      act();
    } catch (error) {
      log("error", `static ${what}: ${(error as Error).message}`);
    }
  };
  try {
    const links = rtnetlink.links();
    const indexOf = (dev: string) => links.find((link) => link.name === dev)?.index;
    for (const address of staticAddresses)
      attempt(address.address, () => addStatic(rtnetlink, address, indexOf(address.dev)));
    for (const route of staticRoutes) attempt(describeRoute(route), () => routes.addRoute(route, indexOf));
    for (const rule of staticRules) attempt(describeRule(rule), () => routes.addRule(rule));
  } finally {
    rtnetlink.close();
    routes.close();
  }
}

/** Without our mark and without a lifetime: it is the operator's, only put there by us. */
function addStatic(rtnetlink: RtNetlink, address: VipConfig, index: number | undefined): void {
  if (index === undefined) throw new Error(`interface ${address.dev} does not exist`);
  const { family, prefixLength, scope, label, broadcast, peer, preferredLifetime } = address;
  rtnetlink.addAddress({
    index,
    family,
    address: address.address,
    prefixLength,
    scope,
    replace: true,
    noPrefixRoute: false,
    ...(label === undefined ? {} : { label }),
    ...(broadcast === undefined ? {} : { broadcast }),
    ...(peer === undefined ? {} : { peer }),
    ...(preferredLifetime === undefined ? {} : { preferredLifetime: seconds(preferredLifetime) }),
  });
}
