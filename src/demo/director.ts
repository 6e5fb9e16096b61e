/** A director of the demo: the real daemon, started, watched and ended as an operator (or an accident) would. */
import type { ChildProcess } from "node:child_process";
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "../cli/client.ts";
import type { DaemonStatus } from "../cli/status.ts";
import { DIR, directorConfig, spawnOn } from "./topology.ts";

export class Director {
  readonly name: "lb01" | "lb02";
  readonly #main: string;
  readonly #dataplane: string;
  #process: ChildProcess | undefined;
  #children: readonly number[] = [];

  constructor(name: "lb01" | "lb02", main: string, dataplane: string) {
    this.name = name;
    this.#main = main;
    this.#dataplane = dataplane;
  }

  get #dirs() {
    return { runDir: `${DIR}/${this.name}.run`, stateDir: `${DIR}/${this.name}.state` };
  }

  start(): void {
    const config = `${DIR}/${this.name}.yaml`;
    writeFileSync(config, directorConfig(this.name, this.#dataplane), { mode: 0o600 });
    const log = openSync(`${DIR}/${this.name}.log`, "a", 0o600);
    const { runDir, stateDir } = this.#dirs;
    const words = [
      process.execPath,
      this.#main,
      "run",
      "-c",
      config,
      "--run-dir",
      runDir,
      "--state-dir",
      stateDir,
    ];
    this.#process = spawnOn(this.name, words, { stdio: ["ignore", log, log] });
  }

  /** Undefined while it does not answer. */
  async status(): Promise<DaemonStatus | undefined> {
    try {
      const { data } = await request<DaemonStatus>("GET", "/api/v1/status", this.#dirs);
      const { vrrp, lvs } = data.processes;
      this.#children = [vrrp, lvs].filter((pid): pid is number => pid !== undefined);
      return data;
    } catch {
      return undefined;
    }
  }

  async state(): Promise<string> {
    return (await this.status())?.instances[0]?.state ?? "down";
  }

  /** `systemctl stop`: resolves when it has ended. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** kill -9 of all its processes: nothing of it can say goodbye. */
  async killEverything(): Promise<void> {
    await this.status();
    const ended = this.#end("SIGKILL");
    for (const pid of this.#children) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Gone with its parent already.
      }
    }
    await ended;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const daemon = this.#process;
    if (!daemon || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = new Promise((resolve) => daemon.once("exit", resolve));
    daemon.kill(signal);
    await ended;
  }

  logTail(): string {
    return readFileSync(`${DIR}/${this.name}.log`, "utf8").trimEnd().split("\n").slice(-25).join("\n");
  }
}
