/**
 * Real-time scheduling and a locked program for the vrrp process: an advert must go out on time while
 * other processes burn the CPU or the machine swaps.
 */
import { readdirSync, readFileSync } from "node:fs";
import { putI32 } from "./bytes.ts";
import { errnoName } from "./errors.ts";
import { lastErrno, libc } from "./libc.ts";
import { lockProgram, mayBeSwapped } from "./locked-memory.ts";

/** linux/sched.h */
const SCHED_RR = 2;
/** Children (scripts must never inherit this) and later threads start as ordinary ones. */
const SCHED_RESET_ON_FORK = 0x40000000;
/** Above every ordinary process, below the kernel's own threads and other real-time services. */
const PRIORITY = 2;
/** asm/unistd.h: x86-64 has its own numbers, later architectures share the generic ones. */
const SYS_SCHED_SETSCHEDULER: Partial<Record<string, number>> = {
  x64: 144,
  arm64: 119,
  riscv64: 119,
  loong64: 119,
};

export interface RealtimeResult {
  /** Every thread has SCHED_RR. */
  readonly scheduled: boolean;
  /** Program text, libraries and stack are locked (not V8's heap: see locked-memory.ts). */
  readonly locked: boolean;
  /** For the log: what is missing and how to grant it. */
  readonly problems: readonly string[];
}

/**
 * Gives SCHED_RR to every thread this process has now and locks its program text. Call it again to cover
 * threads born later (Node's pool threads appear with their first task).
 */
export function enterRealtime(): RealtimeResult {
  const problems: string[] = [];
  const scheduled = scheduleThreads(problems);
  const locked = lockProgram();
  if (!locked)
    problems.push(
      explain(
        "lock the program in memory",
        errnoName(lastErrno()),
        "mlock2",
        "CAP_IPC_LOCK",
        "LimitMEMLOCK=infinity",
      ),
    );
  if (mayBeSwapped())
    problems.push(
      "memory may be swapped out, and adverts be late; set MemorySwapMax=0 in the unit, or turn swap off",
    );
  return { scheduled, locked, problems };
}

function scheduleThreads(problems: string[]): boolean {
  const call = SYS_SCHED_SETSCHEDULER[process.arch];
  if (call === undefined) {
    problems.push(`no real-time scheduling: not known how to ask for it on ${process.arch}`);
    return false;
  }
  const parameter = Buffer.alloc(4);
  putI32(parameter, 0, PRIORITY);
  for (const thread of readdirSync("/proc/self/task")) {
    // A thread that ended since the listing (ESRCH) is no problem.
    if (libc().syscall3p(call, Number(thread), SCHED_RR | SCHED_RESET_ON_FORK, parameter) === 0) continue;
    const code = errnoName(lastErrno());
    if (code === "ESRCH") continue;
    problems.push(
      hasCapability(CAP_SYS_NICE)
        ? `cannot get real-time scheduling: sched_setscheduler: ${code}, with CAP_SYS_NICE held; ` +
            "this cgroup has no real-time budget (cpu.rt_runtime_us): adverts may be late on a busy machine"
        : explain("get real-time scheduling", code, "sched_setscheduler", "CAP_SYS_NICE", "LimitRTPRIO=2"),
    );
    return false;
  }
  return true;
}

/** linux/capability.h */
const CAP_SYS_NICE = 23n;

function hasCapability(bit: bigint): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
  return effective !== undefined && ((BigInt(`0x${effective}`) >> bit) & 1n) === 1n;
}

const explain = (what: string, code: string, syscall: string, capability: string, unit: string): string =>
  `cannot ${what}: ${syscall}: ${code}; grant ${capability} (in the unit: ${unit}), ` +
  "or adverts may be late on a busy machine";
