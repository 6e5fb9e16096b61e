/**
 * GRPC_CHECK: grpc.health.v1.Health/Check (github.com/grpc/grpc/blob/master/doc/health-checking.md) over HTTP/2,
 * in clear text with prior knowledge, or over TLS with ALPN h2.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import type { Duplex } from "node:stream";
import type { GrpcCheckConfig } from "../../config/model.ts";
import { decodeHealthResponse, encodeHealthRequest, SERVING_STATUS } from "../grpc-health.ts";
import type { ProbeResult } from "../types.ts";
import { type Failure, socketFailure } from "./outcome.ts";
import { ProbeRun } from "./probe-run.ts";
import { openTcp } from "./source.ts";
import { secure, tlsFailure } from "./tls.ts";

const MAX_BODY = 4_096;
const GRPC_UNIMPLEMENTED = "12";
const GRPC_NOT_FOUND = "5";

/** Total: connect_timeout for the connect, the same again for TLS, request and answer. */
export function probeGrpc(cfg: GrpcCheckConfig, signal?: AbortSignal): Promise<ProbeResult> {
  const run = new ProbeRun(signal);
  const timeout = cfg.connectTimeout;
  let stage: "TLS handshake" | "answer" = cfg.tls === undefined ? "answer" : "TLS handshake";
  run.deadline(timeout, () => ({ reason: "timeout-connect", detail: `no connection within ${timeout} ms` }));
  run.attempt(() => {
    const socket = openTcp(cfg);
    run.onEnd(() => socket.destroy());
    socket.on("error", (error) => run.fail(socketFailure(error)));
    socket.on("connect", () => {
      run.deadline(timeout, () => ({
        reason: stage === "answer" ? "timeout-response" : "timeout-tls",
        detail: `no ${stage} within ${timeout} ms of the connect`,
      }));
      if (cfg.tls === undefined) return ask(run, cfg, socket);
      const { tls } = cfg;
      run.attempt(() => {
        const over = secure(socket, tls, ["h2"]);
        run.onEnd(() => over.destroy());
        over.on("error", (error) => run.fail(tlsFailure(error)));
        over.on("secureConnect", () => {
          stage = "answer";
          if (over.alpnProtocol === "h2") ask(run, cfg, over);
          else run.fail({ reason: "protocol-error", detail: "the server does not offer HTTP/2 (ALPN h2)" });
        });
      });
    });
  });
  return run.result;
}

function ask(run: ProbeRun, cfg: GrpcCheckConfig, transport: Duplex): void {
  run.attempt(() => {
    const authority = cfg.authority ?? authorityOf(cfg);
    const session: ClientHttp2Session = connect(`http://${authority}`, {
      createConnection: () => transport,
      maxSessionMemory: 1,
      settings: { enablePush: false, initialWindowSize: 65_535, maxHeaderListSize: 16_384 },
    });
    run.onEnd(() => session.destroy());
    session.on("error", (error) => run.fail(http2Failure(error)));
    session.on("goaway", (code) =>
      run.fail({ reason: "protocol-error", detail: `HTTP/2 GOAWAY, error code ${code}` }),
    );
    session.on("close", () =>
      run.fail({ reason: "closed-early", detail: "connection closed without an answer" }),
    );
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      ":scheme": cfg.tls === undefined ? "http" : "https",
      ":authority": authority,
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": "vipward",
    });
    readAnswer(run, cfg, stream);
    stream.end(encodeHealthRequest(cfg.service));
  });
}

function readAnswer(run: ProbeRun, cfg: GrpcCheckConfig, stream: ClientHttp2Stream): void {
  const chunks: Buffer[] = [];
  let length = 0;
  let status: number | undefined;
  let grpc: IncomingHttpHeaders = {};
  stream.on("error", (error) => run.fail(http2Failure(error)));
  stream.on("response", (headers) => {
    status = headers[":status"];
    // An answer without a message has its trailers in the headers.
    if (headers["grpc-status"] !== undefined) grpc = headers;
  });
  stream.on("trailers", (trailers) => {
    grpc = trailers;
  });
  stream.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > MAX_BODY) run.fail({ reason: "body-too-large", detail: `more than ${MAX_BODY} bytes` });
    else chunks.push(chunk);
  });
  stream.on("end", () => {
    if (status === undefined || stream.aborted)
      return run.fail({ reason: "closed-early", detail: "connection closed before the answer was complete" });
    const failure = judge(cfg, status, grpc, Buffer.concat(chunks));
    if (failure === undefined) run.pass("SERVING");
    else run.fail(failure);
  });
}

function judge(
  cfg: GrpcCheckConfig,
  status: number,
  grpc: IncomingHttpHeaders,
  body: Uint8Array,
): Failure | undefined {
  if (status !== 200) return { reason: "bad-status", detail: `HTTP status ${status}` };
  const code = String(grpc["grpc-status"] ?? "missing");
  if (code === GRPC_NOT_FOUND)
    return { reason: "not-serving", detail: `no service ${JSON.stringify(cfg.service)} (NOT_FOUND)` };
  if (code === GRPC_UNIMPLEMENTED)
    return { reason: "bad-status", detail: "the server has no grpc.health.v1.Health (UNIMPLEMENTED)" };
  if (code !== "0") return { reason: "bad-status", detail: `grpc-status ${code.slice(0, 20)}` };
  const serving = decodeHealthResponse(body);
  if (typeof serving !== "number") return { reason: "protocol-error", detail: serving.problem };
  if (serving === SERVING_STATUS.indexOf("SERVING")) return undefined;
  return { reason: "not-serving", detail: SERVING_STATUS[serving] ?? `serving status ${serving}` };
}

/** node:http2's own codes are about the protocol; all else is the connection's. */
function http2Failure(error: Error): Failure {
  const { code } = error as NodeJS.ErrnoException;
  if (
    code === undefined ||
    code.startsWith("ERR_HTTP2_") ||
    constants[code as "NGHTTP2_NO_ERROR"] !== undefined
  )
    return { reason: "protocol-error", detail: error.message.slice(0, 200) };
  return socketFailure(error);
}

function authorityOf({ connectIp, connectPort }: GrpcCheckConfig): string {
  const bare = connectIp.replace(/%.*$/, "");
  return `${bare.includes(":") ? `[${bare}]` : bare}:${connectPort}`;
}
