/**
 * A lean axios adapter for probes: one request on a fresh connection, over node:net or node:tls.
 * It has no pool, proxy, redirect, cookie, decompression or DNS code at all, so that none can act on its own;
 * it can speak HTTP/1.0; and a check costs well under half the CPU of one through axios' own http adapter.
 * Request head and signal come with the exchange, not through axios' config, which merges and normalizes them
 * several times over at every request.
 */
import type { OnReadOpts, Socket } from "node:net";
import type { AxiosPromise, AxiosResponse, InternalAxiosRequestConfig } from "axios";
import type { ProbeTls } from "../../config/model.ts";
import { HttpResponseReader } from "../http-response.ts";
import { CANCELLED, type Failure, socketFailure } from "./outcome.ts";
import { openTcp, type TcpTarget } from "./source.ts";
import { secure, tlsFailure } from "./tls.ts";
import { EndWatch } from "./tls-end.ts";

export interface Exchange {
  readonly target: TcpTarget;
  readonly tls?: ProbeTls;
  /** A body that the end of the connection ends must end with close_notify. */
  readonly tlsCompliant?: boolean;
  /** Request line and header fields as sent (latin1), up to and with the empty line. */
  readonly head: string;
  /** The request is HEAD: no body follows whatever the fields say. */
  readonly bodiless: boolean;
  /** Total, for the connect. */
  readonly connectTimeout: number;
  /** Total, from the connect to the last body byte, TLS included. */
  readonly responseTimeout: number;
  /** The body is read for these statuses only. */
  readonly wantBody: (status: number) => boolean;
  /** Body bytes read at most. */
  readonly maxBody: number;
  /** Sees the body as it comes; views, not copies. */
  readonly onBody?: (chunk: Uint8Array) => void;
  readonly signal?: AbortSignal;
}

/** What the adapter resolves with as `data`. */
export interface ExchangeData {
  readonly bodyBytes: number;
  /** The body went on past `maxBody`, or was not wanted. */
  readonly cut: boolean;
  readonly location: string | undefined;
}

/** Rejection of the adapter; `failure` is the classified cause. */
export class ExchangeError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.detail);
    this.failure = failure;
  }
}

export function exchangeAdapter(
  exchange: Exchange,
): (config: InternalAxiosRequestConfig) => AxiosPromise<ExchangeData> {
  return (config) => run(exchange, config);
}

function run(exchange: Exchange, config: InternalAxiosRequestConfig): AxiosPromise<ExchangeData> {
  return new Promise((resolve, reject) => {
    const { signal, tls } = exchange;
    const reader = new HttpResponseReader(exchange.maxBody, exchange.onBody, exchange.bodiless);
    let socket: Socket | undefined;
    let secured: Socket | undefined;
    let timer: NodeJS.Timeout | undefined;
    let settled = false;
    let requested = false;

    const settle = (failure?: Failure): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
      // TLS first: the other way round Node 20 crashes when this is called from TLS (segmentation fault).
      secured?.destroy();
      socket?.destroy();
      if (failure === undefined) resolve(response(reader, config));
      else reject(new ExchangeError(failure));
    };
    const cancel = (): void => settle(CANCELLED);
    const afterRead = (): void => {
      if (reader.phase === "failed") settle(reader.failure);
      else if (reader.phase === "done") settle();
      else if (reader.phase === "body" && !exchange.wantBody(reader.status)) settle();
    };
    const onEnd = (): void => {
      reader.end();
      afterRead();
    };
    const request = (over: Socket): void => {
      requested = true;
      over.write(exchange.head, "latin1");
    };
    const onConnect = (): void => {
      clearTimeout(timer);
      timer = setTimeout(
        () => settle(lateFailure(reader, requested, exchange.responseTimeout)),
        exchange.responseTimeout,
      );
      if (socket === undefined) return;
      if (tls === undefined) return request(socket);
      try {
        secured = startTls(socket, tls);
      } catch (error) {
        settle(socketFailure(error));
      }
    };
    const startTls = (raw: Socket, options: ProbeTls): Socket => {
      const truncated = (): void => settle(TRUNCATED);
      const over = secure(exchange.tlsCompliant === true ? new EndWatch(raw, truncated) : raw, options);
      over.on("secureConnect", () => request(over));
      over.on("error", (error) => settle(tlsFailure(error)));
      over.on("data", (chunk: Uint8Array) => {
        reader.push(chunk);
        afterRead();
      });
      over.on("end", onEnd);
      return over;
    };

    if (signal?.aborted) return cancel();
    signal?.addEventListener("abort", cancel);
    timer = setTimeout(
      () =>
        settle({ reason: "timeout-connect", detail: `no connection within ${exchange.connectTimeout} ms` }),
      exchange.connectTimeout,
    );
    try {
      socket = openTcp(exchange.target, tls === undefined ? readInto(reader, afterRead) : undefined);
      socket.on("connect", onConnect);
      socket.on("error", (error) => settle(socketFailure(error)));
      if (tls === undefined) socket.on("end", onEnd);
    } catch (error) {
      settle(socketFailure(error));
    }
    return undefined;
  });
}

const TRUNCATED: Failure = {
  reason: "closed-early",
  detail: "connection closed without TLS close_notify (tls_compliant)",
};

/** Shared by all probes: it is filled and consumed within one callback, and the reader copies what it keeps. */
const readBuffer = new Uint8Array(65_536);

function readInto(reader: HttpResponseReader, afterRead: () => void): OnReadOpts {
  return {
    buffer: readBuffer,
    callback: (length) => {
      reader.push(readBuffer.subarray(0, length));
      afterRead();
      return true;
    },
  };
}

function lateFailure(reader: HttpResponseReader, requested: boolean, timeout: number): Failure {
  if (!requested)
    return { reason: "timeout-tls", detail: `no TLS handshake within ${timeout} ms of the connect` };
  return reader.phase === "body"
    ? {
        reason: "timeout-body",
        detail: `status ${reader.status}, but the body was not complete ${timeout} ms after the connect`,
      }
    : { reason: "timeout-response", detail: `no complete response headers ${timeout} ms after the connect` };
}

const response = (
  reader: HttpResponseReader,
  config: InternalAxiosRequestConfig,
): AxiosResponse<ExchangeData> => ({
  status: reader.status,
  statusText: "",
  headers: {},
  config,
  data: {
    bodyBytes: reader.bodyBytes,
    cut: reader.phase !== "done" || reader.capped,
    location: reader.location,
  },
});
