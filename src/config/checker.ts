/** Checker blocks of a real server -> CheckerConfig; values come down from service, real server, checker. */
import { describe, readBlock, repeated } from "./block.ts";
import {
  type CheckOptions,
  type ConnectKeys,
  common,
  inherit,
  sourceOf,
  type Target,
  tlsOf,
} from "./checker-common.ts";
import { readHttp } from "./checker-http.ts";
import { CHECKER_TYPES, type CheckerType } from "./checker-keys.ts";
import { readExternal, readFile, readMisc } from "./checker-local.ts";
import type { Context } from "./context.ts";
import type { CheckerConfig, SmtpHost } from "./model.ts";
import { child, isBare, isMap, isScalar, type MapNode, type Ref } from "./nodes.ts";
import { defined } from "./optional.ts";
import { at, inside, refuse } from "./place.ts";
import { schemas } from "./schema.ts";

export { type CheckOptions, inherit, type Target } from "./checker-common.ts";

type Read = (
  id: string,
  block: Ref<MapNode>,
  outer: CheckOptions,
  target: Target,
  context: Context,
) => CheckerConfig | undefined;

/** Those that may stand as a bare word. */
const BARE: ReadonlySet<CheckerType> = new Set([
  "TCP_CHECK",
  "SMTP_CHECK",
  "DNS_CHECK",
  "UDP_CHECK",
  "PING_CHECK",
  "GRPC_CHECK",
  "EXTERNAL",
]);

const READERS: Readonly<Record<CheckerType, Read>> = {
  TCP_CHECK: readTcp,
  HTTP_GET: (...args) => readHttp("HTTP_GET", ...args),
  SSL_GET: (...args) => readHttp("SSL_GET", ...args),
  SMTP_CHECK: readSmtp,
  DNS_CHECK: readDns,
  UDP_CHECK: readUdp,
  PING_CHECK: readPing,
  MISC_CHECK: readMisc,
  FILE_CHECK: readFile,
  GRPC_CHECK: readGrpc,
  EXTERNAL: readExternal,
};
const PORTLESS: ReadonlySet<string> = new Set(["PING_CHECK", "MISC_CHECK", "FILE_CHECK", "EXTERNAL"]);

const isType = (key: string): key is CheckerType => (CHECKER_TYPES as readonly string[]).includes(key);

export function readCheckers(
  server: Ref<MapNode>,
  outer: CheckOptions,
  target: Target,
  context: Context,
): CheckerConfig[] {
  const out: CheckerConfig[] = [];
  // In the file's order: it numbers the checkers and is the order status shows them in.
  for (const { key } of server.node.entries) {
    if (!isType(key)) continue;
    for (const [index, block] of repeated(child(server, key)!).entries()) {
      const id = `${target.serviceKey} -> ${target.serverKey} ${key} #${index + 1}`;
      const checker = readOne(key, id, block, outer, target, context);
      if (checker === undefined) continue;
      checkPlaces(checker, block, context);
      out.push(checker);
    }
  }
  return out;
}

const EMPTY: MapNode = { kind: "map", offset: 0, entries: [], flat: {}, size: 0 };

function readOne(
  type: CheckerType,
  id: string,
  block: Ref,
  outer: CheckOptions,
  target: Target,
  context: Context,
): CheckerConfig | undefined {
  const asMap: Ref<MapNode> | undefined = isMap(block)
    ? block
    : isBare(block) && BARE.has(type)
      ? { ...block, node: EMPTY }
      : undefined;
  if (asMap === undefined)
    return refuse(inside(block), context, `${type} is a block, not ${describe(block.node)}`);
  return READERS[type](id, asMap, outer, target, context);
}

function checkPlaces(checker: CheckerConfig, block: Ref, context: Context): void {
  const hosts: readonly SmtpHost[] = checker.type === "SMTP_CHECK" ? checker.hosts : [checker];
  for (const { connectIp, connectPort, bindTo, bindIf } of hosts) {
    const where = { offset: block.at, via: block.via };
    if (connectPort === 0 && !PORTLESS.has(checker.type))
      refuse(where, context, `${checker.type} has no port: the real server's port is 0`, "give connect_port");
    if (bindTo !== undefined && bindTo.includes(":") !== connectIp.includes(":"))
      refuse(
        where,
        context,
        `bindto ${bindTo} and the address to check, ${connectIp}, are not of one family`,
      );
    const linkLocal = [bindTo, connectIp].find((address) => /^fe[89ab]/.test(address ?? ""));
    if (linkLocal !== undefined && bindIf === undefined)
      refuse(where, context, `${linkLocal} is link-local: which interface?`, "give bind_if");
  }
}

function readTcp(id: string, block: Ref<MapNode>, outer: CheckOptions, target: Target, context: Context) {
  const keys = readBlock(block, schemas().tcp, context.problems);
  if (keys === undefined) return undefined;
  const base = common(id, keys, inherit(outer, keys), target);
  return defined({ type: "TCP_CHECK" as const, ...base, send: keys.send, expect: keys.expect });
}

function readSmtp(id: string, block: Ref<MapNode>, outer: CheckOptions, target: Target, context: Context) {
  const keys = readBlock(block, schemas().smtp, context.problems);
  if (keys === undefined) return undefined;
  const base = common(id, keys, inherit(outer, keys), target);
  const host = child(block, "host");
  const hosts = host === undefined ? [hostOf(keys, target)] : readHosts(host, target, context);
  return defined({
    type: "SMTP_CHECK" as const,
    ...base,
    heloName: keys.helo_name ?? context.options.hostname,
    hosts,
    starttls: keys.starttls === true ? tlsOf(keys, base.connectIp) : undefined,
  });
}

function readHosts(ref: Ref, target: Target, context: Context): SmtpHost[] {
  const out: SmtpHost[] = [];
  for (const item of repeated(ref)) {
    if (!isMap(item)) refuse(inside(item), context, "host is a block");
    else {
      const keys = readBlock(item, schemas().smtpHost, context.problems);
      if (keys !== undefined) out.push(hostOf(keys, target));
    }
  }
  if (out.length === 0) refuse(inside(ref), context, "host: at least one is needed");
  return out;
}

const hostOf = (keys: ConnectKeys, target: Target): SmtpHost => ({
  connectIp: keys.connect_ip?.address ?? target.address,
  connectPort: keys.connect_port ?? target.port,
  ...sourceOf(keys),
});

function readDns(id: string, block: Ref<MapNode>, outer: CheckOptions, target: Target, context: Context) {
  const keys = readBlock(block, schemas().dns, context.problems);
  if (keys === undefined) return undefined;
  const defaults = { retry: 3, delayBeforeRetry: "delay_loop" } as const;
  const answers = child(block, "expect");
  const expect = answers && repeated(answers).map((item) => (isScalar(item) ? item.node.text.trim() : ""));
  if (expect?.includes("")) return refuse(inside(answers!), context, "expect: an answer is text");
  return defined({
    type: "DNS_CHECK" as const,
    ...common(id, keys, inherit(outer, keys), target, defaults),
    queryType: keys.type ?? { name: "SOA", value: 6 },
    queryName: keys.name ?? "",
    expect,
  });
}

function readUdp(id: string, block: Ref<MapNode>, outer: CheckOptions, target: Target, context: Context) {
  const keys = readBlock(block, schemas().udpCheck, context.problems);
  if (keys === undefined) return undefined;
  const { require_reply: pattern, min_reply_length: min = 0, max_reply_length: max = 255 } = keys;
  if (min > max)
    return refuse(
      at(block, "min_reply_length"),
      context,
      `min_reply_length ${min} is above max_reply_length ${max}`,
    );
  return defined({
    type: "UDP_CHECK" as const,
    ...common(id, keys, inherit(outer, keys), target),
    payload: keys.payload,
    requireReply: pattern !== undefined,
    replyPattern: pattern === "" ? undefined : pattern,
    minReplyLength: min,
    maxReplyLength: max,
  });
}

function readPing(id: string, block: Ref<MapNode>, outer: CheckOptions, target: Target, context: Context) {
  const keys = readBlock(block, schemas().pingCheck, context.problems);
  if (keys === undefined) return undefined;
  const base = common(id, keys, inherit(outer, keys), target, { portless: true });
  return { type: "PING_CHECK" as const, ...base };
}

function readGrpc(id: string, block: Ref<MapNode>, outer: CheckOptions, target: Target, context: Context) {
  const keys = readBlock(block, schemas().grpc, context.problems);
  if (keys === undefined) return undefined;
  const base = common(id, keys, inherit(outer, keys), target);
  const name = keys.authority?.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  const tls = tlsOf({ ...keys, sni_name: keys.sni_name ?? name }, base.connectIp);
  return defined({
    type: "GRPC_CHECK" as const,
    ...base,
    service: keys.service ?? "",
    authority: keys.authority,
    tls: keys.tls === true ? tls : undefined,
  });
}
