/** The conflicts of one instance: feeds the pure detector, logs and reports what it finds. */
import type { Microseconds } from "../../units.ts";
import {
  activeConflicts,
  type Conflict,
  type ConflictContext,
  noteConflict,
  type Sighting,
} from "../../vrrp/conflict.ts";
import type { ConflictStatus, FromVrrp, Logger } from "../messages.ts";

export class ConflictWatch {
  readonly #log: Logger;
  readonly #send: (message: FromVrrp) => void;
  #conflicts: readonly Conflict[] = [];

  constructor(log: Logger, send: (message: FromVrrp) => void) {
    this.#log = log;
    this.#send = send;
  }

  /** After the machine has had the same sighting. */
  note(sighting: Sighting, now: Microseconds, context: ConflictContext): void {
    // Most instances have nothing to forget.
    if (sighting.kind === "tick" && this.#conflicts.length === 0) return;
    const { conflicts, events } = noteConflict(this.#conflicts, sighting, now, context);
    this.#conflicts = conflicts;
    for (const { change, conflict } of events) this.#tell(change, conflict, context.config.name);
  }

  #tell(
    change: "raised" | "ongoing" | "cleared",
    { kind, subject, text, count }: Conflict,
    instance: string,
  ): void {
    this.#send({ type: "conflict", instance, change, kind, subject, text, count });
    const fields = { instance, conflict: kind, subject, count };
    if (change === "cleared") this.#log("info", `(${instance}) CONFLICT over: ${kind} ${subject}`, fields);
    else this.#log("warn", `(${instance}) CONFLICT ${kind}: ${text}`, fields);
  }

  status(now: Microseconds): ConflictStatus[] {
    return activeConflicts(this.#conflicts).map(({ kind, subject, text, count, first, last }) => ({
      kind,
      subject,
      text,
      count,
      since: (now - first) / 1e6,
      lastSeen: (now - last) / 1e6,
    }));
  }
}
