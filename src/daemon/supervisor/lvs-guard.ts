/** Keeps an lvs process alive. While it is away the kernel's table stays as it is, and verdicts freeze. */
import { servicesDelta } from "../../config/delta.ts";
import type { Config, DataplaneChoice } from "../../config/model.ts";
import type { FromLvs, Logger, LvsConfig, LvsStatus, ToLvs } from "../messages.ts";
import { Child } from "./child.ts";
import type { LvsState } from "./state-file.ts";

export interface LvsGuardOptions {
  readonly entry: URL;
  readonly dataplane: DataplaneChoice;
  readonly log: Logger;
  readonly onMessage: (message: FromLvs) => void;
}

const SILENT_LIMIT_MS = 15_000;
const MAX_RESTART_DELAY_MS = 30_000;

export class LvsGuard {
  readonly #options: LvsGuardOptions;
  #config: LvsConfig;
  /** What the child has; undefined for a new one. */
  #sent: LvsConfig | undefined;
  #saved: LvsState;
  #child: Child<ToLvs, FromLvs> | undefined;
  #ready = false;
  #watch: NodeJS.Timeout | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #crashes = 0;
  #stopping = false;
  #onApplied: (() => void)[] = [];
  readonly #statusRequests = new Map<number, (status: LvsStatus | undefined) => void>();
  #nextRequest = 1;

  constructor(config: Config, saved: LvsState, options: LvsGuardOptions) {
    this.#config = { global: config.global, services: config.services };
    this.#saved = saved;
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get started(): boolean {
    return this.#child !== undefined;
  }

  start(): void {
    this.#ready = false;
    this.#sent = undefined;
    const child = new Child<ToLvs, FromLvs>({
      entry: this.#options.entry,
      onMessage: (message) => this.#message(message),
      onExit: (how) => this.#exited(child, how),
    });
    this.#child = child;
    this.#expectPulse();
  }

  /** Resolves when the table has been brought to the new configuration (or the process is away). */
  reconfigure(config: LvsConfig): Promise<void> {
    this.#config = { global: config.global, services: config.services };
    if (!this.started) {
      if (config.services.length > 0) this.start();
      return Promise.resolve();
    }
    if (!this.#ready) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onApplied.push(resolve);
      this.#configure();
    });
  }

  #configure(): void {
    const sent = this.#sent;
    this.#sent = this.#config;
    if (sent) return this.#change(sent);
    this.#child?.send({
      type: "configure",
      config: this.#config,
      dataplane: this.#options.dataplane,
      saved: this.#saved.checks,
      ownedBefore: this.#saved.owned,
    });
  }

  /** Services that didn't change are the same objects: thousands of others need not travel. */
  #change(sent: Pick<LvsConfig, "services">): void {
    const known = new Set(sent.services);
    const { services, ...config } = this.#config;
    const delta = servicesDelta(services, (service) => known.has(service));
    this.#child?.send({ type: "change", config, services: delta });
  }

  #message(message: FromLvs): void {
    this.#expectPulse();
    switch (message.type) {
      case "hello":
        this.#ready = true;
        return this.#configure();
      case "applied":
        this.#crashes = 0;
        for (const resolve of this.#onApplied.splice(0)) resolve();
        return;
      case "saved":
        this.#saved = { checks: message.checks, owned: message.owned };
        break;
      case "status":
        return this.#statusRequests.get(message.id)?.(message.lvs);
    }
    this.#options.onMessage(message);
  }

  status(): Promise<LvsStatus | undefined> {
    if (!this.#child?.alive || !this.#ready) return Promise.resolve(undefined);
    const id = this.#nextRequest++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#statusRequests.get(id)?.(undefined), 3_000);
      this.#statusRequests.set(id, (status) => {
        clearTimeout(timer);
        this.#statusRequests.delete(id);
        resolve(status);
      });
      this.#child?.send({ type: "status", id });
    });
  }

  #expectPulse(): void {
    clearTimeout(this.#watch);
    if (this.#stopping) return;
    this.#watch = setTimeout(() => {
      this.#options.log("error", "the lvs process does not answer; restarting it (the table stays)");
      this.#child?.kill();
    }, SILENT_LIMIT_MS);
  }

  #exited(child: Child<ToLvs, FromLvs>, how: string): void {
    if (child !== this.#child || this.#stopping) return;
    clearTimeout(this.#watch);
    for (const answer of [...this.#statusRequests.values()]) answer(undefined);
    for (const resolve of this.#onApplied.splice(0)) resolve();
    const delay = Math.min(MAX_RESTART_DELAY_MS, this.#crashes++ === 0 ? 0 : 500 * 2 ** this.#crashes);
    this.#options.log("error", `the lvs process ${how}; the table stays, restarting it`, { delay });
    this.#restartTimer = setTimeout(() => this.start(), delay);
  }

  /** `remove` takes our services out of the table; bounded, because systemd is waiting. */
  async stop(remove: boolean): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#watch);
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    if (!child?.alive) return;
    child.send({ type: "stop", remove });
    if (await child.endsWithin(15_000)) return;
    this.#options.log(
      "error",
      "the lvs process does not stop; killing it (services may be left in the table)",
    );
    child.kill();
    await child.exited;
  }
}
