/** When the VIPs of which instance are asked for: soon after it became master, again at once after an odd answer, then every few seconds. */
import { type Microseconds, us } from "../../units.ts";
import type { VrrpState } from "../../vrrp/machine.ts";

export interface Subject {
  readonly state: VrrpState;
}

/** Found at the second odd answer: less than 5 s after it began, at any moment between two rounds. */
const EVERY_US = 2_000_000;
/** The loser of an election hears the winner first, and takes its address away. */
const SETTLED_US = 100_000;
/** A thousand instances never ask all at once. */
const MAX_PER_TURN = 64;
const TURN_US = 20_000;

interface Entry {
  state: VrrpState;
  at: Microseconds;
  /** Counts rounds, so that VIPs can take turns. */
  round: number;
  /** One more round at once, because of an odd answer: only one, or an attacker would set the pace. */
  again: "no" | "wanted" | "done";
}

export class ProbeSchedule<T extends Subject> {
  readonly #entries = new WeakMap<T, Entry>();
  #turnAt: Microseconds = us(0);
  /** Newcomers are spread over a round. */
  #newcomers = 0;

  get deadline(): Microseconds {
    return this.#turnAt;
  }

  /** Somebody's state has changed: look at all of them again. */
  hurry(): void {
    this.#turnAt = us(0);
  }

  /** Who is to ask now, with a number that grows by one a round. */
  due(subjects: readonly T[], now: Microseconds): readonly (readonly [T, number])[] {
    if (now < this.#turnAt) return [];
    const due: (readonly [T, number])[] = [];
    let next = now + EVERY_US;
    for (const subject of subjects) {
      const entry = this.#entry(subject, now);
      if (!entry) continue;
      if (entry.at <= now && due.length < MAX_PER_TURN) {
        due.push([subject, entry.round]);
        entry.round++;
        entry.again = entry.again === "wanted" ? "done" : "no";
        entry.at = us(now + EVERY_US);
      }
      next = Math.min(next, entry.at);
    }
    this.#turnAt = us(Math.max(next, now + TURN_US));
    return due;
  }

  /** An answer that should not be: the same VIPs are asked for again at once. */
  odd(subject: T, round: number, now: Microseconds): void {
    const entry = this.#entries.get(subject);
    if (entry?.again !== "no" || entry.round !== round + 1) return;
    Object.assign(entry, { round, again: "wanted", at: now });
    this.hurry();
  }

  #entry(subject: T, now: Microseconds): Entry | undefined {
    const { state } = subject;
    const known = this.#entries.get(subject);
    if (known?.state === state) return active(state) ? known : undefined;
    const wait = state === "MASTER" ? SETTLED_US : (this.#newcomers++ * SPREAD_US) % EVERY_US;
    const entry: Entry = { state, at: us(now + wait), round: known?.round ?? 0, again: "no" };
    this.#entries.set(subject, entry);
    return active(state) ? entry : undefined;
  }
}

const active = (state: VrrpState): boolean => state === "MASTER" || state === "BACKUP";
/** Has no common divisor with the round: a thousand of them do not meet. */
const SPREAD_US = 617_003;
