/** The port every dataplane implements: read the table, carry out operations, say whether it works. */
import type { Observed, Operation } from "../lvs/table.ts";

export interface OperationFailure {
  /** Index into the operations given to apply(). */
  readonly index: number;
  readonly operation: Operation;
  /** Errno name such as "ESRCH", or "ETIMEDOUT" when no answer came. */
  readonly code: string;
  /** Kernel text (extended ack) or our own; for people. */
  readonly message: string;
}

export interface Dataplane {
  readonly kind: "kernel" | "userspace";
  /** Full dump; throws DataplaneError when it cannot be read. */
  read(): Promise<Observed>;
  /** Carries out the operations in order; one failing does not stop the rest. Resolves with the failures. */
  apply(operations: readonly Operation[]): Promise<readonly OperationFailure[]>;
  /**
   * Cheap text that changes when somebody edits services or destinations (not counters);
   * undefined where there is no cheap way. Used between full dumps.
   */
  fingerprint(): Promise<string | undefined>;
  /** Removes everything regardless of owner (lvs_flush). */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** The dataplane cannot be used; `fix` says what to do ("modprobe ip_vs"). */
export class DataplaneError extends Error {
  readonly code: string;
  readonly fix: string;
  constructor(message: string, code: string, fix: string) {
    super(message);
    this.name = "DataplaneError";
    this.code = code;
    this.fix = fix;
  }
}
