/** checktype, service, request, receive, ... -> a checker block. */
import * as doc from "../keepalived-conf/document.ts";
import type { Notes } from "../keepalived-conf/notes.ts";
import type { Spot } from "../keepalived-conf/source.ts";

/** The settings of a service with ldirectord's defaults filled in. */
export interface Settings {
  /** Undefined: not given, neither here nor for all. */
  readonly get: (key: string) => string | undefined;
  readonly spotOf: (key: string) => Spot;
  readonly port: number;
  readonly protocol: string;
  /** "ADDR:PORT" of the service, for a command's arguments. */
  readonly name: string;
}

/** ldirectord.cf(5): the service is known by its port. */
const SERVICES: Readonly<Record<number, string>> = {
  21: "ftp",
  25: "smtp",
  53: "dns",
  80: "http",
  110: "pop",
  119: "nntp",
  143: "imap",
  389: "ldap",
  443: "https",
  587: "submission",
  993: "imaps",
  995: "pops",
  1521: "oracle",
  1812: "radius",
  3306: "mysql",
  3128: "http_proxy",
  5060: "sip",
  5432: "pgsql",
};

export interface Checked {
  readonly type: string;
  readonly block: doc.DocMap;
}

/** The checker of one real server; undefined: none is wanted. `own`: its own request and receive. */
export function checkerOf(
  settings: Settings,
  own: { readonly request: string | undefined; readonly receive: string | undefined },
  server: { readonly address: string; readonly port: number },
  spot: Spot,
  notes: Notes,
): Checked | undefined {
  const type = settings.get("checktype") ?? "negotiate";
  const block = doc.map(spot);
  const negotiates = type === "negotiate" || /^\d+$/.test(type);
  timing(settings, block, negotiates);
  const port = settings.get("checkport");
  if (port !== undefined && type !== "ping" && !type.startsWith("external"))
    put(block, "connect_port", port, settings.spotOf("checkport"));
  if (type === "off" || type === "on") return undefined;
  if (type === "ping") return { type: "PING_CHECK", block };
  if (type === "external" || type === "external-perl") return external(settings, block, server, notes);
  if (type === "connect") return connect(settings, block, notes);
  if (!negotiates) {
    notes.warn(settings.spotOf("checktype"), `checktype ${type} is unknown: written as a connect check`);
    return connect(settings, block, notes);
  }
  if (type !== "negotiate")
    notes.warn(
      settings.spotOf("checktype"),
      `checktype ${type}: written as negotiate every time`,
      "vipward has no turns of connect and negotiate checks",
    );
  return negotiate(settings, block, own, notes);
}

function timing(settings: Settings, block: doc.DocMap, negotiates: boolean): void {
  const timeoutKey = negotiates ? "negotiatetimeout" : "checktimeout";
  const timeout = settings.get(timeoutKey) ?? (negotiates ? "30" : "5");
  put(block, "connect_timeout", timeout, settings.spotOf(timeoutKey));
  const failures = settings.get("failurecount") ?? "1";
  const interval = settings.get("checkinterval") ?? "10";
  put(block, "retry", String(Math.max(0, Number(failures) - 1)), settings.spotOf("failurecount"));
  put(block, "delay_before_retry", interval, settings.spotOf("checkinterval"));
}

const put = (block: doc.DocMap, key: string, text: string, spot: Spot): void =>
  doc.set(block, key, doc.scalar(text, spot), spot);

function connect(settings: Settings, block: doc.DocMap, notes: Notes): Checked {
  if (settings.protocol !== "udp") return { type: "TCP_CHECK", block };
  notes.warn(
    settings.spotOf("checktype"),
    "a connect check of UDP: written as UDP_CHECK",
    "silence passes, an ICMP error fails",
  );
  return { type: "UDP_CHECK", block };
}

function external(
  settings: Settings,
  block: doc.DocMap,
  server: { readonly address: string; readonly port: number },
  notes: Notes,
): Checked | undefined {
  const command = settings.get("checkcommand");
  if (command === undefined || settings.get("checktype") === "external-perl")
    return notes.warn(
      settings.spotOf("checktype"),
      command === undefined
        ? "left out: an external check without checkcommand"
        : "left out: external-perl is not supported by this version of vipward yet",
      "MISC_CHECK runs a program",
    );
  // ldirectord.cf(5): VIRTUAL-IP PORT REAL-IP PORT; without an address the firewall mark and 0.
  const [, address = settings.name, port = "0"] = /^(.*):(\d+)$/.exec(settings.name) ?? [];
  const spot = settings.spotOf("checkcommand");
  put(block, "misc_path", `${command} ${address} ${port} ${server.address} ${server.port}`, spot);
  put(block, "misc_timeout", doc.textOf(block, "connect_timeout")!, spot);
  doc.remove(block, "connect_timeout");
  return { type: "MISC_CHECK", block };
}

function negotiate(
  settings: Settings,
  block: doc.DocMap,
  own: { readonly request: string | undefined; readonly receive: string | undefined },
  notes: Notes,
): Checked | undefined {
  const known = SERVICES[settings.port] ?? "none";
  const service = settings.get("service") ?? known;
  const request = own.request ?? settings.get("request");
  const receive = own.receive ?? settings.get("receive");
  const spot = settings.spotOf(settings.get("service") === undefined ? "virtual" : "service");
  switch (service) {
    case "http":
    case "https":
      return http(
        settings,
        block,
        { request, receive, type: service === "http" ? "HTTP_GET" : "SSL_GET" },
        notes,
      );
    case "smtp":
    case "submission":
      return { type: "SMTP_CHECK", block };
    case "dns":
      return dns(settings, block, { request, receive });
    case "simpletcp":
      if (request !== undefined) put(block, "send", request, settings.spotOf("request"));
      if (receive !== undefined && isLiteral(receive))
        put(block, "expect", receive, settings.spotOf("receive"));
      else if (receive !== undefined)
        notes.warn(
          settings.spotOf("receive"),
          "left out: receive is a regular expression, expect of TCP_CHECK is text",
        );
      return { type: "TCP_CHECK", block };
    default:
      if (service !== "none")
        notes.warn(
          spot,
          `a negotiate check of ${service} is not supported by this version of vipward yet: written as a connect check`,
          "MISC_CHECK or TCP_CHECK with send and expect can ask more",
        );
      return connect(settings, block, notes);
  }
}

const isLiteral = (pattern: string): boolean => !/[\\^$.*+?()[\]{}|]/.test(pattern);

function http(
  settings: Settings,
  block: doc.DocMap,
  {
    request = "/",
    receive,
    type,
  }: { request: string | undefined; receive: string | undefined; type: string },
  notes: Notes,
): Checked {
  const spot = settings.spotOf("request");
  const url = doc.map(spot);
  put(url, "path", request.startsWith("/") ? request : `/${request}`, spot);
  const method = settings.get("httpmethod")?.toUpperCase();
  if (method !== undefined && method !== "GET") put(url, "method", method, settings.spotOf("httpmethod"));
  if (receive !== undefined && method === "HEAD")
    notes.warn(settings.spotOf("receive"), "left out: receive with httpmethod HEAD: there is no body");
  else if (receive !== undefined && receive !== "") put(url, "regex", receive, settings.spotOf("receive"));
  doc.add(block, "url", doc.list(spot, [url]), spot);
  const host = settings.get("virtualhost");
  if (host !== undefined) put(block, "virtualhost", host, settings.spotOf("virtualhost"));
  if (type === "SSL_GET" && host !== undefined)
    put(block, "enable_sni", "true", settings.spotOf("virtualhost"));
  return { type, block };
}

function dns(
  settings: Settings,
  block: doc.DocMap,
  { request, receive }: { request: string | undefined; receive: string | undefined },
): Checked {
  if (request !== undefined) {
    put(block, "type", "A", settings.spotOf("request"));
    put(block, "name", request, settings.spotOf("request"));
    if (receive !== undefined) put(block, "expect", receive, settings.spotOf("receive"));
  }
  return { type: "DNS_CHECK", block };
}
