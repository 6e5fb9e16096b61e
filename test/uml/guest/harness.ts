/**
 * The guest's side of test/support/uml.ts: a very small test runner (vitest would take longer to start there
 * than most of these tests to run). Results go to a file of the host's, each one synced before the next test.
 */
import { execFileSync } from "node:child_process";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import type { GuestReport } from "../../support/uml.ts";

export { waitFor } from "../../support/wait.ts";

interface GuestTest {
  readonly name: string;
  readonly body: () => void | Promise<void>;
  readonly timeoutMs: number;
}

const tests: GuestTest[] = [];

/** A folder of the host's that lives as long as the guest. */
export const guestDir = process.env.VIPWARD_GUEST_DIR ?? "/run";

/** Declares a test; it passes unless `body` throws, rejects or takes longer than `timeoutMs` (60,000). */
export function guestTest(name: string, body: GuestTest["body"], timeoutMs = 60_000): void {
  if (tests.some((test) => test.name === name)) throw new Error(`two guest tests are named "${name}"`);
  tests.push({ name, body, timeoutMs });
}

/** Runs the declared tests one after the other and ends the program. Call it last. */
export async function runAll(): Promise<never> {
  const file = process.env.VIPWARD_GUEST_REPORT;
  if (file === undefined) throw new Error("VIPWARD_GUEST_REPORT is not set: start this through runGuest()");
  const descriptor = openSync(file, "a");
  const report = (entry: GuestReport) => {
    writeSync(descriptor, `${JSON.stringify(entry)}\n`);
    fsyncSync(descriptor);
  };
  report({ plan: tests.map((test) => test.name) });
  for (const test of tests) {
    const started = performance.now();
    const error = await failureOf(test);
    const milliseconds = Math.round(performance.now() - started);
    report({
      name: test.name,
      ok: error === undefined,
      milliseconds,
      ...(error === undefined ? {} : { error }),
    });
  }
  report({ end: true });
  closeSync(descriptor);
  process.exit(0);
}

async function failureOf(test: GuestTest): Promise<string | undefined> {
  const stop = new AbortController();
  let stray: (error: unknown) => void = () => {};
  const strayError = new Promise<never>((_, reject) => {
    stray = reject;
  });
  process.on("unhandledRejection", stray).on("uncaughtException", stray);
  try {
    const late = sleep(test.timeoutMs, undefined, { signal: stop.signal }).then(() => {
      throw new Error(`not done within ${test.timeoutMs} ms`);
    });
    late.catch(() => {});
    await Promise.race([Promise.resolve().then(test.body), late, strayError]);
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : inspect(error);
  } finally {
    stop.abort();
    process.off("unhandledRejection", stray).off("uncaughtException", stray);
  }
}

/** Runs a command and returns its standard output; throws with its standard error when it fails. */
export function sh(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
