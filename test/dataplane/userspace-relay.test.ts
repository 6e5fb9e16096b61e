import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Dataplane } from "../../src/dataplane/port.ts";
import { startRelay } from "../../src/dataplane/userspace/relay.ts";
import { ms } from "../../src/units.ts";
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
  startSilentBackend,
  stopBackend,
  tcpService,
} from "./userspace-support.ts";

let dataplane: Dataplane;
let lines: LogLine[];
let port: number;
let service: ReturnType<typeof tcpService>;
const backends: Backend[] = [];

beforeEach(async () => {
  ({ dataplane, lines } = await openForTest({ connectTimeout: ms(300) }));
  port = await freePort();
  service = tcpService(port);
});
afterEach(async () => {
  await dataplane.close();
  for (const backend of backends.splice(0)) stopBackend(backend);
});

async function serving(serve: (socket: Socket) => void): Promise<Backend> {
  const backend = await startBackend(serve);
  backends.push(backend);
  const operations = [serviceOp("addService", service), destOp("addDest", service, destSpec(backend.port))];
  expect(await dataplane.apply(operations)).toEqual([]);
  return backend;
}

async function onlyDest() {
  const observed = await dataplane.read();
  return [...observed.dests.get(keyOf(service))!.values()][0]!;
}

describe("relayed data", () => {
  it("is the same at the other end, 8 MiB each way at once", async () => {
    await serving((socket) => socket.pipe(socket));
    const sent = randomBytes(8 * 1024 * 1024);
    const client = await openClient(port);
    const received = readAll(client);
    client.end(sent);
    expect(sent.equals(await received)).toBe(true);
    await vi.waitFor(async () => expect(await onlyDest()).toMatchObject({ activeConns: 0, inactConns: 0 }));
    expect((await onlyDest()).stats).toMatchObject({
      conns: 1n,
      inBytes: BigInt(sent.length),
      outBytes: BigInt(sent.length),
      inPkts: 0n,
    });
    const observed = await dataplane.read();
    expect(observed.serviceStats.get(keyOf(service))!.outBytes).toBe(BigInt(sent.length));
  });

  it("waits for a slow reader instead of filling memory, then arrives whole", async () => {
    const total = 64 * 1024 * 1024;
    const backend = await serving((socket) => {
      const chunk = Buffer.alloc(1024 * 1024, "x");
      let written = 0;
      const more = (): void => {
        while (written < total) {
          written += chunk.length;
          if (!socket.write(chunk)) return void socket.once("drain", more);
        }
        socket.end();
      };
      more();
    });
    const client = await openClient(port);
    client.pause();
    // The flow has stopped when what the relay has taken no longer grows.
    let taken = -1n;
    await vi.waitFor(
      async () => {
        const now = (await onlyDest()).stats!.outBytes;
        const before = taken;
        taken = now;
        expect(now > 0n && now === before).toBe(true);
      },
      { timeout: 10_000, interval: 100 },
    );
    // Kernel socket buffers hold the rest: far from all of it, and the backend is held up.
    expect(Number(taken)).toBeLessThan(total / 2);
    expect(backend.sockets[0]!.writableLength).toBeGreaterThan(0);
    expect((await readAll(client)).length).toBe(total);
  });
});

describe("buffers of a relay", () => {
  it.each(["client", "backend"])("stay small while the %s does not read", async (slow) => {
    const chunk = Buffer.alloc(256 * 1024);
    /** Writes for as long as it is let. */
    const flood = (socket: Socket): void => {
      socket.on("drain", () => flood(socket));
      while (socket.write(chunk));
    };
    const backend = await startBackend((socket) => (slow === "client" ? flood(socket) : socket.pause()));
    backends.push(backend);
    let largest = 0;
    let moved = 0;
    let near: Socket | undefined;
    const count = (): void => {
      moved += 1;
    };
    const noted = { connected() {}, connectFailed() {}, closing() {}, closed() {} };
    const front = await startBackend((socket) => {
      near = socket;
      const target = { host: "127.0.0.1", port: backend.port };
      startRelay(socket, target, ms(1000), { ...noted, fromClient: count, toClient: count });
    });
    backends.push(front);
    const far = await openClient(front.port, "127.0.0.1");
    far.pause();
    if (slow === "backend") flood(far);
    let before = 0;
    await vi.waitFor(
      () => {
        const still = moved > 0 && moved === before;
        before = moved;
        largest = Math.max(largest, near!.writableLength);
        expect(still).toBe(true);
      },
      { timeout: 4000, interval: 100 },
    );
    // One read of 64 KiB above the high-water mark at most.
    expect(largest).toBeLessThanOrEqual(2 * 65_536);
    if (slow === "backend") expect(near!.isPaused()).toBe(true);
    far.destroy();
  });
});

describe("ends of a connection", () => {
  it("passes the client's FIN on while the answer still flows", async () => {
    await serving((socket) => {
      socket.resume();
      socket.once("end", () => {
        socket.write("late ");
        setImmediate(() => socket.end("answer"));
      });
    });
    const client = await openClient(port);
    client.end("request");
    expect((await readAll(client)).toString()).toBe("late answer");
  });

  it("passes the backend's FIN on while the client still sends", async () => {
    const backend = await serving((socket) => socket.end("greeting"));
    const client = await openClient(port);
    expect((await readAll(client)).toString()).toBe("greeting");
    expect((await onlyDest()).inactConns).toBe(1);
    const heard = readAll(backend.sockets[0]!);
    client.end("more");
    expect((await heard).toString()).toBe("more");
  });

  it("resets the client when the backend resets", async () => {
    await serving((socket) => socket.once("data", () => socket.resetAndDestroy()));
    const client = await openClient(port);
    client.write("x");
    expect(await fate(client)).toBe("ECONNRESET");
  });

  it("resets the backend when the client resets", async () => {
    const backend = await serving((socket) => socket.write("hello"));
    const client = await openClient(port);
    await once(client, "data");
    client.resetAndDestroy();
    expect(await fate(backend.sockets[0]!)).toBe("ECONNRESET");
    await vi.waitFor(async () => expect((await onlyDest()).activeConns).toBe(0));
  });

  it("resets every connection on close()", async () => {
    await serving((socket) => socket.write("hello"));
    const client = await openClient(port);
    await once(client, "data");
    const ended = fate(client);
    await dataplane.close();
    expect(await ended).toBe("ECONNRESET");
  });
});

describe("a backend that does not answer", () => {
  it("refused: the client is reset, the next one goes to the scheduler's choice, one warning in all", async () => {
    const backend = await serving((socket) => socket.end("alive"));
    const dead = destSpec(await freePort("127.0.0.1"));
    await dataplane.apply([destOp("addDest", service, dead)]);
    // Round robin starts at the destination added last.
    expect(await fate(dial(port))).toBe("ECONNRESET");
    expect(await ask(port)).toBe("alive");
    expect(await fate(dial(port))).toBe("ECONNRESET");
    expect(backend.sockets).toHaveLength(1);
    const warnings = lines.filter((line) => line.level === "warn" && line.fields.code === "ECONNREFUSED");
    expect(warnings).toHaveLength(1);
    expect(warnings[0]!.fields.destination).toBe(`127.0.0.1:${dead.port}`);
  });

  it("silent: the client is reset after the connect timeout", async () => {
    const silent = await startSilentBackend();
    try {
      await dataplane.apply([
        serviceOp("addService", service),
        destOp("addDest", service, destSpec(silent.port)),
      ]);
      expect(await fate(dial(port))).toBe("ECONNRESET");
      expect(lines.map((line) => line.fields.code)).toContain("ETIMEDOUT");
      await vi.waitFor(async () => expect((await onlyDest()).activeConns).toBe(0));
    } finally {
      silent.stop();
    }
  });

  it("no destination at all: the client is reset", async () => {
    await dataplane.apply([serviceOp("addService", service)]);
    expect(await fate(dial(port))).toBe("ECONNRESET");
  });
});

describe("load", () => {
  it("carries 200 connections at once and counts them", async () => {
    await serving((socket) => socket.pipe(socket));
    const clients = await Promise.all(Array.from({ length: 200 }, () => openClient(port)));
    await vi.waitFor(async () => expect((await onlyDest()).activeConns).toBe(200));
    const answers = clients.map(readAll);
    for (const [i, client] of clients.entries()) client.end(`client ${i}`);
    expect((await Promise.all(answers)).map(String)).toEqual(clients.map((_, i) => `client ${i}`));
    await vi.waitFor(async () => expect(await onlyDest()).toMatchObject({ activeConns: 0, inactConns: 0 }));
    expect((await onlyDest()).stats!.conns).toBe(200n);
  });
});
