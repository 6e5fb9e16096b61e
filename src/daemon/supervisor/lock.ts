/** One daemon per network namespace: an flock that the kernel drops with the process, however it ends. */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { libc } from "../../net/libc.ts";

/** flock(2): LOCK_EX | LOCK_NB. */
const EXCLUSIVE_NONBLOCKING = 2 | 4;

/** Returns how to let go; throws naming the holder's pid. Node opens files close-on-exec. */
export function takeLock(file: string): () => void {
  const fd = openSync(file, "a+", 0o640);
  if (libc().flock(fd, EXCLUSIVE_NONBLOCKING) < 0) {
    closeSync(fd);
    throw new Error(
      `vipward is already running here as pid ${readFileSync(file, "utf8").trim() || "unknown"} (${file}); ` +
        "stop it first, or give this one its own --run-dir and --state-dir in another network namespace",
    );
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`);
  return () => closeSync(fd);
}
