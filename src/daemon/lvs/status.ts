/** The lvs process's state as `vipward status` shows it. */
import type { CheckerSnapshot } from "../../check/types.ts";
import type { RealServerConfig, ServiceConfig } from "../../config/model.ts";
import type { Reconciler } from "../../dataplane/reconciler.ts";
import { describeOperation } from "../../lvs/diff.ts";
import { destKey } from "../../lvs/keys.ts";
import type { ServiceState } from "../../lvs/service-state.ts";
import type { Observed, ServiceKey } from "../../lvs/table.ts";
import type { CheckerStatus, LvsStatus, RealServerStatus, ServiceStatus } from "../messages.ts";

export interface LvsView {
  readonly services: readonly ServiceConfig[];
  readonly states: ReadonlyMap<ServiceKey, ServiceState>;
  readonly checks: readonly CheckerSnapshot[];
  readonly dataplane: "kernel" | "userspace" | undefined;
  readonly problem: string | undefined;
  readonly reconciler: Reconciler | undefined;
}

export function lvsStatus(view: LvsView): LvsStatus {
  const reconciler = view.reconciler?.status();
  const observed = view.reconciler?.observed();
  const checks = new Map(view.checks.map((check) => [check.id, check]));
  const problem = view.problem ?? reconciler?.lastError;
  return {
    dataplane: view.dataplane ?? "unavailable",
    complete: reconciler?.complete ?? false,
    driftRepaired: reconciler?.driftRepaired ?? 0,
    failing: (reconciler?.failing ?? []).map((failing) => ({
      operation: describeOperation(failing.operation),
      message: failing.message,
    })),
    services: view.services.map((service) => serviceStatus(service, view, checks, observed?.value)),
    ...(problem === undefined ? {} : { problem }),
    ...(observed === undefined ? {} : { tableAge: (performance.now() - observed.at) / 1_000 }),
  };
}

function serviceStatus(
  service: ServiceConfig,
  view: LvsView,
  checks: ReadonlyMap<string, CheckerSnapshot>,
  observed: Observed | undefined,
): ServiceStatus {
  const state = view.states.get(service.key);
  const { sorryServer } = service;
  return {
    key: service.key,
    scheduler: service.scheduler,
    forwarding: service.forwarding,
    persistenceTimeout: service.persistenceTimeout,
    quorum: service.quorum,
    quorumUp: state?.quorum === "up",
    liveWeight: state?.liveWeight ?? 0,
    realServers: service.realServers.map((server) => serverStatus(service, server, state, checks, observed)),
    ...(sorryServer
      ? {
          sorryServer: {
            key: destKey(sorryServer),
            inTable: inTable(observed, service.key, destKey(sorryServer)),
          },
        }
      : {}),
  };
}

function serverStatus(
  service: ServiceConfig,
  server: RealServerConfig,
  state: ServiceState | undefined,
  checks: ReadonlyMap<string, CheckerSnapshot>,
  observed: Observed | undefined,
): RealServerStatus {
  const spec = observed?.table.get(service.key)?.dests.get(server.key);
  const seen = observed?.dests.get(service.key)?.get(server.key);
  return {
    key: server.key,
    up: state?.servers[server.key]?.up ?? false,
    inTable: spec !== undefined,
    configuredWeight: server.weight,
    forward: server.forwarding,
    checkers: server.checkers.map((checker) =>
      checkerStatus(checker.id, checker.type, checks.get(checker.id)),
    ),
    ...(spec ? { weight: spec.weight } : {}),
    ...(seen ? { activeConns: seen.activeConns, inactConns: seen.inactConns } : {}),
  };
}

function checkerStatus(id: string, type: string, snapshot: CheckerSnapshot | undefined): CheckerStatus {
  const last = snapshot?.history.at(-1);
  return {
    id,
    type,
    verdict: snapshot?.verdict ?? "unknown",
    consecutiveFailures: snapshot?.consecutiveFailures ?? 0,
    checksRun: snapshot?.checksRun ?? 0,
    since: snapshot?.since ?? 0,
    ...(last ? { last } : {}),
  };
}

const inTable = (observed: Observed | undefined, service: ServiceKey, dest: string): boolean =>
  observed?.table.get(service)?.dests.has(dest) ?? false;
