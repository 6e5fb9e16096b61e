/** The VRRP blocks of a file -> their part of the Config. */
import type { Context } from "../context.ts";
import type { Config, GlobalConfig, ServiceConfig } from "../model.ts";
import { child, type MapNode, type Ref } from "../nodes.ts";
import { defined, some } from "../optional.ts";
import { readInstances } from "./instance.ts";
import type { InstanceDefaults } from "./instance-keys.ts";
import { checkInstances } from "./rules.ts";
import { readStatics } from "./statics.ts";
import { readSyncGroups } from "./sync-group.ts";
import { readDefinitions, type Trackables } from "./trackables.ts";

export interface Around {
  readonly global: GlobalConfig;
  readonly defaults: InstanceDefaults;
  readonly services: readonly ServiceConfig[];
  readonly servicesComplete: boolean;
}

export function readVrrp(
  root: Ref<MapNode>,
  { global, defaults, services, servicesComplete }: Around,
  context: Context,
): Omit<Config, "hash" | "files" | "global" | "services"> {
  const execution = {
    user: global.scriptUser?.split(" ")[0],
    strict: global.scriptSecurity ?? false,
  };
  const definitions = readDefinitions(root, execution, context);
  const known: Trackables = { ...definitions.weights, services, servicesComplete };
  const { instances, names } = readInstances(
    child(root, "vrrp_instance"),
    { defaults, known, execution },
    context,
  );
  const groups = readSyncGroups(
    child(root, "vrrp_sync_group"),
    { instances: names, known, execution },
    context,
  );
  const statics = readStatics(root, context);
  checkInstances(instances, statics.addresses, context);
  return defined({
    instances: instances.map((instance) => instance.config),
    syncGroups: some(groups),
    trackScripts: some(definitions.scripts),
    trackProcesses: some(definitions.processes),
    trackFiles: some(definitions.files),
    trackGateways: some(definitions.gateways),
    staticAddresses: some(statics.addresses.map(({ vip }) => vip)),
    staticRoutes: some(statics.routes),
    staticRules: some(statics.rules),
  });
}
