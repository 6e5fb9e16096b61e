/**
 * What keepalived keeps per virtual server: which real servers are live, the quorum, the sorry server.
 * Pure: stepService(state, inputs, config) -> { state, events }. Feeding the same inputs twice gives the
 * same state and no events. States are plain JSON, so they survive a restart of the lvs process.
 */
import type { CheckVerdict } from "../check/types.ts";
import type { RealServerConfig, ServiceConfig } from "../config/model.ts";

/** An operator's word on a server: `drain` keeps it at weight 0, `out` takes it from the table. */
export type AdminMode = "drain" | "out";

export interface ServiceInputs {
  /** By CheckerConfig.id; a missing one is "unknown". */
  readonly verdicts: ReadonlyMap<string, CheckVerdict>;
  /** Weights that replace the configured ones (dynamic checkers, slow start), by RealServerConfig.key. */
  readonly weights?: ReadonlyMap<string, number>;
  /** By RealServerConfig.key. */
  readonly admin?: ReadonlyMap<string, AdminMode>;
}

export interface ServerState {
  readonly up: boolean;
  /** Weight it has when live: 0..65535. */
  readonly weight: number;
  readonly admin?: AdminMode;
}

export interface ServiceState {
  readonly quorum: "up" | "down";
  /** The sorry server is in, and the live servers are out. */
  readonly sorry: boolean;
  /** Sum of the weights of live servers, the number quorum is judged by. */
  readonly liveWeight: number;
  /** By RealServerConfig.key, in configuration order. */
  readonly servers: Readonly<Record<string, ServerState>>;
}

/** What happened, for logs and notifications. `inhibited`: the server stays in the table at weight 0. */
export type ServiceEvent =
  | { readonly type: "server-up"; readonly server: string; readonly inhibited: boolean }
  | { readonly type: "server-down"; readonly server: string; readonly inhibited: boolean }
  | { readonly type: "server-weight"; readonly server: string; readonly from: number; readonly to: number }
  | { readonly type: "quorum-gained"; readonly liveWeight: number }
  | { readonly type: "quorum-lost"; readonly liveWeight: number; readonly atStart: boolean }
  | { readonly type: "sorry-in" }
  | { readonly type: "sorry-out" };

export interface ServiceStep {
  readonly state: ServiceState;
  readonly events: readonly ServiceEvent[];
}

/** `state` is undefined the first time: servers then take their place without events. */
export function stepService(
  state: ServiceState | undefined,
  inputs: ServiceInputs,
  config: ServiceConfig,
): ServiceStep {
  const events: ServiceEvent[] = [];
  const servers: Record<string, ServerState> = {};
  let liveWeight = 0;
  for (const server of config.realServers) {
    const next = serverState(server, inputs);
    servers[server.key] = next;
    // A draining server takes no new connections, so it counts for nothing.
    if (next.up && next.admin === undefined) liveWeight += next.weight;
    const before = state?.servers[server.key];
    if (before) serverEvents(server, before, next, events);
  }
  const quorum = nextQuorum(state?.quorum, liveWeight, config);
  quorumEvents(state, quorum, liveWeight, events);
  const sorry = quorum === "down" && config.sorryServer !== undefined;
  if (sorry !== (state?.sorry ?? false)) events.push({ type: sorry ? "sorry-in" : "sorry-out" });
  return { state: { quorum, sorry, liveWeight, servers }, events };
}

function serverState(server: RealServerConfig, inputs: ServiceInputs): ServerState {
  const up = server.checkers.every((checker) => {
    const verdict = inputs.verdicts.get(checker.id) ?? "unknown";
    return verdict === "up" || (verdict === "unknown" && !checker.alpha);
  });
  const weight = inputs.weights?.get(server.key) ?? server.weight;
  const admin = inputs.admin?.get(server.key);
  return admin === undefined ? { up, weight } : { up, weight, admin };
}

function serverEvents(
  server: RealServerConfig,
  before: ServerState,
  next: ServerState,
  events: ServiceEvent[],
): void {
  if (next.up !== before.up) {
    const type = next.up ? "server-up" : "server-down";
    events.push({ type, server: server.key, inhibited: server.inhibitOnFailure });
  } else if (next.weight !== before.weight) {
    events.push({ type: "server-weight", server: server.key, from: before.weight, to: next.weight });
  }
}

/**
 * keepalived's hysteresis: gained at >= quorum + hysteresis, lost at < quorum - hysteresis or at 0.
 * It starts as up unless the lower threshold is missed at once.
 */
function nextQuorum(
  before: "up" | "down" | undefined,
  liveWeight: number,
  config: ServiceConfig,
): "up" | "down" {
  if (before === "down") return liveWeight >= config.quorum + config.hysteresis ? "up" : "down";
  return liveWeight === 0 || liveWeight < config.quorum - config.hysteresis ? "down" : "up";
}

function quorumEvents(
  before: ServiceState | undefined,
  quorum: "up" | "down",
  liveWeight: number,
  events: ServiceEvent[],
): void {
  if (quorum === (before?.quorum ?? "up")) return;
  if (quorum === "up") events.push({ type: "quorum-gained", liveWeight });
  else events.push({ type: "quorum-lost", liveWeight, atStart: before === undefined });
}
