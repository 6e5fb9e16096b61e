/** Operations to the kernel in batches that let the event loop run in between. */
import { setImmediate } from "node:timers/promises";
import type { Operation } from "../../lvs/table.ts";
import { writeOperation } from "../../wire/ipvs.ts";
import { NetlinkWriter } from "../../wire/netlink.ts";
import type { OperationFailure } from "../port.ts";
import type { BatchOutcome, Exchange, Write } from "./exchange.ts";
import { explain } from "./explain.ts";

/** About 40 KiB of requests; a few ms of work for the kernel. */
export const MAX_BATCH = 256;
/** Refusals fill the receive buffer: after an overflow batches shrink, down to where one always fits. */
const SHRINK = 8;

export class BatchWriter {
  readonly #exchange: Exchange;
  #size = MAX_BATCH;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** In order. When the kernel falls silent the rest is not sent, and reported as ETIMEDOUT. */
  async apply(familyId: number, operations: readonly Operation[]): Promise<OperationFailure[]> {
    const failures: OperationFailure[] = [];
    for (let at = 0; at < operations.length; ) {
      if (at > 0) await setImmediate();
      const batch = operations
        .slice(at, at + this.#size)
        .map((operation, n) => ({ operation, index: at + n }));
      at += batch.length;
      const silent = this.#send(familyId, batch, failures);
      if (!silent) continue;
      operations.slice(at).forEach((operation, n) => {
        failures.push(failureOf({ operation, index: at + n }, "ETIMEDOUT", ""));
      });
      break;
    }
    return failures.sort((a, b) => a.index - b.index);
  }

  /** Returns true when no answer came. */
  #send(familyId: number, batch: readonly Indexed[], failures: OperationFailure[]): boolean {
    const { sent, outcome } = this.#exchangeBatch(familyId, batch, failures);
    const refused = new Set<Indexed>();
    for (const { index, code, kernelText } of outcome.refusals) {
      const indexed = sent[index];
      if (!indexed) continue;
      refused.add(indexed);
      failures.push(failureOf(indexed, code, kernelText));
    }
    const { unknown } = outcome;
    this.#size = unknown === "ENOBUFS" ? Math.ceil(this.#size / SHRINK) : Math.min(MAX_BATCH, this.#size * 2);
    if (unknown === undefined) return false;
    for (const indexed of sent) {
      if (!refused.has(indexed)) failures.push(failureOf(indexed, unknown, ""));
    }
    return unknown !== "ENOBUFS";
  }

  #exchangeBatch(familyId: number, batch: readonly Indexed[], failures: OperationFailure[]) {
    const exchange = (sent: readonly Indexed[]): { sent: readonly Indexed[]; outcome: BatchOutcome } => ({
      sent,
      outcome: this.#exchange.batch(sent.map(({ operation }) => writerOf(familyId, operation))),
    });
    try {
      return exchange(batch);
    } catch {
      // Nothing was sent: an operation has a value that no message can hold. The others must not suffer.
      const sendable = encodable(familyId, batch, failures);
      return sendable.length > 0 ? exchange(sendable) : { sent: [], outcome: { refusals: [] } };
    }
  }
}

const writerOf =
  (familyId: number, operation: Operation): Write =>
  (w, seq, flags) =>
    writeOperation(w, familyId, seq, flags, operation);

interface Indexed {
  readonly operation: Operation;
  /** Into what apply() was given. */
  readonly index: number;
}

/** The operations a message can hold; the others become failures. */
function encodable(
  familyId: number,
  batch: readonly Indexed[],
  failures: OperationFailure[],
): readonly Indexed[] {
  const writer = new NetlinkWriter(1 << 16);
  const fits = ({ operation }: Indexed): string | undefined => {
    try {
      writeOperation(writer, familyId, 0, 0, operation);
      return undefined;
    } catch (error) {
      writer.reset();
      return error instanceof Error ? error.message : String(error);
    }
  };
  return batch.filter((indexed) => {
    const problem = fits(indexed);
    if (problem !== undefined) failures.push({ ...indexed, code: "EINVAL", message: problem });
    return problem === undefined;
  });
}

function failureOf(indexed: Indexed, code: string, kernelText: string): OperationFailure {
  return { ...indexed, code, message: explain(indexed.operation, code, kernelText) };
}
