import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Dataplane, DataplaneError, type OperationFailure } from "../../src/dataplane/port.ts";
import { Reconciler, type ReconcilerOptions } from "../../src/dataplane/reconciler.ts";
import { describeOperation } from "../../src/lvs/diff.ts";
import { applyOperations } from "../../src/lvs/model.ts";
import type { DestSpec, Observed, Operation, ServiceSpec, Table } from "../../src/lvs/table.ts";
import { ms } from "../../src/units.ts";
import { plain } from "../lvs/tables.ts";

/** Service n with real servers 10.0.0.`last` of the weights given: table({ 1: { 11: 1 } }). */
const table = (
  services: Readonly<Record<number, Readonly<Record<number, number>>>>,
  scheduler = "rr",
): Table =>
  new Map(
    Object.entries(services).map(([n, servers]) => {
      const address = `192.0.2.${n}`;
      const service: ServiceSpec = {
        id: { kind: "address", protocol: "tcp", family: 4, address, port: 80 },
        scheduler,
        flags: 0,
        timeout: 0,
        netmask: 32,
        pe: "",
      };
      const dests = Object.entries(servers).map(([last, weight]) => [
        `10.0.0.${last}:80`,
        dest(last, weight),
      ]);
      return [key(Number(n)), { service, dests: new Map(dests as [string, DestSpec][]) }];
    }),
  );
const key = (n: number): string => `tcp 192.0.2.${n}:80`;
const dest = (last: string, weight: number): DestSpec => ({
  address: `10.0.0.${last}`,
  family: 4,
  port: 80,
  forward: "masq",
  weight,
  upperThreshold: 0,
  lowerThreshold: 0,
  tunType: 0,
  tunPort: 0,
  tunFlags: 0,
});

class FakeDataplane implements Dataplane {
  readonly kind = "kernel";
  table: Table = new Map();
  refuse: (operation: Operation) => string | undefined = () => undefined;
  unreadable: DataplaneError | undefined;
  /** Held until called, when a test wants to act in the middle of an apply. */
  hold: Promise<void> | undefined;
  cheap = true;
  reads = 0;
  readonly applied: string[][] = [];

  async read(): Promise<Observed> {
    this.reads++;
    if (this.unreadable) throw this.unreadable;
    return { table: this.table, serviceStats: new Map(), dests: new Map() };
  }
  async apply(operations: readonly Operation[]): Promise<readonly OperationFailure[]> {
    await this.hold;
    this.applied.push(operations.map(describeOperation));
    const failures: OperationFailure[] = [];
    operations.forEach((operation, index) => {
      const step = applyOperations(this.table, [operation]);
      const code = this.refuse(operation) ?? step.failures[0]?.error;
      if (code === undefined || code === "ENOBUFS") this.table = step.table;
      if (code !== undefined) failures.push({ index, operation, code, message: `text of ${code}` });
    });
    return failures;
  }
  async fingerprint(): Promise<string | undefined> {
    return this.cheap ? JSON.stringify(plain(this.table)) : undefined;
  }
  async flush(): Promise<void> {
    this.table = new Map();
  }
  async close(): Promise<void> {}
}

let dataplane: FakeDataplane;
let logs: string[];
let reconciler: Reconciler;

const make = (options: Partial<ReconcilerOptions> = {}): Reconciler => {
  reconciler = new Reconciler({
    dataplane,
    resyncInterval: ms(10_000),
    now: () => performance.now(),
    log: (level, message) => logs.push(`${level} ${message}`),
    ...options,
  });
  return reconciler;
};

/** Lets time pass, a tick at a time. */
const pass = async (milliseconds: number): Promise<void> => {
  for (let left = milliseconds; left > 0; left -= 500) {
    vi.advanceTimersByTime(Math.min(left, 500));
    await reconciler.whenSettled();
  }
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  dataplane = new FakeDataplane();
  logs = [];
});
afterEach(async () => {
  await reconciler.stop({ remove: false });
  vi.useRealTimers();
});

describe("spec 3: start and change", () => {
  it("fills an empty table, then knows that it is complete", async () => {
    make().setWanted(table({ 1: { 11: 1, 12: 1 } }));
    expect(reconciler.status().complete).toBe(false);
    await reconciler.start();
    expect(plain(dataplane.table)).toEqual(plain(table({ 1: { 11: 1, 12: 1 } })));
    expect(reconciler.status()).toMatchObject({ complete: true, failing: [], lastError: undefined });
  });

  it("adopts what a crashed run left: nothing is removed and added again", async () => {
    dataplane.table = table({ 1: { 11: 1, 12: 1 } });
    make().setWanted(table({ 1: { 11: 1, 12: 2 } }));
    await reconciler.start();
    expect(dataplane.applied).toEqual([[`editDest 10.0.0.12:80 of ${key(1)}`]]);
  });

  it("removes services of a previous configuration, and leaves foreign ones", async () => {
    dataplane.table = table({ 1: { 11: 1 }, 2: { 12: 1 }, 3: { 13: 1 } });
    make({ ownedBefore: [key(2)] }).setWanted(table({ 1: { 11: 1 } }));
    await reconciler.start();
    expect([...dataplane.table.keys()]).toEqual([key(1), key(3)]);
    expect(reconciler.owned()).toEqual([key(1)]);
  });

  it("lvs_flush: foreign services go too", async () => {
    dataplane.table = table({ 3: { 13: 1 } });
    make({ flushAtStart: true }).setWanted(table({ 1: { 11: 1 } }));
    await reconciler.start();
    expect([...dataplane.table.keys()]).toEqual([key(1)]);
  });

  it("started before the first configuration, it only reads", async () => {
    dataplane.table = table({ 1: { 11: 1 } });
    await make({ ownedBefore: [key(1)] }).start();
    await pass(3_000);
    expect(dataplane.applied).toEqual([]);
    expect(reconciler.status().complete).toBe(false);
    expect(reconciler.observed()?.value.table.size).toBe(1);
  });

  it("a change costs no dump before it", async () => {
    make().setWanted(table({ 1: { 11: 1 } }));
    await reconciler.start();
    const reads = dataplane.reads;
    reconciler.setWanted(table({ 1: { 11: 5 } }));
    await reconciler.whenSettled();
    expect(dataplane.reads).toBe(reads);
    expect(dataplane.applied.at(-1)).toEqual([`editDest 10.0.0.11:80 of ${key(1)}`]);
  });

  it("a table wanted during a pass is brought about by another pass", async () => {
    make().setWanted(table({ 1: { 11: 1 } }));
    await reconciler.start();
    let release = (): void => {};
    dataplane.hold = new Promise((resolve) => {
      release = resolve;
    });
    reconciler.setWanted(table({ 1: { 11: 2 } }));
    reconciler.setWanted(table({ 1: { 11: 3 } }));
    expect(reconciler.status().complete).toBe(false);
    release();
    await reconciler.whenSettled();
    expect(plain(dataplane.table)).toEqual(plain(table({ 1: { 11: 3 } })));
    expect(reconciler.status().complete).toBe(true);
  });

  it("a table wanted the moment a pass ends is brought about at once", async () => {
    let wanted = 1;
    make({
      onStatus: () => {
        if (wanted < 4) reconciler.setWanted(table({ 1: { 11: ++wanted } }));
      },
    }).setWanted(table({ 1: { 11: wanted } }));
    await reconciler.start();
    await reconciler.whenSettled();
    expect(plain(dataplane.table)).toEqual(plain(table({ 1: { 11: 4 } })));
  });

  it("a service deleted from the configuration and then added by somebody else is theirs", async () => {
    make().setWanted(table({ 1: { 11: 1 }, 2: { 12: 1 } }));
    await reconciler.start();
    reconciler.setWanted(table({ 1: { 11: 1 } }));
    await reconciler.whenSettled();
    dataplane.table = new Map([...dataplane.table, ...table({ 2: { 99: 9 } })]);
    await pass(20_000);
    expect(dataplane.table.has(key(2))).toBe(true);
  });
});

describe("spec 3: foreign edits of our services", () => {
  it.each([
    ["ipvsadm -D", (now: Table) => new Map([...now].filter(([name]) => name !== key(1))), 3],
    ["ipvsadm -C", () => new Map(), 5],
    ["a changed weight", () => table({ 1: { 11: 7, 12: 1 }, 2: { 13: 1 } }), 1],
    ["a destination of theirs", () => table({ 1: { 11: 1, 12: 1, 99: 1 }, 2: { 13: 1 } }), 1],
    ["another scheduler", () => table({ 1: { 11: 1, 12: 1 }, 2: { 13: 1 } }, "sh"), 2],
  ] as const)("%s is repaired within 2 s, and counted", async (_, edit, operations) => {
    const wanted = table({ 1: { 11: 1, 12: 1 }, 2: { 13: 1 } });
    make().setWanted(wanted);
    await reconciler.start();
    await pass(3_000);
    dataplane.table = edit(dataplane.table);
    await pass(2_000);
    expect(plain(dataplane.table)).toEqual(plain(wanted));
    expect(reconciler.status()).toMatchObject({ driftRepaired: operations, complete: true });
    expect(logs).toEqual(["warn the IPVS table was changed by somebody else; repairing"]);
  });

  it("one made right after our own write does not hide behind it", async () => {
    make().setWanted(table({ 1: { 11: 1 } }));
    await reconciler.start();
    reconciler.setWanted(table({ 1: { 11: 2 } }));
    const apply = dataplane.apply.bind(dataplane);
    dataplane.apply = async (operations) => {
      const failures = await apply(operations);
      dataplane.table = table({ 1: { 11: 66 } });
      dataplane.apply = apply;
      return failures;
    };
    await reconciler.whenSettled();
    await pass(2_000);
    expect(plain(dataplane.table)).toEqual(plain(table({ 1: { 11: 2 } })));
    expect(reconciler.status().driftRepaired).toBe(1);
  });

  it("one made between the look and the repair is repaired at once too, and both are counted", async () => {
    const wanted = table({ 1: { 11: 1, 12: 1 }, 2: { 13: 1 } });
    make().setWanted(wanted);
    await reconciler.start();
    await pass(3_000);
    dataplane.table = table({ 1: { 11: 1 }, 2: { 13: 1 } });
    const read = dataplane.read.bind(dataplane);
    dataplane.read = async () => {
      const observed = await read();
      dataplane.table = new Map();
      dataplane.read = read;
      return observed;
    };
    await pass(1_000);
    expect(plain(dataplane.table)).toEqual(plain(wanted));
    expect(reconciler.status()).toMatchObject({ driftRepaired: 5, failing: [], complete: true });
    expect(logs.filter((line) => line.startsWith("error"))).toEqual([]);
  });

  it("one made while the table can't be read is counted when it can again", async () => {
    make().setWanted(table({ 1: { 11: 1 } }));
    await reconciler.start();
    dataplane.table = new Map();
    dataplane.unreadable = new DataplaneError("no answer", "ETIMEDOUT", "wait");
    await pass(3_000);
    dataplane.unreadable = undefined;
    await pass(5_000);
    expect(reconciler.status()).toMatchObject({ driftRepaired: 2, complete: true });
  });

  it("our own later change of what was repaired is no repair", async () => {
    make().setWanted(table({ 1: { 11: 1 } }));
    await reconciler.start();
    await pass(3_000);
    dataplane.table = table({ 1: { 11: 7 } });
    await pass(2_000);
    reconciler.setWanted(table({ 1: { 11: 3 } }));
    await reconciler.whenSettled();
    expect(reconciler.status().driftRepaired).toBe(1);
  });

  it("without a cheap fingerprint the dump every resync_interval finds them", async () => {
    dataplane.cheap = false;
    make().setWanted(table({ 1: { 11: 1 } }));
    await reconciler.start();
    dataplane.table = new Map();
    await pass(9_000);
    expect(dataplane.table.size).toBe(0);
    await pass(1_500);
    expect(dataplane.table.size).toBe(1);
  });

  it("nothing is read but the fingerprint while nothing changes, until resync_interval", async () => {
    make().setWanted(table({ 1: { 11: 1 } }));
    await reconciler.start();
    await pass(2_000);
    const reads = dataplane.reads;
    await pass(8_000);
    expect(dataplane.reads).toBe(reads);
    await pass(4_000);
    expect(dataplane.reads).toBe(reads + 1);
  });
});

describe("spec 3: failures", () => {
  it("the error of one operation is its own: the rest is done, it is retried with backoff and shown", async () => {
    dataplane.refuse = (operation) =>
      "destKey" in operation && operation.destKey === "10.0.0.11:80" ? "EINVAL" : undefined;
    make().setWanted(table({ 1: { 11: 1, 12: 1 }, 2: { 13: 1 } }));
    await reconciler.start();
    expect(plain(dataplane.table)).toEqual(plain(table({ 1: { 12: 1 }, 2: { 13: 1 } })));
    expect(reconciler.status()).toMatchObject({
      complete: false,
      failing: [{ code: "EINVAL", attempts: 1 }],
      lastError: `addDest 10.0.0.11:80 of ${key(1)}: text of EINVAL (EINVAL)`,
    });
    await pass(60_000);
    // 1, 2, 4, 8, 16 s after each other, then 30 s.
    expect(reconciler.status().failing[0]?.attempts).toBe(6);
    expect(logs.filter((line) => line.startsWith("error")).length).toBe(1);
    dataplane.refuse = () => undefined;
    await pass(31_000);
    expect(reconciler.status()).toMatchObject({ complete: true, failing: [], lastError: undefined });
  });

  it("a service that can't be added is one failure, not one for each of its destinations", async () => {
    dataplane.refuse = (operation) =>
      operation.op === "addService" && operation.key === key(1) ? "ENOENT" : undefined;
    make().setWanted(table({ 1: { 11: 1, 12: 1 }, 2: { 13: 1 } }));
    await reconciler.start();
    expect(reconciler.status().failing.length).toBe(1);
    await pass(2_500);
    expect(dataplane.applied.slice(1).every((operations) => operations.length === 3)).toBe(true);
  });

  it("a corrected configuration is tried at once", async () => {
    dataplane.refuse = (operation) => (operation.service.scheduler === "nosuch" ? "ENOENT" : undefined);
    make().setWanted(table({ 1: { 11: 1 } }, "nosuch"));
    await reconciler.start();
    reconciler.setWanted(table({ 1: { 11: 1 } }, "wlc"));
    await reconciler.whenSettled();
    expect(reconciler.status()).toMatchObject({ complete: true, failing: [] });
  });

  it("ENOBUFS: the outcome is looked up at once, and what was done is not done again", async () => {
    let lost = true;
    dataplane.refuse = () => (lost ? "ENOBUFS" : undefined);
    make().setWanted(table({ 1: { 11: 1 } }));
    const reading = dataplane.read.bind(dataplane);
    dataplane.read = async () => {
      if (dataplane.applied.length > 0) lost = false;
      return reading();
    };
    await reconciler.start();
    expect(dataplane.applied.length).toBe(1);
    expect(reconciler.status()).toMatchObject({ complete: true, failing: [] });
  });

  it("a table that can't be read is told with its fix, and tried again until it can", async () => {
    dataplane.unreadable = new DataplaneError("the kernel has no ip_vs", "ENOENT", "modprobe ip_vs");
    make().setWanted(table({ 1: { 11: 1 } }));
    await reconciler.start();
    expect(reconciler.status()).toMatchObject({
      complete: false,
      lastError: "the kernel has no ip_vs: modprobe ip_vs",
    });
    await pass(20_000);
    expect(dataplane.reads).toBeLessThan(8);
    expect(logs.length).toBe(1);
    dataplane.unreadable = undefined;
    await pass(16_000);
    expect(reconciler.status()).toMatchObject({ complete: true, lastError: undefined });
  });
});

describe("spec 3: stop", () => {
  it("with remove our services go, foreign ones stay", async () => {
    dataplane.table = table({ 3: { 13: 1 } });
    make().setWanted(table({ 1: { 11: 1 } }));
    await reconciler.start();
    await reconciler.stop({ remove: true });
    expect([...dataplane.table.keys()]).toEqual([key(3)]);
  });

  it("without remove the table stays as it is, and is watched no more", async () => {
    make().setWanted(table({ 1: { 11: 1 } }));
    await reconciler.start();
    await reconciler.stop({ remove: false });
    expect(dataplane.table.size).toBe(1);
    dataplane.table = new Map();
    await pass(20_000);
    expect(dataplane.table.size).toBe(0);
  });

  it("a removal that fails is tried again, then told", async () => {
    make().setWanted(table({ 1: { 11: 1 }, 2: { 12: 1 } }));
    await reconciler.start();
    dataplane.refuse = (operation) => (operation.key === key(1) ? "EINVAL" : undefined);
    await reconciler.stop({ remove: true });
    expect([...dataplane.table.keys()]).toEqual([key(1)]);
    expect(logs).toEqual([`error IPVS: deleteService ${key(1)}: text of EINVAL (EINVAL)`]);
  });
});
