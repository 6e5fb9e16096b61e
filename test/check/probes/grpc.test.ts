import { readFileSync } from "node:fs";
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { probeGrpc } from "../../../src/check/probes/grpc.ts";
import type { GrpcCheckConfig } from "../../../src/config/model.ts";
import { ms } from "../../../src/units.ts";
import { grpcConfig } from "../support.ts";
import {
  answering,
  closedPort,
  listen,
  onCleanup,
  openDescriptors,
  pem,
  tlsServer,
  until,
} from "./servers.ts";

const to = (port: number, over: Partial<GrpcCheckConfig> = {}): GrpcCheckConfig =>
  grpcConfig({ connectPort: port, ...over });
const hasty = (port: number): GrpcCheckConfig => to(port, { connectTimeout: ms(150) });

const file = readFileSync(pem("good"));

interface Call {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}
type Handler = (stream: ServerHttp2Stream, call: Call) => void;

/** A real HTTP/2 server that speaks what grpc.health.v1 does. */
async function serve(handler: Handler, server: Http2Server | Http2SecureServer = createServer()) {
  server.on("sessionError", () => undefined);
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => handler(stream, { headers, body: Buffer.concat(chunks) }));
  });
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onCleanup(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** An answer with a message and trailers. */
const reply =
  (message: readonly number[], grpcStatus = "0"): Handler =>
  (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": grpcStatus }));
    stream.end(Uint8Array.of(0, 0, 0, 0, message.length, ...message));
  };
const SERVING = reply([8, 1]);

describe("GRPC_CHECK, grpc.health.v1", () => {
  it("SERVING is up; the request is that of the protocol", async () => {
    const calls: Call[] = [];
    const port = await serve((stream, call) => {
      calls.push(call);
      SERVING(stream, call);
    });
    expect(await probeGrpc(to(port, { service: "shop.Cart" }))).toMatchObject({
      ok: true,
      detail: "SERVING",
    });
    expect(calls[0]?.headers).toMatchObject({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      ":scheme": "http",
      ":authority": `127.0.0.1:${port}`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    expect(calls[0]?.body).toEqual(Buffer.from("\0\0\0\0\x0b\x0a\x09shop.Cart"));
  });

  it("unknown fields are skipped", async () => {
    const port = await serve(reply([0x12, 2, 1, 1, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 8, 1, 0x25, 1, 2, 3, 4]));
    expect(await probeGrpc(to(port))).toMatchObject({ ok: true });
  });

  it.each([
    ["NOT_SERVING", reply([8, 2]), "not-serving", "NOT_SERVING"],
    ["UNKNOWN by default", reply([]), "not-serving", "UNKNOWN"],
    ["SERVICE_UNKNOWN", reply([8, 3]), "not-serving", "SERVICE_UNKNOWN"],
    ["an unheard-of status", reply([8, 99]), "not-serving", "serving status 99"],
    ["malformed protobuf", reply([8]), "protocol-error", "malformed protobuf"],
    ["grpc-status 14", reply([8, 1], "14"), "bad-status", "grpc-status 14"],
    ["no health service", trailersOnly("12"), "bad-status", "no grpc.health.v1.Health"],
    ["an unknown service", trailersOnly("5"), "not-serving", "NOT_FOUND"],
    [
      "HTTP 503",
      (s: ServerHttp2Stream) => s.respond({ ":status": 503 }, { endStream: true }),
      "bad-status",
      "503",
    ],
    ["no trailers", noTrailers, "bad-status", "grpc-status missing"],
    ["an endless body", endless, "body-too-large", "more than"],
    ["a reset stream", (s: ServerHttp2Stream) => s.close(2), "protocol-error", ""],
  ] as [string, Handler, string, string][])("%s", async (_name, handler, reason, detail) => {
    expect(await probeGrpc(to(await serve(handler)))).toMatchObject({
      ok: false,
      reason,
      detail: expect.stringContaining(detail),
    });
  });

  it("over TLS", async () => {
    const port = await serve(SERVING, createSecureServer({ key: file, cert: file }));
    const tls = { verify: true, ca: pem("ca"), verifyName: "127.0.0.1" };
    expect(await probeGrpc(to(port, { tls }))).toMatchObject({ ok: true });
    const wrong = { ...tls, verifyName: "mail.example.org" };
    expect(await probeGrpc(to(port, { tls: wrong }))).toMatchObject({ ok: false, reason: "cert-wrong-name" });
  });

  it("over TLS to a server without HTTP/2", async () => {
    const port = await listen((socket) => tlsServer(socket, "good").resume());
    const result = await probeGrpc(to(port, { tls: { verify: false } }));
    expect(result).toMatchObject({ ok: false, reason: "protocol-error" });
  });
});

describe("GRPC_CHECK against hostile servers, spec checks 3", () => {
  it("refused", async () => {
    expect(await probeGrpc(to(await closedPort()))).toMatchObject({ ok: false, reason: "refused" });
  });

  it.each([
    ["silence", (s: Socket) => s.resume(), "timeout-response"],
    ["HTTP/1.1", (s: Socket) => s.write("HTTP/1.1 400 Bad Request\r\n\r\n"), "protocol-error"],
    ["closed", (s: Socket) => s.end(), "closed-early"],
    ["closed after the request", (s: Socket) => s.on("data", () => s.end()), "closed-early"],
    ["RST", (s: Socket) => setTimeout(() => s.resetAndDestroy(), 20), "reset"],
    ["SETTINGS without end", flood, "timeout-response"],
  ] as [string, (socket: Socket) => void, string][])("%s", async (_name, act, reason) => {
    const port = await listen(act);
    const result = await probeGrpc(hasty(port));
    expect(result).toMatchObject({ ok: false, reason });
  });

  it("no descriptor is left after probes that end in every way", async () => {
    const ports = [
      await serve(SERVING),
      await serve(endless),
      await answering("nonsense\r\n", true),
      await closedPort(),
      await listen((socket) => socket.resume()),
    ];
    const before = openDescriptors();
    for (let i = 0; i < 4; i++) {
      await Promise.all(Array.from({ length: 10 }, (_, n) => probeGrpc(hasty(ports[n % 5]!))));
    }
    await until(() => openDescriptors() <= before);
  });
});

function trailersOnly(code: string): Handler {
  return (stream) =>
    stream.respond(
      { ":status": 200, "content-type": "application/grpc", "grpc-status": code },
      { endStream: true },
    );
}

function noTrailers(stream: ServerHttp2Stream): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc" });
  stream.end(Uint8Array.of(0, 0, 0, 0, 2, 8, 1));
}

function endless(stream: ServerHttp2Stream): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc" });
  const flow = (): void => {
    while (!stream.destroyed && stream.write(Buffer.alloc(16_384)));
  };
  stream.on("drain", flow);
  flow();
}

/** An empty SETTINGS frame, over and over. */
function flood(socket: Socket): void {
  socket.resume();
  const frames = Buffer.concat(Array.from({ length: 200 }, () => Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0, 0)));
  const timer = setInterval(() => socket.write(frames), 5);
  socket.on("close", () => clearInterval(timer));
}
