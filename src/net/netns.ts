/** Which network namespace this process is in. */
import { statSync } from "node:fs";

/** linux/proc_ns.h: PROC_PID_INIT_INO, the pid namespace of the machine itself. */
const INITIAL_PID_NS = 0xeffffffcn;
/** linux/proc_ns.h since 6.18: the initial network namespace has a fixed number, too. */
const INITIAL_NET_NS = 0xeffffff9n;
/** PROC_DYNAMIC_FIRST: before that it usually was the first one numbered at boot. */
const FIRST_DYNAMIC = 0xf0000000n;

const inode = (file: string): bigint => statSync(file, { bigint: true }).ino;

/** Inode number of /proc/self/ns/net: names the namespace as long as it lives. */
export function netnsInode(): bigint {
  return inode("/proc/self/ns/net");
}

/**
 * Whether this is the machine's own network namespace: that of process 1, where process 1 is the
 * machine's init and may be looked at (root). In a container, or without that right, the
 * inode number decides; kernels that number it otherwise give false there, which is the safe side
 * (own paths).
 */
export function inInitialNetns(): boolean {
  const own = netnsInode();
  try {
    if (inode("/proc/self/ns/pid") === INITIAL_PID_NS) return own === inode("/proc/1/ns/net");
  } catch {
    // EACCES: not root; ENOENT: /proc with hidepid.
  }
  return own === INITIAL_NET_NS || own === FIRST_DYNAMIC;
}
