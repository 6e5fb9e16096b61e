/** `vipward run`: the daemon in the foreground. */
import { hostname } from "node:os";
import { resolve } from "node:path";
import { formatProblems } from "../config/format.ts";
import { loadConfig } from "../config/load.ts";
import type { DataplaneChoice } from "../config/model.ts";
import type { LogLevel } from "../daemon/messages.ts";
import { ConfigReader } from "../daemon/supervisor/config-reader.ts";
import { Daemon } from "../daemon/supervisor/daemon.ts";
import { takeLock } from "../daemon/supervisor/lock.ts";
import { type LogFormat, openLog } from "../daemon/supervisor/log.ts";
import { createDirectories, resolvePaths } from "../daemon/supervisor/paths.ts";
import { checkInterfaces } from "../daemon/supervisor/preflight.ts";
import { handOverSignals } from "./early-signals.ts";
import { color } from "./terminal.ts";
import { VERSION } from "./version.ts";

export interface RunOptions {
  readonly config: string;
  readonly node?: string;
  readonly runDir?: string;
  readonly stateDir?: string;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
  readonly dataplane?: DataplaneChoice;
  /** Folder of the bundled entry points; only main.ts knows it, since chunks lie deeper. */
  readonly entries: URL;
}

/** Resolves with the exit status: 0 after a clean stop, 1 when it could not start. */
export async function runCommand(options: RunOptions): Promise<number> {
  const file = resolve(options.config);
  const loaded = loadConfig(file, { hostname: hostname(), ...(options.node ? { node: options.node } : {}) });
  if (loaded.problems.length > 0)
    process.stderr.write(`${formatProblems(loaded.problems, { color: color(process.stderr) })}\n`);
  if (!loaded.ok) return 1;

  let unlock: (() => void) | undefined;
  const log = openLog({ format: options.logFormat, level: options.logLevel });
  try {
    const paths = resolvePaths(options);
    createDirectories(paths);
    unlock = takeLock(paths.lock);
    checkInterfaces(loaded.config);
    const reader = new ConfigReader({
      entry: new URL("config-worker.js", options.entries),
      file,
      ...(options.node ? { node: options.node } : {}),
      config: loaded.config,
    });
    const daemon = new Daemon({
      config: loaded.config,
      dataplane: options.dataplane ?? loaded.config.global.dataplane ?? "kernel",
      paths,
      log,
      version: VERSION,
      entries: {
        vrrp: new URL("vrrp-process.js", options.entries),
        lvs: new URL("lvs-process.js", options.entries),
      },
      loadAgain: () => reader.read(),
    });
    onSignals(daemon);
    try {
      return await daemon.run();
    } catch (error) {
      // Half started: take back what there is before saying why.
      await daemon.stop("it could not start", 1);
      throw error;
    }
  } catch (error) {
    log.flush();
    process.stderr.write(`vipward: ${(error as Error).message}\n`);
    return 1;
  } finally {
    log.flush();
    unlock?.();
  }
}

function onSignals(daemon: Daemon): void {
  handOverSignals();
  process.on("SIGTERM", () => void daemon.stop("SIGTERM"));
  process.on("SIGINT", () => void daemon.stop("SIGINT"));
  process.on("SIGHUP", () => void daemon.reload("SIGHUP"));
  // Unhandled, these would open Node's inspector or end the process.
  process.on("SIGUSR1", () => {});
  process.on("SIGUSR2", () => {});
  process.on("SIGPIPE", () => {});
}
