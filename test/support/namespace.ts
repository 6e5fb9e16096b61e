/** Network namespaces for tests that run as root. Names start with "vw-". */
import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { check } from "../../src/net/errors.ts";
import { libc } from "../../src/net/libc.ts";

const CLONE_NEWNET = 0x40000000;

export const ip = (...args: string[]): string => execFileSync("ip", args, { encoding: "utf8" });
export const ipIn = (namespace: string, ...args: string[]): string => ip("-n", namespace, ...args);

/** Runs `work` with this thread inside the namespace: sockets opened in it stay there. Synchronous only. */
export function inNamespace<T>(namespace: string, work: () => T): T {
  const home = openSync("/proc/thread-self/ns/net", "r");
  const there = openSync(`/run/netns/${namespace}`, "r");
  try {
    check(libc().setns(there, CLONE_NEWNET), "setns", `enter namespace ${namespace}`);
    try {
      return work();
    } finally {
      check(libc().setns(home, CLONE_NEWNET), "setns", "return from a namespace");
    }
  } finally {
    closeSync(there);
    closeSync(home);
  }
}

/** Two namespaces joined by a veth named eth0 in both; `prefix` keeps parallel test files apart. */
export function pair(prefix: string): { a: string; b: string; remove: () => void } {
  // The pid keeps runs side by side apart.
  const [a, b] = [`vw-${process.pid}-${prefix}-a`, `vw-${process.pid}-${prefix}-b`];
  const remove = () => {
    for (const name of [a, b]) {
      try {
        execFileSync("ip", ["netns", "del", name], { stdio: "ignore" });
      } catch {
        // It was not there.
      }
    }
  };
  remove();
  ip("netns", "add", a);
  ip("netns", "add", b);
  ip("link", "add", "eth0", "netns", a, "type", "veth", "peer", "name", "eth0", "netns", b);
  for (const [name, address] of [
    [a, "192.0.2.11/24"],
    [b, "192.0.2.12/24"],
  ] as const) {
    ipIn(name, "link", "set", "lo", "up");
    ipIn(name, "link", "set", "eth0", "up");
    ipIn(name, "addr", "add", address, "dev", "eth0");
  }
  return { a, b, remove };
}

/** Waits until `test` gives a value; throws after `timeoutMs`. For what only the kernel can bring about. */
export async function until<T>(test: () => T | undefined, timeoutMs = 10_000): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = test();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error(`nothing came in ${timeoutMs} ms`);
    await new Promise((done) => setTimeout(done, 10));
  }
}
