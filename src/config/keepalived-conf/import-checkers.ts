/** The checkers of a real server. */
import { schemas } from "../schema.ts";
import { script } from "./commands.ts";
import * as doc from "./document.ts";
import type { ScriptUse } from "./import-track.ts";
import {
  args,
  bare,
  flag,
  type Handler,
  hasBlock,
  int,
  put,
  type Table,
  timer,
  translate,
  unsupported,
  word,
  words,
} from "./keywords.ts";
import { keywordOf } from "./tree.ts";

/** Of services, real servers and checkers. */
export const checkKeywords = (): Record<string, Handler> => ({
  delay_loop: timer(),
  connect_timeout: timer(),
  retry: int(),
  // The old spelling.
  nb_get_retry: int("retry"),
  delay_before_retry: timer(),
  warmup: timer(),
  alpha: flag(),
});

const source = (): Record<string, Handler> => ({
  connect_ip: word(),
  connect_port: int(),
  bindto: word(),
  bind_port: int(),
  bind_if: word(),
  fwmark: int(),
});
const common = (): Record<string, Handler> => ({ ...source(), ...checkKeywords(), log_all_failures: flag() });

/** A checker block; several of one type are a list. */
const checker =
  (table: Table): Handler =>
  (statement, out, notes) => {
    if (!hasBlock(statement, notes)) return;
    const made = doc.map(statement.spot);
    translate(statement.block, table, made, notes);
    doc.addRepeated(out, keywordOf(statement), made, statement.spot);
  };

/** A block inside a checker that may be repeated. */
const inner =
  (table: Table, key: string): Handler =>
  (statement, out, notes) => {
    if (!hasBlock(statement, notes)) return;
    const made = doc.map(statement.spot);
    translate(statement.block, table, made, notes);
    doc.listAt(out, key, statement.spot).items.push(made);
  };

/** Several status_code lines add up. */
const statusCodes: Handler = (statement, out, notes) => {
  const codes = args(statement, notes, 1000)?.map(({ text }) => text);
  if (codes === undefined) return;
  const before = doc.textOf(out, "status_code");
  const text = [...(before === undefined ? [] : [before]), ...codes].join(" ");
  doc.set(out, "status_code", doc.scalar(text, statement.spot), statement.spot);
};

const urlTable: Table = {
  name: "url",
  keys: () => schemas().url.keys,
  keywords: {
    path: word(),
    digest: word(),
    status_code: statusCodes,
    virtualhost: word(),
    regex: word(),
    regex_no_match: bare(),
    regex_options: words(),
    regex_stack: words(),
    regex_min_offset: int(),
    regex_max_offset: int(),
  },
};

const httpKeywords = (): Record<string, Handler> => ({
  ...common(),
  url: inner(urlTable, "url"),
  http_protocol: word(),
  fast_recovery: flag(),
  virtualhost: word(),
});

const httpTable: Table = { name: "HTTP_GET", keys: () => schemas().http.keys, keywords: httpKeywords() };
const sslTable: Table = {
  name: "SSL_GET",
  keys: () => schemas().ssl.keys,
  keywords: { ...httpKeywords(), enable_sni: flag(), tls_compliant: flag() },
};

const hostTable: Table = {
  name: "host",
  keys: () => schemas().smtpHost.keys,
  keywords: { ...source(), connect_timeout: unsupported },
};

/** `require_reply` alone wants any reply. */
const requireReply: Handler = (statement, out, notes) => {
  const parts = args(statement, notes, 1000, 0);
  if (parts === undefined) return;
  const text = parts.map((part) => part.text).join(" ");
  if (text === "") doc.set(out, "require_reply", doc.scalar("", statement.spot), statement.spot);
  else put(out, "require_reply", text, statement, notes);
};

/** The name of a track_file; vipward would take a path as well, keepalived ignores it. */
const fileName: Handler = (statement, out, notes) => {
  const name = args(statement, notes, 1)?.[0]?.text;
  if (name?.startsWith("/") === true)
    notes.warn(
      statement.spot,
      "left out: track_file takes the name of a track_file, not a path",
      "keepalived ignores it, too",
    );
  else if (name !== undefined) put(out, "track_file", name, statement, notes);
};

const misc = (uses: ScriptUse[]): Table => ({
  name: "MISC_CHECK",
  keys: () => schemas().misc.keys,
  keywords: {
    ...checkKeywords(),
    log_all_failures: flag(),
    misc_path: (statement, out, notes) => {
      script("misc_path", "user")(statement, out, notes);
      if (doc.has(out, "misc_path"))
        uses.push({ in: out, key: "misc_path", user: undefined, statement, ownUser: true });
    },
    misc_timeout: int(),
    misc_dynamic: bare(),
    user: words(),
  },
});

export const checkerKeywords = (uses: ScriptUse[]): Record<string, Handler> => ({
  TCP_CHECK: checker({ name: "TCP_CHECK", keys: () => schemas().tcp.keys, keywords: common() }),
  HTTP_GET: checker(httpTable),
  SSL_GET: checker(sslTable),
  SMTP_CHECK: checker({
    name: "SMTP_CHECK",
    keys: () => schemas().smtp.keys,
    keywords: { ...common(), helo_name: word(), host: inner(hostTable, "host") },
  }),
  DNS_CHECK: checker({
    name: "DNS_CHECK",
    keys: () => schemas().dns.keys,
    keywords: { ...common(), type: word(), name: word() },
  }),
  UDP_CHECK: checker({
    name: "UDP_CHECK",
    keys: () => schemas().udpCheck.keys,
    keywords: {
      ...common(),
      payload: words(),
      require_reply: requireReply,
      min_reply_length: int(),
      max_reply_length: int(),
    },
  }),
  PING_CHECK: checker({ name: "PING_CHECK", keys: () => schemas().pingCheck.keys, keywords: common() }),
  MISC_CHECK: checker(misc(uses)),
  FILE_CHECK: checker({
    name: "FILE_CHECK",
    keys: () => schemas().fileCheck.keys,
    keywords: { track_file: fileName, weight: words(), dynamic: bare() },
  }),
  BFD_CHECK: unsupported,
});
