import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "./wait.ts";

const LAST_LINES_MS = 100;

export interface OutputLine {
  /** Unix time in seconds when the line was read (the process's own stamp, if any, is nearer the truth). */
  readonly time: number;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The test runner's own variables would change how a daemon under test behaves. */
export function cleanEnv(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([key]) => !/^(VITEST|NODE_OPTIONS$|NODE_V8_COVERAGE$|NODE_ENV$|TEST$|npm_)/.test(key),
  );
  return { ...Object.fromEntries(kept), ...extra };
}

export interface StartOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** False when the output is binary and read by the caller from `child.stdout`. */
  readonly collect?: boolean;
}

/** A long-running child in a process group of its own, with its output collected line by line. */
export class TestProcess {
  readonly argv: readonly string[];
  readonly child: ChildProcess;
  readonly pid: number;
  readonly output: OutputLine[] = [];
  /** The process is gone; descendants may still hold its output open. */
  readonly exited: Promise<Exit>;
  /** The output is complete. */
  readonly closed: Promise<void>;
  exit: Exit | undefined;
  #closed = false;

  constructor(argv: readonly string[], options: StartOptions = {}) {
    const [command, ...args] = argv;
    if (command === undefined) throw new Error("no command given");
    this.argv = argv;
    this.child = spawn(command, args, {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: cleanEnv(options.env),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    this.exited = new Promise((resolve) => {
      const done = (exit: Exit) => {
        this.exit ??= exit;
        resolve(this.exit);
      };
      this.child.once("error", (error) => {
        this.output.push({ time: Date.now() / 1000, stream: "stderr", text: String(error) });
        done({ code: 127, signal: null });
      });
      this.child.once("exit", (code, signal) => done({ code, signal }));
    });
    this.closed = new Promise((resolve) => {
      this.child.once("close", () => {
        this.#closed = true;
        resolve();
      });
    });
    this.pid = this.child.pid ?? -1;
    if (options.collect !== false) this.#collect("stdout");
    this.#collect("stderr");
  }

  get running(): boolean {
    return this.exit === undefined;
  }

  /** The collected output as one text, for messages and searches. */
  get text(): string {
    return this.output.map((line) => line.text).join("\n");
  }

  /** Waits for a line, past or to come; fails at once when the output ends without it. */
  async waitLine(pattern: RegExp, timeout = 10_000): Promise<OutputLine> {
    const found = () => this.output.find((line) => pattern.test(line.text));
    const what = `${pattern} from ${this.argv.join(" ")}`;
    await waitFor(() => found() ?? this.#closed, { timeout, what }).catch((error) => {
      throw new Error(`${error.message}\n${this.text}`);
    });
    const line = found();
    if (line === undefined) throw new Error(`ended without ${what}\n${this.text}`);
    return line;
  }

  /** Signals the process only (not its group) and waits for its end. */
  async stop(signal: NodeJS.Signals = "SIGTERM", timeout = 10_000): Promise<Exit> {
    if (this.running) this.child.kill(signal);
    const timer = setTimeout(() => this.killGroup(), timeout);
    const exit = await this.exited;
    clearTimeout(timer);
    // Its last lines are still in the pipe; a surviving descendant would hold it open for longer.
    await Promise.race([this.closed, sleep(LAST_LINES_MS)]);
    return exit;
  }

  /** SIGKILL for the whole process group. */
  killGroup(): void {
    try {
      if (this.pid > 1) process.kill(-this.pid, "SIGKILL");
    } catch {
      // Gone already.
    }
  }

  #collect(stream: "stdout" | "stderr"): void {
    let rest = "";
    const source = this.child[stream];
    source?.setEncoding("utf8");
    source?.on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const text of lines) this.output.push({ time: Date.now() / 1000, stream, text });
    });
    source?.on("end", () => {
      if (rest !== "") this.output.push({ time: Date.now() / 1000, stream, text: rest });
    });
  }
}
