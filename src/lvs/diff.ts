/**
 * diff(want, have) -> ordered operations. Laws (design habit 7): applying them to `have` gives `want`
 * for every service that is ours; a second diff is empty; a destination never precedes its service;
 * after any prefix of them a service that can serve still can; what is not ours is not touched.
 */
import type { DestKey, DestSpec, Operation, ServiceKey, ServiceSpec, Table, TableEntry } from "./table.ts";

type Mutable<T> = T[];

export function sameService(a: ServiceSpec, b: ServiceSpec): boolean {
  return (
    a.scheduler === b.scheduler &&
    a.flags === b.flags &&
    a.timeout === b.timeout &&
    a.netmask === b.netmask &&
    a.pe === b.pe
  );
}

export function sameDest(a: DestSpec, b: DestSpec): boolean {
  return (
    a.weight === b.weight &&
    a.forward === b.forward &&
    a.upperThreshold === b.upperThreshold &&
    a.lowerThreshold === b.lowerThreshold &&
    a.tunType === b.tunType &&
    a.tunPort === b.tunPort &&
    a.tunFlags === b.tunFlags
  );
}

/**
 * `owned`: services a configuration of ours had; those no longer wanted are deleted. A service in `have`
 * that is neither wanted nor owned is foreign. Order over services: changes to existing ones first
 * (a failed server must go out at once), then new ones, then deletions, so that a service moved to
 * another port exists under both for a moment rather than under none.
 */
export function diff(want: Table, have: Table, owned: ReadonlySet<ServiceKey>): Operation[] {
  const changes: Operation[] = [];
  const additions: Operation[] = [];
  const deletions: Operation[] = [];
  for (const [key, entry] of want) {
    const existing = have.get(key);
    if (existing) diffEntry(key, entry, existing, changes);
    else addEntry(key, entry, additions);
  }
  for (const [key, entry] of have) {
    if (owned.has(key) && !want.has(key))
      deletions.push({ op: "deleteService", key, service: entry.service });
  }
  return changes.concat(additions, deletions);
}

function addEntry(key: ServiceKey, entry: TableEntry, out: Mutable<Operation>): void {
  out.push({ op: "addService", key, service: entry.service });
  for (const [destKey, dest] of entry.dests) {
    out.push({ op: "addDest", key, service: entry.service, destKey, dest });
  }
}

/**
 * Additions and raised weights before lowered weights before deletions: when both tables have a server
 * with weight, every moment between has one (with inhibit_on_failure "out" is weight 0, not removal).
 */
function diffEntry(key: ServiceKey, want: TableEntry, have: TableEntry, out: Mutable<Operation>): void {
  const service = want.service;
  const raised: Operation[] = [];
  const lowered: Operation[] = [];
  if (!sameService(service, have.service)) out.push({ op: "editService", key, service });
  for (const [destKey, dest] of want.dests) {
    const existing = have.dests.get(destKey);
    if (!existing) out.push({ op: "addDest", key, service, destKey, dest });
    else if (!sameDest(dest, existing)) {
      const edit: Operation = { op: "editDest", key, service, destKey, dest };
      (dest.weight < existing.weight ? lowered : raised).push(edit);
    }
  }
  out.push(...raised, ...lowered);
  for (const [destKey, dest] of have.dests) {
    if (!want.dests.has(destKey)) out.push({ op: "deleteDest", key, service, destKey, dest });
  }
}

/** Keys of a dest list as text, for logs of what an operation is about. */
export function describeOperation(operation: Operation): string {
  return "destKey" in operation
    ? `${operation.op} ${operation.destKey as DestKey} of ${operation.key}`
    : `${operation.op} ${operation.key}`;
}
