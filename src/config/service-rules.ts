/** Rules that hold inside one virtual server. */
import type { Context } from "./context.ts";
import { findEntry, type MapNode, type Ref } from "./nodes.ts";
import type { PlacedService, ServiceKeys } from "./service.ts";

const DEFAULT_DELAY_LOOP_MS = 60_000;

function at(ref: Ref<MapNode>, key: string): { offset: number; via?: number | undefined } {
  const entry = findEntry(ref.node, key);
  return entry === undefined
    ? { offset: ref.at, via: ref.via }
    : { offset: entry.value.offset, via: entry.via ?? ref.via };
}

export function checkService(service: PlacedService, keys: ServiceKeys, context: Context): void {
  const { config, ref } = service;
  if (config.port === 0 && config.persistenceTimeout === 0)
    context.problems.error({
      offset: ref.at,
      message: "port 0 (every port) needs persistence",
      hint: "give persistence_timeout, so that a client's connections stay on one real server",
      via: ref.via,
    });
  checkQuorum(service, keys, context);
  if (service.complete) lint(service, context);
}

function checkQuorum(
  { config, ref, complete }: PlacedService,
  keys: ServiceKeys,
  { problems }: Context,
): void {
  const { quorum, hysteresis, realServers } = config;
  const sum = realServers.reduce((total, server) => total + server.weight, 0);
  const weights = `the weights add up to ${sum}${realServers.length > 1 && realServers.length <= 8 ? ` (${realServers.map((s) => s.weight).join(" + ")})` : ""}`;
  if (hysteresis >= quorum)
    problems.error({
      ...at(ref, "hysteresis"),
      message: `hysteresis ${hysteresis} must be below quorum ${quorum}`,
      hint: "quorum is gained at quorum + hysteresis and lost below quorum - hysteresis",
    });
  if (!complete) return;
  if (quorum > sum && keys.quorum !== undefined)
    problems.error({
      ...at(ref, "quorum"),
      message: `quorum ${quorum} can never be reached: ${weights}`,
      hint: "lower quorum, or raise the weights",
    });
  else if (quorum > sum)
    problems.warn("no-weight", {
      ...at(ref, "real_server"),
      message:
        realServers.length === 0
          ? "no real_server: nothing will serve"
          : "no real server has a weight above 0: nothing will serve",
    });
  else if (quorum + hysteresis > sum)
    problems.warn("hysteresis", {
      ...at(ref, "hysteresis"),
      message: `quorum ${quorum} + hysteresis ${hysteresis} is above the total weight: ${weights}`,
      hint: "once lost, the quorum can't be gained again",
    });
}

function lint({ config, ref }: PlacedService, { problems }: Context): void {
  const slow = config.realServers.some((server) =>
    server.checkers.some((c) => c.delayLoop >= DEFAULT_DELAY_LOOP_MS),
  );
  if (slow)
    problems.warn("delay_loop", {
      ...at(ref, "delay_loop"),
      message: "checks run only every 60 s or more: a dead real server keeps its clients that long",
      hint: "set delay_loop to a few seconds",
    });
  if (config.sorryServer === undefined && config.quorum === 1 && config.realServers.length > 1)
    problems.warn("sorry", {
      offset: ref.at,
      message: `no sorry_server, and quorum 1 of ${config.realServers.length}: the last real server alone must carry everything`,
      hint: "give sorry_server and a quorum, or ignore this where one server is enough",
      via: ref.via,
    });
  if (config.persistenceTimeout > 0 && config.scheduler === "sh")
    problems.warn("sh", {
      ...at(ref, "persistence_timeout"),
      message: "persistence with lb_algo sh: sh already keeps a client on its server",
    });
}
