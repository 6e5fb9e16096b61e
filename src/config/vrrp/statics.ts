/** static_ipaddress, static_routes, static_rules: put there at start, whoever is master. */
import type { Context } from "../context.ts";
import type { RouteConfig, RuleConfig } from "../model.ts";
import { child, type MapNode, type Ref } from "../nodes.ts";
import { readRules } from "./policy-rule.ts";
import { readRoutes } from "./route.ts";
import { type PlacedVip, readAddresses } from "./vip.ts";

export interface Statics {
  readonly addresses: readonly PlacedVip[];
  readonly routes: readonly RouteConfig[];
  readonly rules: readonly RuleConfig[];
}

export function readStatics(root: Ref<MapNode>, context: Context): Statics {
  const addresses = child(root, "static_ipaddress");
  const routes = child(root, "static_routes");
  const rules = child(root, "static_rules");
  return {
    addresses: addresses === undefined ? [] : readAddresses(addresses, undefined, context),
    routes: routes === undefined ? [] : readRoutes(routes, { family: 4 }, context),
    rules: rules === undefined ? [] : readRules(rules, 4, context),
  };
}
