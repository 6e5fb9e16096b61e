/** What is to happen, earliest first; what was put in first goes first among equals. A binary heap. */
export class Agenda {
  readonly #entries: { readonly at: number; readonly order: number; readonly run: () => void }[] = [];
  #order = 0;

  get next(): number {
    return this.#entries[0]?.at ?? Number.POSITIVE_INFINITY;
  }
  put(at: number, run: () => void): void {
    const heap = this.#entries;
    const entry = { at, order: this.#order++, run };
    let child = heap.length;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[child] = heap[parent]!;
      child = parent;
    }
    heap[child] = entry;
  }
  /** Removes the earliest; it must exist. */
  take(): () => void {
    const heap = this.#entries;
    const { run } = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return run;
    let parent = 0;
    for (let child = 1; child < heap.length; child = 2 * parent + 1) {
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[parent] = heap[child]!;
      parent = child;
    }
    heap[parent] = last;
    return run;
  }
}

type Entry = { readonly at: number; readonly order: number };
const before = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
