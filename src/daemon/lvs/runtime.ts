/**
 * The lvs process at work:
 *
 *   CheckEngine -> verdicts -> stepService -> desiredTable -> Reconciler -> dataplane
 *                                   |
 *                                   +-> events (log, later notifications)
 */
import { fdBudget } from "../../check/budget.ts";
import { CheckEngine, type CheckOutcome, type VerdictChange } from "../../check/probes/engine.ts";
import type { CheckerSnapshot, CheckVerdict, CheckWeight } from "../../check/types.ts";
import { effectiveWeight } from "../../check/weight.ts";
import type { GlobalConfig, ServiceConfig } from "../../config/model.ts";
import { type Dataplane, DataplaneError } from "../../dataplane/port.ts";
import { Reconciler } from "../../dataplane/reconciler.ts";
import { desiredTable } from "../../lvs/desired.ts";
import { describeOperation } from "../../lvs/diff.ts";
import { formatServiceEvent } from "../../lvs/service-events.ts";
import { type ServiceEvent, type ServiceState, stepService } from "../../lvs/service-state.ts";
import type { ServiceKey } from "../../lvs/table.ts";
import type { FromLvs, Logger, LvsStatus, QuorumChange, ToLvs } from "../messages.ts";
import { openDataplane } from "./open-dataplane.ts";
import { lvsStatus } from "./status.ts";

const RETRY_DATAPLANE_MS = 5_000;

type Configure = ToLvs & { type: "configure" };

export class LvsRuntime {
  readonly #send: (message: FromLvs) => void;
  readonly #log: Logger;
  readonly #engine: CheckEngine;
  readonly #fdLimit: number;
  #tooManyChecks: string | undefined;
  #services: readonly ServiceConfig[] = [];
  #global: GlobalConfig | undefined;
  /** Checkers that fail for local reasons. */
  readonly #unable = new Set<string>();
  readonly #states = new Map<ServiceKey, ServiceState>();
  #dataplane: Dataplane | undefined;
  #reconciler: Reconciler | undefined;
  #problem: string | undefined;
  #announced = false;
  #saveTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #wanting: NodeJS.Immediate | undefined;
  readonly #quorums: QuorumChange[] = [];
  #telling: NodeJS.Immediate | undefined;
  #stopping = false;

  constructor(send: (message: FromLvs) => void, log: Logger, fdLimit: number) {
    this.#send = send;
    this.#log = log;
    this.#fdLimit = fdLimit;
    this.#engine = new CheckEngine({
      fdLimit,
      onVerdict: (change) => this.#verdict(change),
      onWeight: ({ serviceKey }) => this.#restep(serviceKey),
      onResult: (outcome) => this.#result(outcome),
      scripts: () => ({
        security: this.#global?.scriptSecurity ?? false,
        ...(this.#global?.scriptUser === undefined ? {} : { user: this.#global.scriptUser }),
      }),
    });
  }

  async configure(message: Configure): Promise<void> {
    clearTimeout(this.#retryTimer);
    this.#services = message.config.services;
    this.#global = message.config.global;
    const saved = new Map(message.saved.map((snapshot) => [snapshot.id, snapshot]));
    const checkers = this.#services.flatMap((service) =>
      service.realServers.flatMap((server) => server.checkers),
    );
    const { problem } = fdBudget(checkers, this.#fdLimit);
    // Refused at start only (see #firstTable): what runs goes on after a reload, probes waiting for each other.
    if (problem !== undefined) this.#log("error", `health checks: ${problem}`);
    this.#tooManyChecks = problem;
    this.#engine.apply(checkers, saved);
    this.#forgetRemoved();
    for (const service of this.#services) this.#stepService(service);
    if (!this.#reconciler) await this.#openTable(message);
    if (this.#stopping) return;
    this.#want();
    if (this.#announced) await this.#reconciler?.whenSettled();
    else await this.#firstTable();
    this.#send({ type: "applied" });
    this.#save();
  }

  async #openTable(message: Configure): Promise<void> {
    try {
      this.#dataplane = await openDataplane(message.dataplane, this.#log);
    } catch (error) {
      if (!(error instanceof DataplaneError)) throw error;
      this.#problem = `${error.message}: ${error.fix}`;
      this.#log("error", `no dataplane: ${this.#problem}`);
      this.#send({ type: "table", services: { kind: "unavailable", reason: this.#problem } });
      // Somebody may load the module: then everything recovers by itself.
      this.#retryTimer = setTimeout(() => void this.configure(message), RETRY_DATAPLANE_MS);
      return;
    }
    this.#problem = undefined;
    this.#reconciler = new Reconciler({
      dataplane: this.#dataplane,
      resyncInterval: message.config.global.resyncInterval,
      now: () => performance.now(),
      log: this.#log,
      ownedBefore: message.ownedBefore,
      flushAtStart: message.config.global.lvsFlush,
    });
  }

  /** The VIPs may come only when their services are there (or the reason why not is known). */
  async #firstTable(): Promise<void> {
    const reconciler = this.#reconciler;
    if (!reconciler) return;
    await reconciler.start();
    const { complete, failing, lastError } = reconciler.status();
    this.#announced = true;
    const unusable = failing.find(({ code }) => code === "EADDRINUSE" || code === "EPERM");
    const fatal = unusable
      ? `${describeOperation(unusable.operation)}: ${unusable.message}`
      : this.#tooManyChecks && `health checks: ${this.#tooManyChecks}`;
    if (!complete) this.#log("warn", `the first table is incomplete: ${lastError ?? "unknown reason"}`);
    this.#send({
      type: "table",
      services: { kind: "ready" },
      ...(fatal === undefined ? {} : { fatal }),
    });
  }

  #forgetRemoved(): void {
    const kept = new Set(this.#services.map((service) => service.key));
    for (const key of this.#states.keys()) if (!kept.has(key)) this.#states.delete(key);
  }

  #stepService(service: ServiceConfig): void {
    const verdicts = new Map<string, CheckVerdict>();
    const weights = new Map<string, number>();
    for (const server of service.realServers) {
      const wanted: CheckWeight[] = [];
      for (const { id } of server.checkers) {
        verdicts.set(id, this.#engine.verdict(id) ?? "unknown");
        const weight = this.#engine.weight(id);
        if (weight !== undefined) wanted.push(weight);
      }
      if (wanted.length > 0) weights.set(server.key, effectiveWeight(server.weight, wanted));
    }
    const before = this.#states.get(service.key);
    const { state, events } = stepService(before, { verdicts, weights }, service);
    this.#states.set(service.key, state);
    if (before?.quorum !== state.quorum) this.#tellQuorum(service, state);
    for (const event of events) this.#tell(event, service);
  }

  /** For track_virtual_server. A sorry server serves, but a director that has real ones serves better. */
  #tellQuorum({ key, quorum }: ServiceConfig, state: ServiceState): void {
    const detail = `live weight ${state.liveWeight}, quorum ${quorum}`;
    this.#quorums.push({ service: key, up: state.quorum === "up", detail });
    this.#telling ??= setImmediate(() => {
      this.#telling = undefined;
      this.#send({ type: "quorum", changes: this.#quorums.splice(0) });
    });
  }

  #tell(event: ServiceEvent, service: ServiceConfig): void {
    const bad = event.type === "server-down" || event.type === "quorum-lost" || event.type === "sorry-in";
    this.#log(bad ? "warn" : "info", formatServiceEvent(event, service), { ...event, service: service.key });
  }

  #verdict(change: VerdictChange): void {
    const { result, serverKey, serviceKey, verdict } = change;
    const detail = result.ok ? result.detail : `${result.reason}: ${result.detail}`;
    this.#log(verdict === "up" ? "info" : "warn", `${change.id} is ${verdict} (${detail})`, {
      service: serviceKey,
      server: serverKey,
      verdict,
      duration: result.duration,
    });
    this.#restep(serviceKey);
  }

  #restep(serviceKey: ServiceKey): void {
    const service = this.#services.find((entry) => entry.key === serviceKey);
    if (!service) return;
    this.#stepService(service);
    this.#wantSoon();
    this.#save();
  }

  /** Failures of our own say nothing about the server, but somebody must hear of them: once until it works again. */
  #result({ id, result, verdict, logAllFailures }: CheckOutcome): void {
    if (result.ok || result.reason !== "local-error") {
      this.#unable.delete(id);
      // A failure that changes the verdict is told by #verdict.
      if (!result.ok && logAllFailures && verdict === "up")
        this.#log("warn", `${id} failed (${result.reason}: ${result.detail}), still up`);
      return;
    }
    if (this.#unable.has(id)) return;
    this.#unable.add(id);
    this.#log("error", `${id}: cannot check (${result.detail}); its verdict stays as it is`);
  }

  /** Once for all verdicts of this turn: the table is computed and compared as a whole. */
  #wantSoon(): void {
    this.#wanting ??= setImmediate(() => {
      this.#wanting = undefined;
      this.#want();
    });
  }

  #want(): void {
    this.#reconciler?.setWanted(desiredTable(this.#services, this.#states));
  }

  /** Told to the supervisor soon after a change, so that a crash of this process forgets nothing. */
  #save(): void {
    this.#saveTimer ??= setTimeout(() => {
      this.#saveTimer = undefined;
      const checks: CheckerSnapshot[] = this.#engine.snapshots();
      this.#send({ type: "saved", checks, owned: this.#reconciler?.owned() ?? [] });
    }, 100);
  }

  status(): LvsStatus {
    return lvsStatus({
      services: this.#services,
      states: this.#states,
      checks: this.#engine.snapshots(),
      dataplane: this.#dataplane?.kind,
      problem: this.#problem,
      reconciler: this.#reconciler,
    });
  }

  /** `remove` takes our services out of the table; otherwise traffic goes on without us. */
  async stop(remove: boolean): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#saveTimer);
    clearTimeout(this.#retryTimer);
    clearImmediate(this.#wanting);
    clearImmediate(this.#telling);
    await this.#engine.stop();
    await this.#reconciler?.stop({ remove });
    await this.#dataplane?.close();
  }
}
