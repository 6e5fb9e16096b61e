import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { getI32, int32 } from "../../src/net/bytes.ts";
import { monotonicUs } from "../../src/net/clock.ts";
import { libc } from "../../src/net/libc.ts";
import { Poller } from "../../src/net/poller.ts";
import { us } from "../../src/units.ts";

const NONBLOCK_CLOEXEC = 0o2004000;

function pipe(): { read: number; write: number } {
  const fds = Buffer.concat([int32(0), int32(0)]);
  expect(libc().pipe2(fds, NONBLOCK_CLOEXEC)).toBe(0);
  return { read: getI32(fds, 0), write: getI32(fds, 4) };
}

/** Reads until EAGAIN; the number of bytes. */
function drain(fd: number): number {
  const b = Buffer.alloc(64);
  let total = 0;
  for (;;) {
    const n = libc().read(fd, b, b.length);
    if (n <= 0) return total;
    total += n;
  }
}

const put = (fd: number) => libc().write(fd, Buffer.from("x"), 1);

/** Keeps JavaScript busy, as a long garbage collection would. */
function stallUntil(at: number): void {
  while (monotonicUs() < at);
}

describe("Poller", () => {
  let log: string[];
  let errors: Error[];
  let poller: Poller;
  let wanted: { match: (entry: string) => boolean; done: () => void } | undefined;

  const record = (entry: string) => {
    log.push(entry);
    if (wanted?.match(entry)) wanted.done();
  };
  const logged = (match: (entry: string) => boolean) =>
    new Promise<void>((done) => {
      if (log.some(match)) done();
      else wanted = { match, done };
    });
  const open: number[] = [];
  const newPipe = () => {
    const p = pipe();
    open.push(p.read, p.write);
    return p;
  };
  let deadline = us(0);

  beforeEach(() => {
    log = [];
    errors = [];
    wanted = undefined;
    deadline = us(0);
    poller = new Poller({
      onTick: (now) => {
        if (deadline > 0 && now >= deadline) {
          deadline = us(0);
          record("due");
        } else record("tick");
      },
      onError: (error) => {
        errors.push(error);
        record(`error ${error.message}`);
      },
    });
  });
  afterEach(async () => {
    await poller.stop();
    for (const fd of open.splice(0)) libc().close(fd);
  });

  const setDeadline = (at: number) => {
    deadline = us(at);
    poller.setDeadline(deadline);
  };

  it("calls the reader when bytes arrive, then ticks", async () => {
    const p = newPipe();
    poller.add(p.read, () => {
      const n = drain(p.read);
      if (n > 0) record(`read ${n}`);
    });
    poller.start();
    put(p.write);
    await logged((e) => e === "tick");
    expect(log.slice(0, 2)).toEqual(["read 1", "tick"]);
  });

  it("drains before deciding: after a stall past the deadline, queued bytes come before the tick", async () => {
    const p = newPipe();
    poller.add(p.read, () => {
      const n = drain(p.read);
      if (n > 0) record(`read ${n}`);
    });
    setDeadline(monotonicUs() + 2_000);
    poller.start();
    // ppoll returns by the timer while we are stalled; the bytes arrive after it returned.
    stallUntil(deadline + 20_000);
    put(p.write);
    put(p.write);
    await logged((e) => e === "due");
    expect(log).toEqual(["read 2", "due"]);
  });

  it("drains every descriptor before the tick, not only the one that was ready", async () => {
    const [a, b] = [newPipe(), newPipe()];
    for (const [name, p] of [
      ["a", a],
      ["b", b],
    ] as const)
      poller.add(p.read, () => {
        if (drain(p.read) > 0) record(name);
      });
    poller.start();
    put(b.write);
    // Both are there when JavaScript looks, whichever of them ended the ppoll.
    stallUntil(monotonicUs() + 5_000);
    put(a.write);
    await logged((e) => e === "tick");
    expect(log).toEqual(["a", "b", "tick"]);
  });

  it("a deadline moved earlier ends the ppoll in flight", async () => {
    poller.start();
    poller.setDeadline(us(monotonicUs() + 3_600_000_000));
    await new Promise((done) => setImmediate(done));
    setDeadline(monotonicUs() + 1_000);
    await logged((e) => e === "due");
    expect(log).toEqual(["due"]);
  });

  it("does not call a deadline due before it is reached", async () => {
    const at = monotonicUs() + 3_000;
    setDeadline(at);
    poller.start();
    await logged((e) => e === "due");
    expect(monotonicUs()).toBeGreaterThanOrEqual(at);
  });

  it("a reached deadline is over: the next one has to be set, also at the same time", async () => {
    const at = monotonicUs() + 1_000;
    setDeadline(at);
    poller.start();
    await logged((e) => e === "due");
    log = [];
    setDeadline(at);
    await logged((e) => e === "due");
    expect(log).toEqual(["due"]);
  });

  it("a deadline in the past ticks at once", async () => {
    poller.start();
    setDeadline(monotonicUs() - 1_000_000);
    await logged((e) => e === "due");
    expect(log).toEqual(["due"]);
  });

  it("a withdrawn deadline does not tick", async () => {
    const p = newPipe();
    poller.add(p.read, () => void drain(p.read));
    setDeadline(monotonicUs() + 2_000);
    poller.start();
    poller.setDeadline(undefined);
    const due = deadline;
    deadline = us(0);
    stallUntil(due + 2_000);
    put(p.write);
    await logged((e) => e === "tick");
    expect(log).toEqual(["tick"]);
  });

  it("a descriptor added while ppoll is in flight is watched", async () => {
    poller.start();
    await new Promise((done) => setImmediate(done));
    const p = newPipe();
    put(p.write);
    poller.add(p.read, () => {
      if (drain(p.read) > 0) record("read");
    });
    await logged((e) => e === "read");
  });

  it("remove() resolves only when the ppoll in flight no longer has the descriptor, and silences it at once", async () => {
    const p = newPipe();
    poller.add(p.read, () => record("read"));
    poller.start();
    put(p.write);
    let resolved = false;
    const removed = poller.remove(p.read).then(() => {
      resolved = true;
    });
    await Promise.resolve();
    expect(resolved).toBe(false);
    await removed;
    expect(log).not.toContain("read");
  });

  it("remove() of a descriptor no ppoll has resolves at once", async () => {
    const p = newPipe();
    poller.add(p.read, () => record("read"));
    await poller.remove(p.read);
    poller.pump(us(1));
    expect(log).toEqual(["tick"]);
  });

  it("pump() drains all and ticks with the caller's time, synchronously", () => {
    const p = newPipe();
    poller.add(p.read, () => record(`read ${drain(p.read)}`));
    put(p.write);
    deadline = us(5);
    poller.pump(us(7));
    expect(log).toEqual(["read 1", "due"]);
  });

  it("pump() from inside a callback does nothing", () => {
    const p = newPipe();
    poller.add(p.read, () => {
      record("read");
      poller.pump(us(1));
    });
    poller.pump(us(1));
    expect(log).toEqual(["read", "tick"]);
  });

  it("POLLNVAL: a closed descriptor is reported once and dropped, the others go on", async () => {
    const [bad, good] = [newPipe(), newPipe()];
    libc().close(bad.read);
    open.splice(open.indexOf(bad.read), 1);
    poller.add(bad.read, () => {});
    poller.add(good.read, () => {
      if (drain(good.read) > 0) record("good");
    });
    poller.start();
    await logged((e) => e.startsWith("error"));
    put(good.write);
    await logged((e) => e === "good");
    expect(errors.map((e) => e.message)).toEqual([
      `descriptor ${bad.read} is no longer watched: it is closed (POLLNVAL); reopen it`,
    ]);
  });

  it("POLLHUP: the last bytes are read, then the descriptor is reported once and dropped", async () => {
    const p = newPipe();
    poller.add(p.read, () => {
      if (drain(p.read) > 0) record("read");
    });
    put(p.write);
    libc().close(p.write);
    open.splice(open.indexOf(p.write), 1);
    poller.start();
    await logged((e) => e.startsWith("error"));
    setDeadline(monotonicUs() + 1_000);
    await logged((e) => e === "due");
    expect(log.filter((e) => e === "read")).toHaveLength(1);
    expect(errors).toHaveLength(1);
    expect(errors[0]?.message).toMatch(/POLLHUP/);
  });

  it("a reader that throws is reported, and the tick still comes", async () => {
    const p = newPipe();
    poller.add(p.read, () => {
      if (drain(p.read) > 0) throw new Error("bad packet");
    });
    poller.start();
    put(p.write);
    await logged((e) => e === "tick");
    expect(log).toEqual(["error bad packet", "tick"]);
  });

  it("a reader that always throws without draining is dropped after 64 times", async () => {
    const p = newPipe();
    poller.add(p.read, () => {
      throw new Error("stuck");
    });
    put(p.write);
    poller.start();
    await logged((e) => e.includes("64 times"));
    expect(errors).toHaveLength(65);
  });

  it("stop() resolves when nothing is in flight, and nothing is called afterwards", async () => {
    const p = newPipe();
    poller.add(p.read, () => record("read"));
    poller.start();
    put(p.write);
    await poller.stop();
    poller.setDeadline(us(1));
    poller.pump(us(2));
    expect(log).toEqual([]);
  });
});
