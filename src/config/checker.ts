/** Checker blocks of a real server -> CheckerConfig; values come down from service, real server, checker. */
import { type Milliseconds, ms } from "../units.ts";
import { describe, readBlock, repeated } from "./block.ts";
import type { Context } from "./context.ts";
import type { CheckerCommon, CheckerConfig, HttpUrlConfig } from "./model.ts";
import { child, isBare, isMap, isScalar, type MapNode, type Ref } from "./nodes.ts";
import { schemas } from "./schema.ts";
import { parseStatusCodes } from "./values.ts";

/** Options that services, real servers and checkers all take. Times in microseconds. */
export interface CheckOptions {
  readonly delay_loop?: number | undefined;
  readonly connect_timeout?: number | undefined;
  readonly retry?: number | undefined;
  readonly delay_before_retry?: number | undefined;
  readonly warmup?: number | undefined;
  readonly alpha?: boolean | undefined;
  readonly virtualhost?: string | undefined;
}

/** The real server a checker belongs to. */
export interface Target {
  readonly serviceKey: string;
  readonly serverKey: string;
  readonly address: string;
  readonly port: number;
}

interface CheckerKeys extends CheckOptions {
  readonly connect_ip?: string | undefined;
  readonly connect_port?: number | undefined;
  readonly bindto?: string | undefined;
}

/** Nearest first wins. */
export function inherit(outer: CheckOptions, inner: CheckOptions): CheckOptions {
  return {
    delay_loop: inner.delay_loop ?? outer.delay_loop,
    connect_timeout: inner.connect_timeout ?? outer.connect_timeout,
    retry: inner.retry ?? outer.retry,
    delay_before_retry: inner.delay_before_retry ?? outer.delay_before_retry,
    warmup: inner.warmup ?? outer.warmup,
    alpha: inner.alpha ?? outer.alpha,
    virtualhost: inner.virtualhost ?? outer.virtualhost,
  };
}

const toMs = (micros: number): Milliseconds => ms(micros / 1000);

function common(
  id: string,
  keys: CheckerKeys,
  options: CheckOptions,
  target: Target,
  delayBeforeRetry: number,
): CheckerCommon {
  const delayLoop = options.delay_loop ?? 60_000_000;
  return {
    id,
    serviceKey: target.serviceKey,
    serverKey: target.serverKey,
    connectIp: keys.connect_ip ?? target.address,
    connectPort: keys.connect_port ?? target.port,
    ...(keys.bindto === undefined ? {} : { bindTo: keys.bindto }),
    connectTimeout: toMs(options.connect_timeout ?? 5_000_000),
    delayLoop: toMs(delayLoop),
    warmup: toMs(options.warmup ?? delayLoop),
    retry: options.retry ?? 1,
    delayBeforeRetry: toMs(options.delay_before_retry ?? delayBeforeRetry),
    alpha: options.alpha ?? false,
  };
}

export function readCheckers(
  server: Ref<MapNode>,
  outer: CheckOptions,
  target: Target,
  context: Context,
): CheckerConfig[] {
  const out: CheckerConfig[] = [];
  // In the file's order: it numbers the checkers and is the order status shows them in.
  for (const { key } of server.node.entries) {
    if (key !== "TCP_CHECK" && key !== "HTTP_GET") continue;
    const blocks = repeated(child(server, key)!);
    for (const [index, block] of blocks.entries()) {
      const id = `${target.serviceKey} -> ${target.serverKey} ${key} #${index + 1}`;
      const checker =
        key === "TCP_CHECK"
          ? readTcp(id, block, outer, target, context)
          : readHttp(id, block, outer, target, context);
      if (checker === undefined) continue;
      if (checker.connectPort === 0)
        context.problems.error({
          offset: block.at,
          message: `${key} has no port: the real server's port is 0`,
          hint: "give connect_port",
          via: block.via,
        });
      out.push(checker);
    }
  }
  return out;
}

function readTcp(
  id: string,
  block: Ref,
  outer: CheckOptions,
  target: Target,
  context: Context,
): CheckerConfig | undefined {
  if (isBare(block)) return { type: "TCP_CHECK", ...common(id, {}, outer, target, 1_000_000) };
  if (!isMap(block)) return notABlock("TCP_CHECK", block, context);
  const keys = readBlock(block, schemas().tcp, context.problems);
  return keys && { type: "TCP_CHECK", ...common(id, keys, inherit(outer, keys), target, 1_000_000) };
}

function readHttp(
  id: string,
  block: Ref,
  outer: CheckOptions,
  target: Target,
  context: Context,
): CheckerConfig | undefined {
  if (!isMap(block)) return notABlock("HTTP_GET", block, context);
  const keys = readBlock(block, schemas().http, context.problems);
  const url = child(block, "url");
  if (url === undefined) {
    // With other keys unreadable, the schema did not get as far as naming the missing one.
    if (keys !== undefined)
      context.problems.error({
        offset: block.at,
        message: "HTTP_GET needs url",
        hint: "url: [ { path: /, status_code: 200 } ]",
        via: block.via,
      });
    return undefined;
  }
  const options = keys === undefined ? outer : inherit(outer, keys);
  const urls = repeated(url).map((item) => readUrl(item, options.virtualhost, context));
  if (urls.length === 0)
    context.problems.error({ offset: url.at, message: "url: at least one is needed", via: url.via });
  if (keys === undefined) return undefined;
  const httpProtocol = keys.http_protocol ?? "1.0";
  if (httpProtocol === "1.0C") {
    const place = child(block, "http_protocol")!;
    context.problems.error({
      offset: place.node.offset,
      message: "http_protocol 1.0C is not supported by this version of vipward yet",
      hint: "use 1.0 or 1.1",
      via: place.via,
    });
    return undefined;
  }
  const complete = urls.filter((one) => one !== undefined);
  return { type: "HTTP_GET", ...common(id, keys, options, target, 3_000_000), urls: complete, httpProtocol };
}

function readUrl(item: Ref, virtualhost: string | undefined, context: Context): HttpUrlConfig | undefined {
  if (!isMap(item)) {
    context.problems.error({
      offset: item.node.offset,
      message: `url is a block, not ${describe(item.node)}`,
      hint: "{ path: /, status_code: 200 }",
      via: item.via,
    });
    return undefined;
  }
  const keys = readBlock(item, schemas().url, context.problems);
  const statusRef = child(item, "status_code");
  const statusCodes = statusRef === undefined ? [[200, 299] as const] : readStatusCodes(statusRef, context);
  if (keys !== undefined && !keys.path.startsWith("/")) {
    const place = child(item, "path")!;
    context.problems.error({ offset: place.node.offset, message: "path must start with /", via: place.via });
    return undefined;
  }
  if (keys === undefined || statusCodes === undefined) return undefined;
  const host = keys.virtualhost ?? virtualhost;
  return { path: keys.path, statusCodes, ...(host === undefined ? {} : { virtualhost: host }) };
}

function readStatusCodes(ref: Ref, context: Context): [number, number][] | undefined {
  const out: [number, number][] = [];
  for (const item of repeated(ref)) {
    const ranges = isScalar(item)
      ? parseStatusCodes(item.node.text)
      : `takes codes, not ${describe(item.node)}`;
    if (typeof ranges === "string") {
      context.problems.error({
        offset: item.node.offset,
        message: `status_code: ${ranges}`,
        hint: "200, 200-299, or several: 200-299 301",
        via: item.via,
      });
      return undefined;
    }
    out.push(...ranges);
  }
  return out;
}

function notABlock(name: string, block: Ref, context: Context): undefined {
  context.problems.error({
    offset: block.node.offset,
    message: `${name} is a block, not ${describe(block.node)}`,
    via: block.via,
  });
  return undefined;
}
