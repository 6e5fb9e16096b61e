/**
 * Locks what a page fault must never have to fetch from disk: program text, libraries, stack.
 *
 * Not mlockall(): V8 discards pages of its heap with madvise(), which the kernel refuses (EINVAL) for
 * locked memory, and V8 aborts the process on that (Node 20: when the code space grows or shrinks).
 * Its heap can only go to swap; where there is swap, the cgroup has to forbid it.
 */
import { readFileSync } from "node:fs";
import { libc } from "./libc.ts";

/** linux/mman.h: locked when touched; all of it at once would make the whole binary resident. */
const MLOCK_ONFAULT = 1;
/** asm/unistd.h; musl has no mlock2(). */
const SYS_MLOCK2: Partial<Record<string, number>> = { x64: 325, arm64: 284, riscv64: 284, loong64: 284 };

export interface Mapping {
  readonly start: number;
  readonly length: number;
}

/** Mappings of /proc/self/maps backed by a file (readable ones), and the C heap and stack. */
export function lockableMappings(maps: string): Mapping[] {
  const result: Mapping[] = [];
  for (const line of maps.split("\n")) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) (r...) \S+ \S+ \S+\s+(\/.*|\[heap\]|\[stack\])$/.exec(line);
    if (!match?.[1] || !match[2] || match[4]?.startsWith("/dev/")) continue;
    const start = Number.parseInt(match[1], 16);
    result.push({ start, length: Number.parseInt(match[2], 16) - start });
  }
  return result;
}

/** Locks them; again for libraries loaded since. True when all are; false leaves errno in lastErrno(). */
export function lockProgram(): boolean {
  const call = SYS_MLOCK2[process.arch];
  if (call === undefined) return false;
  const mappings = lockableMappings(readFileSync("/proc/self/maps", "latin1"));
  return mappings.every(({ start, length }) => libc().syscall3(call, start, length, MLOCK_ONFAULT) === 0);
}

/** Whether this process's heap may be swapped out: there is swap, and its cgroup (v2) does not forbid it. */
export function mayBeSwapped(read = (file: string) => readFileSync(file, "latin1")): boolean {
  try {
    // The first line is a heading.
    if (read("/proc/swaps").trim().split("\n").length < 2) return false;
    const group = /^0::(\/.*)$/m.exec(read("/proc/self/cgroup"))?.[1];
    return group === undefined || read(`/sys/fs/cgroup${group}/memory.swap.max`).trim() !== "0";
  } catch {
    return true;
  }
}
