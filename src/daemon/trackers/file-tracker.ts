/** vrrp_track_file: the integer in a file, noticed when its folder changes and by a look every second. */
import {
  closeSync,
  constants,
  type FSWatcher,
  fstatSync,
  openSync,
  readSync,
  watch,
  writeFileSync,
} from "node:fs";
import { basename, dirname } from "node:path";
import type { TrackFileConfig } from "../../config/model.ts";
import type { Logger } from "../messages.ts";
import type { Tracker, TrackerSink } from "./types.ts";

const LOOK_EVERY_MS = 1_000;
const MAX_BYTES = 64;

export class FileTracker implements Tracker {
  readonly #config: TrackFileConfig;
  readonly #sink: TrackerSink;
  readonly #log: Logger;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** null before the first look. */
  #last: string | undefined | null = null;

  constructor(config: TrackFileConfig, sink: TrackerSink, log: Logger) {
    this.#config = config;
    this.#sink = sink;
    this.#log = log;
  }

  start(): void {
    this.#initialize();
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    try {
      const name = basename(this.#config.path);
      this.#watcher = watch(dirname(this.#config.path), (_event, changed) => {
        if (changed === null || changed === name) this.#look();
      });
      // The look every second goes on where the folder cannot be watched.
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch {
      // As above: there may be no such folder yet.
    }
  }

  #initialize(): void {
    const { path, initValue, initOverwrite } = this.#config;
    if (initValue === undefined) return;
    try {
      writeFileSync(path, `${initValue}\n`, { flag: initOverwrite ? "w" : "wx", mode: 0o644 });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "EEXIST")
        this.#log("warn", `track_file ${this.#config.name}: cannot initialize ${path}: ${message}`);
    }
  }

  #look(): void {
    const { name, path } = this.#config;
    const text = readStart(path);
    if (text === this.#last) return;
    this.#last = text;
    const value = text === undefined ? 0 : parse(text);
    // keepalived takes an absent or empty file as 0; rubbish too, but says nothing.
    if (value === undefined)
      this.#log("warn", `track_file ${name}: ${path} does not hold an integer; taken as 0`);
    this.#sink({
      kind: "file",
      name,
      good: true,
      value: value ?? 0,
      detail: text === undefined ? "no file, 0" : String(value ?? 0),
    });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#watcher?.close();
  }
}

/** The first bytes only, and never a FIFO or device, which would block or never end. */
function readStart(path: string): string | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!fstatSync(fd).isFile()) return undefined;
    const buffer = Buffer.alloc(MAX_BYTES);
    return buffer.toString("latin1", 0, readSync(fd, buffer, 0, MAX_BYTES, 0));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function parse(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return 0;
  return /^[+-]?\d{1,9}$/.test(trimmed) ? Number(trimmed) : undefined;
}
