/** Service events in keepalived's own words, so that an operator's log searches keep working. */
import type { DestinationConfig, RealServerConfig, ServiceConfig } from "../config/model.ts";
import { unreachable } from "../result.ts";
import type { ServiceEvent } from "./service-state.ts";

/** "[192.0.2.1]:tcp:80", as keepalived writes virtual and real servers in logs and FIFO lines. */
export function formatVirtualServer(service: ServiceConfig): string {
  return `[${service.address}]:${service.protocol}:${service.port}`;
}

export function formatRealServer(service: ServiceConfig, server: DestinationConfig): string {
  return `[${server.address}]:${service.protocol}:${server.port}`;
}

export function formatServiceEvent(event: ServiceEvent, service: ServiceConfig): string {
  const vs = formatVirtualServer(service);
  const { quorum, hysteresis } = service;
  switch (event.type) {
    case "server-up":
      return `${event.inhibited ? "Enabling" : "Adding"} service ${rs(event.server, service)} to VS ${vs}`;
    case "server-down":
      return `${event.inhibited ? "Disabling" : "Removing"} service ${rs(event.server, service)} from VS ${vs}`;
    case "server-weight":
      return `Changing weight from ${event.from} to ${event.to} for service ${rs(event.server, service)} of VS ${vs}`;
    case "quorum-gained":
      return `Gained quorum ${quorum}+${hysteresis}=${quorum + hysteresis} <= ${event.liveWeight} for VS ${vs}`;
    case "quorum-lost": {
      const start = event.atStart ? "Starting with quorum down" : "Lost quorum";
      return `${start} ${quorum}-${hysteresis}=${quorum - hysteresis} > ${event.liveWeight} for VS ${vs}`;
    }
    case "sorry-in":
      return `Adding sorry server ${sorry(service)} to VS ${vs}`;
    case "sorry-out":
      return `Removing sorry server ${sorry(service)} from VS ${vs}`;
    default:
      return unreachable(event);
  }
}

function rs(key: string, service: ServiceConfig): string {
  const server: RealServerConfig | undefined = service.realServers.find((one) => one.key === key);
  return server ? formatRealServer(service, server) : key;
}

/** A reload may have dropped the sorry server whose removal is being told. */
function sorry(service: ServiceConfig): string {
  return service.sorryServer ? formatRealServer(service, service.sorryServer) : "(no longer configured)";
}
