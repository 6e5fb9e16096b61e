import { describe, expect, it } from "vitest";
import { describeOperation, diff } from "../../src/lvs/diff.ts";
import { applyOperations } from "../../src/lvs/model.ts";
import type { DestSpec, Operation, ServiceSpec, Table } from "../../src/lvs/table.ts";

const KEY = "tcp 192.0.2.1:80";
const service: ServiceSpec = {
  id: { kind: "address", protocol: "tcp", family: 4, address: "192.0.2.1", port: 80 },
  scheduler: "rr",
  flags: 0,
  timeout: 0,
  netmask: 32,
  pe: "",
};
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
const table = (dests: readonly DestSpec[], changes: Partial<ServiceSpec> = {}): Table =>
  new Map([
    [
      KEY,
      {
        service: { ...service, ...changes },
        dests: new Map(dests.map((one) => [`${one.address}:${one.port}`, one])),
      },
    ],
  ]);
const words = (operations: readonly Operation[]): string[] => operations.map(describeOperation);

describe("spec 3: order of operations", () => {
  it("the sorry server comes in before the last live server goes out", () => {
    expect(words(diff(table([dest(9)]), table([dest(1), dest(2)]), new Set()))).toEqual([
      `addDest 10.0.0.9:80 of ${KEY}`,
      `deleteDest 10.0.0.1:80 of ${KEY}`,
      `deleteDest 10.0.0.2:80 of ${KEY}`,
    ]);
  });

  it("with inhibit_on_failure: weights are raised before others are lowered", () => {
    const want = table([dest(1, { weight: 0 }), dest(2, { weight: 5 })]);
    const have = table([dest(1, { weight: 5 }), dest(2, { weight: 0 })]);
    expect(words(diff(want, have, new Set()))).toEqual([
      `editDest 10.0.0.2:80 of ${KEY}`,
      `editDest 10.0.0.1:80 of ${KEY}`,
    ]);
  });

  it("a service that changes scheduler, flags or persistence is edited in place", () => {
    for (const change of [
      { scheduler: "sh" },
      { flags: 1 },
      { timeout: 60 },
      { netmask: 24 },
      { pe: "sip" },
    ] satisfies Partial<ServiceSpec>[]) {
      expect(words(diff(table([dest(1)], change), table([dest(1)]), new Set()))).toEqual([
        `editService ${KEY}`,
      ]);
    }
  });

  it("forwarding method, thresholds and tunnel of a destination are edited in place", () => {
    for (const change of [
      { forward: "route" },
      { upperThreshold: 9 },
      { lowerThreshold: 3 },
      { tunType: 1 },
      { tunPort: 6080 },
      { tunFlags: 1 },
    ] satisfies Partial<DestSpec>[]) {
      expect(words(diff(table([dest(1, change)]), table([dest(1)]), new Set()))).toEqual([
        `editDest 10.0.0.1:80 of ${KEY}`,
      ]);
    }
  });

  it("spec 3: a foreign service stays, one a previous configuration had goes", () => {
    expect(diff(new Map(), table([dest(1)]), new Set())).toEqual([]);
    expect(words(diff(new Map(), table([dest(1)]), new Set([KEY])))).toEqual([`deleteService ${KEY}`]);
  });
});

describe("ip_vs_ctl.c: what the model refuses, as the kernel does", () => {
  const add: Operation = { op: "addService", key: KEY, service };
  const addDest: Operation = { op: "addDest", key: KEY, service, destKey: "10.0.0.1:80", dest: dest(1) };

  it("an error is that operation's alone; the rest goes on", () => {
    const { table: after, failures } = applyOperations(new Map(), [
      addDest,
      add,
      add,
      addDest,
      addDest,
      { ...addDest, op: "editDest", destKey: "10.0.0.2:80" },
      { ...addDest, op: "deleteDest", destKey: "10.0.0.2:80" },
      { op: "deleteService", key: "tcp 192.0.2.9:80", service },
      { op: "editService", key: "tcp 192.0.2.9:80", service },
    ]);
    expect(failures).toEqual([
      { index: 0, error: "ESRCH" },
      { index: 2, error: "EEXIST" },
      { index: 4, error: "EEXIST" },
      { index: 5, error: "ENOENT" },
      { index: 6, error: "ENOENT" },
      { index: 7, error: "ESRCH" },
      { index: 8, error: "ESRCH" },
    ]);
    expect([...(after.get(KEY)?.dests.keys() ?? [])]).toEqual(["10.0.0.1:80"]);
  });

  it("the given table is left as it was", () => {
    const before = table([dest(1)]);
    applyOperations(before, [
      { ...addDest, op: "editDest", dest: dest(1, { weight: 7 }) },
      { op: "addDest", key: KEY, service, destKey: "10.0.0.2:80", dest: dest(2) },
    ]);
    expect(before).toEqual(table([dest(1)]));
  });
});
