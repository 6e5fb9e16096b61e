/** A child process with a typed channel. The supervisor decides what its end means. */
import { type ChildProcess, spawn } from "node:child_process";

export interface ChildOptions<In> {
  readonly entry: URL;
  readonly execArgv?: readonly string[];
  /** Descriptors the child inherits as 4, 5, ... */
  readonly fds?: readonly number[];
  readonly onMessage: (message: In) => void;
  /** After the process is reaped. `how` is for people. */
  readonly onExit: (how: string) => void;
}

export const FIRST_INHERITED_FD = 4;

export class Child<Out extends object, In> {
  readonly #process: ChildProcess;
  #exited = false;
  readonly exited: Promise<void>;

  constructor(options: ChildOptions<In>) {
    // Only what node needs: the environment of a root daemon is no business of its children.
    const env = { PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin" };
    this.#process = spawn(process.execPath, [...(options.execArgv ?? []), options.entry.pathname], {
      env,
      stdio: ["ignore", "ignore", "inherit", "ipc", ...(options.fds ?? [])],
    });
    this.#process.on("message", (message) => options.onMessage(message as In));
    this.exited = new Promise((resolve) => {
      const end = (how: string) => {
        if (this.#exited) return;
        this.#exited = true;
        resolve();
        options.onExit(how);
      };
      this.#process.once("error", (error) => end(error.message));
      this.#process.once("exit", (code, signal) =>
        end(signal ? `killed by ${signal}` : `exited with status ${code}`),
      );
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get alive(): boolean {
    return !this.#exited;
  }

  send(message: Out): void {
    // The exit handler deals with a child that is going away.
    if (this.#process.connected) this.#process.send(message, () => {});
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  /** True once the process has ended; false when `milliseconds` were not enough. */
  async endsWithin(milliseconds: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), milliseconds);
    });
    const ended = await Promise.race([this.exited.then(() => true), late]);
    clearTimeout(timer);
    return ended;
  }
}
