import { describe, expect, it } from "vitest";
import { probeDns } from "../../../src/check/probes/dns.ts";
import type { DnsCheckConfig } from "../../../src/config/model.ts";
import { ms } from "../../../src/units.ts";
import { dnsConfig } from "../support.ts";
import { closedPort, listen, listenUdp, onCleanup, openDescriptors, until } from "./servers.ts";

/** An answer to `query`: its header with other flags and counts, its question, then `records`. */
function answer(
  query: Uint8Array,
  { flags = 0x8180, records = [] as Uint8Array[], id = undefined as number | undefined } = {},
): Buffer {
  const head = Buffer.from(query);
  if (id !== undefined) head.writeUInt16BE(id, 0);
  head.writeUInt16BE(flags, 2);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, ...records]);
}
const a = (...octets: number[]): Uint8Array =>
  Uint8Array.of(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...octets);

const to = (port: number, over: Partial<DnsCheckConfig> = {}): DnsCheckConfig =>
  dnsConfig({ connectPort: port, ...over });
const hasty = (port: number): DnsCheckConfig => to(port, { connectTimeout: ms(120) });

describe("DNS_CHECK, spec checks 2", () => {
  it("NOERROR is up; the query asks what is configured, with recursion", async () => {
    let asked: Buffer | undefined;
    const port = await listenUdp((query, reply) => {
      asked = query;
      reply(answer(query, { records: [a(192, 0, 2, 1)] }));
    });
    expect(await probeDns(to(port))).toMatchObject({ ok: true, detail: "NOERROR, 1 answers" });
    expect(asked?.subarray(2).toString("latin1")).toBe(
      "\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03org\0\0\x01\0\x01",
    );
  });

  it("NOERROR without answers is up", async () => {
    const port = await listenUdp((query, reply) => reply(answer(query)));
    expect(await probeDns(to(port))).toMatchObject({ ok: true });
  });

  it.each([
    [1, "FORMERR"],
    [2, "SERVFAIL"],
    [3, "NXDOMAIN"],
    [5, "REFUSED"],
  ])("rcode %i %s is down", async (rcode, name) => {
    const port = await listenUdp((query, reply) => reply(answer(query, { flags: 0x8180 | rcode })));
    expect(await probeDns(to(port))).toMatchObject({
      ok: false,
      reason: "bad-rcode",
      detail: `${name} for A www.example.org`,
    });
  });

  it("expect: every answer named must be there", async () => {
    const port = await listenUdp((query, reply) =>
      reply(answer(query, { records: [a(192, 0, 2, 1), a(192, 0, 2, 2)] })),
    );
    expect(await probeDns(to(port, { expect: ["192.0.2.2", "192.0.2.1"] }))).toMatchObject({ ok: true });
    expect(await probeDns(to(port, { expect: ["192.0.2.3"] }))).toMatchObject({
      ok: false,
      reason: "unexpected-reply",
      detail: "A www.example.org: 192.0.2.3 is not in: 192.0.2.1, 192.0.2.2",
    });
  });

  it("a truncated answer is asked for again over TCP", async () => {
    const tcp = await listen((socket) =>
      socket.on("data", (chunk: Buffer) => {
        const reply = answer(chunk.subarray(2), { records: [a(192, 0, 2, 9)] });
        const framed = Buffer.concat([Uint8Array.of(reply.length >> 8, reply.length & 255), reply]);
        // In two pieces: the length is all the framing there is.
        socket.write(framed.subarray(0, 5), () => socket.write(framed.subarray(5)));
      }),
    );
    const { createSocket } = await import("node:dgram");
    const udp = createSocket("udp4");
    udp.on("message", (query, from) => udp.send(answer(query, { flags: 0x8380 }), from.port, from.address));
    await new Promise<void>((resolve) => udp.bind(tcp, "127.0.0.1", resolve));
    onCleanup(() => void udp.close());
    expect(await probeDns(to(tcp, { expect: ["192.0.2.9"] }))).toMatchObject({ ok: true });
  });
});

describe("DNS_CHECK against hostile servers, spec checks 3", () => {
  it("nobody listens: ICMP port unreachable", async () => {
    expect(await probeDns(to(await closedPort()))).toMatchObject({ ok: false, reason: "refused" });
  });

  it("silence", async () => {
    const port = await listenUdp(() => undefined);
    expect(await probeDns(hasty(port))).toMatchObject({ ok: false, reason: "timeout-response" });
  });

  it("forged answers first: the real one still counts, though the reader was never waiting between them", async () => {
    const port = await listenUdp((query, reply) => {
      for (let id = 1; id < 20; id++) reply(answer(query, { id: (query.readUInt16BE(0) + id) & 0xffff }));
      reply(query);
      reply(answer(query, { records: [a(192, 0, 2, 1)] }));
    });
    expect(await probeDns(to(port))).toMatchObject({ ok: true });
  });

  it("only forged answers: a timeout that says so", async () => {
    const port = await listenUdp((query, reply) => reply(answer(query, { id: query.readUInt16BE(0) ^ 1 })));
    expect(await probeDns(hasty(port))).toMatchObject({
      ok: false,
      reason: "timeout-response",
      detail: expect.stringContaining("1 datagrams that answer something else"),
    });
  });

  it("answers from another port are not even seen", async () => {
    const { createSocket } = await import("node:dgram");
    const port = await listenUdp((query, _reply, from) => {
      const other = createSocket("udp4");
      other.send(answer(query), from.port, from.address, () => other.close());
    });
    expect(await probeDns(hasty(port))).toMatchObject({
      reason: "timeout-response",
      detail: "no answer within 120 ms",
    });
  });

  it.each([
    ["a few bytes", () => Uint8Array.of(1, 2, 3)],
    ["a compression loop", (q: Buffer) => answer(q, { records: [Uint8Array.of(0xc0, 33, 0, 1, 0, 1)] })],
    [
      "answers that are not there",
      (q: Buffer) => {
        const r = answer(q);
        r.writeUInt16BE(9, 6);
        return r;
      },
    ],
    [
      "an address of 3 bytes",
      (q: Buffer) =>
        answer(q, { records: [Uint8Array.of(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 3, 1, 2, 3)] }),
    ],
  ])("%s", async (_name, make) => {
    const port = await listenUdp((query, reply) => reply(make(query)));
    expect(await probeDns(to(port))).toMatchObject({ ok: false, reason: "protocol-error" });
  });

  it("truncated, and nobody on TCP", async () => {
    const port = await listenUdp((query, reply) => reply(answer(query, { flags: 0x8380 })));
    expect(await probeDns(to(port))).toMatchObject({ ok: false, reason: "refused" });
  });

  it("an abort ends it; no descriptor is left", async () => {
    const silent = await listenUdp(() => undefined);
    const closed = await closedPort();
    const before = openDescriptors();
    for (let i = 0; i < 10; i++) {
      const controller = new AbortController();
      const probes = Array.from({ length: 10 }, (_, n) =>
        probeDns(to(n % 2 ? silent : closed), controller.signal),
      );
      setTimeout(() => controller.abort(), 20);
      await Promise.all(probes);
    }
    await until(() => openDescriptors() <= before);
    expect(await probeDns(to(silent), AbortSignal.abort())).toMatchObject({ detail: "probe cancelled" });
  });
});
