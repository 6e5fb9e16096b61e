/**
 * The supervisor:
 *
 *   config ---> VrrpGuard <-> vrrp process (adverts, VIPs)
 *          \--> LvsGuard  <-> lvs process (checks, IPVS table)
 *   admin socket <- CLI         state files -> the next run
 *
 * Order matters at both ends: services are in the table before a VIP is added, and leave it after the VIP
 * is gone; the reverse resets live connections.
 */
import type { Config, DataplaneChoice } from "../../config/model.ts";
import { bootId, monotonicUs } from "../../net/clock.ts";
import type { Microseconds } from "../../units.ts";
import { Firewall } from "../firewall/firewall.ts";
import type { FromLvs, FromVrrp, InstancePulse, ServicesState } from "../messages.ts";
import { Notifier } from "../notify/notifier.ts";
import { defaultUser, TrackerManager } from "../trackers/manager.ts";
import { openAdminServer } from "./admin-server.ts";
import type { DaemonLog } from "./log.ts";
import { LvsGuard } from "./lvs-guard.ts";
import type { Paths } from "./paths.ts";
import { readLvsState, readVrrpState, removeState, writeState } from "./state-file.ts";
import { applyStatics } from "./statics.ts";
import { VrrpGuard } from "./vrrp-guard.ts";

export interface DaemonOptions {
  readonly config: Config;
  readonly dataplane: DataplaneChoice;
  readonly paths: Paths;
  readonly log: DaemonLog;
  readonly version: string;
  readonly entries: { readonly vrrp: URL; readonly lvs: URL };
  /** Parses the files again, outside this process's loop; rejects with the problems as text. */
  readonly loadAgain: () => Promise<Config>;
}

/** No instance becomes master before the first table; but a broken lvs process must not keep VIPs away for ever. */
const FIRST_TABLE_LIMIT_MS = 20_000;
/** notify_stop scripts may take this long before we go all the same. */
const NOTIFY_LIMIT_MS = 5_000;
const STATE_EVERY_US = 900_000;

export class Daemon {
  readonly #options: DaemonOptions;
  readonly #log;
  #config: Config;
  readonly #vrrp: VrrpGuard;
  readonly #lvs: LvsGuard;
  readonly #trackers: TrackerManager;
  readonly #firewall: Firewall;
  #notifier: Notifier;
  #tableTimer: NodeJS.Timeout | undefined;
  #closeAdmin: (() => Promise<void>) | undefined;
  #savedAt: Microseconds = 0 as Microseconds;
  #masters = "";
  #reloading: Promise<unknown> = Promise.resolve();
  #ending: Promise<number> | undefined;
  #resolveExit: (status: number) => void = () => {};
  #rejectExit: (error: Error) => void = () => {};
  readonly #startedAt = Date.now();
  readonly #exit: Promise<number>;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#log = options.log.log;
    this.#config = options.config;
    this.#exit = new Promise((resolve, reject) => {
      this.#resolveExit = resolve;
      this.#rejectExit = reject;
    });
    this.#trackers = new TrackerManager((update) => this.#vrrp.tellTracker(update), this.#log);
    this.#firewall = new Firewall(options.paths.firewall, this.#log);
    this.#notifier = new Notifier(defaultUser(options.config), this.#log);
    this.#vrrp = new VrrpGuard(options.config, {
      entry: options.entries.vrrp,
      stateFile: options.paths.vrrpState,
      log: this.#log,
      trackers: () => this.#trackers.last(),
      onMessage: (message) => this.#fromVrrp(message),
      onPulse: (instances) => this.#pulse(instances),
    });
    this.#lvs = new LvsGuard(
      options.config,
      readLvsState(options.paths.lvsState) ?? { checks: [], owned: [] },
      {
        entry: options.entries.lvs,
        dataplane: options.dataplane,
        log: this.#log,
        onMessage: (message) => this.#fromLvs(message),
      },
    );
  }

  /** Runs until stopped; resolves with the exit status. Rejects when it cannot start. */
  async run(): Promise<number> {
    const { paths, version } = this.#options;
    this.#closeAdmin = await openAdminServer(paths.socket, {
      status: () => this.#status(),
      reload: () => this.reload("the admin API"),
    });
    this.#log("info", `vipward ${version} starting`, {
      config: this.#config.hash,
      files: this.#config.files,
    });
    this.#firewall.apply(this.#config);
    applyStatics(this.#config, this.#log);
    const before = this.#stateOfKilledRun();
    this.#vrrp.start(before);
    this.#trackers.apply(this.#config);
    // Without services there is no table to wait for, and no process is spent on it.
    if (this.#config.services.length === 0) {
      this.#vrrp.setServices({ kind: "ready" });
      return this.#exit;
    }
    this.#lvs.start();
    this.#tableTimer = setTimeout(() => {
      this.#log(
        "warn",
        `the table was not complete within ${FIRST_TABLE_LIMIT_MS / 1_000} s; electing without it`,
      );
      this.#vrrp.setServices({ kind: "ready" });
    }, FIRST_TABLE_LIMIT_MS);
    return this.#exit;
  }

  #stateOfKilledRun(): readonly InstancePulse[] {
    const state = readVrrpState(this.#options.paths.vrrpState);
    if (!state || state.bootId !== bootId()) return [];
    // Another configuration may not go on with what the old one owned; it only cleans up after it.
    if (state.configHash !== this.#config.hash)
      return state.instances.map((pulse) => ({ ...pulse, state: "INIT" }));
    return state.instances;
  }

  // ---- messages -------------------------------------------------------------------------------

  #fromVrrp(message: FromVrrp): void {
    if (message.type === "log") this.#options.log.from("vrrp")(message.level, message.msg, message.fields);
    if (message.type === "transition" && !message.resumed) this.#notify(message);
    if (message.type === "group-transition") this.#notifyGroup(message);
  }

  #notify({ instance, to, priority }: FromVrrp & { type: "transition" }): void {
    const notify = this.#config.instances.find((entry) => entry.name === instance)?.notify;
    const state = to === "INIT" ? "STOP" : to;
    if (notify) this.#notifier.notify({ kind: "INSTANCE", name: instance, notify }, state, priority);
  }

  #notifyGroup({ group, to }: FromVrrp & { type: "group-transition" }): void {
    const notify = this.#config.syncGroups?.find((entry) => entry.name === group)?.notify;
    // keepalived's priority of a group is 0.
    if (notify) this.#notifier.notify({ kind: "GROUP", name: group, notify }, to === "INIT" ? "STOP" : to, 0);
  }

  #pulse(instances: readonly InstancePulse[]): void {
    const now = monotonicUs();
    const masters = instances
      .filter((pulse) => pulse.state === "MASTER")
      .map((pulse) => pulse.name)
      .join();
    if (masters === this.#masters && now - this.#savedAt < STATE_EVERY_US) return;
    this.#masters = masters;
    this.#savedAt = now;
    this.#save(this.#options.paths.vrrpState, { bootId: bootId(), configHash: this.#config.hash, instances });
  }

  #fromLvs(message: FromLvs): void {
    if (message.type === "log") this.#options.log.from("lvs")(message.level, message.msg, message.fields);
    if (message.type === "saved")
      this.#save(this.#options.paths.lvsState, { checks: message.checks, owned: message.owned });
    if (message.type === "quorum") {
      for (const { service, up, detail } of message.changes)
        this.#trackers.tell({ kind: "virtual_server", name: service, good: up, detail });
    }
    if (message.type === "table") this.#table(message.services, message.fatal);
  }

  #table(services: ServicesState, fatal: string | undefined): void {
    if (fatal !== undefined && this.#tableTimer !== undefined) {
      this.#log("fatal", fatal);
      void this.stop("it cannot serve what is configured", 1, new Error(fatal));
      return;
    }
    clearTimeout(this.#tableTimer);
    this.#tableTimer = undefined;
    this.#vrrp.setServices(services);
  }

  #save(file: string, value: Parameters<typeof writeState>[1]): void {
    try {
      writeState(file, value);
    } catch (error) {
      this.#log("warn", `cannot write ${file}: ${(error as Error).message}`);
    }
  }

  // ---- reload ---------------------------------------------------------------------------------

  /** One at a time; a bad file changes nothing. */
  reload(by: string): Promise<{ ok: boolean; text: string }> {
    const turn = this.#reloading.then(() => this.#reloadNow(by));
    this.#reloading = turn.catch(() => {});
    return turn;
  }

  async #reloadNow(by: string): Promise<{ ok: boolean; text: string }> {
    let next: Config;
    try {
      next = await this.#options.loadAgain();
    } catch (error) {
      const { message } = error as Error;
      this.#log(
        "error",
        `reload refused, the running configuration stays:\n${message}`.replaceAll("\n", " | "),
      );
      return { ok: false, text: message };
    }
    if (this.#ending) return { ok: false, text: "vipward is stopping" };
    if (next.hash === this.#config.hash) {
      this.#log("info", "reload: nothing changed", { by });
      return { ok: true, text: "nothing changed" };
    }
    const before = this.#config;
    this.#config = next;
    // New services enter the table before their VIPs appear; old ones leave it after theirs are gone.
    const kept = new Set(next.services.map((service) => service.key));
    const leaving = before.services.filter((service) => !kept.has(service.key));
    await this.#lvs.reconfigure({ global: next.global, services: [...next.services, ...leaving] });
    this.#firewall.apply(next);
    applyStatics(next, this.#log);
    this.#notifier = new Notifier(defaultUser(next), this.#log);
    await this.#vrrp.reconfigure(next);
    this.#trackers.apply(next);
    if (leaving.length > 0) await this.#lvs.reconfigure(next);
    const text = `configuration ${before.hash} replaced by ${next.hash}`;
    this.#log("info", `reload: ${text}`, { by });
    return { ok: true, text };
  }

  // ---- status and end -------------------------------------------------------------------------

  async #status(): Promise<object> {
    const [vrrp, lvs] = await Promise.all([this.#vrrp.status(), this.#lvs.status()]);
    return {
      version: this.#options.version,
      node: this.#config.global.routerId,
      pid: process.pid,
      processes: { vrrp: this.#vrrp.pid, lvs: this.#lvs.pid },
      uptime: (Date.now() - this.#startedAt) / 1_000,
      config: { hash: this.#config.hash, files: this.#config.files },
      instances: vrrp.instances,
      groups: vrrp.groups,
      strayDrops: vrrp.strayDrops,
      lvs: lvs ?? null,
    };
  }

  /** Clean end: priority 0, VIPs removed, then our services out of the table. `failure` is why run() rejects. */
  stop(reason: string, status = 0, failure?: Error): Promise<number> {
    this.#ending ??= this.#stopNow(reason).then(() => {
      if (failure) this.#rejectExit(failure);
      else this.#resolveExit(status);
      return status;
    });
    return this.#ending;
  }

  async #stopNow(reason: string): Promise<void> {
    this.#log("info", `stopping: ${reason}`);
    clearTimeout(this.#tableTimer);
    this.#trackers.stop();
    await this.#vrrp.stop(reason);
    this.#firewall.remove();
    await this.#notifier.settle(NOTIFY_LIMIT_MS);
    removeState(this.#options.paths.vrrpState);
    await this.#lvs.stop(true);
    await this.#closeAdmin?.();
    this.#log("info", "stopped");
  }
}
