/**
 * HTTP_GET and SSL_GET: one URL of the real server answers with an accepted status, headers and body complete in time.
 *
 * Total deadline: connect_timeout for the connect, then connect_timeout again for the whole response, from the
 * request to the last byte of the body (keepalived allows connect_timeout for each single read, which a server
 * that drips bytes stretches without end). Redirects are not followed: a 302 is a status like any other.
 */
import { Axios } from "axios";
import type { HttpGetConfig, HttpUrlConfig, ProbeTls } from "../../config/model.ts";
import type { ProbeResult } from "../types.ts";
import { type Exchange, ExchangeError, exchangeAdapter } from "./http-adapter.ts";
import { BodyCheck } from "./http-body.ts";
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
  let place: Place = { path: url.path, host: url.virtualhost ?? hostOf(cfg) };
  for (let redirects = 0; ; redirects++) {
    if (!HOST.test(place.host)) {
      const detail = `virtualhost ${JSON.stringify(place.host)} can't be sent`;
      return failed({ reason: "local-error", detail }, started);
    }
    const body = new BodyCheck(url);
    const exchange = exchangeOf(cfg, url, place, accepted, body, started, signal);
    const { status, data } = await client.request({ url: place.path, adapter: exchangeAdapter(exchange) });
    if (!accepted(status)) {
      const next = redirects < (url.follow ?? 0) ? redirected(cfg, place, status, data.location) : undefined;
      if (next === undefined) return failed({ reason: "bad-status", detail: statusDetail(status) }, started);
      place = next;
      continue;
    }
    const problem = body.onBody === undefined ? undefined : await body.problem(data.cut);
    if (problem !== undefined) return failed(problem, started);
    return passed(
      data.cut ? `${statusDetail(status)}, body cut at ${MAX_BODY_BYTES} bytes` : statusDetail(status),
      started,
    );
  }
}

/** What is asked for, of whom by name; the connection always goes to the real server. */
interface Place {
  readonly path: string;
  readonly host: string;
}

function exchangeOf(
  cfg: HttpGetConfig,
  url: HttpUrlConfig,
  place: Place,
  wantBody: (status: number) => boolean,
  body: BodyCheck,
  started: number,
  signal: AbortSignal | undefined,
): Exchange {
  const { connectTimeout } = cfg;
  // All redirects together have the time of one request.
  const left = Math.max(1, 2 * connectTimeout - (performance.now() - started));
  const { onBody } = body;
  return {
    target: cfg,
    ...(cfg.type === "SSL_GET" ? { tls: tlsOf(cfg, place.host) } : {}),
    ...(cfg.tlsCompliant === true ? { tlsCompliant: true } : {}),
    head: requestHead(cfg, url, place),
    bodiless: url.method === "HEAD",
    connectTimeout: Math.min(connectTimeout, left),
    responseTimeout: Math.min(connectTimeout, left),
    wantBody,
    maxBody: MAX_BODY_BYTES,
    ...(onBody === undefined ? {} : { onBody }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** The name of the URL is what SNI and the certificate are held to, unless sni_name says another. */
function tlsOf(cfg: HttpGetConfig, host: string): ProbeTls {
  const name = bareHost(host);
  const serverName = cfg.tls?.serverName ?? (cfg.sniFromHost === true ? name : undefined);
  return {
    verify: false,
    ...cfg.tls,
    ...(serverName === undefined ? {} : { serverName }),
    verifyName: cfg.tls?.verifyName ?? serverName ?? name,
  };
}

/** "[2001:db8::1]:443" and "www.example.org:443" without brackets and port. */
const bareHost = (host: string): string => host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");

/** RFC 9110 15.4: where a redirect leads, if that is the same scheme; undefined when it is no redirect to follow. */
function redirected(
  cfg: HttpGetConfig,
  from: Place,
  status: number,
  location: string | undefined,
): Place | undefined {
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) return undefined;
  const scheme = cfg.type === "SSL_GET" ? "https:" : "http:";
  const base = `${scheme}//${from.host}${from.path}`;
  if (!URL.canParse(location, base)) return undefined;
  const to = new URL(location, base);
  if (to.protocol !== scheme) return undefined;
  return { path: to.pathname + to.search, host: to.origin === new URL(base).origin ? from.host : to.host };
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

/** Authority for the Host header: brackets for IPv6, no zone, no port when it is the scheme's own. */
function hostOf({ type, connectIp, connectPort }: HttpGetConfig): string {
  const bare = connectIp.replace(/%.*$/, "");
  const host = bare.includes(":") ? `[${bare}]` : bare;
  return connectPort === (type === "SSL_GET" ? 443 : 80) ? host : `${host}:${connectPort}`;
}

/** keepalived: 1.0 without, 1.0C and 1.1 with "Connection: close". */
function requestHead(cfg: HttpGetConfig, url: HttpUrlConfig, place: Place): string {
  const method = url.method ?? "GET";
  const fields = new Map([
    ["host", `Host: ${place.host}`],
    ["user-agent", "User-Agent: vipward"],
    ["accept", "Accept: */*"],
  ]);
  if (cfg.httpProtocol !== "1.0") fields.set("connection", "Connection: close");
  if (method === "POST") fields.set("content-length", "Content-Length: 0");
  for (const [name, value] of url.headers ?? []) fields.set(name.toLowerCase(), `${name}: ${value}`);
  const version = cfg.httpProtocol === "1.1" ? "1.1" : "1.0";
  return `${method} ${requestTarget(place.path)} HTTP/${version}\r\n${[...fields.values()].join("\r\n")}\r\n\r\n`;
}

/** The path as configured; only what would break the request line is percent-encoded (as UTF-8). */
function requestTarget(path: string): string {
  const rooted = path.startsWith("/") ? path : `/${path}`;
  return rooted.replace(/[^\x21-\x7e]+/gu, (text) => encodeURIComponent(text));
}
