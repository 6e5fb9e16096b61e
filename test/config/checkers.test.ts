import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import type { CheckerConfig } from "../../src/config/model.ts";

const OPTIONS = { hostname: "lb01.example.org", env: {} };

/** The checkers of one real server written as `text`, beneath a service with `service` keys. */
function read(text: string, service = "", server = "", rest = "") {
  const indented = text.replace(/^/gm, "        ");
  const yaml = `
virtual_server:
  192.0.2.1 80:
    delay_loop: 6
    lb_algo: rr
${service}
    real_server:
      192.0.2.11 80:
        weight: 5
${server}
${indented}
${rest}`;
  const result = parseConfig(yaml, "t.yaml", OPTIONS);
  return result.ok
    ? { checkers: result.config.services[0]!.realServers[0]!.checkers, problems: [] }
    : { checkers: [], problems: result.problems.map(({ message, hint }) => `${message} | ${hint ?? ""}`) };
}
function one<T extends CheckerConfig["type"]>(type: T, text: string, service = "", server = "", rest = "") {
  const { checkers, problems } = read(`${type}: ${text}`, service, server, rest);
  expect(problems).toEqual([]);
  expect(checkers[0]?.type).toBe(type);
  return checkers[0] as Extract<CheckerConfig, { type: T }>;
}

describe("defaults of every checker, spec checks 1", () => {
  const URL = "{ url: { path: / } }";
  it.each([
    ["TCP_CHECK", "", 1, 1000, 6000, 80],
    ["HTTP_GET", URL, 1, 3000, 6000, 80],
    ["SSL_GET", URL, 1, 3000, 6000, 80],
    ["SMTP_CHECK", "", 1, 1000, 6000, 80],
    ["DNS_CHECK", "", 3, 6000, 6000, 80],
    ["UDP_CHECK", "", 1, 1000, 6000, 80],
    ["PING_CHECK", "", 1, 1000, 6000, 0],
    ["MISC_CHECK", "{ misc_path: /bin/true }", 0, 1000, 6000, 0],
    ["FILE_CHECK", "{ track_file: /run/x }", 0, 1000, 0, 0],
    ["GRPC_CHECK", "", 1, 1000, 6000, 80],
    ["EXTERNAL", "", 0, 1000, 6000, 0],
  ] as const)("%s", (type, text, retry, delayBeforeRetry, warmup, connectPort) => {
    expect(one(type, text)).toMatchObject({
      retry,
      delayBeforeRetry,
      warmup,
      connectPort,
      connectIp: "192.0.2.11",
      connectTimeout: 5000,
      delayLoop: 6000,
      alpha: false,
    });
  });

  it("of the types' own keys", () => {
    expect(one("SSL_GET", URL)).toMatchObject({ httpProtocol: "1.0", tls: { verify: false } });
    expect(one("SMTP_CHECK", "")).toMatchObject({
      heloName: "lb01.example.org",
      hosts: [{ connectIp: "192.0.2.11", connectPort: 80 }],
    });
    expect(one("DNS_CHECK", "")).toMatchObject({ queryType: { name: "SOA", value: 6 }, queryName: "" });
    expect(one("UDP_CHECK", "")).toMatchObject({
      requireReply: false,
      minReplyLength: 0,
      maxReplyLength: 255,
    });
    expect(one("FILE_CHECK", "{ track_file: /run/x }")).toMatchObject({ weight: 1, dynamic: false });
    expect(one("EXTERNAL", "")).toMatchObject({ ttl: 12_000 });
    expect(one("GRPC_CHECK", "")).toMatchObject({ service: "" });
  });

  it("every option comes down from service and real server, the nearest winning", () => {
    const service = "    retry: 7\n    connect_timeout: 2\n    warmup: 1\n    alpha: true";
    const server = "        retry: 4\n        delay_before_retry: 9";
    expect(one("DNS_CHECK", "{ connect_timeout: 3 }", service, server)).toMatchObject({
      retry: 4,
      delayBeforeRetry: 9000,
      connectTimeout: 3000,
      warmup: 1000,
      alpha: true,
    });
  });

  it("misc_timeout is the virtual server's delay_loop, not the checker's", () => {
    const text = "{ misc_path: /bin/true, delay_loop: 20 }";
    expect(one("MISC_CHECK", text, "", "        delay_loop: 15")).toMatchObject({
      delayLoop: 20_000,
      timeout: 6000,
    });
    expect(one("MISC_CHECK", "{ misc_path: /bin/true, misc_timeout: 2 }").timeout).toBe(2000);
  });
});

describe("keys of the checkers", () => {
  it("where the packets come from, IPv6 too", () => {
    const text =
      "{ connect_ip: 2001:db8::1, bindto: fe80::1, bind_if: eth1, bind_port: 4000, fwmark: 4294967295, rise: 2, fall: 3, log_all_failures: true }";
    expect(one("TCP_CHECK", text)).toMatchObject({
      connectIp: "2001:db8::1",
      bindTo: "fe80::1",
      bindIf: "eth1",
      bindPort: 4000,
      fwmark: 4_294_967_295,
      rise: 2,
      fall: 3,
      logAllFailures: true,
    });
  });

  it("send and expect: escapes become bytes", () => {
    expect(one("TCP_CHECK", String.raw`{ send: 'PING\r\n\x00\\é', expect: +PONG }`)).toMatchObject({
      send: "PING\r\n\0\\\xc3\xa9",
      expect: "+PONG",
    });
  });

  it("a url in full", () => {
    const text = `
  enable_sni: true
  sni_name: sni.example.org
  verify: true
  ca: /etc/ca.pem
  tls_compliant: true
  http_protocol: 1.0C
  fast_recovery:
  virtualhost: www.example.org
  url:
    path: /x
    method: get
    headers: [ "X-A: 1" ]
    digest: 9B3A0C85A887A256D6939DA88AABD8CD
    regex: 'ok\\s*$'
    regex_no_match: true
    regex_options: caseless multiline
    regex_min_offset: 5
    regex_max_offset: 50
    regex_stack: 32768 65536
    follow:`;
    expect(one("SSL_GET", text)).toMatchObject({
      httpProtocol: "1.0C",
      fastRecovery: true,
      sniFromHost: true,
      tlsCompliant: true,
      tls: { verify: true, ca: "/etc/ca.pem", serverName: "sni.example.org", verifyName: "sni.example.org" },
      urls: [
        {
          path: "/x",
          statusCodes: [[200, 299]],
          virtualhost: "www.example.org",
          method: "GET",
          headers: [["X-A", "1"]],
          digest: { algorithm: "md5", hex: "9b3a0c85a887a256d6939da88aabd8cd" },
          regex: { text: "ok\\s*$", flags: "i", utf: false, noMatch: true, minOffset: 5, maxOffset: 50 },
          follow: 5,
        },
      ],
    });
  });

  it("SMTP hosts with their own places", () => {
    const text =
      "{ helo_name: h, starttls: true, host: [ { connect_port: 25 }, { connect_ip: 192.0.2.12 } ] }";
    expect(one("SMTP_CHECK", text)).toMatchObject({
      hosts: [
        { connectIp: "192.0.2.11", connectPort: 25 },
        { connectIp: "192.0.2.12", connectPort: 80 },
      ],
      starttls: { verify: false, verifyName: "192.0.2.11" },
    });
  });

  it("UDP payloads and patterns as keepalived writes them", () => {
    expect(one("UDP_CHECK", '{ payload: "Ab12f 3", require_reply: "1x xx" }')).toMatchObject({
      payload: "ab120f03",
      requireReply: true,
      replyPattern: "1xxx",
    });
    expect(one("UDP_CHECK", '{ payload: "text:hi", require_reply: }')).toMatchObject({
      payload: "6869",
      requireReply: true,
    });
  });

  it("MISC_CHECK argv, user and group", () => {
    const text = `{ misc_path: "/usr/bin/check 'a b' c", user: nobody nogroup, misc_dynamic: }`;
    expect(one("MISC_CHECK", text)).toMatchObject({
      argv: ["/usr/bin/check", "a b", "c"],
      user: "nobody",
      group: "nogroup",
      dynamic: true,
    });
  });

  it("FILE_CHECK by the name of a track_file, with its weight unless it has its own", () => {
    const files = "vrrp_track_file: { brown: { file: /run/brown, weight: 3 reverse } }";
    expect(one("FILE_CHECK", "{ track_file: brown }", "", "", files)).toMatchObject({
      path: "/run/brown",
      weight: -3,
    });
    expect(one("FILE_CHECK", "{ track_file: brown, weight: 0 reverse }", "", "", files)).toMatchObject({
      path: "/run/brown",
      weight: 0,
      reverse: true,
    });
  });

  it("several checkers of all types on one server keep the file's order", () => {
    const { checkers } = read("PING_CHECK:\nTCP_CHECK: [ {}, { connect_port: 81 } ]\nDNS_CHECK: {}");
    expect(checkers.map(({ id }) => id.split(" ").slice(-2).join(" "))).toEqual([
      "PING_CHECK #1",
      "TCP_CHECK #1",
      "TCP_CHECK #2",
      "DNS_CHECK #1",
    ]);
  });
});

describe("what is refused, and how", () => {
  it.each([
    ["BFD_CHECK: { name: b }", "BFD_CHECK is not supported by this version of vipward yet"],
    ["HTTP_GET:", "HTTP_GET is a block, not a single value"],
    ["SSL_GET: {}", "SSL_GET needs url"],
    ["MISC_CHECK: {}", "MISC_CHECK needs misc_path"],
    ["MISC_CHECK: { misc_path: check.sh }", '"check.sh" is not an absolute path'],
    ["FILE_CHECK: { track_file: brwn }", 'FILE_CHECK: no track_file "brwn"'],
    ["TCP_CHECK: { bindto: 2001:db8::1 }", "are not of one family"],
    ["TCP_CHECK: { connect_ip: fe80::1 }", "fe80::1 is link-local: which interface? | give bind_if"],
    ["TCP_CHECK: { send: 'a\\q' }", "unknown escape \\q"],
    ["TCP_CHECK: { fwmark: -1 }", '"-1" is not a whole number'],
    ["DNS_CHECK: { type: FOO }", '"FOO" is not a DNS type'],
    ["DNS_CHECK: { name: a..b }", "an empty label"],
    ["UDP_CHECK: { payload: xyz }", "is not a hex string"],
    ["UDP_CHECK: { min_reply_length: 300 }", "min_reply_length 300 is above max_reply_length 255"],
    ["PING_CHECK: { connect_port: 7 }", 'unknown key "connect_port" in PING_CHECK'],
    ["EXTERNAL: { ttl: 1ms }", "out of range"],
    ["SMTP_CHECK: { host: [] }", "host: at least one is needed"],
    ["HTTP_GET: { verify: true, url: { path: / } }", 'unknown key "verify" in HTTP_GET'],
    ["HTTP_GET: { url: { path: /, digest: 12 } }", '"12" is not a digest'],
    ["HTTP_GET: { url: { path: /, regex: '(a' } }", 'regex "(a": unterminated group'],
    ["HTTP_GET: { url: { path: /, regex: a, regex_options: foo } }", "regex option foo is not supported"],
    ["HTTP_GET: { url: { path: /, regex_no_match: true } }", "regex_no_match without regex"],
    [
      "HTTP_GET: { url: { path: /, regex: a, regex_min_offset: 9, regex_max_offset: 3 } }",
      "is below regex_min_offset 9",
    ],
    [
      "HTTP_GET: { url: { path: /, method: HEAD, digest: 9b3a0c85a887a256d6939da88aabd8cd } }",
      "HEAD has no body",
    ],
    ["HTTP_GET: { url: { path: /, headers: { 'a b': c } } }", '"a b" is not a field name'],
    ['HTTP_GET: { url: { path: /, headers: { a: "b\\r\\nX: y" } } }', "the value of a can't be sent"],
  ])("%s", (text, message) => {
    expect(read(text).problems.join("\n")).toContain(message);
  });
});
