/** Pure scheduling of many checkers: spread of the first probes, due order, bounded and fair concurrency. */

/**
 * First probe at a random point of warmup, so that thousands of checkers don't start together.
 * `now`, `warmup` and the answer in ms; `random` in [0, 1).
 */
export const firstDue = (now: number, warmup: number, random: number): number => now + warmup * random;

/** Descriptors kept free for netlink, IPC, logs, the admin API and closing probe sockets. */
const FD_RESERVE = 512;
const MAX_CONCURRENT_LIMIT = 16_384;
const MIN_CONCURRENT = 16;

/**
 * Probes that may run at once under an open-file limit (RLIMIT_NOFILE, soft): each needs one descriptor.
 * Of a small limit, half stays free for the rest of the process.
 */
export function concurrencyFor(fdLimit: number): number {
  const free = Math.max(fdLimit - FD_RESERVE, Math.floor(fdLimit / 2));
  return Math.min(Math.max(free, MIN_CONCURRENT), MAX_CONCURRENT_LIMIT);
}

/** An element of {@link DueHeap}; the heap keeps `heapIndex` current, -1 = not in it. */
export interface DueItem {
  due: number;
  heapIndex: number;
}

/** Binary min-heap by `due` with removal of any element, O(log n) each. */
export class DueHeap<T extends DueItem> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  /** Inserts, or moves when already in. */
  set(item: T, due: number): void {
    item.due = due;
    if (item.heapIndex < 0) {
      item.heapIndex = this.#items.length;
      this.#items.push(item);
    }
    this.#down(this.#up(item.heapIndex));
  }

  remove(item: T): void {
    const at = item.heapIndex;
    if (at < 0) return;
    item.heapIndex = -1;
    const last = this.#items.pop()!;
    if (last === item) return;
    this.#place(last, at);
    this.#down(this.#up(at));
  }

  /** Removes and returns the earliest element that is due, else undefined. */
  takeDue(now: number): T | undefined {
    const first = this.#items[0];
    if (first === undefined || first.due > now) return undefined;
    this.remove(first);
    return first;
  }

  #place(item: T, at: number): void {
    this.#items[at] = item;
    item.heapIndex = at;
  }

  #up(from: number): number {
    const item = this.#items[from]!;
    let at = from;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = this.#items[parentAt]!;
      if (parent.due <= item.due) break;
      this.#place(parent, at);
      at = parentAt;
    }
    this.#place(item, at);
    return at;
  }

  #down(from: number): void {
    const item = this.#items[from]!;
    let at = from;
    for (;;) {
      let childAt = 2 * at + 1;
      const right = this.#items[childAt + 1];
      if (right !== undefined && right.due < this.#items[childAt]!.due) childAt++;
      const child = this.#items[childAt];
      if (child === undefined || child.due >= item.due) break;
      this.#place(child, at);
      at = childAt;
    }
    this.#place(item, at);
  }
}

interface Group<T> {
  /** Waiting elements, oldest first; a Set so that any one can be withdrawn in O(1). */
  readonly waiting: Set<T>;
  running: number;
}

/**
 * Who goes next when more probes are due than may run. At most `limit` run at once, and at most a quarter of
 * that (one at least) for one group (a backend address): a backend that lets every probe time out can't hold
 * all the slots. Groups take turns; within a group the order is that of arrival, which is due order.
 */
export class FairQueue<T> {
  readonly #limit: number;
  readonly #groupLimit: number;
  readonly #groupOf: (item: T) => string;
  readonly #groups = new Map<string, Group<T>>();
  /** Groups with something waiting and room to run it, in turn; Set order is the rotation. */
  readonly #turn = new Set<Group<T>>();
  #running = 0;

  constructor(limit: number, groupOf: (item: T) => string) {
    this.#limit = limit;
    this.#groupLimit = Math.max(1, Math.ceil(limit / 4));
    this.#groupOf = groupOf;
  }

  get running(): number {
    return this.#running;
  }

  add(item: T): void {
    const key = this.#groupOf(item);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { waiting: new Set(), running: 0 };
      this.#groups.set(key, group);
    }
    group.waiting.add(item);
    if (group.running < this.#groupLimit) this.#turn.add(group);
  }

  /** Withdraws a waiting element (its checker was removed). */
  withdraw(item: T): void {
    const key = this.#groupOf(item);
    const group = this.#groups.get(key);
    if (!group?.waiting.delete(item)) return;
    if (group.waiting.size === 0) this.#turn.delete(group);
    this.#forgetIfEmpty(key, group);
  }

  /** Takes the next element and a slot for it; undefined when none waits or no slot is free. */
  take(): T | undefined {
    if (this.#running >= this.#limit) return undefined;
    for (const group of this.#turn) {
      this.#turn.delete(group);
      for (const item of group.waiting) {
        group.waiting.delete(item);
        group.running++;
        this.#running++;
        if (group.waiting.size > 0 && group.running < this.#groupLimit) this.#turn.add(group);
        return item;
      }
    }
    return undefined;
  }

  /** Gives the slot of an element from {@link take} back; `item` must still be of the same group. */
  release(item: T): void {
    const key = this.#groupOf(item);
    const group = this.#groups.get(key);
    if (group === undefined || group.running === 0) return;
    group.running--;
    this.#running--;
    if (group.waiting.size > 0) this.#turn.add(group);
    this.#forgetIfEmpty(key, group);
  }

  #forgetIfEmpty(key: string, group: Group<T>): void {
    if (group.waiting.size === 0 && group.running === 0) this.#groups.delete(key);
  }
}
