/**
 * Keeps a vrrp process alive, and stands in for a dead one:
 *
 *   pulse lost -> SIGKILL -> exit -> advertise in its place while a new one starts -> it resumes
 *                                 \-> second crash, or too slow: priority 0, VIPs removed
 */
import type { Config } from "../../config/model.ts";
import { monotonicUs } from "../../net/clock.ts";
import { type Microseconds, us } from "../../units.ts";
import type {
  FromVrrp,
  InstancePulse,
  Logger,
  ResumeMap,
  ServicesState,
  ToVrrp,
  VrrpStatus,
} from "../messages.ts";
import type { TrackerUpdate } from "../trackers/types.ts";
import { Child } from "./child.ts";
import { type Owned, StandIn } from "./stand-in.ts";

export interface GuardOptions {
  readonly entry: URL;
  readonly stateFile: string;
  readonly log: Logger;
  /** What every tracker said last. */
  readonly trackers: () => readonly TrackerUpdate[];
  readonly onMessage: (message: FromVrrp) => void;
  readonly onPulse: (instances: readonly InstancePulse[]) => void;
}

/** A new process that takes longer than this has lost its right to go on as master. */
const STAND_IN_FOR_US = 3_000_000;
const SECOND_CRASH_WITHIN_US = 60_000_000;
const HOLD_OFF_MS = 10_000;
const NO_STATUS: VrrpStatus = { instances: [], groups: [], strayDrops: {} };
const STARTUP_LIMIT_MS = 15_000;

export class VrrpGuard {
  readonly #options: GuardOptions;
  readonly #log: Logger;
  readonly #standIn: StandIn;
  #config: Config;
  #services: ServicesState = { kind: "pending" };
  #child: Child<ToVrrp, FromVrrp> | undefined;
  #configured = false;
  #pulses: readonly InstancePulse[] = [];
  #lastPulse: Microseconds = us(0);
  #watch: NodeJS.Timeout | undefined;
  #owned: Owned[] = [];
  #standInUntil: Microseconds = us(0);
  #standInTimer: NodeJS.Timeout | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #lastCrash: Microseconds | undefined;
  #stopping = false;
  #oursBefore: readonly string[] = [];
  readonly #statusRequests = new Map<number, (status: VrrpStatus) => void>();
  #nextRequest = 1;
  #onConfigured: (() => void)[] = [];

  constructor(config: Config, options: GuardOptions) {
    this.#config = config;
    this.#options = options;
    this.#log = options.log;
    this.#standIn = new StandIn(options.log);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** `before`: what a killed run of ours was doing a moment ago. Throws when VRRP cannot be opened at all. */
  start(before: readonly InstancePulse[]): void {
    this.#oursBefore = before.flatMap((pulse) => pulse.added);
    this.#owned = this.#standIn.owned(this.#config, before);
    this.#spawn();
  }

  setServices(services: ServicesState): void {
    this.#services = services;
    if (this.#configured) this.#child?.send({ type: "services", services });
  }

  tellTracker(update: TrackerUpdate): void {
    if (this.#configured) this.#child?.send({ type: "tracker", update });
  }

  /** Resolves once the vrrp process has taken the new configuration over (at once when there is none now). */
  reconfigure(config: Config): Promise<void> {
    // Only the configuration that was master may go on as master.
    if (!this.#configured) this.#releaseOwned();
    this.#config = config;
    this.#standIn.keepOnly(config);
    if (!this.#configured) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onConfigured.push(resolve);
      this.#configure({});
    });
  }

  status(): Promise<VrrpStatus> {
    const child = this.#child;
    if (!child?.alive || !this.#configured) return Promise.resolve(NO_STATUS);
    const id = this.#nextRequest++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#statusRequests.get(id)?.(NO_STATUS), 2_000);
      this.#statusRequests.set(id, (status) => {
        clearTimeout(timer);
        this.#statusRequests.delete(id);
        resolve(status);
      });
      child.send({ type: "status", id });
    });
  }

  /** Priority 0 and VIPs removed, by the process itself or, when it does not answer, by us. */
  async stop(reason: string): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#watch);
    clearTimeout(this.#standInTimer);
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    if (child?.alive) {
      child.send({ type: "stop", reason });
      if (!(await child.endsWithin(3_000))) {
        this.#log("error", "the vrrp process does not stop; killing it");
        child.kill();
        await child.exited;
      }
    }
    // Whatever a process that died on the way still held (nothing after a clean stop).
    for (const owned of this.#leftOwned()) this.#standIn.release(owned);
    this.#standIn.close();
  }

  #leftOwned(): Owned[] {
    return this.#owned.length > 0 ? this.#owned : this.#standIn.owned(this.#config, this.#pulses);
  }

  // ---- life of a child ------------------------------------------------------------------------

  #spawn(): void {
    const { fds, sockets } = this.#standIn.openSockets(this.#config);
    this.#configured = false;
    this.#pulses = [];
    const child = new Child<ToVrrp, FromVrrp>({
      entry: this.#options.entry,
      // A small heap: full collections stay short, and the process is locked in memory.
      execArgv: ["--max-old-space-size=128"],
      fds,
      onMessage: (message) => {
        if (message.type === "hello") return this.#configure({ resume: this.#resumeMap(), sockets });
        this.#message(message);
      },
      onExit: (how) => this.#exited(child, how),
    });
    this.#child = child;
    this.#expectPulse(STARTUP_LIMIT_MS);
  }

  #configure(extra: { resume?: ResumeMap; sockets?: (ToVrrp & { type: "configure" })["sockets"] }): void {
    // From here on the process advertises for itself.
    clearTimeout(this.#standInTimer);
    this.#configured = true;
    this.#child?.send({
      type: "configure",
      global: this.#config.global,
      instances: this.#config.instances,
      syncGroups: this.#config.syncGroups ?? [],
      trackScripts: this.#config.trackScripts ?? [],
      trackGateways: this.#config.trackGateways ?? [],
      trackers: this.#options.trackers(),
      serviceAddresses: this.#config.services.map((service) => service.address),
      services: this.#services,
      resume: extra.resume ?? {},
      oursBefore: this.#oursBefore,
      sockets: extra.sockets ?? [],
      stateFile: this.#options.stateFile,
    });
  }

  #resumeMap(): ResumeMap {
    return Object.fromEntries(this.#owned.map(({ config, lastAdvertAt }) => [config.name, { lastAdvertAt }]));
  }

  #message(message: FromVrrp): void {
    if (message.type === "pulse") {
      this.#lastPulse = message.at;
      if (message.instances) {
        this.#pulses = message.instances;
        this.#options.onPulse(message.instances);
      }
      this.#expectPulse(this.#lostAfter());
      return;
    }
    if (message.type === "configured") {
      this.#owned = [];
      for (const resolve of this.#onConfigured.splice(0)) resolve();
    }
    if (message.type === "status") return this.#statusRequests.get(message.id)?.(message);
    this.#options.onMessage(message);
  }

  /** min(A, 1 s), but not under 150 ms (a pulse comes every min(A/2, 250 ms)). */
  #lostAfter(): number {
    const shortest = Math.min(
      ...this.#config.instances.map((instance) => instance.advertInterval / 1_000),
      1_000,
    );
    return Math.max(150, shortest);
  }

  #expectPulse(milliseconds: number): void {
    clearTimeout(this.#watch);
    if (this.#stopping) return;
    const due = monotonicUs() + milliseconds * 1_000;
    this.#watch = setTimeout(() => {
      // Half as late again: we were stopped or starved ourselves, and judge the child on fresh evidence only.
      if (monotonicUs() - due > milliseconds * 500) this.#expectPulse(milliseconds);
      else this.#pulseOverdue();
    }, milliseconds);
  }

  /** It may be us who slept: pulses that are queued in the channel are read before deciding. */
  #pulseOverdue(): void {
    const child = this.#child;
    const seen = this.#lastPulse;
    setTimeout(() => {
      if (this.#stopping || child !== this.#child || !child?.alive || seen !== this.#lastPulse) return;
      this.#log("error", "the vrrp process does not answer; killing it");
      child.kill();
    }, 5);
  }

  #exited(child: Child<ToVrrp, FromVrrp>, how: string): void {
    if (child !== this.#child || this.#stopping) return;
    clearTimeout(this.#watch);
    for (const answer of [...this.#statusRequests.values()]) answer(NO_STATUS);
    for (const resolve of this.#onConfigured.splice(0)) resolve();
    const now = monotonicUs();
    // Died before it took over: what it was to resume is still what we hold.
    if (this.#pulses.length > 0) this.#owned = this.#standIn.owned(this.#config, this.#pulses);
    this.#oursBefore = this.#owned.flatMap((owned) => owned.added);
    this.#dropStale(now);
    const again = this.#lastCrash !== undefined && now - this.#lastCrash < SECOND_CRASH_WITHIN_US;
    this.#lastCrash = now;
    this.#log(
      "error",
      `the vrrp process ${how}; ${again ? "second time within 60 s: releasing" : "restarting it"}`,
      {
        owned: this.#owned.map((owned) => owned.config.name),
      },
    );
    if (again) {
      this.#releaseOwned();
      this.#restartTimer = setTimeout(() => this.#respawn(), HOLD_OFF_MS);
      return;
    }
    this.#standInUntil = us(now + STAND_IN_FOR_US);
    this.#standInTurn();
    this.#respawn();
  }

  /** Silent for a whole master-down interval: another is master now, whom priority 0 would only disturb. */
  #dropStale(now: Microseconds): void {
    const stale = this.#owned.filter(
      ({ config, lastAdvertAt }) => now - lastAdvertAt >= config.downTimerAdverts * config.advertInterval,
    );
    for (const owned of stale) this.#standIn.abandon(owned);
    this.#owned = this.#owned.filter((owned) => !stale.includes(owned));
  }

  #respawn(): void {
    try {
      this.#spawn();
    } catch (error) {
      this.#log("error", `cannot restart the vrrp process: ${(error as Error).message}`);
      this.#releaseOwned();
      this.#restartTimer = setTimeout(() => this.#respawn(), HOLD_OFF_MS);
    }
  }

  /** Sends what is due for the owned instances, until the new process takes over or time is up. */
  #standInTurn(): void {
    const now = monotonicUs();
    if (now >= this.#standInUntil) {
      this.#log("error", "the vrrp process did not come back in time");
      this.#releaseOwned();
      return;
    }
    let next: number = this.#standInUntil;
    for (const owned of this.#owned) {
      const interval = owned.config.advertInterval;
      if (now >= owned.lastAdvertAt + interval)
        this.#standIn.advertise(owned, now, this.#config.global.vipLease);
      next = Math.min(next, owned.lastAdvertAt + interval);
    }
    if (this.#owned.length === 0) return;
    this.#standInTimer = setTimeout(() => this.#standInTurn(), Math.max(1, (next - now) / 1_000));
  }

  #releaseOwned(): void {
    clearTimeout(this.#standInTimer);
    for (const owned of this.#owned) this.#standIn.release(owned);
    this.#owned = [];
    this.#pulses = [];
  }
}
