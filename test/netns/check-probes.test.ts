/**
 * Probes where loopback can't show it: hosts that are gone, marks and interfaces that decide the way, ping sockets.
 * Their sockets are made inside namespace a and stay there.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { probeDns } from "../../src/check/probes/dns.ts";
import { probePing } from "../../src/check/probes/ping.ts";
import { openPing, unwatch, watch } from "../../src/check/probes/ping-socket.ts";
import { probeTcp } from "../../src/check/probes/tcp.ts";
import { probeUdp } from "../../src/check/probes/udp.ts";
import { ms } from "../../src/units.ts";
import { dnsConfig, pingConfig, tcpConfig, udpConfig } from "../check/support.ts";
import { inNamespace, ipIn, pair } from "../support/namespace.ts";

const THERE = "192.0.2.12";
/** On the link, but nobody has it. */
const GONE = "192.0.2.99";
/** Has a route in table 7 only. */
const MARKED = "198.51.100.1";
/** ARP gives up after 3 s (mcast_solicit, retrans_time). */
const patient = { connectTimeout: ms(10_000) };

let net: ReturnType<typeof pair>;
beforeAll(() => {
  net = pair("probe");
  ipIn(net.b, "addr", "add", `${MARKED}/32`, "dev", "lo");
  ipIn(net.a, "rule", "add", "fwmark", "7", "lookup", "7");
  ipIn(net.a, "route", "add", MARKED, "via", THERE, "table", "7");
});
afterAll(() => net.remove());

/** The probe's socket is made at once, in the namespace; the rest follows. */
const from = <T>(probe: () => Promise<T>): Promise<T> => inNamespace(net.a, probe);

describe("PING_CHECK between hosts", () => {
  const ping = (connectIp: string, over: Parameters<typeof pingConfig>[0] = {}) =>
    from(() => probePing(pingConfig({ connectIp, ...over })));

  it("a living host, and one that is gone: ARP's verdict comes as host unreachable", async () => {
    expect(await ping(THERE)).toMatchObject({ ok: true });
    expect(await ping(GONE, patient)).toMatchObject({ ok: false, reason: "unreachable" });
  });

  it("one that drops packets: a timeout", async () => {
    ipIn(net.b, "route", "add", "blackhole", "192.0.2.11/32", "table", "local");
    try {
      expect(await ping(THERE, { connectTimeout: ms(300) })).toMatchObject({ reason: "timeout-response" });
    } finally {
      ipIn(net.b, "route", "del", "blackhole", "192.0.2.11/32", "table", "local");
    }
  });

  it("fwmark decides the route", async () => {
    expect(await ping(MARKED)).toMatchObject({ ok: false });
    expect(await ping(MARKED, { fwmark: 7 })).toMatchObject({ ok: true });
  });

  it("bind_if decides the interface", async () => {
    expect(await ping(THERE, { bindIf: "eth0" })).toMatchObject({ ok: true });
    expect(await ping(THERE, { bindIf: "lo", connectTimeout: ms(300) })).toMatchObject({ ok: false });
  });

  it("over a ping socket where ping_group_range allows it, over a raw one where it does not", async () => {
    const range = (value: string) =>
      execFileSync("ip", ["netns", "exec", net.a, "sysctl", "-qw", `net.ipv4.ping_group_range=${value}`]);
    const open = async (): Promise<boolean> => {
      const { fd, raw } = inNamespace(net.a, () => openPing(THERE, {}));
      watch(fd, () => undefined);
      await unwatch(fd);
      return raw;
    };
    range("1 0");
    expect(await open()).toBe(true);
    range("0 2147483647");
    expect(await open()).toBe(false);
    expect(await ping(THERE)).toMatchObject({ ok: true });
    expect(await ping(GONE, patient)).toMatchObject({ ok: false, reason: "unreachable" });
    range("1 0");
    expect(await ping(THERE)).toMatchObject({ ok: true });
  });
});

const hasIpv6 = existsSync("/proc/sys/net/ipv6");
describe.skipIf(!hasIpv6)("IPv6", () => {
  beforeAll(() => {
    ipIn(net.a, "addr", "add", "fe80::11/64", "dev", "eth0", "nodad");
    ipIn(net.b, "addr", "add", "fe80::12/64", "dev", "eth0", "nodad");
  });

  it("bind_if makes link-local addresses reachable", async () => {
    const cfg = pingConfig({ connectIp: "fe80::12", bindIf: "eth0" });
    expect(await from(() => probePing(cfg))).toMatchObject({ ok: true });
    const tcp = tcpConfig({ connectIp: "fe80::12", connectPort: 9, bindIf: "eth0", bindTo: "fe80::11" });
    expect(await from(() => probeTcp(tcp))).toMatchObject({ ok: false, reason: "refused" });
  });
});

describe("UDP_CHECK between hosts", () => {
  it("keepalived.conf(5): without require_reply HOST_UNREACH of ARP fails, silence passes", async () => {
    const gone = udpConfig({ connectIp: GONE, connectPort: 9, requireReply: false, ...patient });
    expect(await from(() => probeUdp(gone))).toMatchObject({ ok: false, reason: "unreachable" });
    const closed = udpConfig({ connectIp: THERE, connectPort: 9, requireReply: false, ...patient });
    expect(await from(() => probeUdp(closed))).toMatchObject({ ok: false, reason: "refused" });
  });
});

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  socket.close();
  return port;
}

const DNSMASQ = "/usr/sbin/dnsmasq";
describe.skipIf(!existsSync(DNSMASQ))("DNS_CHECK against dnsmasq", () => {
  let server: ChildProcess;
  let dir: string;
  let port: number;
  // On loopback: the socket of the second query, over TCP, is made when no test holds a namespace open.
  const ask = (over: Parameters<typeof dnsConfig>[0]) => probeDns(dnsConfig({ connectPort: port, ...over }));
  beforeAll(async () => {
    port = await freePort();
    dir = mkdtempSync(join(tmpdir(), "vw-dnsmasq-"));
    const long = Array.from({ length: 20 }, (_, n) => `--txt-record=long.example.org,${"x".repeat(200)}${n}`);
    const argv = [
      "--keep-in-foreground",
      "--conf-file=/dev/null",
      "--no-resolv",
      "--no-hosts",
      "--user=root",
      `--pid-file=${join(dir, "pid")}`,
      "--listen-address=127.0.0.1",
      "--bind-interfaces",
      `--port=${port}`,
      "--address=/www.example.org/198.51.100.7",
      "--mx-host=example.org,mail.example.org,10",
      ...long,
    ];
    server = spawn(DNSMASQ, argv, { stdio: "ignore" });
    while (!(await ask({})).ok) await new Promise((resolve) => setTimeout(resolve, 50));
  });
  afterAll(() => {
    server?.kill("SIGKILL");
    if (dir) rmSync(dir, { recursive: true, force: true });
  });
  it("answers, and what they must hold", async () => {
    expect(await ask({ expect: ["198.51.100.7"] })).toMatchObject({ ok: true });
    expect(await ask({ expect: ["198.51.100.8"] })).toMatchObject({ reason: "unexpected-reply" });
    const mx = { queryType: { name: "MX", value: 15 }, queryName: "example.org" };
    expect(await ask({ ...mx, expect: ["10 mail.example.org."] })).toMatchObject({ ok: true });
  });

  it("a name it refuses", async () => {
    expect(await ask({ queryName: "elsewhere.example.net" })).toMatchObject({
      ok: false,
      reason: "bad-rcode",
    });
  });

  it("its truncated answer is fetched over TCP, through the same interface", async () => {
    const txt = { queryType: { name: "TXT", value: 16 }, queryName: "long.example.org" };
    const result = await ask({ ...txt, expect: [`${"x".repeat(200)}19`], bindIf: "lo" });
    expect(result).toMatchObject({ ok: true, detail: "NOERROR, 20 answers" });
  });
});
