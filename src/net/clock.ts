/** The clocks: monotonic for every timer, boot time to notice a suspend, the boot id for state files. */
import { readFileSync } from "node:fs";
import { type Microseconds, us } from "../units.ts";
import { getU64 } from "./bytes.ts";
import { check } from "./errors.ts";
import { libc } from "./libc.ts";

/** linux/time.h */
export const CLOCK_MONOTONIC = 1;
const CLOCK_BOOTTIME = 7;

/** CLOCK_MONOTONIC, the clock of process.hrtime and of the Poller's deadlines. Stands still in a suspend. */
export function monotonicUs(): Microseconds {
  const [seconds, nanoseconds] = process.hrtime();
  return us(seconds * 1_000_000 + Math.floor(nanoseconds / 1_000));
}

const timespec = Buffer.alloc(16);

/** CLOCK_BOOTTIME: as monotonicUs() but runs on through a suspend. */
export function boottimeUs(): Microseconds {
  check(libc().clockGettime(CLOCK_BOOTTIME, timespec), "clock_gettime", "read CLOCK_BOOTTIME");
  return us(Number(getU64(timespec, 0)) * 1_000_000 + Math.floor(Number(getU64(timespec, 8)) / 1_000));
}

/** UUID of this boot: monotonic times in a state file are comparable only when it is the same. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}
