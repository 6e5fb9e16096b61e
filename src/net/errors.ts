/** System call failures as errors that say what, where and what to do. */
import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import { lastErrno } from "./libc.ts";

/** errno names os.constants lacks (asm-generic/errno.h, include/linux/errno.h). */
const EXTRA: Record<number, string> = { 64: "ENONET", 108: "ESHUTDOWN", 112: "EHOSTDOWN", 524: "ENOTSUPP" };

const NAMES = new Map<number, string>(Object.entries(EXTRA).map(([n, name]) => [Number(n), name]));
for (const [name, value] of Object.entries(constants.errno)) {
  // Two names share a value (EAGAIN, EWOULDBLOCK): the first one listed is the usual one.
  if (!NAMES.has(value)) NAMES.set(value, name);
}

/** "EPERM" for 1; "E1234" for a number without a name. */
export const errnoName = (errno: number): string => NAMES.get(errno) ?? `E${errno}`;

const errnoText = (errno: number): string | undefined => getSystemErrorMap().get(-errno)?.[1];

const HINTS: Record<string, string> = {
  EPERM: "needs CAP_NET_RAW and CAP_NET_ADMIN: run as root, or grant them in the unit or container",
  EACCES: "needs CAP_NET_RAW and CAP_NET_ADMIN: run as root, or grant them in the unit or container",
  ENODEV: "no such interface here: check its name and the network namespace",
  ENOBUFS: "messages were lost: resync by dump",
  EMFILE: "too many open files: raise LimitNOFILE",
  EADDRNOTAVAIL: "the address is not on the interface",
  EEXIST: "it is already there",
  ENETDOWN: "the interface is down",
  EMSGSIZE: "larger than the interface's MTU or the socket's send buffer",
};

export interface SystemErrorDetail {
  readonly errno: number;
  readonly syscall: string;
  /** What was being done, with its object: "join 224.0.0.18 on eth0". */
  readonly what: string;
  /** Extended ack of the kernel. */
  readonly kernelText?: string | undefined;
  /** What to do; by default chosen from the errno. */
  readonly hint?: string | undefined;
}

export class SystemError extends Error {
  /** errno name, such as "EPERM". */
  readonly code: string;
  /** Positive errno. */
  readonly errno: number;
  readonly syscall: string;
  readonly hint?: string;
  /** Text of the kernel's extended ack, when it gave one. */
  readonly kernelText?: string;

  constructor(detail: SystemErrorDetail) {
    const code = errnoName(detail.errno);
    const hint = detail.hint ?? HINTS[code];
    const text = errnoText(detail.errno);
    super(
      `cannot ${detail.what}: ${detail.syscall}: ${code}${text ? ` (${text})` : ""}` +
        (detail.kernelText ? `: kernel says "${detail.kernelText}"` : "") +
        (hint ? `; ${hint}` : ""),
    );
    this.name = "SystemError";
    this.code = code;
    this.errno = detail.errno;
    this.syscall = detail.syscall;
    if (hint !== undefined) this.hint = hint;
    if (detail.kernelText !== undefined) this.kernelText = detail.kernelText;
  }
}

/**
 * Passes a libc result through, or throws what failed. Call it on the result directly: errno is
 * read here.
 * @param what infinitive with its object, read after "cannot": "open a VRRP socket on eth0"
 */
export function check(result: number, syscall: string, what: string, hint?: string): number {
  if (result >= 0) return result;
  throw new SystemError({ errno: lastErrno(), syscall, what, hint });
}

export const EAGAIN = constants.errno.EAGAIN;
export const EINTR = constants.errno.EINTR;
export const ETIMEDOUT = constants.errno.ETIMEDOUT;
export const EMSGSIZE = constants.errno.EMSGSIZE;
export const ENOBUFS = constants.errno.ENOBUFS;
