import { describe, expect, it } from "vitest";
import { probeTcpExpect } from "../../../src/check/probes/tcp-expect.ts";
import type { TcpCheckConfig } from "../../../src/config/model.ts";
import { ms } from "../../../src/units.ts";
import { tcpConfig } from "../support.ts";
import { closedPort, listen, openDescriptors, until } from "./servers.ts";

const to = (port: number, over: Partial<TcpCheckConfig> = {}): TcpCheckConfig =>
  tcpConfig({
    connectIp: "127.0.0.1",
    connectPort: port,
    connectTimeout: ms(150),
    send: "PING\r\n",
    expect: "+PONG",
    ...over,
  });
const redis = (answer: string): Promise<number> =>
  listen((socket) => socket.on("data", (data) => data.toString() === "PING\r\n" && socket.write(answer)));

describe("TCP_CHECK send and expect, spec checks 2", () => {
  it("PING, +PONG", async () => {
    expect(await probeTcpExpect(to(await redis("+PONG\r\n")))).toMatchObject({
      ok: true,
      detail: 'got "+PONG"',
    });
  });

  it("found across reads, and behind other text", async () => {
    const port = await listen((socket) => {
      socket.write("hello +PO");
      setTimeout(() => socket.write("NG"), 20);
    });
    expect(await probeTcpExpect(to(port))).toMatchObject({ ok: true });
  });

  it("bytes are bytes", async () => {
    const port = await listen((socket) => socket.on("data", (data) => socket.write(data)));
    expect(await probeTcpExpect(to(port, { send: "\xff\x00\xe9", expect: "\x00\xe9" }))).toMatchObject({
      ok: true,
    });
  });

  it("send alone is enough once sent", async () => {
    const port = await listen((socket) => socket.resume());
    const { expect: _, ...cfg } = to(port);
    expect(await probeTcpExpect(cfg)).toMatchObject({ ok: true });
  });

  it.each([
    ["another answer", "-LOADING\r\n", "timeout-response", '"-LOADING\\r\\n" within 150 ms, not "+PONG"'],
    ["no answer", "", "timeout-response", 'nothing within 150 ms, not "+PONG"'],
  ])("%s", async (_name, answer, reason, detail) => {
    expect(await probeTcpExpect(to(await redis(answer)))).toMatchObject({ ok: false, reason, detail });
  });

  it("closed with another answer, or none", async () => {
    const wrong = await listen((socket) => socket.end("bye"));
    const none = await listen((socket) => socket.end());
    expect(await probeTcpExpect(to(wrong))).toMatchObject({ reason: "unexpected-reply" });
    expect(await probeTcpExpect(to(none))).toMatchObject({ reason: "closed-early" });
  });

  it("an endless answer is cut", async () => {
    const port = await listen((socket) => socket.write(Buffer.alloc(1_000_000, "x")));
    expect(await probeTcpExpect(to(port))).toMatchObject({ ok: false, reason: "body-too-large" });
  });

  it("refused; no descriptor is left", async () => {
    const closed = await closedPort();
    const good = await redis("+PONG\r\n");
    const silent = await listen((socket) => socket.resume());
    const before = openDescriptors();
    const results = await Promise.all([closed, good, silent].map((port) => probeTcpExpect(to(port))));
    expect(results.map((r) => (r.ok ? "ok" : r.reason))).toEqual(["refused", "ok", "timeout-response"]);
    await until(() => openDescriptors() <= before);
  });
});
