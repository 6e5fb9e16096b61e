/** The limit on open files: thousands of checks need thousands of sockets. */
import { getU64, putU64 } from "./bytes.ts";
import { check } from "./errors.ts";
import { libc } from "./libc.ts";

/** asm-generic/resource.h */
const RLIMIT_NOFILE = 7;

/** Raises the soft limit to the hard one; returns both as they are then (Infinity for unlimited). */
export function raiseFdLimit(): { readonly soft: number; readonly hard: number } {
  const limit = Buffer.alloc(16);
  check(libc().prlimit(0, RLIMIT_NOFILE, null, limit), "prlimit", "read the limit on open files");
  const hard = getU64(limit, 8);
  if (getU64(limit, 0) !== hard) {
    putU64(limit, 0, hard);
    check(libc().prlimit(0, RLIMIT_NOFILE, limit, null), "prlimit", "raise the limit on open files");
  }
  const value = hard === 0xffffffffffffffffn ? Number.POSITIVE_INFINITY : Number(hard);
  return { soft: value, hard: value };
}
