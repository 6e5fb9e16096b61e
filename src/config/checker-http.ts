/** HTTP_GET and SSL_GET blocks. */
import { REGEX_OPTIONS, translatePcre } from "../check/pcre.ts";
import { describe, readBlock, repeated } from "./block.ts";
import { type CheckOptions, common, inherit, type Target, tlsOf } from "./checker-common.ts";
import type { Context } from "./context.ts";
import type { BodyRegex, HttpGetConfig, HttpUrlConfig } from "./model.ts";
import { child, isMap, isScalar, type MapNode, type Ref } from "./nodes.ts";
import { defined } from "./optional.ts";
import { at, inside, refuse } from "./place.ts";
import { quote } from "./problem.ts";
import { schemas } from "./schema.ts";
import { parseStatusCodes } from "./values.ts";

export function readHttp(
  type: "HTTP_GET" | "SSL_GET",
  id: string,
  block: Ref<MapNode>,
  outer: CheckOptions,
  target: Target,
  context: Context,
): HttpGetConfig | undefined {
  const ssl = type === "SSL_GET" ? readBlock(block, schemas().ssl, context.problems) : undefined;
  const keys = type === "SSL_GET" ? ssl : readBlock(block, schemas().http, context.problems);
  const url = child(block, "url");
  if (url === undefined) {
    // With other keys unreadable, the schema did not get as far as naming the missing one.
    if (keys !== undefined)
      context.problems.error({
        offset: block.at,
        message: `${type} needs url`,
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
  return defined({
    type,
    ...common(id, keys, options, target, { delayBeforeRetry: 3_000_000 }),
    urls: urls.filter((one) => one !== undefined),
    httpProtocol: keys.http_protocol ?? "1.0",
    fastRecovery: keys.fast_recovery,
    tls: ssl && tlsOf(ssl),
    sniFromHost: ssl?.enable_sni,
    tlsCompliant: ssl?.tls_compliant,
  });
}

function readUrl(item: Ref, virtualhost: string | undefined, context: Context): HttpUrlConfig | undefined {
  if (!isMap(item)) {
    const message = `url is a block, not ${describe(item.node)}`;
    return refuse(inside(item), context, message, "{ path: /, status_code: 200 }");
  }
  const keys = readBlock(item, schemas().url, context.problems);
  const statusRef = child(item, "status_code");
  const statusCodes = statusRef === undefined ? [[200, 299] as const] : readStatusCodes(statusRef, context);
  if (keys !== undefined && !keys.path.startsWith("/"))
    return refuse(at(item, "path"), context, "path must start with /");
  const headersRef = child(item, "headers");
  const headers = headersRef && readHeaders(headersRef, context);
  if (keys === undefined || statusCodes === undefined) return undefined;
  if (keys.method === "HEAD" && (keys.digest ?? keys.regex) !== undefined)
    return refuse(at(item, "method"), context, "HEAD has no body for digest or regex", "use GET");
  return defined({
    path: keys.path,
    statusCodes,
    virtualhost: keys.virtualhost ?? virtualhost,
    method: keys.method,
    headers: headers?.length === 0 ? undefined : headers,
    digest:
      keys.digest === undefined
        ? undefined
        : { algorithm: keys.digest.length === 32 ? ("md5" as const) : ("sha256" as const), hex: keys.digest },
    regex: readRegex(item, keys, context),
    follow: keys.follow === 0 ? undefined : keys.follow,
  });
}

interface RegexKeys {
  readonly regex?: string | undefined;
  readonly regex_no_match?: boolean | undefined;
  readonly regex_min_offset?: number | undefined;
  readonly regex_max_offset?: number | undefined;
  readonly regex_stack?: string | undefined;
}
const REGEX_KEYS = ["regex_no_match", "regex_options", "regex_stack", "regex_min_offset", "regex_max_offset"];

function readRegex(item: Ref<MapNode>, keys: RegexKeys, context: Context): BodyRegex | undefined {
  if (keys.regex === undefined) {
    const alone = item.node.entries.find((entry) => REGEX_KEYS.includes(entry.key));
    if (alone !== undefined) refuse(at(item, alone.key), context, `${alone.key} without regex`);
    return undefined;
  }
  const { regex_min_offset: minOffset, regex_max_offset: maxOffset } = keys;
  if (minOffset !== undefined && maxOffset !== undefined && maxOffset < minOffset)
    return refuse(
      at(item, "regex_max_offset"),
      context,
      `regex_max_offset ${maxOffset} is below regex_min_offset ${minOffset}`,
    );
  // PCRE's stack is none of ours: a match is bounded in time instead.
  if (keys.regex_stack !== undefined && !/^\s*\d+\s+\d+\s*$/.test(keys.regex_stack))
    return refuse(at(item, "regex_stack"), context, "regex_stack: two numbers of bytes");
  const options = child(item, "regex_options");
  const translated = translatePcre(keys.regex, options === undefined ? [] : wordsOf(options));
  if ("problem" in translated)
    return refuse(
      at(item, translated.problem.startsWith("regex option") ? "regex_options" : "regex"),
      context,
      `regex ${quote(keys.regex)}: ${translated.problem}`,
      translated.problem.startsWith("regex option") ? `supported: ${REGEX_OPTIONS.join(", ")}` : undefined,
    );
  const noMatch = keys.regex_no_match ?? false;
  return defined({ text: keys.regex, ...translated, noMatch, minOffset, maxOffset });
}

const wordsOf = (ref: Ref): string[] =>
  repeated(ref).flatMap((item) =>
    isScalar(item) ? item.node.text.trim().split(/[\s,]+/) : ["(not a word)"],
  );

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** RFC 9110 5.5: visible characters, blanks between them. */
const FIELD_VALUE = /^[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/;

/** `{ Name: value }`, or a list of "Name: value". */
function readHeaders(ref: Ref, context: Context): [string, string][] {
  const out: [string, string][] = [];
  const add = (name: string, value: string, item: Ref): void => {
    if (!TOKEN.test(name)) refuse(inside(item), context, `headers: ${quote(name)} is not a field name`);
    else if (value !== "" && !FIELD_VALUE.test(value))
      refuse(
        inside(item),
        context,
        `headers: the value of ${name} can't be sent`,
        "visible ASCII or Latin-1 only",
      );
    else out.push([name, value]);
  };
  if (isMap(ref)) {
    for (const { key, keyOffset, value, via } of ref.node.entries) {
      const item: Ref = { node: value, at: keyOffset, via: via ?? ref.via };
      if (value.kind === "scalar") add(key, value.empty ? "" : value.text, item);
      else refuse(inside(item), context, `headers: ${key} takes a value, not ${describe(value)}`);
    }
    return out;
  }
  for (const item of repeated(ref)) {
    const text = isScalar(item) ? item.node.text : "";
    const colon = text.indexOf(":");
    if (colon > 0) add(text.slice(0, colon).trim(), text.slice(colon + 1).trim(), item);
    else refuse(inside(item), context, "headers: a field is Name: value");
  }
  return out;
}

function readStatusCodes(ref: Ref, context: Context): [number, number][] | undefined {
  const out: [number, number][] = [];
  for (const item of repeated(ref)) {
    const ranges = isScalar(item)
      ? parseStatusCodes(item.node.text)
      : `takes codes, not ${describe(item.node)}`;
    if (typeof ranges === "string")
      return refuse(inside(item), context, `status_code: ${ranges}`, "200, 200-299, or several: 200-299 301");
    out.push(...ranges);
  }
  return out;
}
