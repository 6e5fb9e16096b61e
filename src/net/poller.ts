/**
 * Readiness and deadlines for real-time work: one ppoll at a time on a pool thread, over all
 * descriptors, a timerfd and a wake-up eventfd.
 *
 *   ppoll returns (bytes, deadline or wake) -> every onReadable drains its socket -> onTick(now) -> ppoll
 *
 * Drain before deciding: after a stall the adverts that are already queued are seen before any
 * timer that expired meanwhile. The deadline is absolute in the kernel (timerfd), so it can move
 * while ppoll is in flight and no time is lost between computing a timeout and sleeping on it.
 */
import type { Microseconds } from "../units.ts";
import { getU16, putI32, putU16, putU64 } from "./bytes.ts";
import { CLOCK_MONOTONIC, monotonicUs } from "./clock.ts";
import { check, SystemError } from "./errors.ts";
import { lastErrno, libc } from "./libc.ts";

/** poll.h */
const POLLIN = 0x001;
const POLLERR = 0x008;
const POLLHUP = 0x010;
const POLLNVAL = 0x020;
const BROKEN = POLLERR | POLLHUP | POLLNVAL;
const POLLFD = 8;
/** O_NONBLOCK | O_CLOEXEC, the same bits for EFD_, TFD_ and SOCK_. */
const NONBLOCK_CLOEXEC = 0o2004000;
const TFD_TIMER_ABSTIME = 1;
/** A callback that throws this often in a row is not draining: its descriptor is dropped. */
const MAX_FAILURES = 64;

export interface PollerOptions {
  /** After every drain, also spurious ones: act on the timers that are due at `now`, then set the next deadline. */
  readonly onTick: (now: Microseconds) => void;
  readonly onError: (error: Error) => void;
}

interface Watch {
  readonly onReadable: () => void;
  failures: number;
}

export class Poller {
  readonly #options: PollerOptions;
  readonly #watches = new Map<number, Watch>();
  readonly #wakeFd: number;
  readonly #timerFd: number;
  readonly #scratch = Buffer.alloc(8);
  /** Descriptors the kernel holds in the ppoll in flight; undefined when there is none. */
  #inFlight: ReadonlySet<number> | undefined;
  #waiting: (() => void)[] = [];
  #deadline: Microseconds | undefined;
  #running = false;
  #closed = false;
  #dispatching = false;

  constructor(options: PollerOptions) {
    this.#options = options;
    this.#wakeFd = check(
      libc().eventfd(0, NONBLOCK_CLOEXEC),
      "eventfd",
      "make the poller's wake-up descriptor",
    );
    this.#timerFd = check(
      libc().timerfdCreate(CLOCK_MONOTONIC, NONBLOCK_CLOEXEC),
      "timerfd_create",
      "make the poller's timer",
    );
  }

  /** `onReadable` must read its non-blocking descriptor until EAGAIN; it is also called when nothing is there. */
  add(fd: number, onReadable: () => void): void {
    this.#watches.set(fd, { onReadable, failures: 0 });
    if (this.#inFlight !== undefined && !this.#inFlight.has(fd)) this.#wake();
  }

  /**
   * Ends the watch at once: no more calls. Close the descriptor only when the promise resolves:
   * until then the ppoll in flight still has its number, which the kernel may give to another file.
   */
  remove(fd: number): Promise<void> {
    this.#watches.delete(fd);
    return this.#settled(fd);
  }

  /**
   * When onTick is to be called next (monotonicUs); undefined for never. One-shot: a deadline that
   * was reached is cleared before onTick, which sets the next.
   */
  setDeadline(at: Microseconds | undefined): void {
    if (at === this.#deadline || this.#closed) return;
    this.#deadline = at;
    this.#armTimer(at);
  }

  start(): void {
    if (this.#running || this.#closed) return;
    this.#running = true;
    this.#poll();
  }

  /** No more calls. Resolves when no ppoll is in flight: every descriptor may then be closed. A stopped poller is done with. */
  stop(): Promise<void> {
    this.#running = false;
    if (this.#inFlight === undefined) {
      this.#closeOwn();
      return Promise.resolve();
    }
    return this.#settled(this.#wakeFd);
  }

  /** Drains everything and ticks now, for a caller that knows it was stalled. Does nothing from inside a callback. */
  pump(now: Microseconds): void {
    if (this.#closed || this.#dispatching) return;
    this.#dispatch(now);
  }

  #settled(fd: number): Promise<void> {
    if (!this.#inFlight?.has(fd)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#wake();
    });
  }

  #wake(): void {
    putU64(this.#scratch, 0, 1n);
    libc().write(this.#wakeFd, this.#scratch, 8);
  }

  #armTimer(at: Microseconds | undefined): void {
    const spec = Buffer.alloc(32);
    if (at !== undefined) {
      // A zero it_value would disarm; anything in the past fires at once.
      const micros = Math.max(1, Math.ceil(at));
      putU64(spec, 16, BigInt(Math.floor(micros / 1_000_000)));
      putU64(spec, 24, BigInt((micros % 1_000_000) * 1_000));
    }
    check(
      libc().timerfdSettime(this.#timerFd, TFD_TIMER_ABSTIME, spec, null),
      "timerfd_settime",
      "set a deadline",
    );
  }

  #poll(): void {
    const fds = [this.#wakeFd, this.#timerFd, ...this.#watches.keys()];
    const set = pollSet(fds);
    this.#inFlight = new Set(fds);
    libc().ppollAsync(set, fds.length, null, null, (_error, result) => this.#polled(fds, set, result));
  }

  #polled(fds: readonly number[], set: Buffer, result: number): void {
    this.#inFlight = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
    if (this.#running) {
      libc().read(this.#wakeFd, this.#scratch, 8);
      libc().read(this.#timerFd, this.#scratch, 8);
      this.#dispatch();
      fds.forEach((fd, i) => {
        if (result > 0 && revents(set, i) & BROKEN) this.#dropIfStillBroken(fd);
      });
    }
    // Not a reason to stop electing: keep ticking, slowly.
    if (this.#running && result < 0 && this.#reportFailure(fds, set)) setTimeout(() => this.#again(), 20);
    else this.#again();
  }

  #again(): void {
    if (this.#running) this.#poll();
    else this.#closeOwn();
  }

  #dispatch(at?: Microseconds): void {
    this.#dispatching = true;
    try {
      for (const [fd, watch] of [...this.#watches]) {
        // An earlier callback may have removed this one, or stopped us.
        if (!this.#closed && this.#watches.get(fd) === watch) this.#drain(fd, watch);
      }
      if (!this.#closed) this.#tick(at ?? monotonicUs());
    } finally {
      this.#dispatching = false;
    }
  }

  #drain(fd: number, watch: Watch): void {
    try {
      watch.onReadable();
      watch.failures = 0;
    } catch (error) {
      this.#report(error);
      watch.failures++;
      if (watch.failures === MAX_FAILURES) this.#drop(fd, `its reader failed ${MAX_FAILURES} times in a row`);
    }
  }

  #tick(now: Microseconds): void {
    if (this.#deadline !== undefined && now >= this.#deadline) this.setDeadline(undefined);
    try {
      this.#options.onTick(now);
    } catch (error) {
      this.#report(error);
    }
  }

  /** Reading clears a pending socket error; what is still broken afterwards would make ppoll spin. */
  #dropIfStillBroken(fd: number): void {
    if (!this.#watches.has(fd)) return;
    const set = pollSet([fd]);
    libc().ppoll(set, 1, Buffer.alloc(16), null);
    const events = revents(set, 0);
    if (events & POLLNVAL) this.#drop(fd, "it is closed (POLLNVAL)");
    else if (events & POLLERR) this.#drop(fd, "its error does not clear (POLLERR)");
    else if (events & POLLHUP) this.#drop(fd, "its other end is gone (POLLHUP)");
  }

  #drop(fd: number, why: string): void {
    this.#watches.delete(fd);
    this.#report(new Error(`descriptor ${fd} is no longer watched: ${why}; reopen it`));
  }

  /** ppoll failed on its thread, whose errno is lost: ask again here. False when it was a passing one (EINTR). */
  #reportFailure(fds: readonly number[], set: Buffer): boolean {
    if (libc().ppoll(set, fds.length, Buffer.alloc(16), null) >= 0) return false;
    this.#report(
      new SystemError({ errno: lastErrno(), syscall: "ppoll", what: `wait for ${fds.length} descriptors` }),
    );
    return true;
  }

  #report(error: unknown): void {
    this.#options.onError(error instanceof Error ? error : new Error(String(error)));
  }

  #closeOwn(): void {
    if (this.#closed) return;
    this.#closed = true;
    libc().close(this.#wakeFd);
    libc().close(this.#timerFd);
  }
}

function pollSet(fds: readonly number[]): Buffer {
  const set = Buffer.alloc(fds.length * POLLFD);
  fds.forEach((fd, i) => {
    putI32(set, i * POLLFD, fd);
    putU16(set, i * POLLFD + 4, POLLIN);
  });
  return set;
}

const revents = (set: Buffer, index: number): number => getU16(set, index * POLLFD + 6);
