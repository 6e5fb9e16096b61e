import { once } from "node:events";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Dataplane, DataplaneError } from "../../src/dataplane/port.ts";
import type { DestSpec, ServiceSpec } from "../../src/lvs/table.ts";
import { getU32, putU32 } from "../../src/net/bytes.ts";
import { libc } from "../../src/net/libc.ts";
import {
  ask,
  type Backend,
  destOp,
  destSpec,
  dial,
  fate,
  freePort,
  keyOf,
  type LogLine,
  openClient,
  openForTest,
  readAll,
  serviceOp,
  startBackend,
  stopBackend,
  tcpService,
  VIP,
} from "./userspace-support.ts";

let dataplane: Dataplane;
let lines: LogLine[];
let port: number;
let service: ServiceSpec;
const dest = destSpec(9);
const backends: Backend[] = [];

beforeEach(async () => {
  ({ dataplane, lines } = await openForTest());
  port = await freePort();
  service = tcpService(port);
});
afterEach(async () => {
  await dataplane.close();
  for (const backend of backends.splice(0)) stopBackend(backend);
});

const backend = async (host = "127.0.0.1"): Promise<Backend> => {
  const started = await startBackend((socket) => socket.pipe(socket), host);
  backends.push(started);
  return started;
};
const codes = async (...operations: Parameters<Dataplane["apply"]>[0]) =>
  (await dataplane.apply(operations)).map(({ index, code }) => [index, code]);
const dests = async (): Promise<DestSpec[]> => [
  ...(await dataplane.read()).table.get(keyOf(service))!.dests.values(),
];

describe("table semantics as ip_vs_ctl.c has them", () => {
  it("reports back exactly what was added, so that a second diff is empty", async () => {
    const edited: DestSpec = { ...dest, weight: 7, forward: "route", upperThreshold: 9, lowerThreshold: 3 };
    const persistent: ServiceSpec = { ...service, scheduler: "wlc", flags: 1, timeout: 360, netmask: 24 };
    expect(
      await codes(
        serviceOp("addService", service),
        destOp("addDest", service, dest),
        destOp("editDest", service, edited),
        serviceOp("editService", persistent),
      ),
    ).toEqual([]);
    const { table } = await dataplane.read();
    expect([...table]).toEqual([
      [keyOf(service), { service: persistent, dests: new Map([["127.0.0.1:9", edited]]) }],
    ]);
  });

  it("adding what exists is EEXIST, touching a missing service ESRCH, a missing destination ENOENT", async () => {
    expect(
      await codes(
        destOp("addDest", service, dest),
        serviceOp("editService", service),
        serviceOp("deleteService", service),
        serviceOp("addService", service),
        serviceOp("addService", service),
        destOp("editDest", service, dest),
        destOp("deleteDest", service, dest),
        destOp("addDest", service, dest),
        destOp("addDest", service, dest),
      ),
    ).toEqual([
      [0, "ESRCH"],
      [1, "ESRCH"],
      [2, "ESRCH"],
      [4, "EEXIST"],
      [5, "ENOENT"],
      [6, "ENOENT"],
      [8, "EEXIST"],
    ]);
    expect(await dests()).toEqual([dest]);
  });

  it("lists the newest destination first, as the kernel's list does", async () => {
    const added = [11, 12, 13].map((p) => destOp("addDest", service, destSpec(p)));
    await dataplane.apply([serviceOp("addService", service), ...added]);
    expect((await dests()).map((d) => d.port)).toEqual([13, 12, 11]);
  });

  it("the fingerprint changes with edits and not with connections", async () => {
    const { port: target } = await backend();
    const fingerprints = [await dataplane.fingerprint()];
    await dataplane.apply([serviceOp("addService", service), destOp("addDest", service, destSpec(target))]);
    fingerprints.push(await dataplane.fingerprint());
    const client = await openClient(port);
    client.end("x");
    await readAll(client);
    expect(await dataplane.fingerprint()).toBe(fingerprints[1]);
    await dataplane.flush();
    fingerprints.push(await dataplane.fingerprint());
    expect(new Set(fingerprints).size).toBe(3);
    expect((await dataplane.read()).table.size).toBe(0);
  });

  it("after close() nothing can be read or changed", async () => {
    await dataplane.close();
    await expect(dataplane.read()).rejects.toBeInstanceOf(DataplaneError);
    expect(await codes(serviceOp("addService", service))).toEqual([[0, "ESHUTDOWN"]]);
  });
});

describe("refusals", () => {
  const address = { kind: "address", family: 4, address: VIP, port: 1 } as const;
  it.each<[string, Partial<ServiceSpec>, string]>([
    ["UDP", { id: { ...address, protocol: "udp" } }, "UDP"],
    ["SCTP", { id: { ...address, protocol: "sctp" } }, "SCTP"],
    ["fwmark", { id: { kind: "fwmark", family: 4, mark: 7 } }, "fwmark 7"],
    ["port 0", { id: { ...address, protocol: "tcp", port: 0 } }, "every port"],
    ["one-packet scheduling", { flags: 4 }, "one-packet"],
    ["a persistence engine", { pe: "sip" }, '"sip"'],
    ["an unmodelled scheduler", { scheduler: "mh" }, "rr wrr lc wlc sh dh sed nq"],
  ])("%s is EOPNOTSUPP and says so", async (_what, spec, text) => {
    const [failure] = await dataplane.apply([serviceOp("addService", { ...service, ...spec })]);
    expect(failure).toMatchObject({ index: 0, code: "EOPNOTSUPP" });
    expect(failure!.message).toContain(text);
  });

  it.each<[string, Partial<DestSpec>, string]>([
    ["a host name", { address: "backend.example" }, "EINVAL"],
    ["another family", { address: "::1", family: 6 }, "EINVAL"],
    ["a negative weight", { weight: -1 }, "ERANGE"],
    ["thresholds the wrong way round", { upperThreshold: 2, lowerThreshold: 3 }, "ERANGE"],
    ["a port that is none", { port: 65_536 }, "EINVAL"],
    ["the service itself, which would be a loop", { address: VIP, port: 0 }, "EINVAL"],
  ])("a destination with %s is refused", async (_what, spec, code) => {
    expect(
      await codes(serviceOp("addService", service), destOp("addDest", service, { ...dest, ...spec })),
    ).toEqual([[1, code]]);
  });

  it("an editService to what cannot be carried changes nothing", async () => {
    await dataplane.apply([serviceOp("addService", service)]);
    expect(await codes(serviceOp("editService", { ...service, scheduler: "mh" }))).toEqual([
      [0, "EOPNOTSUPP"],
    ]);
    expect((await dataplane.read()).table.get(keyOf(service))!.service).toEqual(service);
  });

  it("a port in use is EADDRINUSE with advice, and free again works", async () => {
    const other = createServer().listen(port, VIP);
    await once(other, "listening");
    const [failure] = await dataplane.apply([serviceOp("addService", service)]);
    expect(failure!.code).toBe("EADDRINUSE");
    expect(failure!.message).toMatch(
      new RegExp(`cannot listen on ${VIP}:${port}: EADDRINUSE: .*another program`),
    );
    other.close();
    await once(other, "close");
    expect(await codes(serviceOp("addService", service))).toEqual([]);
  });
});

describe("listeners", () => {
  it("listen on addresses this node does not have (IP_FREEBIND, IPV6_FREEBIND)", async () => {
    const away = ["192.0.2.77", "2001:db8::77"].map((vip) => tcpService(port, {}, vip));
    expect(await codes(...away.map((spec) => serviceOp("addService", spec)))).toEqual([]);
  });

  const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some((a) => a.address === "::1"));
  it.skipIf(!hasIpv6)("relay IPv6", async () => {
    const { port: target } = await backend("::1");
    const ipv6 = tcpService(await freePort("::1"), { scheduler: "sh" }, "::1");
    const to = destSpec(target, { address: "::1", family: 6 });
    expect(await codes(serviceOp("addService", ipv6), destOp("addDest", ipv6, to))).toEqual([]);
    const client = await openClient((ipv6.id as { port: number }).port, "::1");
    client.end("over IPv6");
    expect((await readAll(client)).toString()).toBe("over IPv6");
  });

  it("stop at once on deleteService while open connections live on; the same service can come back", async () => {
    const { port: target } = await backend();
    const add = [serviceOp("addService", service), destOp("addDest", service, destSpec(target))];
    await dataplane.apply(add);
    const client = await openClient(port);
    client.write("before ");
    await once(client, "data");
    await dataplane.apply([serviceOp("deleteService", service)]);
    expect(await fate(dial(port))).toBe("ECONNREFUSED");
    client.end("after");
    expect((await readAll(client)).toString()).toBe("after");
    expect(await codes(...add)).toEqual([]);
  });

  it("DR and TUN destinations are relayed, with one warning per service", async () => {
    const [a, b] = [await backend(), await backend()];
    await dataplane.apply([
      serviceOp("addService", service),
      destOp("addDest", service, destSpec(a.port, { forward: "route" })),
      destOp("addDest", service, destSpec(b.port, { forward: "tunnel" })),
    ]);
    expect((await dests()).map((d) => d.forward)).toEqual(["tunnel", "route"]);
    const warnings = lines.filter((line) => line.message.includes("FULLNAT"));
    expect(warnings.map((line) => [line.level, line.fields.service])).toEqual([["warn", keyOf(service)]]);
    const client = await openClient(port);
    client.end("x");
    expect((await readAll(client)).toString()).toBe("x");
  });
});

/** RLIMIT_NOFILE, sys/resource.h: soft and hard limit, 64 bits each; only the low half is touched. */
function limitDescriptors(soft: number): number {
  const limits = new Uint8Array(16);
  libc().prlimit(0, 7, null, limits);
  const before = getU32(limits, 0);
  putU32(limits, 0, soft);
  putU32(limits, 4, 0);
  libc().prlimit(0, 7, limits, null);
  return before;
}

describe("descriptors running out", () => {
  it("costs connections, not the process: service goes on once some are free", async () => {
    const named = await startBackend((socket) => socket.end("alive"));
    backends.push(named);
    await dataplane.apply([
      serviceOp("addService", service),
      destOp("addDest", service, destSpec(named.port)),
    ]);
    // A backend that keeps its connections, so that descriptors add up.
    const { port: keeping } = await backend();
    const busy = tcpService(await freePort());
    await dataplane.apply([serviceOp("addService", busy), destOp("addDest", busy, destSpec(keeping))]);
    const held = await openClient(keeping, "127.0.0.1");
    const highest = (held as unknown as { _handle: { fd: number } })._handle.fd;
    const before = limitDescriptors(highest + 20);
    const clients = Array.from({ length: 60 }, () => dial((busy.id as { port: number }).port));
    const ends = Promise.all(clients.map(fate));
    try {
      await vi.waitFor(() => expect(clients.filter((client) => client.closed).length).toBeGreaterThan(20));
    } finally {
      limitDescriptors(before);
      for (const client of [held, ...clients]) client.destroy();
    }
    expect(await ends).toContain("EMFILE");
    await vi.waitFor(async () => expect(await ask(port)).toBe("alive"));
  });
});
