/** Notices changes of FILE_CHECK's files at once (inotify), and within a second where that is blind (NFS, a folder made anew). */
import { type FSWatcher, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";

const LOOK_EVERY_MS = 1_000;

interface Watched {
  /** What stat said last; undefined: the file is not there. */
  stamp: string | undefined;
  watcher: FSWatcher | undefined;
}

export class FileWatches {
  readonly #onChange: (path: string) => void;
  readonly #files = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;

  constructor(onChange: (path: string) => void) {
    this.#onChange = onChange;
  }

  /** Makes the set of watched files equal to `paths`. */
  apply(paths: ReadonlySet<string>): void {
    for (const [path, file] of this.#files) {
      if (paths.has(path)) continue;
      file.watcher?.close();
      this.#files.delete(path);
    }
    for (const path of paths) {
      if (!this.#files.has(path)) this.#files.set(path, { stamp: stampOf(path), watcher: this.#watch(path) });
    }
    if (this.#files.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    } else {
      this.#timer ??= setInterval(() => this.#lookAtAll(), LOOK_EVERY_MS).unref();
    }
  }

  close(): void {
    this.apply(new Set());
  }

  #watch(path: string): FSWatcher | undefined {
    try {
      const name = basename(path);
      const watcher = watch(dirname(path), { persistent: false }, (_event, changed) => {
        if (changed === null || changed === name) this.#look(path);
      });
      // The look every second goes on where the folder cannot be watched.
      return watcher.on("error", () => watcher.close());
    } catch {
      return undefined;
    }
  }

  #lookAtAll(): void {
    for (const path of this.#files.keys()) this.#look(path);
  }

  #look(path: string): void {
    const file = this.#files.get(path);
    const stamp = stampOf(path);
    if (file === undefined || stamp === file.stamp) return;
    file.stamp = stamp;
    this.#onChange(path);
  }
}

function stampOf(path: string): string | undefined {
  try {
    const { mtimeNs, size, ino } = statSync(path, { bigint: true });
    return `${mtimeNs} ${size} ${ino}`;
  } catch {
    return undefined;
  }
}
