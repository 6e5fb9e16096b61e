import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";
import { MAX_BODY_BYTES, probeHttp } from "../../../src/check/probes/http.ts";
import type { HttpGetConfig, HttpUrlConfig } from "../../../src/config/model.ts";
import { ms } from "../../../src/units.ts";
import { httpConfig } from "../support.ts";
import { answering, closedPort, listen, onCleanup, onRequest, openDescriptors, until } from "./servers.ts";

const url = (over: Partial<HttpUrlConfig> = {}): HttpUrlConfig => ({
  path: "/",
  statusCodes: [[200, 299]],
  ...over,
});

const to = (port: number, over: Partial<HttpGetConfig> = {}): HttpGetConfig =>
  httpConfig({ connectIp: "127.0.0.1", connectPort: port, connectTimeout: ms(2_000), ...over });

/** For servers that never finish. */
const hasty = (port: number): HttpGetConfig => to(port, { connectTimeout: ms(150) });

const OK = "HTTP/1.1 200 OK\r\n";

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("HTTP_GET against real servers, spec checks 2", () => {
  async function honest(): Promise<{ port: number; requests: IncomingMessage[] }> {
    const requests: IncomingMessage[] = [];
    const server = createServer((request, response) => {
      requests.push(request);
      response.end("hello");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onCleanup(() => {
      server.close();
      server.closeAllConnections();
    });
    return { port: (server.address() as AddressInfo).port, requests };
  }

  it("200 with its body is up", async () => {
    const { port } = await honest();
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: true, detail: "status 200" });
  });

  it("the request: one GET, Host of the real server, User-Agent vipward, Connection close", async () => {
    const { port, requests } = await honest();
    await probeHttp(to(port, { urls: [url({ path: "/health?x=%20y" })] }), 0);
    expect(requests.map((r) => [r.method, r.url, r.httpVersion])).toEqual([["GET", "/health?x=%20y", "1.1"]]);
    expect(requests[0]?.headers).toEqual({
      host: `127.0.0.1:${port}`,
      "user-agent": "vipward",
      accept: "*/*",
      connection: "close",
    });
  });

  it("virtualhost is the Host header", async () => {
    const { port, requests } = await honest();
    await probeHttp(to(port, { urls: [url({ virtualhost: "www.example.org" })] }), 0);
    expect(requests[0]?.headers.host).toBe("www.example.org");
  });

  it("IPv6 addresses are bracketed in the Host header", async () => {
    let head = "";
    const port = await listen(
      (socket) =>
        onRequest(socket, (text) => {
          head = text;
          socket.end(`${OK}\r\n`);
        }),
      { host: "::1" },
    );
    expect(await probeHttp(to(port, { connectIp: "::1" }), 0)).toMatchObject({ ok: true });
    expect(head).toContain(`\r\nHost: [::1]:${port}\r\n`);
  });

  it("http_protocol 1.0", async () => {
    const { port, requests } = await honest();
    expect(await probeHttp(to(port, { httpProtocol: "1.0" }), 0)).toMatchObject({ ok: true });
    expect(requests[0]?.httpVersion).toBe("1.0");
  });

  it("a path can't break out of the request line; it is sent as it is otherwise", async () => {
    const { port, requests } = await honest();
    await probeHttp(to(port, { urls: [url({ path: "/a/../b//c é\r\nX: y" })] }), 0);
    expect(requests[0]?.url).toBe("/a/../b//c%20%C3%A9%0D%0AX:%20y");
    expect(requests[0]?.headers.x).toBeUndefined();
  });

  it("a virtualhost can't smuggle a header", async () => {
    const { port, requests } = await honest();
    const result = await probeHttp(to(port, { urls: [url({ virtualhost: "a\r\nX: y" })] }), 0);
    expect(result).toMatchObject({ ok: false, reason: "local-error" });
    expect(requests).toHaveLength(0);
  });

  it("the URL asked for is the one probed; one that does not exist is a local error", async () => {
    const { port, requests } = await honest();
    const cfg = to(port, { urls: [url({ path: "/a" }), url({ path: "/b" })] });
    await probeHttp(cfg, 1);
    expect(requests[0]?.url).toBe("/b");
    expect(await probeHttp(cfg, 2)).toMatchObject({ ok: false, reason: "local-error" });
  });

  it("bindto is the source address", async () => {
    const peers: (string | undefined)[] = [];
    const other = await listen((socket) => {
      peers.push(socket.remoteAddress);
      socket.end(`${OK}\r\n`);
    });
    await probeHttp(to(other, { bindTo: "127.0.0.9" }), 0);
    expect(peers).toEqual(["127.0.0.9"]);
  });

  it.each([
    [200, [[200, 299]], true],
    [299, [[200, 299]], true],
    [300, [[200, 299]], false],
    [404, [[200, 299]], false],
    [
      503,
      [
        [200, 299],
        [503, 503],
      ],
      true,
    ],
    [
      201,
      [
        [200, 200],
        [202, 299],
      ],
      false,
    ],
  ] as const)("status %i against %j: %s", async (status, statusCodes, ok) => {
    const port = await answering(`HTTP/1.1 ${status} x\r\nContent-Length: 0\r\n\r\n`);
    const result = await probeHttp(to(port, { urls: [url({ statusCodes })] }), 0);
    expect(result).toMatchObject(ok ? { ok } : { ok, reason: "bad-status", detail: `status ${status}` });
  });

  it("a bad status is known without its body", async () => {
    const port = await answering("HTTP/1.1 503 Busy\r\nContent-Length: 99\r\n\r\n", true);
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: false, reason: "bad-status" });
  });

  it.each([
    ["HTTP/1.0 without a length", "HTTP/1.0 200 OK\r\n\r\nhello"],
    ["chunked", `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`],
    ["no body at all", "HTTP/1.1 204 No Content\r\n\r\n"],
  ])("%s, closed cleanly, is fine", async (_name, text) => {
    expect(await probeHttp(to(await answering(text)), 0)).toMatchObject({ ok: true });
  });

  it("a complete body ends the probe though the server keeps the connection open", async () => {
    const port = await answering(`${OK}Content-Length: 5\r\n\r\nhello`, true);
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: true });
  });

  it("a redirect is not followed", async () => {
    const elsewhere = await honest();
    const port = await answering(
      `HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:${elsewhere.port}/\r\nContent-Length: 0\r\n\r\n`,
    );
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: false, detail: "status 302" });
    const accepting = to(port, { urls: [url({ statusCodes: [[302, 302]] })] });
    expect(await probeHttp(accepting, 0)).toMatchObject({ ok: true, detail: "status 302" });
    expect(elsewhere.requests).toHaveLength(0);
  });

  it("proxy variables of the environment are ignored", async () => {
    const { port, requests } = await honest();
    const proxy = await honest();
    for (const name of ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"]) {
      vi.stubEnv(name, `http://127.0.0.1:${proxy.port}`);
    }
    vi.stubEnv("NO_PROXY", "");
    vi.stubEnv("no_proxy", "");
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: true });
    expect([requests.length, proxy.requests.length]).toEqual([1, 0]);
  });
});

describe("HTTP_GET against hostile servers, spec checks 3", () => {
  it("refused", async () => {
    expect(await probeHttp(to(await closedPort()), 0)).toMatchObject({ ok: false, reason: "refused" });
  });

  it("accepted but silent", async () => {
    const port = await listen((socket) => socket.resume());
    expect(await probeHttp(hasty(port), 0)).toMatchObject({ ok: false, reason: "timeout-response" });
  });

  it("slow-loris headers: one byte at a time does not extend the deadline", async () => {
    const port = await listen((socket) => drip(socket, `${OK}X: ${"y".repeat(10_000)}`));
    expect(await probeHttp(hasty(port), 0)).toMatchObject({ ok: false, reason: "timeout-response" });
  });

  it("a body of one byte at a time does not extend it either", async () => {
    const port = await listen((socket) => {
      socket.write(`${OK}\r\n`);
      drip(socket, "y".repeat(10_000));
    });
    expect(await probeHttp(hasty(port), 0)).toMatchObject({
      ok: false,
      reason: "timeout-body",
      detail: expect.stringContaining("status 200"),
    });
  });

  it("a body shorter than its content-length, connection left open", async () => {
    const port = await answering(`${OK}Content-Length: 10\r\n\r\nhi`, true);
    expect(await probeHttp(hasty(port), 0)).toMatchObject({ ok: false, reason: "timeout-body" });
  });

  it("a body shorter than its content-length, connection closed", async () => {
    const port = await answering(`${OK}Content-Length: 10\r\n\r\nhi`);
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: false, reason: "closed-early" });
  });

  it("closed without an answer", async () => {
    const port = await listen((socket) => onRequest(socket, () => socket.end()));
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: false, reason: "closed-early" });
  });

  it("an endless body is read up to the cap, and passes by its status", async () => {
    let sent = 0;
    const block = Buffer.alloc(65_536, "x");
    const port = await listen((socket) =>
      onRequest(socket, () => {
        const flood = (): void => {
          do sent += block.length;
          while (socket.write(block) && !socket.destroyed);
        };
        socket.on("drain", flood);
        socket.write(`${OK}\r\n`);
        flood();
      }),
    );
    expect(await probeHttp(to(port), 0)).toMatchObject({
      ok: true,
      detail: `status 200, body cut at ${MAX_BODY_BYTES} bytes`,
    });
    expect(sent).toBeGreaterThan(MAX_BODY_BYTES);
  });

  it("RST in the middle of the body", async () => {
    const port = await listen((socket) =>
      onRequest(socket, () => {
        socket.write(`${OK}Content-Length: 99\r\n\r\nhi`);
        // Not at once: Node would then send FIN with the data.
        setTimeout(() => socket.resetAndDestroy(), 20);
      }),
    );
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: false, reason: "reset" });
  });

  it("RST instead of an answer", async () => {
    const port = await listen((socket) => onRequest(socket, () => socket.resetAndDestroy()));
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: false, reason: "reset" });
  });

  it("a garbage status line", async () => {
    const port = await answering("SSH-2.0-OpenSSH_9.2\r\n", true);
    expect(await probeHttp(to(port), 0)).toMatchObject({
      ok: false,
      reason: "protocol-error",
      detail: expect.stringContaining("SSH-2.0"),
    });
  });

  it.each([
    ["huge header", `${OK}X: ${"y".repeat(100_000)}\r\n\r\n`],
    ["endless headers", OK + "X: y\r\n".repeat(50_000)],
    ["flood of 100 Continue", "HTTP/1.1 100 Continue\r\n\r\n".repeat(50_000)],
  ])("%s", async (_name, text) => {
    const port = await answering(text);
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: false, reason: "headers-too-large" });
  });

  it("a gzip bomb is not decompressed: its own size counts, not what is in it", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * MAX_BODY_BYTES));
    const head = Buffer.from(`${OK}Content-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`);
    const port = await answering(Buffer.concat([head, bomb]));
    expect(bomb.length).toBeLessThan(MAX_BODY_BYTES);
    // Cut would mean that more than the cap had been counted.
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: true, detail: "status 200" });
  });

  it("content-encoding gzip that is no gzip is nobody's business", async () => {
    const port = await answering(`${OK}Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello`);
    expect(await probeHttp(to(port), 0)).toMatchObject({ ok: true });
  });

  it("an abort ends the probe at once, before or during it, and closes the connection", async () => {
    let closed = 0;
    const port = await listen((socket) => socket.resume().on("close", () => closed++));
    const controller = new AbortController();
    const probe = probeHttp(to(port), 0, controller.signal);
    await new Promise((resolve) => setTimeout(resolve, 20));
    controller.abort();
    expect(await probe).toMatchObject({ ok: false, reason: "local-error" });
    await until(() => closed === 1);
    expect(await probeHttp(to(port), 0, controller.signal)).toMatchObject({ reason: "local-error" });
  });

  it("no descriptor is left after 500 probes that end in every way", async () => {
    const ports = [
      await answering(`${OK}Content-Length: 5\r\n\r\nhello`, true),
      await answering(`${OK}Content-Length: 50\r\n\r\nhello`),
      await answering("nonsense\r\n", true),
      await closedPort(),
      await listen((socket) => socket.resume()),
    ];
    const before = openDescriptors();
    for (let i = 0; i < 10; i++) {
      await Promise.all(Array.from({ length: 50 }, (_, n) => probeHttp(hasty(ports[n % 5]!), 0)));
    }
    await until(() => openDescriptors() <= before);
  });
});

/** Writes one byte every few milliseconds until the peer goes. */
function drip(socket: Socket, text: string): void {
  let at = 0;
  const timer = setInterval(() => socket.write(text.charAt(at++)), 5);
  socket.on("close", () => clearInterval(timer));
}
