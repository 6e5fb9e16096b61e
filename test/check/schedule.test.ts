import { describe, expect, it } from "vitest";
import { concurrencyFor, DueHeap, FairQueue, firstDue } from "../../src/check/schedule.ts";

describe("start-up jitter, spec checks 4", () => {
  it("spreads first probes over warmup", () => {
    expect([0, 0.1, 0.5].map((random) => firstDue(1_000, 60_000, random))).toEqual([1_000, 7_000, 31_000]);
  });
});

describe("concurrency from the descriptor limit, spec checks 4", () => {
  it.each([
    [64, 32],
    [1_024, 512],
    [4_096, 3_584],
    [1_048_576, 16_384],
    [8, 16],
  ])("RLIMIT_NOFILE %i allows %i probes", (limit, probes) => {
    expect(concurrencyFor(limit)).toBe(probes);
  });
});

describe("DueHeap", () => {
  const item = (name: string) => ({ name, due: 0, heapIndex: -1 });

  it("gives back in due order, and nothing that is not due", () => {
    const heap = new DueHeap<ReturnType<typeof item>>();
    for (const [name, due] of [
      ["c", 30],
      ["a", 10],
      ["d", 40],
      ["b", 20],
    ] as const) {
      heap.set(item(name), due);
    }
    expect([heap.takeDue(9), heap.takeDue(20)?.name, heap.takeDue(20)?.name, heap.takeDue(20)]).toEqual([
      undefined,
      "a",
      "b",
      undefined,
    ]);
    expect(heap.size).toBe(2);
  });

  it("set moves an element that is in; remove takes it out and is idempotent", () => {
    const heap = new DueHeap<ReturnType<typeof item>>();
    const [a, b] = [item("a"), item("b")];
    heap.set(a, 10);
    heap.set(b, 20);
    heap.set(a, 30);
    expect(heap.peek()).toBe(b);
    heap.remove(b);
    heap.remove(b);
    expect([heap.takeDue(99), heap.takeDue(99)]).toEqual([a, undefined]);
  });
});

describe("FairQueue", () => {
  const queue = (limit: number) => new FairQueue<string>(limit, (item) => item[0]!);
  const takeAll = (q: FairQueue<string>) => {
    const taken: string[] = [];
    for (let item = q.take(); item !== undefined; item = q.take()) taken.push(item);
    return taken;
  };

  it("runs at most `limit` at once, and the next when a slot is free", () => {
    const q = queue(2);
    for (const item of ["a1", "b1", "c1"]) q.add(item);
    expect(takeAll(q)).toEqual(["a1", "b1"]);
    q.release("a1");
    expect(takeAll(q)).toEqual(["c1"]);
    expect(q.running).toBe(2);
  });

  it("backends take turns, each in its own order", () => {
    const q = queue(100);
    for (const item of ["a1", "a2", "a3", "b1", "b2", "c1"]) q.add(item);
    expect(takeAll(q)).toEqual(["a1", "b1", "c1", "a2", "b2", "a3"]);
  });

  it("spec checks 3: a backend that never answers can't hold more than a quarter of the slots", () => {
    const q = queue(8);
    for (let i = 0; i < 50; i++) q.add(`x${i}`);
    expect(takeAll(q)).toEqual(["x0", "x1"]);
    q.add("a1");
    expect(takeAll(q)).toEqual(["a1"]);
    q.release("x0");
    expect(takeAll(q)).toEqual(["x2"]);
  });

  it("a withdrawn element never runs; releasing what does not run is harmless", () => {
    const q = queue(1);
    for (const item of ["a1", "a2", "b1"]) q.add(item);
    q.withdraw("a1");
    q.withdraw("a1");
    q.withdraw("z9");
    q.release("z9");
    expect(takeAll(q)).toEqual(["a2"]);
    q.release("a2");
    expect(takeAll(q)).toEqual(["b1"]);
  });
});
