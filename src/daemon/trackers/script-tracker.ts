/** vrrp_script: runs every `interval`, one at a time; each result is told as it is. */
import type { TrackScriptConfig } from "../../config/model.ts";
import type { Logger } from "../messages.ts";
import { runScript, type ScriptResult, type ScriptUser } from "../scripts/run-script.ts";
import type { Tracker, TrackerSink } from "./types.ts";

export class ScriptTracker implements Tracker {
  readonly #config: TrackScriptConfig;
  readonly #user: ScriptUser | undefined;
  readonly #sink: TrackerSink;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #cancel: (() => void) | undefined;
  #stopped = false;
  #failedToRun = false;

  constructor(config: TrackScriptConfig, user: ScriptUser | undefined, sink: TrackerSink, log: Logger) {
    this.#config = config;
    this.#user = user;
    this.#sink = sink;
    this.#log = log;
  }

  start(): void {
    void this.#turn();
  }

  async #turn(): Promise<void> {
    const began = performance.now();
    const { command, timeout, interval, name } = this.#config;
    const result = await runScript(
      { argv: command, timeout, ...(this.#user ? { user: this.#user } : {}) },
      (cancel) => {
        this.#cancel = cancel;
      },
    );
    this.#cancel = undefined;
    if (this.#stopped) return;
    this.#tellFailure(result);
    this.#sink({
      kind: "script",
      name,
      good: result.kind === "exit" && result.status === 0,
      detail: describe(result),
    });
    // Keeps the rhythm; a script slower than its interval starts again at once, never twice at a time.
    this.#timer = setTimeout(() => void this.#turn(), Math.max(0, began + interval - performance.now()));
  }

  #tellFailure(result: ScriptResult): void {
    const failed = result.kind === "failed";
    if (failed && !this.#failedToRun)
      this.#log("error", `vrrp_script ${this.#config.name}: ${result.message}`);
    this.#failedToRun = failed;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#cancel?.();
  }
}

export function describe(result: ScriptResult): string {
  switch (result.kind) {
    case "exit":
      return `exit status ${result.status}`;
    case "signal":
      return `killed by ${result.signal}`;
    case "timeout":
      return "timed out";
    default:
      return result.message;
  }
}
