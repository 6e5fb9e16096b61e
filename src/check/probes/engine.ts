/**
 * Runs all health checkers of a process:
 *
 *   heap of due checkers -> one timer -> fair queue (bounded) -> probe -> result -> verdict.step -> heap
 *                                                                                     `-> onVerdict
 */
import { isDeepStrictEqual } from "node:util";
import type { CheckerConfig } from "../../config/model.ts";
import { unreachable } from "../../result.ts";
import { concurrencyFor, DueHeap, type DueItem, FairQueue } from "../schedule.ts";
import type { CheckerSnapshot, CheckVerdict, CheckWeight, ProbeResult } from "../types.ts";
import { type CheckEvent, type CheckState, initialCheckState, snapshotOf, step } from "../verdict.ts";
import { DueTimer, systemTimer } from "./due-timer.ts";
import type { CheckEngineOptions, ExternalResult, RunProbe } from "./engine-types.ts";
import { postedResult } from "./external.ts";
import { FileWatches } from "./file-watch.ts";
import { closeLingering } from "./linger.ts";
import { failed } from "./outcome.ts";
import { probesWith } from "./run-probe.ts";

export type {
  CheckEngineOptions,
  CheckOutcome,
  ExternalResult,
  RunProbe,
  VerdictChange,
  WeightChange,
} from "./engine-types.ts";

interface Entry extends DueItem {
  cfg: CheckerConfig;
  state: CheckState;
  run: Run | undefined;
}

/** One probe, waiting for a slot or running. Void when its entry has another or none. */
interface Run {
  readonly entry: Entry;
  readonly group: string;
  readonly urlIndex: number;
  abort: AbortController | undefined;
}

const STOP_GRACE_MS = 1000;

export class CheckEngine {
  readonly #options: CheckEngineOptions;
  readonly #now: () => number;
  readonly #wallClock: () => number;
  readonly #random: () => number;
  readonly #runProbe: RunProbe;
  readonly #entries = new Map<string, Entry>();
  readonly #heap = new DueHeap<Entry>();
  readonly #queue: FairQueue<Run>;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #watches = new FileWatches((path) => this.#fileChanged(path));
  readonly #timer: DueTimer;
  #stopped = false;

  constructor(options: CheckEngineOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#wallClock = options.wallClock ?? Date.now;
    this.#random = options.random ?? Math.random;
    this.#timer = new DueTimer(options.setTimer ?? systemTimer, () => this.#pump());
    this.#runProbe = options.runProbe ?? probesWith(options.scripts ?? (() => ({ security: false })));
    const limit = options.maxConcurrent ?? concurrencyFor(options.fdLimit ?? 1024);
    this.#queue = new FairQueue(limit, (run) => run.group);
  }

  /** Probes running now. */
  get running(): number {
    return this.#queue.running;
  }

  /**
   * Makes the set of checkers equal to `checkers`. The same id with the same parameters goes on undisturbed;
   * with other parameters it keeps verdict and history; what is gone is stopped, and its probe's result dropped.
   * `saved` is looked at for new ids only.
   */
  apply(checkers: readonly CheckerConfig[], saved?: ReadonlyMap<string, CheckerSnapshot>): void {
    if (this.#stopped) return;
    const now = this.#now();
    const wanted = new Set<string>();
    for (const cfg of checkers) {
      wanted.add(cfg.id);
      const entry = this.#entries.get(cfg.id);
      if (entry === undefined) this.#add(cfg, saved?.get(cfg.id), now);
      else if (!isDeepStrictEqual(entry.cfg, cfg)) this.#reconfigure(entry, cfg, now);
    }
    for (const [id, entry] of this.#entries) {
      if (!wanted.has(id)) this.#remove(id, entry);
    }
    this.#watches.apply(new Set(checkers.flatMap((cfg) => (cfg.type === "FILE_CHECK" ? [cfg.path] : []))));
    this.#pump();
  }

  /**
   * Takes a result for an EXTERNAL checker. False: there is no such checker, or it is of another type.
   * When the time to live is over without another one, the checker fails.
   */
  external(id: string, posted: ExternalResult): boolean {
    const entry = this.#entries.get(id);
    if (this.#stopped || entry?.cfg.type !== "EXTERNAL") return false;
    this.#voidRun(entry);
    const result = postedResult(posted);
    const ttl = Math.max(posted.ttl ?? entry.cfg.ttl, 0);
    this.#step(entry, { kind: "posted", now: this.#now(), at: this.#wallClock(), result, ttl });
    this.#tell(entry, result);
    this.#pump();
    return true;
  }

  /** What the checker last said of the weight; undefined when it says nothing. */
  weight(id: string): CheckWeight | undefined {
    return this.#entries.get(id)?.state.weight;
  }

  snapshots(): CheckerSnapshot[] {
    return Array.from(this.#entries.values(), (entry) => snapshotOf(entry.state, entry.cfg));
  }

  /** Undefined for an id that is not checked. */
  verdict(id: string): CheckVerdict | undefined {
    return this.#entries.get(id)?.state.verdict;
  }

  /** Stops for good; resolves when no probe runs any more (a probe that ignores its signal is not waited for). */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#timer.cancel();
    this.#watches.close();
    for (const entry of this.#entries.values()) this.#voidRun(entry);
    closeLingering();
    let grace: NodeJS.Timeout | undefined;
    const bound = new Promise<void>((resolve) => {
      grace = setTimeout(resolve, STOP_GRACE_MS);
    });
    await Promise.race([Promise.all(this.#inFlight), bound]);
    clearTimeout(grace);
  }

  #add(cfg: CheckerConfig, saved: CheckerSnapshot | undefined, now: number): void {
    const entry: Entry = {
      cfg,
      state: initialCheckState(cfg, saved),
      due: 0,
      heapIndex: -1,
      run: undefined,
    };
    this.#entries.set(cfg.id, entry);
    this.#step(entry, { kind: "start", now, random: this.#random() });
  }

  #reconfigure(entry: Entry, cfg: CheckerConfig, now: number): void {
    this.#voidRun(entry);
    entry.cfg = cfg;
    this.#step(entry, { kind: "reconfigure", now });
  }

  #remove(id: string, entry: Entry): void {
    this.#entries.delete(id);
    this.#heap.remove(entry);
    this.#voidRun(entry);
  }

  #voidRun(entry: Entry): void {
    const run = entry.run;
    if (run === undefined) return;
    entry.run = undefined;
    if (run.abort === undefined) this.#queue.withdraw(run);
    else run.abort.abort();
  }

  /** Steps the entry's machine and carries out its actions. */
  #step(entry: Entry, event: CheckEvent): void {
    const { state, actions } = step(entry.state, event, entry.cfg);
    entry.state = state;
    if (state.phase === "waiting") this.#heap.set(entry, state.due);
    for (const action of actions) {
      switch (action.kind) {
        case "probe":
          entry.run = {
            entry,
            group: entry.cfg.connectIp,
            urlIndex: action.urlIndex,
            abort: undefined,
          };
          this.#queue.add(entry.run);
          break;
        case "verdict": {
          const { id, serviceKey, serverKey } = entry.cfg;
          const { verdict, previous, result } = action;
          const snapshot = snapshotOf(state, entry.cfg);
          this.#options.onVerdict({ id, serviceKey, serverKey, verdict, previous, result, snapshot });
          break;
        }
        case "weight": {
          const { id, serviceKey, serverKey } = entry.cfg;
          this.#options.onWeight?.({
            id,
            serviceKey,
            serverKey,
            weight: action.weight,
            result: action.result,
          });
          break;
        }
        default:
          unreachable(action);
      }
    }
  }

  /** Level-triggered: queues what is due, starts what has a slot, arms the timer for the rest. */
  #pump(): void {
    if (this.#stopped) return;
    const now = this.#now();
    for (let entry = this.#heap.takeDue(now); entry !== undefined; entry = this.#heap.takeDue(now)) {
      this.#step(entry, { kind: "due", now });
    }
    for (let run = this.#queue.take(); run !== undefined; run = this.#queue.take()) this.#start(run);
    this.#timer.arm(this.#heap.peek()?.due, now);
  }

  #start(run: Run): void {
    run.abort = new AbortController();
    const done = this.#probe(run, run.abort.signal).then((result) => {
      this.#inFlight.delete(done);
      this.#queue.release(run);
      this.#finish(run, result);
    });
    this.#inFlight.add(done);
  }

  async #probe(run: Run, signal: AbortSignal): Promise<ProbeResult> {
    const started = performance.now();
    try {
      return await this.#runProbe(run.entry.cfg, run.urlIndex, signal);
    } catch (error) {
      return failed({ reason: "local-error", detail: `probe failed to run: ${String(error)}` }, started);
    }
  }

  #finish(run: Run, result: ProbeResult): void {
    const { entry } = run;
    if (!this.#stopped && entry.run === run) {
      entry.run = undefined;
      this.#step(entry, { kind: "result", now: this.#now(), at: this.#wallClock(), result });
      this.#tell(entry, result);
    }
    this.#pump();
  }

  #tell(entry: Entry, result: ProbeResult): void {
    const { id, serviceKey, serverKey, logAllFailures = false } = entry.cfg;
    const { verdict } = entry.state;
    this.#options.onResult?.({ id, serviceKey, serverKey, result, verdict, logAllFailures });
  }

  #fileChanged(path: string): void {
    const now = this.#now();
    for (const entry of this.#entries.values()) {
      if (entry.cfg.type === "FILE_CHECK" && entry.cfg.path === path)
        this.#step(entry, { kind: "hurry", now });
    }
    this.#pump();
  }
}
