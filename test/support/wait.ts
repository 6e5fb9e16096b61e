import { setTimeout as sleep } from "node:timers/promises";

export interface WaitOptions {
  /** Milliseconds, 10,000 unless told. */
  readonly timeout?: number;
  /** Milliseconds between two looks, 20 unless told. */
  readonly every?: number;
  /** Completes "timed out after N ms waiting for ...". */
  readonly what?: string;
}

type Falsy = false | 0 | "" | null | undefined;

/** Polls until `predicate` gives something truthy and returns it; its last error becomes the cause. */
export async function waitFor<T>(
  predicate: () => T | Promise<T>,
  options: WaitOptions | number = {},
): Promise<Exclude<T, Falsy>> {
  const {
    timeout = 10_000,
    every = 20,
    what = predicate.toString(),
  } = typeof options === "number" ? { timeout: options } : options;
  const deadline = performance.now() + timeout;
  let cause: unknown;
  for (;;) {
    try {
      const value = await predicate();
      if (value) return value as Exclude<T, Falsy>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) {
      const why = cause instanceof Error ? `: ${cause.message}` : "";
      throw new Error(`timed out after ${timeout} ms waiting for ${what}${why}`, { cause });
    }
    await sleep(every);
  }
}
