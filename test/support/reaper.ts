/**
 * Crash-safe clean-up: what a test makes is told to a small process that outlives it (reaper.sh) and to a
 * record on disk, before it is made.
 *
 *   test --pipe--> reaper.sh      the pipe closes when the test ends, even by SIGKILL
 *   test --------> owner record   read by the next run, should the reaper have been killed as well
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const SCRIPT = path.join(import.meta.dirname, "reaper.sh");
const OWNERS = path.join(tmpdir(), `vw-owners-${process.getuid?.() ?? 0}`);

/** A pid means something only in one pid namespace of one boot: a guest kernel shares this folder with us. */
const PLACE = `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}/${readlinkSync("/proc/self/ns/pid")}`;

/**
 * Field 22 of /proc/PID/stat (clock ticks since boot): with the pid it names one process for ever.
 * Undefined when there is no such process, or only its zombie.
 */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" || state === "X" ? undefined : fields[18];
  } catch {
    return undefined;
  }
}

export class Reaper {
  /** 8 hex digits; every name made under this reaper starts with `vw-<id>`. */
  readonly id = randomBytes(4).toString("hex");
  /** A fresh folder of the test's own, removed at the end. */
  readonly dir: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor() {
    sweepOnce();
    this.dir = mkdtempSync(path.join(tmpdir(), `vw-${this.id}-`));
    const owner = path.join(OWNERS, this.id);
    mkdirSync(OWNERS, { recursive: true, mode: 0o700 });
    writeFileSync(owner, `${process.pid} ${startTime(process.pid)} ${PLACE} ${this.dir}\n`);
    // A session of its own: neither Ctrl-C nor a kill of the test's process group reaches it.
    this.#child = spawn("/bin/sh", [SCRIPT], { detached: true, stdio: ["pipe", "ignore", "inherit"] });
    this.#child.stdin?.on("error", () => {});
    this.#ended = new Promise((resolve) => this.#child.once("exit", () => resolve()));
    // Only an orderly close() waits for it.
    this.#child.unref();
    this.#tell("owner", owner);
    this.#tell("dir", this.dir);
  }

  /** A network namespace, told before it is made. */
  namespace(name: string): void {
    this.#tell("ns", name);
  }

  /** The leader of a process group that lives outside this reaper's namespaces. */
  processGroup(pid: number): void {
    const start = startTime(pid);
    if (start !== undefined) this.#tell("proc", `${pid} ${start}`);
  }

  /** Removes everything and waits until it is gone. */
  async close(): Promise<void> {
    this.#child.ref();
    this.#child.stdin?.end();
    await this.#ended;
  }

  #tell(kind: string, value: string): void {
    this.#child.stdin?.write(`${kind} ${value}\n`);
  }
}

let swept = false;

/** Removes what dead runs left: their reaper was killed too, so only the owner record tells. */
function sweepOnce(): void {
  if (swept) return;
  swept = true;
  for (const id of listOwners()) {
    const record = readOwner(id);
    if (record === undefined || startTime(record.pid) === record.start) continue;
    for (const name of listNamespaces()) if (name.startsWith(`vw-${id}-`)) removeNamespace(name);
    if (path.basename(record.dir).startsWith(`vw-${id}-`)) {
      rmSync(record.dir, { recursive: true, force: true });
    }
    rmSync(path.join(OWNERS, id), { force: true });
  }
}

function listOwners(): string[] {
  try {
    return readdirSync(OWNERS).filter((name) => /^[0-9a-f]{8}$/.test(name));
  } catch {
    return [];
  }
}

function readOwner(id: string): { pid: number; start: string; dir: string } | undefined {
  try {
    const [pid, start, place, dir] = readFileSync(path.join(OWNERS, id), "utf8").trim().split(" ");
    return place === PLACE && pid && start && dir ? { pid: Number(pid), start, dir } : undefined;
  } catch {
    return undefined;
  }
}

function listNamespaces(): string[] {
  try {
    return readdirSync("/run/netns");
  } catch {
    return [];
  }
}

/** Ends the processes in a namespace that is known to be a dead run's, and removes it. */
function removeNamespace(name: string): void {
  try {
    const pids = execFileSync("ip", ["netns", "pids", name], { encoding: "utf8" });
    for (const pid of pids.split("\n").filter(Boolean)) process.kill(Number(pid), "SIGKILL");
  } catch {
    // It went between the list and the look.
  }
  try {
    execFileSync("ip", ["netns", "del", name], { stdio: "ignore" });
  } catch {
    // Another run's sweep was quicker.
  }
}
