/**
 * The order of `ipvsadm -L`. It compares marks and addresses by the sign of a 32-bit difference, which is no
 * order where values lie further apart than 2^31: 200.0.0.1 comes before 1.1.1.1, but after 100.1.1.1. What
 * comes out then depends on the algorithm, so this is the C library's: a merge sort, halves rounded down.
 */
import type { DestSpec, ServiceId } from "../lvs/table.ts";
import { addressBytes } from "../wire/address.ts";
import { PROTOCOL_NUMBER } from "../wire/ipvs.ts";

/** Sorts by the key of each; a key is made once. */
export function sortBy<T, K>(
  items: readonly T[],
  keyOf: (item: T) => K,
  compare: (a: K, b: K) => number,
): T[] {
  const keyed = items.map((item) => ({ item, key: keyOf(item) }));
  return mergeSort(keyed, (a, b) => compare(a.key, b.key)).map(({ item }) => item);
}

function mergeSort<T>(items: readonly T[], compare: (a: T, b: T) => number): readonly T[] {
  if (items.length < 2) return items;
  const middle = Math.floor(items.length / 2);
  const left = mergeSort(items.slice(0, middle), compare);
  const right = mergeSort(items.slice(middle), compare);
  const merged: T[] = [];
  let i = 0;
  let j = 0;
  while (i < left.length && j < right.length) {
    const [a, b] = [left[i] as T, right[j] as T];
    if (compare(a, b) <= 0) {
      merged.push(a);
      i++;
    } else {
      merged.push(b);
      j++;
    }
  }
  return merged.concat(left.slice(i), right.slice(j));
}

/** Compared one after the other, each by the sign of its difference in 32 bits. */
export type SortKey = readonly number[];

export function compareKeys(a: SortKey, b: SortKey): number {
  for (const [index, value] of a.entries()) {
    const difference = (value - (b[index] ?? 0)) | 0;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Marks (0 for none), then family, protocol, address and port. */
export function serviceSortKey(id: ServiceId): SortKey {
  if (id.kind === "fwmark") return [id.mark, id.family, 0, 0, 0, 0, 0, 0];
  return [0, id.family, PROTOCOL_NUMBER[id.protocol], ...addressWords(id), id.port];
}

/** Address and port; an IPv4 address is the first word of four. */
export function destSortKey(dest: DestSpec): SortKey {
  return [...addressWords(dest), dest.port];
}

function addressWords({ address, family }: Pick<DestSpec, "address" | "family">): number[] {
  const bytes = new Uint8Array(16);
  bytes.set(addressBytes(address, family));
  const view = new DataView(bytes.buffer);
  return [0, 4, 8, 12].map((offset) => view.getUint32(offset));
}
