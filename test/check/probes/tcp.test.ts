import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { lingeringCount } from "../../../src/check/probes/linger.ts";
import { probeTcp } from "../../../src/check/probes/tcp.ts";
import { ms } from "../../../src/units.ts";
import { tcpConfig } from "../support.ts";
import { closedPort, listen, openDescriptors, until } from "./servers.ts";

const to = (port: number, over: Parameters<typeof tcpConfig>[0] = {}) =>
  tcpConfig({ connectIp: "127.0.0.1", connectPort: port, connectTimeout: ms(1_000), ...over });

describe("TCP_CHECK against real sockets, spec checks 2", () => {
  it("a listening port is up", async () => {
    const port = await listen(() => undefined);
    expect(await probeTcp(to(port))).toMatchObject({ ok: true, detail: "connected" });
  });

  it("IPv6", async () => {
    const port = await listen(() => undefined, { host: "::1" });
    expect(await probeTcp(to(port, { connectIp: "::1" }))).toMatchObject({ ok: true });
  });

  it("a closed port is refused", async () => {
    expect(await probeTcp(to(await closedPort()))).toMatchObject({ ok: false, reason: "refused" });
  });

  it("bindto is the source address of the probe", async () => {
    const peers: (string | undefined)[] = [];
    const port = await listen((socket) => peers.push(socket.remoteAddress));
    await probeTcp(to(port, { bindTo: "127.0.0.9" }));
    await until(() => peers.length > 0);
    expect(peers).toEqual(["127.0.0.9"]);
  });

  it("a bindto address this director does not have is a local error", async () => {
    const port = await listen(() => undefined);
    expect(await probeTcp(to(port, { bindTo: "192.0.2.99" }))).toMatchObject({
      ok: false,
      reason: "local-error",
      detail: expect.stringContaining("bindto"),
    });
  });

  it("an address or port that is none is a local error, not an exception", async () => {
    expect(await probeTcp(to(70_000))).toMatchObject({ ok: false, reason: "local-error" });
    expect(await probeTcp(to(80, { bindTo: "nonsense" }))).toMatchObject({ reason: "local-error" });
  });

  it("closes with FIN, not RST, even when the server greets first", async () => {
    const seen: string[] = [];
    const port = await listen((socket: Socket) => {
      socket.write("220 greetings from a talkative backend\r\n");
      socket.on("end", () => seen.push("FIN"));
      socket.on("error", (error) => seen.push(error.message));
      socket.resume();
    });
    for (let i = 0; i < 20; i++) expect(await probeTcp(to(port))).toMatchObject({ ok: true });
    await until(() => seen.length === 20);
    expect(new Set(seen)).toEqual(new Set(["FIN"]));
    await until(() => lingeringCount() === 0);
  });

  it("a server that never closes its side does not keep our descriptor", async () => {
    const port = await listen((socket) => socket.resume(), { allowHalfOpen: true });
    await probeTcp(to(port));
    expect(lingeringCount()).toBe(1);
    await until(() => lingeringCount() === 0);
  });

  it("a server that floods after the connect is cut off", async () => {
    const port = await listen((socket) => {
      const flood = (): void => {
        while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
      };
      socket.on("drain", flood);
      flood();
    });
    expect(await probeTcp(to(port))).toMatchObject({ ok: true });
    await until(() => lingeringCount() === 0);
  });

  it("an abort ends the probe at once, before or during it", async () => {
    const port = await listen(() => undefined);
    const during = new AbortController();
    const probe = probeTcp(to(port), during.signal);
    during.abort();
    expect(await probe).toMatchObject({ ok: false, detail: "probe cancelled" });
    expect(await probeTcp(to(port), during.signal)).toMatchObject({ ok: false, detail: "probe cancelled" });
  });

  it("no descriptor is left after 500 probes, failed ones among them", async () => {
    const open = await listen((socket) => socket.resume());
    const closed = await closedPort();
    const before = openDescriptors();
    for (let i = 0; i < 25; i++) {
      await Promise.all(Array.from({ length: 20 }, (_, n) => probeTcp(to(n % 2 ? open : closed))));
    }
    await until(() => openDescriptors() <= before);
    expect(lingeringCount()).toBe(0);
  });
});
