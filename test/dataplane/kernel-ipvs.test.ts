import { describe, expect, it } from "vitest";
import { openKernelDataplane } from "../../src/dataplane/kernel-ipvs/index.ts";
import type { Dataplane } from "../../src/dataplane/port.ts";
import { diff } from "../../src/lvs/diff.ts";
import type { DestSpec, Operation, ServiceSpec, Table, TableEntry } from "../../src/lvs/table.ts";
import { plain } from "../lvs/tables.ts";
import { FakeKernel } from "./kernel-fake.ts";

const dest = (last: number, changes: Partial<DestSpec> = {}): DestSpec => ({
  address: `10.0.0.${last}`,
  family: 4,
  port: 80,
  forward: "masq",
  weight: 1,
  upperThreshold: 0,
  lowerThreshold: 0,
  tunType: 0,
  tunPort: 0,
  tunFlags: 0,
  ...changes,
});

/** `services` services with two destinations each. */
function tableOf(services: number, scheduler = "rr"): Table {
  const table = new Map<string, TableEntry>();
  for (let n = 0; n < services; n++) {
    const address = `192.0.${n >> 8}.${n & 255}`;
    const service: ServiceSpec = {
      id: { kind: "address", protocol: "tcp", family: 4, address, port: 80 },
      scheduler,
      flags: 1,
      timeout: 360,
      netmask: 24,
      pe: "",
    };
    const dests = new Map([dest(1), dest(2)].map((one) => [`${one.address}:80`, one]));
    table.set(`tcp ${address}:80`, { service, dests });
  }
  return table;
}

const additions = (table: Table): Operation[] => diff(table, new Map(), new Set());

async function open(kernel: FakeKernel, modules: string[] = []): Promise<Dataplane> {
  return openKernelDataplane({
    transport: kernel,
    procFile: "/nonexistent",
    loadModule: async (name) => {
      modules.push(name);
      if (name === "ip_vs") kernel.moduleLoaded = true;
      return true;
    },
  });
}

describe("genetlink: finding IPVS", () => {
  it("loads ip_vs when the family is unknown", async () => {
    const kernel = new FakeKernel();
    kernel.moduleLoaded = false;
    const modules: string[] = [];
    await open(kernel, modules);
    expect(modules).toEqual(["ip_vs"]);
  });

  it("without ip_vs says what to do", async () => {
    const kernel = new FakeKernel();
    kernel.moduleLoaded = false;
    const opening = openKernelDataplane({ transport: kernel, loadModule: async () => false });
    await expect(opening).rejects.toMatchObject({
      name: "DataplaneError",
      code: "ENOENT",
      fix: expect.stringContaining("modprobe ip_vs"),
    });
  });

  it("looks the family up again when the module was unloaded and loaded meanwhile", async () => {
    const kernel = new FakeKernel();
    const dataplane = await open(kernel);
    kernel.familyId += 1;
    kernel.table = tableOf(1);
    expect((await dataplane.read()).table.size).toBe(1);
  });
});

describe("design: netlink batches", () => {
  it("600 services: a few sends, one acknowledgement each, every operation carried out", async () => {
    const kernel = new FakeKernel();
    const dataplane = await open(kernel);
    const table = tableOf(600);
    expect(await dataplane.apply(additions(table))).toEqual([]);
    expect(plain(kernel.table)).toEqual(plain(table));
    expect(kernel.batches.map(({ operations }) => operations.length)).toEqual([
      256, 256, 256, 256, 256, 256, 256, 8,
    ]);
    expect(kernel.batches.every(({ acked }) => acked === 1)).toBe(true);
  });

  it("a refusal is told with errno, our text and the kernel's; the rest of the batch goes on", async () => {
    const kernel = new FakeKernel();
    kernel.kernelText = "attribute failed policy validation";
    kernel.fault = (n) => (n === 4 ? "EINVAL" : undefined);
    const dataplane = await open(kernel);
    const operations = additions(tableOf(3));
    const failures = await dataplane.apply(operations);
    expect(failures).toEqual([
      {
        index: 4,
        operation: operations[4],
        code: "EINVAL",
        message: expect.stringMatching(
          /takes no destination.*kernel says "attribute failed policy validation"/,
        ),
      },
    ]);
    expect([...kernel.table.values()].map(({ dests }) => dests.size)).toEqual([2, 1, 2]);
  });

  it("the last operation of a batch may be the one refused", async () => {
    const kernel = new FakeKernel();
    const operations = additions(tableOf(1));
    kernel.fault = (n) => (n === operations.length - 1 ? "EEXIST" : undefined);
    const failures = await (await open(kernel)).apply(operations);
    expect(failures.map(({ index, code }) => [index, code])).toEqual([[2, "EEXIST"]]);
  });

  it("a value no message can hold fails alone, the batch it is in goes through", async () => {
    const kernel = new FakeKernel();
    const [first, ...rest] = additions(tableOf(2));
    if (!first) throw new Error("no operations");
    const bad: Operation = {
      op: "addService",
      key: "tcp 192.0.2.200:80",
      service: { ...first.service, netmask: 99 },
    };
    const failures = await (await open(kernel)).apply([first, bad, ...rest]);
    expect(failures.map(({ index, code }) => [index, code])).toEqual([[1, "EINVAL"]]);
    expect(plain(kernel.table)).toEqual(plain(tableOf(2)));
  });
});

describe("design: lost answers mean unknown outcomes", () => {
  it("ENOBUFS: all of that batch is unknown, the next batches are sent, and are smaller", async () => {
    const kernel = new FakeKernel();
    kernel.fault = (n) => (n === 10 ? "ENOBUFS" : undefined);
    const dataplane = await open(kernel);
    const table = tableOf(200);
    const failures = await dataplane.apply(additions(table));
    expect(failures.map(({ index }) => index)).toEqual(Array.from({ length: 256 }, (_, n) => n));
    expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(["ENOBUFS"]));
    expect(kernel.batches.slice(0, 4).map(({ operations }) => operations.length)).toEqual([256, 32, 64, 128]);
    // They were carried out: only a dump can tell.
    expect(plain((await dataplane.read()).table)).toEqual(plain(table));
  });

  it("ENOBUFS: refusals that were queued before it keep their errno", async () => {
    const kernel = new FakeKernel();
    kernel.fault = (n) => (n === 1 ? "EINVAL" : n === 2 ? "ENOBUFS" : undefined);
    const failures = await (await open(kernel)).apply(additions(tableOf(1)));
    expect(failures.map(({ index, code }) => [index, code])).toEqual([
      [0, "ENOBUFS"],
      [1, "EINVAL"],
      [2, "ENOBUFS"],
    ]);
  });

  it("silence: the rest is not sent, and everything open is ETIMEDOUT", async () => {
    const kernel = new FakeKernel();
    kernel.fault = (n) => (n === 300 ? "silent" : undefined);
    const failures = await (await open(kernel)).apply(additions(tableOf(200)));
    expect(kernel.batches.length).toBe(2);
    expect(failures.length).toBe(600 - 256);
    expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(["ETIMEDOUT"]));
  });

  it("an answer of a request given up earlier is not taken for this one's", async () => {
    const kernel = new FakeKernel();
    const dataplane = await open(kernel);
    kernel.fault = (n) => (n === 0 ? "silent" : undefined);
    await dataplane.apply(additions(tableOf(1)));
    kernel.fault = () => "EINVAL";
    const failures = await dataplane.apply(additions(tableOf(1)));
    expect(failures.map(({ code }) => code)).toEqual(["EINVAL", "EINVAL", "EINVAL"]);
  });
});

describe("ip_vs_ctl.c: a scheduler that is not loaded", () => {
  it("modprobes it and repeats the service with its destinations", async () => {
    const kernel = new FakeKernel();
    const modules: string[] = [];
    kernel.fault = (_, operation) =>
      operation.op === "addService" && !modules.includes("ip_vs_mh") ? "ENOENT" : undefined;
    const dataplane = await open(kernel, modules);
    expect(await dataplane.apply(additions(tableOf(2, "mh")))).toEqual([]);
    expect(modules).toEqual(["ip_vs_mh"]);
    expect(plain(kernel.table)).toEqual(plain(tableOf(2, "mh")));
  });

  it("that does not exist is told with the caller's indexes, and tried once", async () => {
    const kernel = new FakeKernel();
    const modules: string[] = [];
    kernel.fault = (_, operation) => (operation.service.scheduler === "nosuch" ? "ENOENT" : undefined);
    const dataplane = await open(kernel, modules);
    const operations = [
      ...additions(tableOf(1)),
      ...additions(tableOf(2, "nosuch")).filter(({ key }) => key === "tcp 192.0.0.1:80"),
    ];
    for (let round = 0; round < 2; round++) {
      kernel.table = new Map();
      const failures = await dataplane.apply(operations);
      const [service] = failures;
      expect(service).toMatchObject({ index: 3, code: "ENOENT" });
      expect(service?.message).toBe("the kernel has no scheduler nosuch: modprobe ip_vs_nosuch");
    }
    expect(modules).toEqual(["ip_vs_nosuch"]);
  });
});

describe("ip_vs.h: what read() reports", () => {
  it("the table without HASHED, with IPv6, fwmark, thresholds and tunnels", async () => {
    const kernel = new FakeKernel();
    const v6: ServiceSpec = {
      id: { kind: "address", protocol: "udp", family: 6, address: "2001:db8::1", port: 53 },
      scheduler: "mh",
      flags: 0x1c,
      timeout: 0,
      netmask: 128,
      pe: "",
    };
    const mark: ServiceSpec = { ...v6, id: { kind: "fwmark", family: 4, mark: 7 }, netmask: 32, flags: 0 };
    const wide = dest(1, {
      address: "2001:db8::2",
      family: 6,
      upperThreshold: 9,
      lowerThreshold: 3,
      weight: 0,
    });
    const tunnel = dest(3, { forward: "tunnel", tunType: 1, tunPort: 6080, tunFlags: 1 });
    kernel.table = new Map([
      ["udp [2001:db8::1]:53", { service: v6, dests: new Map([["[2001:db8::2]:80", wide]]) }],
      ["fwmark 7 inet", { service: mark, dests: new Map([["10.0.0.3:80", tunnel]]) }],
    ]);
    const { table, dests } = await (await open(kernel)).read();
    expect(plain(table)).toEqual(plain(kernel.table));
    expect(dests.get("fwmark 7 inet")?.get("10.0.0.3:80")).toEqual({
      activeConns: 0,
      inactConns: 0,
      persistConns: 0,
    });
  });

  it("a kernel that does not answer is an error with a code, not an empty table", async () => {
    const kernel = new FakeKernel();
    const dataplane = await open(kernel);
    kernel.dead = true;
    await expect(dataplane.read()).rejects.toMatchObject({ name: "DataplaneError", code: "ETIMEDOUT" });
  });

  it("af_netlink.c: a dump given up does not make the next one EBUSY", async () => {
    const kernel = new FakeKernel();
    kernel.table = tableOf(2);
    const dataplane = await open(kernel);
    kernel.late = true;
    await expect(dataplane.read()).rejects.toMatchObject({ code: "ETIMEDOUT" });
    expect((await dataplane.read()).table.size).toBe(2);
  });

  it("flush empties the table", async () => {
    const kernel = new FakeKernel();
    kernel.table = tableOf(3);
    await (await open(kernel)).flush();
    expect(kernel.table.size).toBe(0);
  });
});
