/**
 * vrrp_track_process: how many processes of a kind run. /proc is read twice a second; a process's command
 * line is read once, when it is first seen (and again after an exec, which changes its name).
 */
import { readdirSync, readFileSync } from "node:fs";
import type { TrackProcessConfig } from "../../config/model.ts";
import type { Tracker, TrackerSink } from "./types.ts";

const LOOK_EVERY_MS = 500;

interface Seen {
  /** Start time and name: another process, or another program in it, has another. */
  readonly identity: string;
  readonly matches: readonly boolean[];
}

export class ProcessTrackers implements Tracker {
  readonly #configs: readonly TrackProcessConfig[];
  readonly #sink: TrackerSink;
  #seen = new Map<number, Seen>();
  #told: (boolean | undefined)[];
  /** Since when the other answer has been true, for riseDelay and fallDelay. */
  readonly #changing: (number | undefined)[];
  #timer: NodeJS.Timeout | undefined;

  constructor(configs: readonly TrackProcessConfig[], sink: TrackerSink) {
    this.#configs = configs;
    this.#sink = sink;
    this.#told = configs.map(() => undefined);
    this.#changing = configs.map(() => undefined);
  }

  start(): void {
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    const seen = new Map<number, Seen>();
    for (const entry of readdirSync("/proc")) {
      const pid = Number(entry);
      if (!Number.isInteger(pid)) continue;
      const found = this.#inspect(pid);
      if (found) seen.set(pid, found);
    }
    this.#seen = seen;
    this.#configs.forEach((config, at) => {
      let count = 0;
      for (const { matches } of seen.values()) if (matches[at]) count++;
      this.#judge(config, at, count, now);
    });
  }

  #inspect(pid: number): Seen | undefined {
    const stat = readProc(pid, "stat");
    if (stat === undefined) return undefined;
    const end = stat.lastIndexOf(")");
    const fields = stat.slice(end + 2).split(" ");
    // A zombie does no work.
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    const comm = stat.slice(stat.indexOf("(") + 1, end);
    const identity = `${fields[19]} ${comm}`;
    const before = this.#seen.get(pid);
    if (before?.identity === identity) return before;
    const argv = readProc(pid, "cmdline")?.split("\0").slice(0, -1) ?? [];
    return { identity, matches: this.#configs.map((config) => matchesProcess(config, comm, argv)) };
  }

  #judge(config: TrackProcessConfig, at: number, count: number, now: number): void {
    const good = count >= config.quorum && count <= config.quorumMax;
    if (good === this.#told[at]) {
      this.#changing[at] = undefined;
      return;
    }
    this.#changing[at] ??= now;
    const delay = good ? config.riseDelay : config.fallDelay;
    // The first answer is needed at once: there is nothing to be steady about yet.
    if (this.#told[at] !== undefined && now - this.#changing[at]! < delay) return;
    this.#told[at] = good;
    this.#changing[at] = undefined;
    this.#sink({
      kind: "process",
      name: config.name,
      good,
      detail: `${count} running, quorum ${config.quorum}`,
    });
  }
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return undefined;
  }
}

export function matchesProcess(
  config: Pick<TrackProcessConfig, "command" | "paramMatch" | "fullCommand">,
  comm: string,
  argv: readonly string[],
): boolean {
  const [wanted = "", ...parameters] = config.command;
  const program = argv[0] ?? "";
  // The kernel cuts the name at 15 bytes; a path is compared whole.
  const sameProgram =
    wanted.includes("/") || config.fullCommand
      ? program === wanted
      : comm === wanted.slice(0, 15) &&
        (argv.length === 0 || baseName(program) === wanted || comm === wanted);
  if (!sameProgram) return false;
  const actual = argv.slice(1);
  switch (config.paramMatch) {
    case "none":
      return true;
    case "exact":
      return actual.length === parameters.length && parameters.every((word, at) => actual[at] === word);
    case "initial":
      return parameters.every((word, at) => actual[at] === word);
    default:
      return parameters.every((word, at) => actual[at]?.startsWith(word) ?? false);
  }
}

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
