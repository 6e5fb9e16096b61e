import { describe, expect, it } from "vitest";
import { probeUdp } from "../../../src/check/probes/udp.ts";
import type { UdpCheckConfig } from "../../../src/config/model.ts";
import { ms } from "../../../src/units.ts";
import { udpConfig } from "../support.ts";
import { closedPort, listenUdp, openDescriptors, until } from "./servers.ts";

const to = (port: number, over: Partial<UdpCheckConfig> = {}): UdpCheckConfig =>
  udpConfig({ connectPort: port, ...over });

describe("UDP_CHECK, keepalived.conf(5)", () => {
  it("the payload is sent, random bytes where none is given", async () => {
    const seen: string[] = [];
    const port = await listenUdp((message, reply) => {
      seen.push(message.toString("hex"));
      reply(message);
    });
    expect(await probeUdp(to(port, { payload: "ab120f" }))).toMatchObject({ ok: true });
    await probeUdp(to(port));
    await probeUdp(to(port));
    expect(seen[0]).toBe("ab120f");
    expect(seen[1]).toHaveLength(64);
    expect(seen[1]).not.toBe(seen[2]);
  });

  it.each([
    ["the whole reply", "ab120f", {}, true],
    ["wild nibbles", "xb1xxf", {}, true],
    ["up to the shorter of the two: pattern", "ab", {}, true],
    ["up to the shorter of the two: reply", "ab120fffff", {}, true],
    ["another byte", "ab130f", {}, false],
    ["another nibble beside a wild one", "ab1x0e", {}, false],
    ["long enough", undefined, { minReplyLength: 3 }, true],
    ["too short", undefined, { minReplyLength: 4 }, false],
    ["too long", undefined, { maxReplyLength: 2 }, false],
  ] as const)("require_reply: %s", async (_name, replyPattern, over, ok) => {
    const port = await listenUdp((_message, reply) => reply(Uint8Array.of(0xab, 0x12, 0x0f)));
    const result = await probeUdp(to(port, { ...(replyPattern ? { replyPattern } : {}), ...over }));
    expect(result).toMatchObject(ok ? { ok } : { ok, reason: "unexpected-reply" });
  });

  it("require_reply: silence is down", async () => {
    const port = await listenUdp(() => undefined);
    expect(await probeUdp(to(port, { connectTimeout: ms(100) }))).toMatchObject({
      ok: false,
      reason: "timeout-response",
    });
  });

  it("without require_reply silence is up", async () => {
    const port = await listenUdp(() => undefined);
    const result = await probeUdp(to(port, { requireReply: false, connectTimeout: ms(100) }));
    expect(result).toMatchObject({ ok: true, detail: "no ICMP error in 100 ms" });
  });

  it.each([true, false])("ICMP port unreachable is down (require_reply %s)", async (requireReply) => {
    const result = await probeUdp(to(await closedPort(), { requireReply }));
    expect(result).toMatchObject({ ok: false, reason: "refused", detail: "port unreachable (ICMP)" });
  });

  it("an address nobody routes", async () => {
    // A loopback source can't reach it: the kernel says so at once.
    const cfg = to(9, { connectIp: "192.0.2.1", bindTo: "127.0.0.1", connectTimeout: ms(100) });
    expect(await probeUdp(cfg)).toMatchObject({ ok: false });
  });

  it("bindto and bind_port are the source", async () => {
    const sources: string[] = [];
    const free = await closedPort();
    const port = await listenUdp((message, reply, from) => {
      sources.push(`${from.address}:${from.port}`);
      reply(message);
    });
    await probeUdp(to(port, { bindTo: "127.0.0.7", bindPort: free }));
    expect(sources).toEqual([`127.0.0.7:${free}`]);
  });

  it("a bindto that is not here is our trouble", async () => {
    const result = await probeUdp(to(9, { bindTo: "192.0.2.77" }));
    expect(result).toMatchObject({ ok: false, reason: "local-error" });
  });

  it("a flood of replies after the verdict, and aborts, leave nothing behind", async () => {
    const port = await listenUdp((message, reply) => {
      for (let i = 0; i < 50; i++) reply(message);
    });
    const before = openDescriptors();
    for (let i = 0; i < 20; i++)
      await Promise.all([probeUdp(to(port)), probeUdp(to(port), AbortSignal.abort())]);
    await until(() => openDescriptors() <= before);
  });
});
