/** virtual_server and its checkers -> keepalived.conf. */
import { REGEX_OPTIONS, translatePcre } from "../../check/pcre.ts";
import { numberToIpv4 } from "../address.ts";
import type {
  BodyRegex,
  CheckerConfig,
  HttpGetConfig,
  HttpUrlConfig,
  ProbeSource,
  RealServerConfig,
  ServiceConfig,
  SmtpCheckConfig,
} from "../model.ts";
import { OPTIONS, type Placement, placeOptions, type Written } from "./check-options.ts";
import { type ConfText, commandText } from "./conf-text.ts";

/** `hostname`: what SMTP_CHECK says of itself when nothing is written. */
export function writeService(out: ConfText, service: ServiceConfig, hostname: string): void {
  const placement = placeOptions(service.realServers);
  const name = `virtual_server ${service.address} ${service.port}`;
  out.block(
    name,
    () => {
      writeOptions(out, placement.service);
      out.put("lvs_sched", service.scheduler);
      out.put("lvs_method", service.forwarding);
      out.put("protocol", service.protocol.toUpperCase());
      if (service.persistenceTimeout > 0) out.put("persistence_timeout", service.persistenceTimeout);
      if (service.persistencePrefix !== undefined)
        out.put("persistence_granularity", netmask(service.persistencePrefix, service.family));
      if (service.quorum !== 1) out.put("quorum", service.quorum);
      if (service.hysteresis !== 0) out.put("hysteresis", service.hysteresis);
      const { sorryServer } = service;
      if (sorryServer !== undefined) out.line(`sorry_server ${sorryServer.address} ${sorryServer.port}`);
      if (sorryServer !== undefined && sorryServer.forwarding !== service.forwarding)
        out.put("sorry_server_lvs_method", sorryServer.forwarding);
      for (const server of service.realServers) writeServer(out, server, service, placement, hostname);
    },
    service.key,
  );
}

const netmask = (length: number, family: 4 | 6): string | number =>
  family === 6 ? length : numberToIpv4((2 ** 32 - 2 ** (32 - length)) >>> 0);

function writeOptions(out: ConfText, options: Written): void {
  for (const option of OPTIONS) {
    const value = options.get(option);
    if (value !== undefined) out.line(`${option} ${value}`);
  }
}

function writeServer(
  out: ConfText,
  server: RealServerConfig,
  service: ServiceConfig,
  placement: Placement,
  hostname: string,
): void {
  out.block(`real_server ${server.address} ${server.port}`, () => {
    out.put("weight", server.weight);
    if (server.forwarding !== service.forwarding) out.put("lvs_method", server.forwarding);
    out.put("inhibit_on_failure", server.inhibitOnFailure);
    if (server.upperThreshold > 0) out.put("uthreshold", server.upperThreshold);
    if (server.lowerThreshold > 0) out.put("lthreshold", server.lowerThreshold);
    writeOptions(out, placement.server(server));
    for (const checker of server.checkers)
      writeChecker(out, checker, server, placement.checker(checker, server), hostname);
  });
}

function writeChecker(
  out: ConfText,
  checker: CheckerConfig,
  server: RealServerConfig,
  options: Written,
  hostname: string,
): void {
  if (checker.type === "GRPC_CHECK" || checker.type === "EXTERNAL") return out.unknown(checker.type);
  out.block(checker.type, () => {
    if (checker.rise !== undefined) out.unknown("rise in a checker");
    if (checker.fall !== undefined) out.unknown("fall in a checker");
    if (checker.type === "FILE_CHECK") {
      for (const option of options.keys()) out.lost(`FILE_CHECK takes no ${option} in keepalived`);
      return writeFile(out, checker);
    }
    if (checker.type !== "MISC_CHECK") writeConnection(out, checker, server, checker.type !== "PING_CHECK");
    writeOptions(out, options);
    out.put("log_all_failures", checker.logAllFailures);
    writeOwn(out, checker, hostname);
  });
}

type Own = Exclude<CheckerConfig, { type: "GRPC_CHECK" | "EXTERNAL" | "FILE_CHECK" }>;

function writeOwn(out: ConfText, checker: Own, hostname: string): void {
  switch (checker.type) {
    case "PING_CHECK":
      return;
    case "TCP_CHECK":
      if (checker.send !== undefined) out.unknown("send");
      if (checker.expect !== undefined) out.unknown("expect");
      return;
    case "HTTP_GET":
    case "SSL_GET":
      return writeHttp(out, checker);
    case "SMTP_CHECK":
      return writeSmtp(out, checker, hostname);
    case "DNS_CHECK":
      if (checker.queryType.name !== "SOA") out.put("type", checker.queryType.name);
      if (checker.queryName !== "") out.put("name", checker.queryName);
      if (checker.expect !== undefined) out.unknown("expect");
      return;
    case "UDP_CHECK":
      out.put("payload", checker.payload);
      if (checker.requireReply)
        out.line(`require_reply${checker.replyPattern === undefined ? "" : ` ${checker.replyPattern}`}`);
      if (checker.minReplyLength !== 0) out.put("min_reply_length", checker.minReplyLength);
      if (checker.maxReplyLength !== 255) out.put("max_reply_length", checker.maxReplyLength);
      return;
    case "MISC_CHECK":
      out.line(`misc_path ${commandText(checker.argv)}`);
      if (checker.timeout % 1000 !== 0)
        out.lost(
          `misc_timeout ${checker.timeout / 1000}: keepalived takes whole seconds, written as ${Math.ceil(checker.timeout / 1000)}`,
        );
      out.put("misc_timeout", Math.ceil(checker.timeout / 1000));
      out.put("misc_dynamic", checker.dynamic);
      if (checker.user !== undefined)
        out.line(`user ${[checker.user, checker.group].filter(Boolean).join(" ")}`);
      return;
    default: {
      const never: never = checker;
      return never;
    }
  }
}

/** Here `path` is already the name of a track_file: see export.ts. The weight is always written: the file has its own. */
function writeFile(out: ConfText, checker: Extract<CheckerConfig, { type: "FILE_CHECK" }>): void {
  out.put("track_file", checker.path);
  out.line(`weight ${checker.weight}${checker.reverse ? " reverse" : ""}`);
  out.put("dynamic", checker.dynamic);
}

function writeConnection(
  out: ConfText,
  checker: ProbeSource & { readonly connectIp: string; readonly connectPort: number },
  server: RealServerConfig,
  ports: boolean,
): void {
  if (checker.connectIp !== server.address) out.put("connect_ip", checker.connectIp);
  if (ports && checker.connectPort !== server.port) out.put("connect_port", checker.connectPort);
  writeSource(out, checker);
}

function writeSource(out: ConfText, { bindTo, bindPort, bindIf, fwmark }: ProbeSource): void {
  out.put("bindto", bindTo);
  out.put("bind_port", bindPort);
  out.put("bind_if", bindIf);
  out.put("fwmark", fwmark);
}

function writeHttp(out: ConfText, checker: HttpGetConfig): void {
  if (checker.httpProtocol !== "1.0") out.put("http_protocol", checker.httpProtocol);
  out.put("fast_recovery", checker.fastRecovery);
  out.put("enable_sni", checker.sniFromHost);
  if (checker.tlsCompliant === true) out.put("tls_compliant", true);
  if (checker.tls?.serverName !== undefined) out.unknown("sni_name");
  if (checker.tls?.verify === true) out.unknown("verify");
  if (checker.tls?.ca !== undefined) out.unknown("ca in a checker");
  for (const url of checker.urls) out.block("url", () => writeUrl(out, url));
}

function writeUrl(out: ConfText, url: HttpUrlConfig): void {
  out.put("path", url.path);
  const codes = url.statusCodes.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(" ");
  if (codes !== "200-299") out.line(`status_code ${codes}`);
  out.put("virtualhost", url.virtualhost);
  if (url.digest?.algorithm === "md5") out.put("digest", url.digest.hex);
  else if (url.digest !== undefined) out.unknown("SHA-256 digest");
  if (url.method !== undefined && url.method !== "GET") out.unknown("method");
  if (url.headers !== undefined) out.unknown("headers");
  if (url.follow !== undefined) out.unknown("follow");
  if (url.regex !== undefined) writeRegex(out, url.regex);
}

function writeRegex(out: ConfText, regex: BodyRegex): void {
  const options = optionsOf(regex);
  if (options === undefined) return out.lost("regex: its options are not known any more");
  out.put("regex", regex.text);
  out.put("regex_no_match", regex.noMatch);
  if (options.length > 0) out.line(`regex_options ${options.join(" ")}`);
  out.put("regex_min_offset", regex.minOffset);
  out.put("regex_max_offset", regex.maxOffset);
}

/** The fewest options that give the same expression; the Config holds only what came of them. */
function optionsOf(regex: BodyRegex): readonly string[] | undefined {
  const useful = REGEX_OPTIONS.filter(
    (option) => !/^(auto_|never_|no_(auto_possess|dot|start)|match_|use_)/.test(option),
  );
  let best: readonly string[] | undefined;
  for (let bits = 0; bits < 2 ** useful.length; bits++) {
    const options = useful.filter((_, index) => (bits >> index) & 1);
    if (best !== undefined && options.length >= best.length) continue;
    const made = translatePcre(regex.text, options);
    if (
      !("problem" in made) &&
      made.source === regex.source &&
      made.flags === regex.flags &&
      made.utf === regex.utf
    )
      best = options;
  }
  return best;
}

function writeSmtp(out: ConfText, checker: SmtpCheckConfig, hostname: string): void {
  if (checker.heloName !== hostname) out.put("helo_name", checker.heloName);
  if (checker.starttls !== undefined) out.unknown("starttls");
  const [first] = checker.hosts;
  const alone =
    checker.hosts.length === 1 &&
    first!.connectIp === checker.connectIp &&
    first!.connectPort === checker.connectPort &&
    first!.bindTo === checker.bindTo &&
    first!.bindPort === checker.bindPort &&
    first!.bindIf === checker.bindIf &&
    first!.fwmark === checker.fwmark;
  if (alone) return;
  for (const host of checker.hosts)
    out.block("host", () => {
      out.put("connect_ip", host.connectIp);
      out.put("connect_port", host.connectPort);
      writeSource(out, host);
    });
}
