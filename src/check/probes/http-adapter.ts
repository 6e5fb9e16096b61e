/**
 * A lean axios adapter for probes: one GET on a fresh connection, over node:net.
 * It has no pool, proxy, redirect, cookie, decompression or DNS code at all, so that none can act on its own;
 * it can speak HTTP/1.0; and a check costs well under half the CPU of one through axios' own http adapter.
 * Request head and signal come with the exchange, not through axios' config, which merges and normalizes them
 * several times over at every request.
 */
import { connect, type OnReadOpts, type Socket } from "node:net";
import type { AxiosPromise, AxiosResponse, InternalAxiosRequestConfig } from "axios";
import { HttpResponseReader } from "../http-response.ts";
import { CANCELLED, type Failure, socketFailure } from "./outcome.ts";

export interface Exchange {
  readonly connectIp: string;
  readonly connectPort: number;
  readonly bindTo?: string;
  /** Request line and header fields as sent (latin1), up to and with the empty line. */
  readonly head: string;
  /** Total, for the connect. */
  readonly connectTimeout: number;
  /** Total, from the connect to the last body byte. */
  readonly responseTimeout: number;
  /** The body is read for these statuses only. */
  readonly wantBody: (status: number) => boolean;
  /** Body bytes read at most. */
  readonly maxBody: number;
  readonly signal?: AbortSignal;
}

/** What the adapter resolves with as `data`. */
export interface ExchangeData {
  readonly bodyBytes: number;
  /** The body went on past `maxBody`, or was not wanted. */
  readonly cut: boolean;
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
    const { signal } = exchange;
    const reader = new HttpResponseReader(exchange.maxBody);
    let socket: Socket | undefined;
    let timer: NodeJS.Timeout | undefined;
    let settled = false;

    const settle = (failure?: Failure): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
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
    const onConnect = (): void => {
      clearTimeout(timer);
      timer = setTimeout(
        () => settle(lateFailure(reader, exchange.responseTimeout)),
        exchange.responseTimeout,
      );
      socket?.write(exchange.head, "latin1");
    };
    const onEnd = (): void => {
      reader.end();
      afterRead();
    };

    if (signal?.aborted) return cancel();
    signal?.addEventListener("abort", cancel);
    timer = setTimeout(
      () =>
        settle({ reason: "timeout-connect", detail: `no connection within ${exchange.connectTimeout} ms` }),
      exchange.connectTimeout,
    );
    try {
      socket = connect({
        host: exchange.connectIp,
        port: exchange.connectPort,
        ...(exchange.bindTo === undefined ? {} : { localAddress: exchange.bindTo }),
        autoSelectFamily: false,
        onread: readInto(reader, afterRead),
      });
      socket.on("connect", onConnect);
      socket.on("end", onEnd);
      socket.on("error", (error) => settle(socketFailure(error)));
    } catch (error) {
      settle(socketFailure(error));
    }
    return undefined;
  });
}

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

function lateFailure(reader: HttpResponseReader, timeout: number): Failure {
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
  data: { bodyBytes: reader.bodyBytes, cut: reader.phase !== "done" || reader.capped },
});
