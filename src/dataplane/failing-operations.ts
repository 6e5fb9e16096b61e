/** Operations the dataplane refused: which are held back now, until when, and why, for status. */
import type { Operation, ServiceKey } from "../lvs/table.ts";
import type { OperationFailure } from "./port.ts";

export interface FailingOperation {
  readonly operation: Operation;
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
  /** On the reconciler's clock, ms. */
  readonly nextAttempt: number;
}

const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 30_000;

/** 1 s, 2 s, 4 s ... 30 s; `attempts` counts from 1. */
export function retryDelay(attempts: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** Math.min(attempts - 1, 16), MAX_DELAY_MS);
}

/** No answer came, so the operation may or may not have happened; only a dump can tell. */
export function isUnknownOutcome(code: string): boolean {
  return code === "ENOBUFS" || code === "ETIMEDOUT";
}

/** The table was not what we took it for, because somebody else writes too: looked at and tried again at once. */
export function isStaleView(operation: Operation, code: string): boolean {
  return code === "ESRCH" || code === "EEXIST" || (code === "ENOENT" && "destKey" in operation);
}

/** A changed operation (another weight, another scheduler) is another one, and is tried at once. */
const identity = (operation: Operation): string => JSON.stringify(operation);

export class FailingOperations {
  #entries = new Map<string, FailingOperation>();

  list(): FailingOperation[] {
    return [...this.#entries.values()];
  }

  /** Earliest retry, or undefined when nothing fails. */
  nextAttempt(): number | undefined {
    let earliest: number | undefined;
    for (const { nextAttempt } of this.#entries.values()) {
      if (earliest === undefined || nextAttempt < earliest) earliest = nextAttempt;
    }
    return earliest;
  }

  /**
   * The operations to send now: those still waiting for their retry are left out, with the destinations
   * of a service that can't be added. Forgets failures that are no longer needed.
   */
  admit(operations: readonly Operation[], now: number): readonly Operation[] {
    if (this.#entries.size === 0) return operations;
    const kept = new Map<string, FailingOperation>();
    const missing = new Set<ServiceKey>();
    const admitted: Operation[] = [];
    for (const operation of operations) {
      if (missing.has(operation.key)) continue;
      const failing = this.#entries.get(identity(operation));
      if (failing) kept.set(identity(operation), failing);
      if (failing && failing.nextAttempt > now) {
        if (operation.op === "addService") missing.add(operation.key);
      } else admitted.push(operation);
    }
    this.#entries = kept;
    return admitted;
  }

  /** Takes the outcome of what was sent; returns the failures worth telling (first time, own fault). */
  record(
    sent: readonly Operation[],
    failures: readonly OperationFailure[],
    now: number,
  ): readonly OperationFailure[] {
    const failed = new Map(failures.map((failure) => [failure.index, failure]));
    const missing = new Set<ServiceKey>();
    const fresh: OperationFailure[] = [];
    sent.forEach((operation, index) => {
      const failure = failed.get(index);
      if (!failure) {
        if (this.#entries.size > 0) this.#entries.delete(identity(operation));
        return;
      }
      if (operation.op === "addService") missing.add(operation.key);
      // Its service is missing: the failure of addService says it all.
      else if (missing.has(operation.key)) return;
      if (this.#add(operation, failure, now) === 1) fresh.push(failure);
    });
    return fresh;
  }

  #add(operation: Operation, { code, message }: OperationFailure, now: number): number {
    const attempts = (this.#entries.get(identity(operation))?.attempts ?? 0) + 1;
    // Unknown outcomes are looked into at once (the resync decides), and only then with patience.
    const again = isUnknownOutcome(code) || isStaleView(operation, code);
    const delay = again && attempts === 1 ? 0 : retryDelay(attempts);
    this.#entries.set(identity(operation), { operation, code, message, attempts, nextAttempt: now + delay });
    return attempts;
  }
}
