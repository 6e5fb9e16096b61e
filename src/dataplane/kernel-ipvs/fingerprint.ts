/** A hash of /proc/net/ip_vs without its counters: tells foreign edits at a sixth of a dump's cost. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** The network namespace of the process. */
export const PROC_IP_VS = "/proc/net/ip_vs";

/** "  -> ADDR:PORT  Forward Weight" of a destination line; ActiveConn and InActConn follow. */
const DESTINATION = /^( +-> +\S+ +\S+ +\S+) .*$/gm;

export function withoutCounters(text: string): string {
  return text.replace(DESTINATION, "$1");
}

/** undefined when there is no such file (no ip_vs, or no /proc). Thresholds and tunnel ports are not in it. */
export function readFingerprint(path: string): string | undefined {
  let text: string;
  try {
    // Synchronous: the kernel gives one page a read, and a megabyte would be 250 turns of the thread pool.
    text = readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
  return createHash("sha256").update(withoutCounters(text), "latin1").digest("base64");
}
