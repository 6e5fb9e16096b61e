/** Config -> rules for `ipvsadm -R`: every real server with its configured weight, as when all checks pass. */
import { formatRules } from "../../ipvsadm/format.ts";
import { NUMERIC } from "../../ipvsadm/names.ts";
import { destSpec, serviceSpec } from "../../lvs/desired.ts";
import type { Exported } from "../keepalived-conf/export.ts";
import type { Config, ServiceConfig } from "../model.ts";

const NOTHING = { activeConns: 0, inactConns: 0, persistConns: 0 };

export async function exportRules(config: Config): Promise<Exported> {
  const listed = config.services.map((service) => ({
    spec: serviceSpec(service),
    dests: service.realServers.map((server) => ({
      spec: destSpec(server, server.weight),
      observation: NOTHING,
    })),
  }));
  return { text: await formatRules(listed, NUMERIC), notes: lost(config) };
}

/** Such rules are a table, and nothing of what keeps it right. */
function lost(config: Config): string[] {
  const notes: string[] = [];
  const servers = config.services.flatMap((service) => service.realServers);
  const note = (count: number, what: string): void => {
    if (count > 0) notes.push(`left out: ${what} (${count}): ipvsadm rules have none`);
  };
  note(config.instances.length, "vrrp_instance");
  note(config.syncGroups?.length ?? 0, "vrrp_sync_group");
  note(
    [config.staticAddresses, config.staticRoutes, config.staticRules].reduce(
      (sum, list) => sum + (list?.length ?? 0),
      0,
    ),
    "static addresses, routes and rules",
  );
  note(
    servers.reduce((sum, server) => sum + server.checkers.length, 0),
    "health checks",
  );
  note(config.services.filter(hasQuorum).length, "quorum");
  note(config.services.filter((service) => service.sorryServer !== undefined).length, "sorry_server");
  note(
    servers.filter((server) => server.upperThreshold > 0 || server.lowerThreshold > 0).length,
    "uthreshold and lthreshold",
  );
  return notes;
}

const hasQuorum = ({ quorum, hysteresis }: ServiceConfig): boolean => quorum !== 1 || hysteresis !== 0;
