import { writeFileSync } from "node:fs";
import path from "node:path";
import type { Lab, Namespace, TestProcess } from "./lab.ts";
import type { Exit } from "./process.ts";

/**
 * The packaged keepalived as a real VRRP peer (-P: no health checks, no IPVS).
 * `conf` is the text of its configuration file.
 */
export class Keepalived {
  readonly process: TestProcess;
  readonly confFile: string;

  private constructor(process: TestProcess, confFile: string) {
    this.process = process;
    this.confFile = confFile;
  }

  static async start(lab: Lab, ns: Namespace, conf: string): Promise<Keepalived> {
    const file = (suffix: string) => path.join(lab.dir, `keepalived-${ns.role}.${suffix}`);
    writeFileSync(file("conf"), conf, { mode: 0o600 });
    const argv = ["keepalived", "-P", "--dont-fork", "--log-console", "--log-detail", "-f", file("conf")];
    const pidFiles = ["-p", file("pid"), "-r", file("vrrp.pid"), "-c", file("checkers.pid")];
    const process = lab.spawn(ns, [...argv, ...pidFiles]);
    await process.waitLine(/Startup complete/);
    return new Keepalived(process, file("conf"));
  }

  /** The process everything below runs under; SIGHUP on it reloads. */
  get pid(): number {
    return this.process.pid;
  }

  get log(): string {
    return this.process.text;
  }

  /** Waits for `(NAME) Entering STATE STATE` in its log. */
  async waitState(instance: string, state: "MASTER" | "BACKUP" | "FAULT", timeout = 10_000): Promise<void> {
    await this.process.waitLine(new RegExp(`\\(${instance}\\) Entering ${state} STATE`), timeout);
  }

  reload(conf: string): void {
    writeFileSync(this.confFile, conf, { mode: 0o600 });
    this.process.child.kill("SIGHUP");
  }

  /** SIGTERM: a clean stop, with priority 0 adverts. SIGKILL: parent and child at once, no goodbye. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    if (signal === "SIGKILL") this.process.killGroup();
    return this.process.stop(signal);
  }
}
