import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Dataplane } from "../../src/dataplane/port.ts";
import type { ServiceSpec } from "../../src/lvs/table.ts";
import { type Milliseconds, ms } from "../../src/units.ts";
import {
  type Backend,
  destOp,
  destSpec,
  dial,
  fate,
  freePort,
  keyOf,
  openClient,
  openForTest,
  readAll,
  serviceOp,
  startBackend,
  stopBackend,
  tcpService,
} from "./userspace-support.ts";

const PERSISTENT = 1;
let dataplane: Dataplane;
let port: number;
let clock: Milliseconds;
const backends: Backend[] = [];

beforeEach(async () => {
  clock = ms(0);
  ({ dataplane } = await openForTest({ now: () => clock }));
  port = await freePort();
});
afterEach(async () => {
  await dataplane.close();
  for (const backend of backends.splice(0)) stopBackend(backend);
});

/** Backends that say their name, then echo until the client ends. */
async function start(names: string): Promise<Record<string, number>> {
  const ports: Record<string, number> = {};
  for (const name of names) {
    const backend = await startBackend((socket) => {
      socket.write(name);
      socket.pipe(socket);
    });
    backends.push(backend);
    ports[name] = backend.port;
  }
  return ports;
}

async function add(service: ServiceSpec, ...dests: ReturnType<typeof destSpec>[]): Promise<void> {
  // The newest comes first in the list: added backwards, the first named is the first served.
  const operations = dests.toReversed().map((dest) => destOp("addDest", service, dest));
  expect(await dataplane.apply([serviceOp("addService", service), ...operations])).toEqual([]);
}

/** The name of the backend a new connection reaches; the connection is over when this resolves. */
async function reach(from?: string): Promise<string> {
  const client = dial(port, undefined, from);
  const answer = readAll(client);
  client.end();
  return (await answer).toString();
}

/** A connection that stays, and whom it reached. */
async function stay() {
  const client = await openClient(port);
  const [name] = (await once(client, "data")) as [Buffer];
  return { client, name: name.toString() };
}

async function observed(service: ServiceSpec, target: number) {
  return (await dataplane.read()).dests.get(keyOf(service))!.get(`127.0.0.1:${target}`)!;
}

const sequence = async (count: number): Promise<string> => {
  let names = "";
  for (let i = 0; i < count; i++) names += await reach();
  return names;
};

describe("distribution", () => {
  it("rr takes each in turn", async () => {
    const { a, b, c } = await start("abc");
    await add(tcpService(port), destSpec(a!), destSpec(b!), destSpec(c!));
    expect(await sequence(7)).toBe("abcabca");
  });

  it("wrr follows the kernel's descending sequence", async () => {
    const { a, b, c } = await start("abc");
    const service = tcpService(port, { scheduler: "wrr" });
    await add(service, destSpec(a!, { weight: 4 }), destSpec(b!, { weight: 3 }), destSpec(c!, { weight: 2 }));
    // Added one by one the threshold stays where the first, lightest one put it: the lowest pass comes first.
    expect(await sequence(9)).toBe("abcaababc");
  });

  it("wlc counts connections that are open now", async () => {
    const { a, b } = await start("ab");
    await add(tcpService(port, { scheduler: "wlc" }), destSpec(a!, { weight: 2 }), destSpec(b!));
    const first = await stay();
    const second = await stay();
    const third = await stay();
    expect([first, second, third].map(({ name }) => name).join("")).toBe("aba");
    second.client.destroy();
    await vi.waitFor(async () => expect(await reach()).toBe("b"));
  });

  it("a changed scheduler takes effect on the next connection", async () => {
    const { a, b } = await start("ab");
    const service = tcpService(port);
    await add(service, destSpec(a!), destSpec(b!));
    expect(await sequence(3)).toBe("aba");
    await dataplane.apply([serviceOp("editService", { ...service, scheduler: "sh" })]);
    expect(new Set(await sequence(6)).size).toBe(1);
  });
});

describe("taking a real server out", () => {
  it("weight 0 drains: open connections live on, new ones go elsewhere", async () => {
    const { a, b } = await start("ab");
    const service = tcpService(port);
    await add(service, destSpec(a!), destSpec(b!));
    const kept = await stay();
    expect(kept.name).toBe("a");
    await dataplane.apply([destOp("editDest", service, destSpec(a!, { weight: 0 }))]);
    expect(await sequence(4)).toBe("bbbb");
    expect((await observed(service, a!)).activeConns).toBe(1);
    kept.client.end("still here");
    expect((await readAll(kept.client)).toString()).toBe("still here");
  });

  it("removed: open connections live on (expire_nodest_conn=0) and count again when it returns", async () => {
    const { a, b } = await start("ab");
    const service = tcpService(port);
    await add(service, destSpec(a!), destSpec(b!));
    const kept = await stay();
    await dataplane.apply([destOp("deleteDest", service, destSpec(a!))]);
    expect(await sequence(3)).toBe("bbb");
    await dataplane.apply([destOp("addDest", service, destSpec(a!))]);
    expect((await observed(service, a!)).activeConns).toBe(1);
    kept.client.end("still here");
    expect((await readAll(kept.client)).toString()).toBe("still here");
    await vi.waitFor(async () => expect((await observed(service, a!)).activeConns).toBe(0));
  });
});

describe("thresholds", () => {
  it("upper: overloaded until below three quarters of it", async () => {
    const { a } = await start("a");
    const service = tcpService(port);
    await add(service, destSpec(a!, { upperThreshold: 4 }));
    const open = [await stay(), await stay(), await stay(), await stay()];
    expect(await fate(dial(port))).toBe("ECONNRESET");
    const leave = async (left: number): Promise<void> => {
      open.pop()!.client.destroy();
      await vi.waitFor(async () => {
        const { activeConns, inactConns } = await observed(service, a!);
        expect(activeConns + inactConns).toBe(left);
      });
    };
    await leave(3);
    expect(await fate(dial(port))).toBe("ECONNRESET");
    await leave(2);
    expect(await reach()).toBe("a");
    for (const { client } of open) client.destroy();
  });

  it("lower: overloaded until below it; raising the upper threshold lifts it at once", async () => {
    const { a } = await start("a");
    const service = tcpService(port);
    await add(service, destSpec(a!, { upperThreshold: 2, lowerThreshold: 1 }));
    const open = [await stay(), await stay()];
    expect(await fate(dial(port))).toBe("ECONNRESET");
    await dataplane.apply([
      destOp("editDest", service, destSpec(a!, { upperThreshold: 3, lowerThreshold: 1 })),
    ]);
    expect(await reach()).toBe("a");
    for (const { client } of open) client.destroy();
  });
});

describe("persistence", () => {
  it("keeps a client on its server for the timeout after its latest connection", async () => {
    const { a, b } = await start("ab");
    const service = tcpService(port, { flags: PERSISTENT, timeout: 50 });
    await add(service, destSpec(a!), destSpec(b!));
    expect(await sequence(3)).toBe("aaa");
    clock = ms(49_999);
    expect(await reach()).toBe("a");
    expect((await observed(service, a!)).persistConns).toBe(1);
    clock = ms(99_998);
    expect(await reach()).toBe("a");
    await vi.waitFor(async () => {
      const { activeConns, inactConns } = await observed(service, a!);
      expect(activeConns + inactConns).toBe(0);
    });
    clock = ms(149_998);
    expect((await observed(service, a!)).persistConns).toBe(0);
    expect(await reach()).toBe("b");
  });

  it("persistence_granularity: clients of one network share a server", async () => {
    const { a, b } = await start("ab");
    const service = tcpService(port, { flags: PERSISTENT, timeout: 50, netmask: 24 });
    await add(service, destSpec(a!), destSpec(b!));
    expect(await reach("127.0.5.1")).toBe("a");
    expect(await reach("127.0.5.200")).toBe("a");
    expect(await reach("127.0.6.1")).toBe("b");
    await dataplane.apply([serviceOp("editService", { ...service, netmask: 32 })]);
    expect(await reach("127.0.5.200")).toBe("a");
    expect(await reach("127.0.5.1")).toBe("b");
  });

  it("lets go of a server at weight 0 or deleted", async () => {
    const { a, b } = await start("ab");
    const service = tcpService(port, { flags: PERSISTENT, timeout: 50 });
    await add(service, destSpec(a!), destSpec(b!));
    expect(await sequence(2)).toBe("aa");
    await dataplane.apply([destOp("editDest", service, destSpec(a!, { weight: 0 }))]);
    expect(await sequence(2)).toBe("bb");
    await dataplane.apply([
      destOp("editDest", service, destSpec(a!)),
      destOp("deleteDest", service, destSpec(b!)),
    ]);
    expect(await sequence(2)).toBe("aa");
  });
});
