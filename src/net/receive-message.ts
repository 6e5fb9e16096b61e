/** recvmsg(2): a packet with where it came from and its ancillary data (RFC 3542, ip(7)). */
import { getI32, getU32, getU64, putU32, putU64 } from "./bytes.ts";
import { EAGAIN, EINTR, SystemError } from "./errors.ts";
import { addressOf, lastErrno, libc } from "./libc.ts";
import { MSG_DONTWAIT } from "./sockets.ts";

export interface Message {
  readonly bytes: Uint8Array;
  /** struct sockaddr of the sender; valid until the next call. */
  readonly from: Buffer;
  /** Valid until the next call. */
  readonly control: readonly Ancillary[];
}

export interface Ancillary {
  readonly level: number;
  readonly type: number;
  readonly data: Buffer;
}

// One receive at a time, so all share these; the message header points at them for ever.
const data = Buffer.allocUnsafeSlow(65_536);
const control = Buffer.allocUnsafeSlow(256);
const from = Buffer.allocUnsafeSlow(28);
const iov = Buffer.allocUnsafeSlow(16);
const message = Buffer.allocUnsafeSlow(56);

const NONE: ReadonlySet<number> = new Set();

/** The next one; undefined when none is queued. Errors in `passing` are skipped. Throws SystemError. */
export function receiveMessage(
  fd: number,
  what: string,
  passing: ReadonlySet<number> = NONE,
): Message | undefined {
  for (;;) {
    prepare();
    const length = libc().recvmsg(fd, message, MSG_DONTWAIT);
    if (length >= 0) {
      const bytes = new Uint8Array(data.subarray(0, length));
      return { bytes, from, control: ancillary(Number(getU64(message, 40))) };
    }
    const errno = lastErrno();
    if (errno === EAGAIN) return undefined;
    if (errno === EINTR || passing.has(errno)) continue;
    throw new SystemError({ errno, syscall: "recvmsg", what: `receive ${what} (descriptor ${fd})` });
  }
}

/** struct msghdr, 64 bit: the kernel changes name and control lengths on every call. */
function prepare(): void {
  putU64(iov, 0, addressOf(data));
  putU64(iov, 8, BigInt(data.length));
  message.fill(0);
  putU64(message, 0, addressOf(from));
  putU32(message, 8, from.length);
  putU64(message, 16, addressOf(iov));
  putU64(message, 24, 1n);
  putU64(message, 32, addressOf(control));
  putU64(message, 40, BigInt(control.length));
}

/** struct cmsghdr, 64 bit: length with the header (16 bytes), level, type. */
function ancillary(length: number): Ancillary[] {
  const found: Ancillary[] = [];
  for (let at = 0; at + 16 <= length; ) {
    const size = Number(getU64(control, at));
    if (size < 16 || at + size > length) break;
    const [level, type] = [getU32(control, at + 8), getU32(control, at + 12)];
    found.push({ level, type, data: control.subarray(at + 16, at + size) });
    at += (size + 7) & ~7;
  }
  return found;
}

/** The 32-bit integer of one kind, such as IP_TTL or IPV6_HOPLIMIT; undefined when the kernel did not tell. */
export function ancillaryInt(list: readonly Ancillary[], level: number, type: number): number | undefined {
  const found = list.find((entry) => entry.level === level && entry.type === type && entry.data.length >= 4);
  return found && getI32(found.data, 0);
}
