/**
 * What a kernel does with operations, as a function of values: the model the diff is tested against,
 * and how the reconciler keeps its "last known table" between dumps.
 */
import { unreachable } from "../result.ts";
import type { DestKey, DestSpec, Operation, ServiceKey, Table, TableEntry } from "./table.ts";

/** Errno the kernel would answer with (net/netfilter/ipvs/ip_vs_ctl.c). */
export type ModelError = "EEXIST" | "ESRCH" | "ENOENT";

type MutableTable = Map<ServiceKey, TableEntry>;
/** Destination maps this call made itself: copied once, then changed in place (a service may have thousands). */
type Copied = WeakSet<ReadonlyMap<DestKey, DestSpec>>;

/** Applies one operation in place; returns the errno it would fail with, or undefined. */
function applyOne(table: MutableTable, operation: Operation, copied: Copied): ModelError | undefined {
  const entry = table.get(operation.key);
  switch (operation.op) {
    case "addService":
      if (entry) return "EEXIST";
      table.set(operation.key, { service: operation.service, dests: new Map() });
      return undefined;
    case "editService":
      if (!entry) return "ESRCH";
      table.set(operation.key, { service: operation.service, dests: entry.dests });
      return undefined;
    case "deleteService":
      return table.delete(operation.key) ? undefined : "ESRCH";
    case "addDest":
    case "editDest":
    case "deleteDest":
      return entry ? applyDest(table, entry, operation, copied) : "ESRCH";
    default:
      return unreachable(operation);
  }
}

type DestOperation = Extract<Operation, { readonly destKey: DestKey }>;

function applyDest(
  table: MutableTable,
  entry: TableEntry,
  operation: DestOperation,
  copied: Copied,
): ModelError | undefined {
  const exists = entry.dests.has(operation.destKey);
  if (operation.op === "addDest" && exists) return "EEXIST";
  if (operation.op !== "addDest" && !exists) return "ENOENT";
  let dests = entry.dests as Map<DestKey, DestSpec>;
  if (!copied.has(dests)) {
    dests = new Map(dests);
    copied.add(dests);
    table.set(operation.key, { service: entry.service, dests });
  }
  if (operation.op === "deleteDest") dests.delete(operation.destKey);
  else dests.set(operation.destKey, operation.dest);
  return undefined;
}

export interface ModelFailure {
  readonly index: number;
  readonly error: ModelError;
}

/** Carries out the operations in order on a copy; as in the kernel, one failing does not stop the rest. */
export function applyOperations(
  table: Table,
  operations: readonly Operation[],
): { readonly table: Table; readonly failures: readonly ModelFailure[] } {
  const copy: MutableTable = new Map(table);
  const copied: Copied = new WeakSet();
  const failures: ModelFailure[] = [];
  operations.forEach((operation, index) => {
    const error = applyOne(copy, operation, copied);
    if (error) failures.push({ index, error });
  });
  return { table: copy, failures };
}
