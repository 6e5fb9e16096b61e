import { describe, expect, it } from "vitest";
import { probeDns } from "../../../src/check/probes/dns.ts";
import { probeHttp } from "../../../src/check/probes/http.ts";
import { probePing } from "../../../src/check/probes/ping.ts";
import { probeTcp } from "../../../src/check/probes/tcp.ts";
import { ms } from "../../../src/units.ts";
import { dnsConfig, httpConfig, pingConfig, sslConfig, tcpConfig } from "../support.ts";
import {
  answering,
  closedPort,
  listen,
  listenUdp,
  onRequest,
  openDescriptors,
  tlsServer,
  until,
} from "./servers.ts";

/** SO_BINDTODEVICE and SO_MARK need CAP_NET_RAW and CAP_NET_ADMIN. */
const root = process.getuid?.() === 0;
const at = (connectPort: number) => ({ connectIp: "127.0.0.1", connectPort, connectTimeout: ms(2_000) });
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

describe("bindto and bind_port", () => {
  it("are the source of a TCP probe", async () => {
    const seen: string[] = [];
    const port = await listen((socket) => {
      seen.push(`${socket.remoteAddress}:${socket.remotePort}`);
      socket.end();
    });
    const bindPort = await closedPort();
    expect(await probeTcp(tcpConfig({ ...at(port), bindTo: "127.0.0.8", bindPort }))).toMatchObject({
      ok: true,
    });
    expect(seen).toEqual([`127.0.0.8:${bindPort}`]);
  });
});

describe.skipIf(!root)("bind_if and fwmark", () => {
  const marked = { bindIf: "lo", fwmark: 7 };

  it("HTTP_GET and SSL_GET over a socket made before the connect", async () => {
    const plain = await answering(OK);
    expect(await probeHttp(httpConfig({ ...at(plain), ...marked }), 0)).toMatchObject({ ok: true });
    const secured = await listen((socket) => {
      const tls = tlsServer(socket, "good");
      onRequest(tls, () => tls.write(OK));
    });
    expect(await probeHttp(sslConfig({ ...at(secured), ...marked }), 0)).toMatchObject({ ok: true });
  });

  it("TCP_CHECK, IPv6 too, with bindto and bind_port on top", async () => {
    const port = await listen((socket) => socket.resume(), { host: "::1" });
    const bindPort = await closedPort();
    const cfg = tcpConfig({ ...at(port), connectIp: "::1", bindTo: "::1", bindPort, ...marked });
    expect(await probeTcp(cfg)).toMatchObject({ ok: true });
  });

  it("failures are those of the server", async () => {
    const cfg = tcpConfig({ ...at(await closedPort()), ...marked });
    expect(await probeTcp(cfg)).toMatchObject({ ok: false, reason: "refused" });
  });

  it("DNS_CHECK and PING_CHECK", async () => {
    const port = await listenUdp((query, reply) => {
      query.writeUInt16BE(0x8180, 2);
      reply(query);
    });
    expect(await probeDns(dnsConfig({ connectPort: port, ...marked }))).toMatchObject({ ok: true });
    expect(await probePing(pingConfig(marked))).toMatchObject({ ok: true });
  });

  it("an interface that is not here is our trouble and says which; nothing is left open", async () => {
    const before = openDescriptors();
    for (const probe of [
      probeTcp(tcpConfig({ ...at(9), bindIf: "vw-none0" })),
      probeDns(dnsConfig({ connectPort: 9, bindIf: "vw-none0" })),
      probePing(pingConfig({ bindIf: "vw-none0" })),
    ]) {
      expect(await probe).toMatchObject({
        ok: false,
        reason: "local-error",
        detail: expect.stringMatching(/vw-none0.*ENODEV/),
      });
    }
    await until(() => openDescriptors() <= before);
  });
});
