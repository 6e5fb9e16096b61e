/** What the reconciler takes and what it tells. */
import type { ServiceKey } from "../lvs/table.ts";
import type { Milliseconds } from "../units.ts";
import type { FailingOperation } from "./failing-operations.ts";
import type { Dataplane } from "./port.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface ReconcilerOptions {
  readonly dataplane: Dataplane;
  /** Full dump this often. */
  readonly resyncInterval: Milliseconds;
  /** Monotonic clock, ms. */
  readonly now: () => number;
  readonly log: (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** Told after each change and at each tick. */
  readonly onStatus?: (status: ReconcilerStatus) => void;
  /** Services a previous run of ours had; removed unless wanted again. */
  readonly ownedBefore?: Iterable<ServiceKey>;
  /** keepalived lvs_flush: empty the whole table in start(). */
  readonly flushAtStart?: boolean;
}

export interface ReconcilerStatus {
  /** The table is known to equal the wanted one. */
  readonly complete: boolean;
  /** When it last did, on the reconciler's clock. */
  readonly lastSync: number | undefined;
  /** Foreign edits of our services that were undone, in operations. */
  readonly driftRepaired: number;
  readonly failing: readonly FailingOperation[];
  /** Why the table can't be read, or the newest failure; undefined when all is well. */
  readonly lastError: string | undefined;
}
