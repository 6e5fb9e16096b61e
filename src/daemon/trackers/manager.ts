/** The trackers of a configuration, kept over a reload where they did not change; remembers each last word. */
import type { Config, TrackScriptConfig } from "../../config/model.ts";
import type { Logger } from "../messages.ts";
import type { ScriptUser } from "../scripts/run-script.ts";
import { scriptProblem } from "../scripts/security.ts";
import { resolveUser } from "../scripts/users.ts";
import { FileTracker } from "./file-tracker.ts";
import { NeighbourGatewayTracker } from "./gateway-tracker.ts";
import { IcmpGatewayTracker } from "./icmp-gateway-tracker.ts";
import { ProcessTrackers } from "./process-tracker.ts";
import { ScriptTracker } from "./script-tracker.ts";
import type { Tracker, TrackerSink, TrackerUpdate } from "./types.ts";

export class TrackerManager {
  readonly #sink: TrackerSink;
  readonly #log: Logger;
  readonly #running = new Map<string, Tracker>();
  readonly #last = new Map<string, TrackerUpdate>();
  /** Names of track_virtual_server. */
  #services: ReadonlySet<string> = new Set();

  constructor(sink: TrackerSink, log: Logger) {
    this.#sink = sink;
    this.#log = log;
  }

  /** What every tracker said last, for a vrrp process that has just been started. */
  last(): TrackerUpdate[] {
    return [...this.#last.values()].filter((update) => this.#matters(update));
  }

  /** Passes an observation on, and keeps it. */
  tell(update: TrackerUpdate): void {
    this.#last.set(`${update.kind} ${update.name}`, update);
    if (this.#matters(update)) this.#sink(update);
  }

  /** Every service reports, thousands perhaps: the real-time process hears only of those that are tracked. */
  #matters({ kind, name }: TrackerUpdate): boolean {
    return kind !== "virtual_server" || this.#services.has(name);
  }

  #trackServices(config: Config): void {
    const before = this.#services;
    this.#services = trackedServices(config);
    for (const name of this.#services) {
      const last = before.has(name) ? undefined : this.#last.get(`virtual_server ${name}`);
      if (last) this.#sink(last);
    }
  }

  apply(config: Config): void {
    this.#trackServices(config);
    const wanted = this.#wanted(config);
    for (const [key, tracker] of this.#running) {
      if (wanted.has(key)) continue;
      tracker.stop();
      this.#running.delete(key);
    }
    for (const [key, make] of wanted) {
      if (this.#running.has(key)) continue;
      const tracker = make();
      this.#running.set(key, tracker);
      tracker.start();
    }
  }

  /** Keyed by the whole configuration of each: a changed one is another one. */
  #wanted(config: Config): Map<string, () => Tracker> {
    const sink: TrackerSink = (update) => this.tell(update);
    const wanted = new Map<string, () => Tracker>();
    for (const script of config.trackScripts ?? []) {
      const user = scriptOwner(script, config);
      wanted.set(JSON.stringify(["script", script, user]), () => this.#script(script, user, config));
    }
    for (const file of config.trackFiles ?? []) {
      wanted.set(JSON.stringify(["file", file]), () => new FileTracker(file, sink, this.#log));
    }
    for (const gateway of config.trackGateways ?? []) {
      const make =
        gateway.method === "icmp"
          ? () => new IcmpGatewayTracker(gateway, sink)
          : () => new NeighbourGatewayTracker(gateway, sink, this.#log);
      wanted.set(JSON.stringify(["gateway", gateway]), make);
    }
    const processes = config.trackProcesses ?? [];
    if (processes.length > 0) {
      wanted.set(JSON.stringify(["process", processes]), () => new ProcessTrackers(processes, sink));
    }
    return wanted;
  }

  #script(script: TrackScriptConfig, user: ScriptUser | undefined, config: Config): Tracker {
    const runsAsRoot = (user?.uid ?? process.getuid?.()) === 0;
    const problem =
      runsAsRoot && config.global.scriptSecurity ? scriptProblem(script.command[0] ?? "") : undefined;
    if (problem === undefined)
      return new ScriptTracker(script, user, (update) => this.tell(update), this.#log);
    return new RefusedScript(
      script.name,
      `refused to run as root: ${problem}`,
      (update) => this.tell(update),
      this.#log,
    );
  }

  stop(): void {
    for (const tracker of this.#running.values()) tracker.stop();
    this.#running.clear();
  }
}

function trackedServices(config: Config): Set<string> {
  const users = [...config.instances, ...(config.syncGroups ?? [])];
  const refs = users.flatMap(({ trackers }) => trackers ?? []);
  return new Set(refs.filter(({ kind }) => kind === "virtual_server").map(({ name }) => name));
}

/** Its own user, else script_user. Throws when there is no such user. */
function scriptOwner(script: TrackScriptConfig, config: Config): ScriptUser | undefined {
  if (script.user !== undefined) return resolveUser(script.user, script.group);
  return defaultUser(config);
}

/** global script_user "USER [GROUP]". Throws when unknown. */
export function defaultUser(config: Config): ScriptUser | undefined {
  const [user, group] = config.global.scriptUser?.split(/\s+/) ?? [];
  return user === undefined || user === "" ? undefined : resolveUser(user, group);
}

/** Counts as bad, and says why: never run is safer than run as root for somebody else. */
class RefusedScript implements Tracker {
  readonly #name: string;
  readonly #why: string;
  readonly #sink: TrackerSink;
  readonly #log: Logger;

  constructor(name: string, why: string, sink: TrackerSink, log: Logger) {
    this.#name = name;
    this.#why = why;
    this.#sink = sink;
    this.#log = log;
  }

  start(): void {
    this.#log("error", `vrrp_script ${this.#name}: ${this.#why}`);
    this.#sink({ kind: "script", name: this.#name, good: false, detail: this.#why });
  }

  stop(): void {}
}
