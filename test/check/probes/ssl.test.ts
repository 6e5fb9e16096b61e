import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { describe, expect, it } from "vitest";
import { probeHttp } from "../../../src/check/probes/http.ts";
import type { HttpGetConfig } from "../../../src/config/model.ts";
import { ms } from "../../../src/units.ts";
import { sslConfig } from "../support.ts";
import { closedPort, listen, onRequest, openDescriptors, pem, tlsServer, until } from "./servers.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/** An HTTPS server with a certificate of test/vectors/tls. */
function https(certificate: string, answer = OK, options: object = {}): Promise<number> {
  return listen((socket) => {
    const secured = tlsServer(socket, certificate, options);
    onRequest(secured, () => secured.write(answer));
  });
}

const to = (port: number, over: Partial<HttpGetConfig> = {}): HttpGetConfig =>
  sslConfig({ connectPort: port, ...over });
const hasty = (port: number): HttpGetConfig => to(port, { connectTimeout: ms(150) });
const verified = (port: number, over: Partial<HttpGetConfig> = {}): HttpGetConfig =>
  to(port, { tls: { verify: true, ca: pem("ca") }, ...over });

describe("SSL_GET certificates, spec checks 2", () => {
  it.each(["good", "expired", "future", "other", "selfsigned"])(
    "%s: without verify nothing of it matters, as in keepalived",
    async (name) => {
      expect(await probeHttp(to(await https(name)), 0)).toMatchObject({ ok: true, detail: "status 200" });
    },
  );

  it("verify: a good certificate for the address is up", async () => {
    expect(await probeHttp(verified(await https("good")), 0)).toMatchObject({ ok: true });
  });

  it.each([
    ["expired", "cert-expired"],
    ["future", "cert-not-yet-valid"],
    ["other", "cert-wrong-name"],
    ["selfsigned", "cert-self-signed"],
  ])("verify: %s is %s", async (name, reason) => {
    const result = await probeHttp(verified(await https(name)), 0);
    expect(result).toMatchObject({ ok: false, reason });
  });

  it("verify without ca: an authority nobody knows is cert-untrusted", async () => {
    const cfg = to(await https("good"), { tls: { verify: true } });
    expect(await probeHttp(cfg, 0)).toMatchObject({ ok: false, reason: "cert-untrusted" });
  });

  it("verify holds the certificate to virtualhost, and to sni_name before that", async () => {
    const port = await https("good");
    const url = (virtualhost: string) => [{ path: "/", statusCodes: [[200, 299] as const], virtualhost }];
    const right = verified(port, { urls: url("www.example.org:8443") });
    const wrong = verified(port, { urls: url("mail.example.org") });
    const named = verified(port, {
      urls: url("mail.example.org"),
      tls: { verify: true, ca: pem("ca"), serverName: "www.example.org" },
    });
    expect(await probeHttp(right, 0)).toMatchObject({ ok: true });
    expect(await probeHttp(wrong, 0)).toMatchObject({ ok: false, reason: "cert-wrong-name" });
    expect(await probeHttp(named, 0)).toMatchObject({ ok: true });
  });

  it("a ca file that can't be read is our trouble, not the server's", async () => {
    const cfg = to(await https("good"), { tls: { verify: true, ca: "/nonexistent/ca.pem" } });
    const result = await probeHttp(cfg, 0);
    expect(result).toMatchObject({
      ok: false,
      reason: "local-error",
      detail: expect.stringMatching(/ca\.pem/),
    });
  });
});

describe("SSL_GET server name, keepalived enable_sni", () => {
  async function names(over: Partial<HttpGetConfig>): Promise<unknown[]> {
    const seen: unknown[] = [];
    const port = await https("good", OK, {
      SNICallback: (name: string, done: (error: null) => void) => {
        seen.push(name);
        done(null);
      },
    });
    const urls = [{ path: "/", statusCodes: [[200, 299] as const], virtualhost: "www.example.org" }];
    expect(await probeHttp(to(port, { urls, ...over }), 0)).toMatchObject({ ok: true });
    return seen;
  }

  it("none by default", async () => {
    expect(await names({})).toEqual([]);
  });
  it("enable_sni sends the virtualhost", async () => {
    expect(await names({ sniFromHost: true })).toEqual(["www.example.org"]);
  });
  it("sni_name sends its own", async () => {
    const tls = { verify: false, serverName: "sni.example.org" };
    expect(await names({ sniFromHost: true, tls })).toEqual(["sni.example.org"]);
  });
});

describe("SSL_GET against hostile servers, spec checks 3", () => {
  it("refused", async () => {
    expect(await probeHttp(to(await closedPort()), 0)).toMatchObject({ ok: false, reason: "refused" });
  });

  it("accepted, but no handshake", async () => {
    const port = await listen((socket) => socket.resume());
    expect(await probeHttp(hasty(port), 0)).toMatchObject({ ok: false, reason: "timeout-tls" });
  });

  it("a handshake, then silence", async () => {
    const port = await listen((socket) => tlsServer(socket, "good").resume());
    expect(await probeHttp(hasty(port), 0)).toMatchObject({ ok: false, reason: "timeout-response" });
  });

  it("a body that drips", async () => {
    const port = await listen((socket) => {
      const secured = tlsServer(socket, "good");
      onRequest(secured, () => {
        secured.write("HTTP/1.1 200 OK\r\n\r\n");
        const timer = setInterval(() => secured.write("x"), 5);
        secured.on("close", () => clearInterval(timer));
      });
    });
    expect(await probeHttp(hasty(port), 0)).toMatchObject({ ok: false, reason: "timeout-body" });
  });

  it("plain HTTP where TLS is expected", async () => {
    const port = await listen((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: false, reason: "tls-error" });
  });

  it("a TLS alert", async () => {
    // Alert record, version 3.3, fatal (2), handshake_failure (40).
    const port = await listen((socket) => socket.end(Uint8Array.of(21, 3, 3, 0, 2, 2, 40)));
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: false, reason: "tls-alert" });
  });

  it("closed in the middle of the handshake", async () => {
    const port = await listen((socket) => socket.on("data", () => socket.end()));
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: false, reason: "closed-early" });
  });

  it("RST in the middle of the handshake", async () => {
    const port = await listen((socket) => socket.on("data", () => socket.resetAndDestroy()));
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: false, reason: "reset" });
  });

  it("no descriptor is left after probes that end in every way", async () => {
    const ports = [
      await https("good"),
      await https("expired"),
      await listen((socket) => socket.resume()),
      await closedPort(),
    ];
    const before = openDescriptors();
    for (let i = 0; i < 5; i++) {
      const cfg = { connectTimeout: ms(150), tls: { verify: true, ca: pem("ca") } };
      await Promise.all(Array.from({ length: 20 }, (_, n) => probeHttp(to(ports[n % 4]!, cfg), 0)));
    }
    await until(() => openDescriptors() <= before);
  });
});

describe("tls_compliant", () => {
  type End = (raw: Socket, secured: TLSSocket) => void;
  const endless = (end: End, version: string): Promise<number> =>
    listen((socket) => {
      const secured = tlsServer(socket, "good", { maxVersion: version });
      onRequest(secured, () =>
        secured.write("HTTP/1.1 200 OK\r\n\r\nhello", () => setTimeout(() => end(socket, secured), 20)),
      );
    });
  const polite: End = (_raw, secured) => secured.end();
  const rude: End = (raw) => raw.destroy();

  it.each(["TLSv1.2", "TLSv1.3"])("%s: close_notify ends a body", async (version) => {
    const port = await endless(polite, version);
    expect(await probeHttp(to(port, { tlsCompliant: true }), 0)).toMatchObject({ ok: true });
  });

  it.each(["TLSv1.2", "TLSv1.3"])(
    "%s: a bare FIN does not, but passes without the option",
    async (version) => {
      const port = await endless(rude, version);
      expect(await probeHttp(to(port, { tlsCompliant: true }), 0)).toMatchObject({
        ok: false,
        reason: "closed-early",
        detail: expect.stringContaining("close_notify"),
      });
      expect(await probeHttp(to(port), 0)).toMatchObject({ ok: true });
    },
  );

  it("a body with its length needs no end of the connection", async () => {
    expect(await probeHttp(to(await https("good"), { tlsCompliant: true }), 0)).toMatchObject({ ok: true });
  });
});
