/** The keys of the checker blocks, with their units and ranges. */
import { parseHexString } from "../check/byte-pattern.ts";
import { encodeName } from "../check/dns-message.ts";
import { DNS_TYPES, dnsType } from "../check/dns-types.ts";
import { ip } from "./ip.ts";
import { block, bool, choice, count, duration, nested, scalar, text, word } from "./scalar.ts";
import { interfaceName } from "./values.ts";

const S = 1_000_000;
const MS = 1_000;
const show = (value: string): string => `"${value.length > 60 ? `${value.slice(0, 57)}...` : value}"`;

/** What services, real servers and checkers hand down to each other. */
export const checkDefaults = () => ({
  delay_loop: duration({ min: MS, step: MS }).optional(),
  connect_timeout: duration({ min: MS, max: 3600 * S, step: MS }).optional(),
  retry: count(0, 65535),
  delay_before_retry: duration({ min: 0, step: MS }).optional(),
  warmup: duration({ min: 0, step: MS }).optional(),
  alpha: bool(),
});

const timing = () => ({
  ...checkDefaults(),
  rise: count(1, 65535),
  fall: count(1, 65535),
  log_all_failures: bool(),
});

const address = () => ({
  connect_ip: ip().optional(),
  bindto: ip().optional(),
  bind_if: interfaceName().optional(),
  fwmark: count(0, 2 ** 32 - 1),
});
const connection = () => ({
  ...address(),
  connect_port: count(1, 65535),
  bind_port: count(1, 65535),
});

const path = (name: string) =>
  scalar<string>((value) => {
    if (!value.startsWith("/")) return { message: `${name}: ${show(value)} is not an absolute path` };
    return value.includes("\0") ? { message: `${name}: a NUL byte` } : { value };
  });

const tls = () => ({
  sni_name: word("sni_name").optional(),
  verify: bool(),
  ca: path("ca").optional(),
});

/** Bytes as text: \r \n \t \0 \\ and \xHH; all else as UTF-8. Double-quoted YAML has its own escapes before that. */
const bytes = (name: string) =>
  scalar<string>((value) => {
    let out = "";
    const parts = /\\(?:([rnt0\\])|x([0-9a-fA-F]{2})|(.?))|([^\\]+)/gsu;
    for (const [, letter, hex, other, plain] of value.matchAll(parts)) {
      if (other !== undefined)
        return {
          message: `${name}: unknown escape \\${other}`,
          hint: "\\r, \\n, \\t, \\0, \\\\ or \\xHH",
        };
      if (letter !== undefined) out += { r: "\r", n: "\n", t: "\t", "0": "\0", "\\": "\\" }[letter];
      else if (hex !== undefined) out += String.fromCharCode(Number.parseInt(hex, 16));
      else for (const byte of new TextEncoder().encode(plain)) out += String.fromCharCode(byte);
    }
    if (out === "") return { message: `${name} is empty` };
    return out.length > 16_384 ? { message: `${name} is longer than 16384 bytes` } : { value: out };
  }).optional();

/** `follow`: a flag (5 redirects) or their number. */
const redirects = () =>
  scalar<number>((value) => {
    if (/^(true|on|yes)$/i.test(value)) return { value: 5 };
    if (/^(false|off|no)$/i.test(value)) return { value: 0 };
    return /^\d{1,2}$/.test(value) && Number(value) <= 20
      ? { value: Number(value) }
      : { message: `${show(value)} is not a number of redirects`, hint: "true (5), false or 0 to 20" };
  }, 5).optional();

const digest = () =>
  scalar<string>((value) => {
    const hex = value.toLowerCase();
    return /^(?:[0-9a-f]{32}|[0-9a-f]{64})$/.test(hex)
      ? { value: hex }
      : {
          message: `${show(value)} is not a digest`,
          hint: "32 hex digits of MD5, as genhash prints them, or 64 of SHA-256",
        };
  }).optional();

/** keepalived's HEX_STR; `0x` and `text:` forms are ours. */
const hexString = (wild: boolean) =>
  scalar<string>(
    (value) => {
      const quoted = /^text:(.*)$/s.exec(value)?.[1];
      const hex =
        quoted === undefined
          ? parseHexString(value, wild)
          : Array.from(new TextEncoder().encode(quoted), (byte) => byte.toString(16).padStart(2, "0")).join(
              "",
            );
      if (hex === undefined || hex === "")
        return {
          message: `${show(value)} is not a hex string`,
          hint: `pairs of hex digits${wild ? ", x for any" : ""}, or text:...`,
        };
      return hex.length > 2 * 65_507 ? { message: "longer than a UDP datagram" } : { value: hex };
    },
    wild ? "" : undefined,
  ).optional();

const queryType = () =>
  scalar((value) => {
    const type = dnsType(value);
    return type === undefined
      ? { message: `${show(value)} is not a DNS type`, hint: `${DNS_TYPES.join(", ")} or TYPEnnn` }
      : { value: type };
  }).optional();

const queryName = () =>
  scalar<string>((value) => {
    const encoded = encodeName(value);
    if ("problem" in encoded) return { message: `${show(value)}: ${encoded.problem}` };
    return { value: value.replace(/\.$/, "") };
  }).optional();

/** "USER [GROUP]". */
const user = () =>
  scalar<readonly [string, string?]>((value) => {
    const [name = "", group, ...rest] = value.trim().split(/\s+/);
    const valid = (one: string): boolean => /^[\w.][\w.$-]{0,31}$/.test(one);
    if (rest.length > 0 || !valid(name) || (group !== undefined && !valid(group)))
      return { message: `${show(value)} is not a user`, hint: "USER, or USER GROUP" };
    return { value: group === undefined ? [name] : [name, group] };
  }).optional();

/** "N" or "N reverse". */
const fileWeight = () =>
  scalar<{ readonly weight: number; readonly reverse: boolean }>((value) => {
    const match = /^([+-]?\d{1,10})(\s+reverse)?$/.exec(value.trim());
    const weight = Number(match?.[1]);
    return match !== null && Math.abs(weight) <= 2_147_483_647
      ? { value: { weight: weight === 0 ? 0 : weight, reverse: match[2] !== undefined } }
      : {
          message: `${show(value)} is not a weight`,
          hint: 'a whole number from -2147483647 to 2147483647, "reverse" after it to turn it round',
        };
  }).optional();

const httpKeys = () => ({
  ...timing(),
  ...connection(),
  url: nested(),
  http_protocol: choice(["1.0", "1.0C", "1.1"]).optional(),
  virtualhost: word("virtualhost").optional(),
  fast_recovery: bool(),
});

export const checkerBlocks = () => ({
  tcp: block("TCP_CHECK", { ...timing(), ...connection(), send: bytes("send"), expect: bytes("expect") }),
  http: block("HTTP_GET", httpKeys()),
  ssl: block("SSL_GET", { ...httpKeys(), ...tls(), enable_sni: bool(), tls_compliant: bool() }),
  url: block("url", {
    path: word("path", 4096),
    status_code: nested().optional(),
    virtualhost: word("virtualhost").optional(),
    method: choice(["GET", "HEAD", "POST", "OPTIONS"]).optional(),
    headers: nested().optional(),
    digest: digest(),
    regex: text().optional(),
    regex_no_match: bool(),
    regex_options: nested().optional(),
    regex_stack: text().optional(),
    regex_min_offset: count(0, 2 ** 31 - 1),
    regex_max_offset: count(0, 2 ** 31 - 1),
    follow: redirects(),
  }),
  smtp: block("SMTP_CHECK", {
    ...timing(),
    ...connection(),
    helo_name: word("helo_name").optional(),
    host: nested().optional(),
    starttls: bool(),
    ...tls(),
  }),
  smtpHost: block("host", connection()),
  dns: block("DNS_CHECK", {
    ...timing(),
    ...connection(),
    type: queryType(),
    name: queryName(),
    expect: nested().optional(),
  }),
  udpCheck: block("UDP_CHECK", {
    ...timing(),
    ...connection(),
    payload: hexString(false),
    require_reply: hexString(true),
    min_reply_length: count(0, 65_507),
    max_reply_length: count(0, 65_507),
  }),
  pingCheck: block("PING_CHECK", { ...timing(), ...address() }),
  misc: block("MISC_CHECK", {
    ...timing(),
    misc_path: nested(),
    misc_timeout: duration({ min: MS, max: 86_400 * S, step: MS }).optional(),
    misc_dynamic: bool(),
    user: user(),
  }),
  fileCheck: block("FILE_CHECK", {
    ...timing(),
    track_file: text(),
    weight: fileWeight(),
    dynamic: bool(),
  }),
  grpc: block("GRPC_CHECK", {
    ...timing(),
    ...connection(),
    service: text().optional(),
    authority: word("authority").optional(),
    tls: bool(),
    ...tls(),
  }),
  external: block("EXTERNAL", { ...timing(), ttl: duration({ min: 100 * MS, step: MS }).optional() }),
});

/** Keys of real_server. */
export const CHECKER_TYPES = [
  "TCP_CHECK",
  "HTTP_GET",
  "SSL_GET",
  "SMTP_CHECK",
  "DNS_CHECK",
  "UDP_CHECK",
  "PING_CHECK",
  "MISC_CHECK",
  "FILE_CHECK",
  "GRPC_CHECK",
  "EXTERNAL",
] as const;
export type CheckerType = (typeof CHECKER_TYPES)[number];

export const checkerKeys = () => ({
  TCP_CHECK: nested().optional(),
  HTTP_GET: nested().optional(),
  SSL_GET: nested().optional(),
  SMTP_CHECK: nested().optional(),
  DNS_CHECK: nested().optional(),
  UDP_CHECK: nested().optional(),
  PING_CHECK: nested().optional(),
  MISC_CHECK: nested().optional(),
  FILE_CHECK: nested().optional(),
  GRPC_CHECK: nested().optional(),
  EXTERNAL: nested().optional(),
});
