/** no_accept (case 40): who may talk to the VIP itself; with nft, and with iptables where nft is not there. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { libc } from "../../src/net/libc.ts";
import { closeFd, openVrrpSocket, sendPacket } from "../../src/net/raw-socket.ts";
import { internetChecksum } from "../../src/wire/checksum.ts";
import { encodeIpv4 } from "../../src/wire/ip.ts";
import { type Edges, instance, mac, VIP4, v4, waitState, withEdges } from "../support/edges.ts";
import { waitFor } from "../support/lab.ts";
import { inNamespace } from "../support/namespace.ts";

const VIP6 = "2001:db8:99::100";
const FILTER = "icmp or arp or ip proto 112 or ip6";

/** What a TCP connection from the client comes to: "connected", an error code, or "timeout". */
async function connect(edges: Edges, host: string, port: number): Promise<string> {
  const script = `const s = require("net").connect({ host: "${host}", port: ${port}, timeout: 1500 });
    const end = (what) => { console.log(what); process.exit(); };
    s.on("connect", () => end("connected")); s.on("timeout", () => end("timeout")); s.on("error", (e) => end(e.code));`;
  const { stdout } = await edges.lab.exec(edges.node("client"), [process.execPath, "-e", script]);
  return stdout.trim();
}

/** Whether an ICMP echo is answered. */
async function ping(edges: Edges, host: string, within = 1000): Promise<boolean> {
  const replies = () =>
    edges.capture.packets.filter(
      ({ frame }) =>
        frame[12] === 8 &&
        frame[23] === 1 &&
        frame[34] === 0 &&
        [...frame.subarray(26, 30)].join(".") === host,
    ).length;
  const before = replies();
  inNamespace(edges.node("client").name, () => {
    const where = { interfaceIndex: libc().ifNametoindex("eth0"), interfaceName: "eth0" };
    const fd = openVrrpSocket({ ...where, group: "224.0.0.18" });
    const echo = new Uint8Array([8, 0, 0, 0, 0x76, 0x77, 0, 1]);
    new DataView(echo.buffer).setUint16(2, internetChecksum(echo));
    const header = { tos: 0, id: 1, ttl: 64, protocol: 1, source: v4("client"), destination: host };
    sendPacket(fd, encodeIpv4(header, echo), host);
    closeFd(fd);
  });
  return waitFor(() => replies() > before, within).catch(() => false);
}

/** A namespace has mounts of its own: what is not there for it is there for all others. */
const hide = (edges: Edges, tool: string) =>
  edges.lab.exec(edges.node("a"), ["sh", "-c", `! [ -e ${tool} ] || mount --bind /bin/false ${tool}`]);

const config = (more: object = {}, top: object = {}) => ({
  ...top,
  vrrp_instance: { VI_1: instance({ priority: 150, no_accept: true, ...more }) },
});

/** Our rules, whichever tool made them. */
async function rules(edges: Edges): Promise<string> {
  const show = (argv: string[]) =>
    edges.lab.exec(edges.node("a"), argv, { check: false }).then(({ stdout }) => stdout);
  const [nft, v4Rules] = await Promise.all([
    show(["sh", "-c", "nft list ruleset 2>/dev/null"]),
    show(["sh", "-c", "iptables-legacy -S 2>/dev/null | grep -i vipward"]),
  ]);
  return nft + v4Rules;
}

describe.concurrent.each([
  ["nft", undefined],
  ["iptables", "/usr/sbin/nft"],
] as const)("no_accept by %s", (_tool, hidden) => {
  it(
    "a master drops what is sent to the VIP, answers ARP and its own address; the rules go when we stop",
    withEdges(
      ["a", "client"],
      async (edges) => {
        if (hidden) await hide(edges, hidden);
        const daemon = await edges.vipward("a", config());
        await edges.waitVip("a");
        expect(await connect(edges, VIP4, 9)).toBe("timeout");
        expect(await ping(edges, VIP4)).toBe(false);
        expect(JSON.parse(await edges.ip("client", `-j neigh show ${VIP4}`))[0].lladdr).toBe(mac("a"));
        expect(await connect(edges, v4("a"), 9)).toBe("ECONNREFUSED");
        expect(await ping(edges, v4("a"), 5000)).toBe(true);
        expect(await rules(edges)).toContain(VIP4);
        // A reload takes them away, and brings them back.
        daemon.configure(JSON.stringify(config({ no_accept: false })));
        await daemon.cli("reload");
        expect(await connect(edges, VIP4, 9)).toBe("ECONNREFUSED");
        expect(await ping(edges, VIP4, 5000)).toBe(true);
        daemon.configure(JSON.stringify(config()));
        await daemon.cli("reload");
        expect(await connect(edges, VIP4, 9)).toBe("timeout");
        await daemon.stop();
        expect(await rules(edges)).not.toMatch(/vipward/i);
      },
      FILTER,
    ),
  );

  it(
    "kill -9 of everything leaves the rules; the next start, without no_accept, removes them",
    withEdges(
      ["a", "client"],
      async (edges) => {
        if (hidden) await hide(edges, hidden);
        const daemon = await edges.vipward("a", config());
        await edges.waitVip("a");
        await daemon.killAll();
        expect(await rules(edges)).toContain(VIP4);
        await edges.vipward("a", config({ no_accept: false }));
        await edges.waitVip("a", VIP4, true);
        expect(await rules(edges)).not.toMatch(/vipward/i);
        await waitFor(async () => (await connect(edges, VIP4, 9)) === "ECONNREFUSED");
      },
      FILTER,
    ),
  );
});

describe.concurrent("no_accept", () => {
  it(
    "the address owner accepts",
    withEdges(
      ["a", "client"],
      async (edges) => {
        await edges.vipward("a", config({ priority: 255 }));
        await edges.waitVip("a");
        expect(await connect(edges, VIP4, 9)).toBe("ECONNREFUSED");
        expect(await ping(edges, VIP4, 5000)).toBe(true);
      },
      FILTER,
    ),
  );

  it(
    "a virtual service on the VIP is served, other ports are not",
    withEdges(
      ["a", "b", "client"],
      async (edges) => {
        const server =
          'require("net").createServer((s) => s.end("hello")).listen(8080, () => console.log("ready"))';
        await edges.lab.spawn(edges.node("b"), [process.execPath, "-e", server]).waitLine(/ready/);
        const service = {
          [`${VIP4} 80`]: {
            lb_kind: "NAT",
            delay_loop: 1,
            real_server: { [`${v4("b")} 8080`]: { TCP_CHECK: null } },
          },
        };
        const daemon = await edges.vipward("a", config({}, { virtual_server: service }), {
          dataplane: "userspace",
        });
        await waitState(daemon, "MASTER");
        await waitFor(async () => (await connect(edges, VIP4, 80)) === "connected", { timeout: 20_000 });
        expect(await connect(edges, VIP4, 8080)).toBe("timeout");
        expect(await ping(edges, VIP4)).toBe(false);
      },
      FILTER,
    ),
  );

  it(
    "IPv6: neighbour discovery works, nothing else gets through",
    withEdges(
      ["a", "client"],
      async (edges) => {
        await edges.vipward("a", config({ virtual_ipaddress: ["fe80::100", `${VIP6}/64`] }));
        await edges.waitVip("a", VIP6);
        await sleep(500);
        await edges.ip("client", "neigh flush dev eth0");
        expect(await connect(edges, VIP6, 9)).toBe("timeout");
        const [entry] = JSON.parse(await edges.ip("client", `-j neigh show ${VIP6}`));
        expect(entry.lladdr).toBe(mac("a"));
        // It was asked for and answered, and not only announced.
        expect(edges.capture.neighbourAdverts().some((na) => na.target === VIP6 && na.solicited)).toBe(true);
      },
      FILTER,
    ),
  );
});
