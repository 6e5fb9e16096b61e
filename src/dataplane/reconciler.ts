/**
 * Keeps a dataplane's table equal to the wanted one, level-triggered:
 *
 *   setWanted --+                      +-> diff(wanted, known) -> apply -> known
 *   1 s tick ---+-> one pass at a time-+
 *   (resync,    |                      +-> dump first, when known can't be trusted
 *    edits,     |
 *    retries) --+
 *
 * `known` is the last dump with our own operations modelled on top, so that a change costs no dump.
 */
import { describeOperation, diff } from "../lvs/diff.ts";
import { applyOperations } from "../lvs/model.ts";
import type { Observed, Operation, ServiceKey, Table } from "../lvs/table.ts";
import {
  type FailingOperation,
  FailingOperations,
  isStaleView,
  isUnknownOutcome,
  retryDelay,
} from "./failing-operations.ts";
import { DataplaneError, type OperationFailure } from "./port.ts";
import type { ReconcilerOptions, ReconcilerStatus } from "./reconciler-types.ts";

export type { LogLevel, ReconcilerOptions, ReconcilerStatus } from "./reconciler-types.ts";

/** How often foreign edits are looked for; two of them fit in the promised 2 s. */
const TICK_MS = 1_000;
/** A dump only to close the gap after our own writes may take at most this share of the time. */
const VERIFY_SHARE = 0.1;
const REMOVE_ATTEMPTS = 3;

export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #failing = new FailingOperations();
  readonly #owned: Set<ServiceKey>;
  #wanted: Table | undefined;
  /** undefined: not to be trusted, dump before the next diff. */
  #known: Table | undefined;
  /** What the next dump shows unless somebody else writes; undefined when our own writes' outcome is unknown. */
  #expected: Table | undefined;
  /** Undoing foreign edits, seen but not done yet: descriptions of operations. */
  #repairs: ReadonlySet<string> = new Set();
  #observed: { readonly value: Observed; readonly at: number } | undefined;
  #fingerprint: string | undefined;
  /** Edits made while our own operations ran would hide in the fingerprint taken after them. */
  #unverified = false;
  /** Milliseconds a service, by the last dump. */
  #dumpCost = 0;
  #dumpFailures = 0;
  #nextDumpAttempt = 0;
  #changed = false;
  #ticked = false;
  #running: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #inSync = false;
  #lastSync: number | undefined;
  #driftRepaired = 0;
  #dumpError: string | undefined;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#owned = new Set(options.ownedBefore);
  }

  /** Takes the place of the previous wanted table; a pass under way is followed by another. */
  setWanted(table: Table): void {
    this.#wanted = table;
    for (const key of table.keys()) this.#owned.add(key);
    this.#inSync = false;
    this.#changed = true;
    if (this.#timer !== undefined) this.#kick();
  }

  /** Reads the table (emptied first with flushAtStart), adopts what is there and begins to watch. */
  async start(): Promise<void> {
    if (this.#options.flushAtStart) await this.#options.dataplane.flush();
    this.#changed = true;
    this.#schedule();
    this.#kick();
    await this.whenSettled();
  }

  /** Resolves when no pass is running; operations waiting for their retry don't count. */
  async whenSettled(): Promise<void> {
    while (this.#running) await this.#running;
  }

  status(): ReconcilerStatus {
    const failing = this.#failing.list();
    return {
      complete: this.#inSync,
      lastSync: this.#lastSync,
      driftRepaired: this.#driftRepaired,
      failing,
      lastError: this.#dumpError ?? lastFailure(failing),
    };
  }

  /** The last dump, counters included, and when it was taken on the reconciler's clock. */
  observed(): { readonly value: Observed; readonly at: number } | undefined {
    return this.#observed;
  }

  /** To be kept by the caller over restarts, and given back as ownedBefore. */
  owned(): ServiceKey[] {
    return [...this.#owned];
  }

  /** Ends the watch; with `remove` our services leave the table. The dataplane stays open. */
  async stop({ remove }: { readonly remove: boolean }): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.whenSettled();
    if (remove) await this.#removeOwned();
  }

  async #removeOwned(): Promise<void> {
    const { dataplane } = this.#options;
    let failures: readonly OperationFailure[] = [];
    for (let attempt = 0; attempt < REMOVE_ATTEMPTS; attempt++) {
      const { table } = await dataplane.read();
      const operations = diff(new Map(), table, this.#owned);
      if (operations.length === 0) return;
      failures = await dataplane.apply(operations);
      if (failures.length === 0) return;
    }
    for (const failure of failures) this.#tellFailure(failure);
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#ticked = true;
      this.#schedule();
      this.#kick();
    }, TICK_MS);
    this.#timer.unref?.();
  }

  #kick(): void {
    if (!this.#running && !this.#stopped) this.#running = this.#work();
  }

  async #work(): Promise<void> {
    // Calls in a row make one pass.
    await undefined;
    while ((this.#changed || this.#ticked) && !this.#stopped) {
      const ticked = this.#ticked;
      this.#changed = false;
      this.#ticked = false;
      try {
        await this.#pass(ticked);
      } catch (error) {
        this.#dumpFailed(error);
      }
    }
    // In the same turn as the last look at the flags: what is asked for from now on starts anew.
    this.#running = undefined;
    this.#options.onStatus?.(this.status());
  }

  async #pass(ticked: boolean): Promise<void> {
    const dump = await this.#mustDump(ticked);
    if (dump) await this.#dump();
    if (this.#inSync && !dump) return;
    if (this.#known && this.#wanted) await this.#sync(this.#known, this.#wanted);
  }

  async #mustDump(ticked: boolean): Promise<boolean> {
    const now = this.#options.now();
    if (!this.#known) return now >= this.#nextDumpAttempt;
    if (!ticked) return false;
    const age = now - (this.#observed?.at ?? 0);
    if (age >= this.#options.resyncInterval) return true;
    if (this.#unverified && age * VERIFY_SHARE >= this.#dumpCost * this.#known.size) return true;
    const fingerprint = await this.#options.dataplane.fingerprint();
    return fingerprint !== this.#fingerprint;
  }

  /** Reads the table, and notes what would undo that which others did to our services since we last knew it. */
  async #dump(): Promise<void> {
    const { dataplane, now } = this.#options;
    const started = now();
    // Before the dump: an edit between the two then shows as a change at the next tick.
    const fingerprint = await dataplane.fingerprint();
    const value = await dataplane.read();
    const before = this.#expected;
    this.#known = value.table;
    this.#expected = value.table;
    this.#observed = { value, at: now() };
    this.#dumpCost = (now() - started) / Math.max(1, value.table.size);
    this.#fingerprint = fingerprint;
    this.#unverified = false;
    this.#dumpFailures = 0;
    this.#dumpError = undefined;
    this.#forgetDeleted(value.table);
    if (before) this.#noteDrift(before, value.table);
  }

  #noteDrift(before: Table, now: Table): void {
    const ours = new Map([...before].filter(([key]) => this.#owned.has(key)));
    const undo = diff(ours, now, new Set()).map(describeOperation);
    if (undo.length > 0) {
      const examples = undo.slice(0, 5);
      this.#options.log("warn", "the IPVS table was changed by somebody else; repairing", {
        changes: undo.length,
        examples,
      });
    }
    this.#repairs = new Set([...this.#repairs, ...undo]);
  }

  /** What is neither wanted nor there any more is no longer ours: whoever adds it next owns it. */
  #forgetDeleted(table: Table): void {
    if (!this.#wanted) return;
    for (const key of this.#owned) {
      if (!this.#wanted.has(key) && !table.has(key)) this.#owned.delete(key);
    }
  }

  async #sync(known: Table, wanted: Table): Promise<void> {
    const { dataplane, now } = this.#options;
    const needed = diff(wanted, known, this.#owned);
    if (this.#repairs.size > 0) {
      const still = needed.map(describeOperation).filter((text) => this.#repairs.has(text));
      this.#repairs = new Set(still);
    }
    const operations = this.#failing.admit(needed, now());
    if (operations.length > 0) {
      this.#inSync = false;
      // Until the outcome is known a failure of any kind must lead to a dump.
      this.#known = undefined;
      this.#expected = undefined;
      const failures = await dataplane.apply(operations);
      this.#afterApply(known, operations, failures);
      this.#fingerprint = await dataplane.fingerprint();
      this.#unverified = this.#fingerprint !== undefined;
    }
    this.#inSync =
      this.#known !== undefined && needed.length === operations.length && this.#wanted === wanted;
    if (this.#inSync) this.#lastSync = now();
  }

  #afterApply(known: Table, operations: readonly Operation[], failures: readonly OperationFailure[]): void {
    const { now } = this.#options;
    for (const failure of this.#failing.record(operations, failures, now())) this.#tellFailure(failure);
    const failed = new Set(failures.map((failure) => failure.index));
    const done = operations.filter((_, index) => !failed.has(index));
    this.#countRepairs(done);
    if (!failures.some(({ code }) => isUnknownOutcome(code)))
      this.#expected = applyOperations(known, done).table;
    if (failures.length === 0 && this.#expected) {
      this.#known = this.#expected;
      this.#forgetDeleted(this.#known);
      return;
    }
    // After any error the table is read again; at once when the outcome is unknown.
    this.#nextDumpAttempt = now();
    this.#changed = true;
  }

  #countRepairs(done: readonly Operation[]): void {
    if (this.#repairs.size === 0) return;
    const left = new Set(this.#repairs);
    for (const operation of done) left.delete(describeOperation(operation));
    this.#driftRepaired += this.#repairs.size - left.size;
    this.#repairs = left;
  }

  #tellFailure({ operation, code, message }: OperationFailure): void {
    const passing = isUnknownOutcome(code) || isStaleView(operation, code);
    this.#options.log(passing ? "warn" : "error", `IPVS: ${failureText({ operation, code, message })}`, {
      code,
    });
  }

  #dumpFailed(error: unknown): void {
    this.#known = undefined;
    this.#inSync = false;
    this.#dumpFailures += 1;
    this.#nextDumpAttempt = this.#options.now() + retryDelay(this.#dumpFailures);
    const message = error instanceof Error ? error.message : String(error);
    const fix = error instanceof DataplaneError ? error.fix : "";
    this.#dumpError = fix === "" ? message : `${message}: ${fix}`;
    if (this.#dumpFailures === 1) {
      this.#options.log("error", `the IPVS table can't be reached, retrying: ${this.#dumpError}`);
    }
  }
}

const failureText = ({
  operation,
  code,
  message,
}: Pick<OperationFailure, "operation" | "code" | "message">) =>
  `${describeOperation(operation)}: ${message} (${code})`;

function lastFailure(failing: readonly FailingOperation[]): string | undefined {
  const last = failing.at(-1);
  return last && failureText(last);
}
