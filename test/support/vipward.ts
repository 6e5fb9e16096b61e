import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import path from "node:path";
import type { ExecOptions, ExecResult, Lab, Namespace } from "./lab.ts";
import type { Exit, TestProcess } from "./process.ts";
import { projectRoot } from "./root.ts";
import { type WaitOptions, waitFor } from "./wait.ts";

const MAIN = path.join(projectRoot, "dist", "main.js");

/** A line of `--log-format json`. */
export interface LogEntry {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
  readonly process?: string;
  readonly [field: string]: unknown;
}

export interface VipwardOptions {
  /** Which of the configuration's nodes this is; the namespace's role unless told, if it has nodes. */
  readonly node?: string;
  readonly dataplane?: "kernel" | "userspace" | "auto";
  /** Further options of `vipward run`. */
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  /** Tells apart several daemons of one namespace. */
  readonly name?: string;
  /** False: don't wait until the admin socket answers. */
  readonly ready?: boolean;
}

/**
 * Our own daemon, as built in dist/, in a namespace of the lab. Its folders lie in the lab's and outlive it:
 * started again in the same namespace, it finds its state.
 */
export class Vipward {
  readonly lab: Lab;
  readonly ns: Namespace;
  readonly process: TestProcess;
  readonly configFile: string;
  readonly runDir: string;
  readonly stateDir: string;

  private constructor(lab: Lab, ns: Namespace, config: string, options: VipwardOptions) {
    const place = path.join(lab.dir, `vipward-${options.name ?? ns.role}`);
    this.lab = lab;
    this.ns = ns;
    this.configFile = `${place}.yaml`;
    this.runDir = `${place}.run`;
    this.stateDir = `${place}.state`;
    writeFileSync(this.configFile, config, { mode: 0o600 });
    const argv = [process.execPath, MAIN, "run", "-c", this.configFile];
    const node = options.node ?? (/^nodes:/m.test(config) ? ns.role : undefined);
    if (node !== undefined) argv.push("--node", node);
    argv.push("--run-dir", this.runDir, "--state-dir", this.stateDir, "--log-format", "json");
    if (options.dataplane !== undefined) argv.push("--dataplane", options.dataplane);
    argv.push(...(options.args ?? []));
    this.process = lab.spawn(ns, argv, options.env === undefined ? {} : { env: options.env });
  }

  /** Starts it with a YAML text and waits until its admin socket answers. */
  static async start(
    lab: Lab,
    ns: Namespace,
    config: string,
    options: VipwardOptions = {},
  ): Promise<Vipward> {
    const daemon = new Vipward(lab, ns, config, options);
    if (options.ready !== false) await daemon.#answers();
    return daemon;
  }

  /** The supervisor. */
  get pid(): number {
    return this.process.pid;
  }

  /** Its log so far; lines that are not JSON (a crash's last words) are in `process.output`. */
  get log(): LogEntry[] {
    return this.process.output.flatMap(({ text }) => parseEntry(text) ?? []);
  }

  async waitLog(test: RegExp | ((entry: LogEntry) => boolean), options: WaitOptions = {}): Promise<LogEntry> {
    const fits = test instanceof RegExp ? (entry: LogEntry) => test.test(entry.msg) : test;
    return waitFor(() => this.log.find(fits), { what: `a log entry with ${test}`, ...options }).catch(
      (error) => {
        throw new Error(`${error.message}\n${this.process.text}`);
      },
    );
  }

  /** The supervisor's direct children by entry point: "vrrp-process", "lvs-process". */
  children(): { readonly pid: number; readonly name: string }[] {
    const pids = readText(`/proc/${this.pid}/task/${this.pid}/children`)
      .split(" ")
      .filter(Boolean)
      .map(Number);
    return pids.map((pid) => {
      const script = readText(`/proc/${pid}/cmdline`)
        .split("\0")
        .find((word) => word.endsWith(".js"));
      return { pid, name: script === undefined ? "" : path.basename(script, ".js") };
    });
  }

  child(name: string): number {
    const found = this.children().find((child) => child.name === name);
    if (found === undefined) {
      throw new Error(`no child ${name}; there are: ${this.children().map((child) => child.name)}`);
    }
    return found.pid;
  }

  /** Runs the command line interface beside it: `cli("status", "-o", "json")`. */
  cli(command: string, ...args: string[]): Promise<ExecResult> {
    return this.cliWith({}, command, ...args);
  }

  cliWith(options: ExecOptions, command: string, ...args: string[]): Promise<ExecResult> {
    const argv = [process.execPath, MAIN, command, "--run-dir", this.runDir, ...args];
    return this.lab.exec(this.ns, argv, options);
  }

  /** `vipward status -o json`. Shape: DaemonStatus of src/cli/status.ts. */
  async status<T = unknown>(): Promise<T> {
    const { stdout } = await this.cli("status", "-o", "json");
    return JSON.parse(stdout) as T;
  }

  /** The same over the admin socket, without a new process: milliseconds instead of tenths of a second. */
  api(target: string, method = "GET"): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((resolve, reject) => {
      const socketPath = path.join(this.runDir, "vipward.sock");
      const call = request({ socketPath, path: target, method, timeout: 5000, agent: false }, (reply) => {
        let body = "";
        reply.setEncoding("utf8");
        reply.on("data", (chunk: string) => {
          body += chunk;
        });
        reply.on("end", () => resolve({ status: reply.statusCode ?? 0, body }));
        reply.on("error", reject);
      });
      call.on("timeout", () => call.destroy(new Error(`${method} ${target}: no answer within 5 s`)));
      call.on("error", reject);
      call.end();
    });
  }

  /** Writes a new configuration; `cli("reload")` or SIGHUP makes the daemon read it. */
  configure(config: string): void {
    writeFileSync(this.configFile, config, { mode: 0o600 });
  }

  /** Signals the supervisor and waits for its end. */
  stop(signal: NodeJS.Signals = "SIGTERM", timeout?: number): Promise<Exit> {
    return this.process.stop(signal, timeout);
  }

  /** SIGKILL for the supervisor and all its children at once: the machine's power cord. */
  async killAll(): Promise<void> {
    const children = this.children();
    this.process.killGroup();
    for (const { pid } of children) killIfThere(pid);
    await this.process.exited;
  }

  async #answers(): Promise<void> {
    const answers = () => this.api("/livez").then(({ status }) => status === 200);
    const what = `vipward in ${this.ns.role} to answer`;
    await waitFor(() => !this.process.running || answers(), { timeout: 20_000, what }).catch((error) => {
      throw new Error(`${error.message}\n${this.process.text}`);
    });
    if (this.process.running) return;
    await this.process.closed;
    throw new Error(`vipward in ${this.ns.role} ended at once\n${this.process.text}`);
  }
}

function parseEntry(text: string): LogEntry | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    return JSON.parse(text) as LogEntry;
  } catch {
    return undefined;
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It went with the group.
  }
}
