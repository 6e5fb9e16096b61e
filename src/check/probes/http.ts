/**
 * HTTP_GET: one URL of the real server answers with an accepted status, headers and body complete in time.
 *
 * Total deadline: connect_timeout for the connect, then connect_timeout again for the whole response, from the
 * request to the last byte of the body (keepalived allows connect_timeout for each single read, which a server
 * that drips bytes stretches without end). Redirects are not followed: a 302 is a status like any other.
 */
import { Axios } from "axios";
import type { HttpGetConfig, HttpUrlConfig } from "../../config/model.ts";
import type { ProbeResult } from "../types.ts";
import { ExchangeError, exchangeAdapter } from "./http-adapter.ts";
import { type Failure, failed, passed } from "./outcome.ts";

/** Body bytes read at most; an accepted status whose body is longer passes, cut there. */
export const MAX_BODY_BYTES = 1_048_576;

/**
 * A bare Axios without the library's defaults (less to merge at every check). The lean adapter does none of
 * what these options switch off; they hold should another adapter ever be put in.
 */
const client = new Axios({
  proxy: false,
  maxRedirects: 0,
  decompress: false,
  responseType: "stream",
  maxContentLength: MAX_BODY_BYTES,
  validateStatus: () => true,
});

/** Runs one probe of `cfg.urls[urlIndex]`; never rejects. An abort of `signal` ends it at once. */
export async function probeHttp(
  cfg: HttpGetConfig,
  urlIndex: number,
  signal?: AbortSignal,
): Promise<ProbeResult> {
  const started = performance.now();
  const url = cfg.urls[urlIndex];
  if (url === undefined) {
    return failed({ reason: "local-error", detail: `${cfg.id}: no URL number ${urlIndex}` }, started);
  }
  try {
    return await request(cfg, url, started, signal);
  } catch (error) {
    return failed(failureOf(error), started);
  }
}

async function request(
  cfg: HttpGetConfig,
  url: HttpUrlConfig,
  started: number,
  signal: AbortSignal | undefined,
): Promise<ProbeResult> {
  const accepted = (status: number): boolean =>
    url.statusCodes.some(([from, to]) => status >= from && status <= to);
  const host = url.virtualhost ?? hostOf(cfg.connectIp, cfg.connectPort);
  if (!HOST.test(host)) {
    return failed(
      { reason: "local-error", detail: `virtualhost ${JSON.stringify(host)} can't be sent` },
      started,
    );
  }
  const { status, data } = await client.request({
    url: url.path,
    adapter: exchangeAdapter({
      connectIp: cfg.connectIp,
      connectPort: cfg.connectPort,
      ...(cfg.bindTo === undefined ? {} : { bindTo: cfg.bindTo }),
      head: requestHead(cfg, url, host),
      connectTimeout: cfg.connectTimeout,
      responseTimeout: cfg.connectTimeout,
      wantBody: accepted,
      maxBody: MAX_BODY_BYTES,
      ...(signal === undefined ? {} : { signal }),
    }),
  });
  if (!accepted(status)) return failed({ reason: "bad-status", detail: statusDetail(status) }, started);
  return passed(
    data.cut ? `${statusDetail(status)}, body cut at ${MAX_BODY_BYTES} bytes` : statusDetail(status),
    started,
  );
}

const failureOf = (error: unknown): Failure =>
  error instanceof ExchangeError
    ? error.failure
    : { reason: "local-error", detail: error instanceof Error ? error.message : String(error) };

/** One string per status, not one per check: histories hold twenty of them for every checker. */
const details = new Map<number, string>();
function statusDetail(status: number): string {
  let detail = details.get(status);
  if (detail === undefined) {
    detail = `status ${status}`;
    details.set(status, detail);
  }
  return detail;
}

/** Visible ASCII only: what came from the configuration must not become a second header line. */
const HOST = /^[\x21-\x7e]+$/;

/** Authority for the Host header: brackets for IPv6, no zone, no port when it is HTTP's own. */
function hostOf(address: string, port: number): string {
  const bare = address.replace(/%.*$/, "");
  const host = bare.includes(":") ? `[${bare}]` : bare;
  return port === 80 ? host : `${host}:${port}`;
}

const requestHead = (cfg: HttpGetConfig, url: HttpUrlConfig, host: string): string =>
  `GET ${requestTarget(url.path)} HTTP/${cfg.httpProtocol}\r\nHost: ${host}\r\n` +
  "User-Agent: vipward\r\nAccept: */*\r\nConnection: close\r\n\r\n";

/** The path as configured; only what would break the request line is percent-encoded (as UTF-8). */
function requestTarget(path: string): string {
  const rooted = path.startsWith("/") ? path : `/${path}`;
  return rooted.replace(/[^\x21-\x7e]+/gu, (text) => encodeURIComponent(text));
}
