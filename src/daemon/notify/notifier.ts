/**
 * notify_master, notify_backup, notify_fault, notify_stop and notify, for instances and sync groups.
 * One script at a time per subject, in the order of the transitions: MASTER is never reported after a
 * later BACKUP. What a subject has queued but not yet told is dropped when it is overtaken.
 */
import type { NotifyConfig } from "../../config/model.ts";
import type { Logger } from "../messages.ts";
import { runScript, type ScriptUser } from "../scripts/run-script.ts";
import { describe } from "../trackers/script-tracker.ts";

export interface Subject {
  readonly kind: "INSTANCE" | "GROUP";
  readonly name: string;
  readonly notify: NotifyConfig;
}
export type NotifyState = "MASTER" | "BACKUP" | "FAULT" | "STOP";

const SCRIPT: Record<NotifyState, "master" | "backup" | "fault" | "stop"> = {
  MASTER: "master",
  BACKUP: "backup",
  FAULT: "fault",
  STOP: "stop",
};
const TIMEOUT_MS = 60_000;
/** More than this many untold states of one subject help nobody: the oldest go, and are counted. */
const MAX_WAITING = 16;

interface Line {
  readonly waiting: (readonly string[])[];
  running: Promise<void> | undefined;
}

export class Notifier {
  readonly #log: Logger;
  readonly #user: ScriptUser | undefined;
  readonly #lines = new Map<string, Line>();
  dropped = 0;

  constructor(user: ScriptUser | undefined, log: Logger) {
    this.#user = user;
    this.#log = log;
  }

  notify({ kind, name, notify }: Subject, state: NotifyState, priority: number): void {
    const specific = notify[SCRIPT[state]];
    const runs = [
      ...(specific ? [specific] : []),
      // keepalived's arguments, in its order.
      ...(notify.any ? [[...notify.any, kind, name, state, String(priority)]] : []),
    ];
    if (runs.length === 0) return;
    const key = `${kind} ${name}`;
    const line = this.#lines.get(key) ?? { waiting: [], running: undefined };
    this.#lines.set(key, line);
    line.waiting.push(...runs);
    while (line.waiting.length > MAX_WAITING) {
      line.waiting.shift();
      this.dropped++;
    }
    line.running ??= this.#work(line, key);
  }

  async #work(line: Line, key: string): Promise<void> {
    for (let argv = line.waiting.shift(); argv; argv = line.waiting.shift()) {
      const result = await runScript({
        argv,
        timeout: TIMEOUT_MS,
        ...(this.#user ? { user: this.#user } : {}),
      });
      if (result.kind !== "exit" || result.status !== 0) {
        this.#log("warn", `${key}: ${argv[0]}: ${describe(result)}`);
      }
    }
    line.running = undefined;
  }

  /** Resolves when everything queued has been told, or `milliseconds` have passed. */
  async settle(milliseconds: number): Promise<void> {
    const all = Promise.all([...this.#lines.values()].map((line) => line.running));
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    });
    await Promise.race([all, limit]);
    clearTimeout(timer);
  }
}
