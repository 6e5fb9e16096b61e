/** unicast_peer (case 16), raw and UDP, and auth_hmac. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { libc } from "../../src/net/libc.ts";
import { closeFd, openVrrpSocket, sendPacket } from "../../src/net/raw-socket.ts";
import { openUdpSocket, sendDatagram } from "../../src/net/udp-socket.ts";
import { encodeIpv4 } from "../../src/wire/ip.ts";
import { encodeVrrp, passData } from "../../src/wire/vrrp.ts";
import {
  conf,
  type EdgeRole,
  type Edges,
  edgeStatus,
  instance,
  unixNow,
  VIP4,
  v4,
  v6,
  waitState,
  withEdges,
} from "../support/edges.ts";
import { type Packet, waitFor } from "../support/lab.ts";
import { inNamespace } from "../support/namespace.ts";

const other = (role: EdgeRole): EdgeRole => (role === "a" ? "b" : "a");
/** Of priority 100. */
const masterDown = (version: 2 | 3, interval: number) =>
  3 * interval + (156 / 256) * (version === 2 ? 1 : interval);

interface Forged {
  readonly source?: string;
  readonly destination: string;
  readonly ttl?: number;
}

/** A valid VRRPv2 advert of the highest priority, put on the wire by another host. */
function forge(edges: Edges, role: EdgeRole, { destination, ttl = 255, source = v4(role) }: Forged): void {
  const { name } = edges.node(role);
  inNamespace(name, () => {
    const where = { interfaceIndex: libc().ifNametoindex("eth0"), interfaceName: "eth0" };
    const fd = openVrrpSocket({ ...where, group: "224.0.0.18" });
    const message = encodeVrrp(
      {
        version: 2,
        type: 1,
        vrid: 51,
        priority: 254,
        advertInterval: 1,
        addresses: [VIP4],
        authType: 1,
        authData: passData("secret12"),
      },
      { family: 4, source, destination },
    );
    sendPacket(
      fd,
      encodeIpv4({ tos: 0xc0, id: 1, ttl, protocol: 112, source, destination }, message),
      destination,
    );
    closeFd(fd);
  });
}

const PASS = { auth_type: "PASS", auth_pass: "secret12" } as const;
const MODES = [
  { title: "VRRPv2 with a password", version: 2, interval: 1, extra: { authentication: PASS } },
  { title: "VRRPv3", version: 3, interval: 0.2, extra: {} },
] as const;

describe.concurrent.each(MODES)("unicast beside keepalived, $title", ({ version, interval, extra }) => {
  const common = { version, advert_int: interval, ...extra };
  const peers = (role: EdgeRole) => ({
    unicast_src_ip: v4(role),
    unicast_peer: [v4(other(role))],
  });

  it(
    "both take over from each other, and every advert goes to the peer's address",
    withEdges(["a", "b"], async (edges) => {
      const peer = await edges.keepalived("b", conf({ ...common, priority: 100, ...peers("b") }));
      const ours = { vrrp_instance: { VI_1: instance({ ...common, priority: 150, ...peers("a") }) } };
      await edges.vipward("a", ours);
      const first = await edges.master("a");
      expect(first).toMatchObject({ version, destination: v4("b"), ttl: 255, priority: 150 });
      await edges.waitVip("a");
      await edges.waitVip("b", VIP4, false);
      await sleep(2000);
      expect(edges.sent("b", { since: first.time + 0.5 })).toEqual([]);
      expect(peer.log).not.toMatch(/invalid|mismatch|ignoring|dropp|not a unicast/i);
      const stopped = unixNow();
      await peer.stop();
      const higher = await edges.keepalived("b", conf({ ...common, priority: 200, ...peers("b") }));
      await edges.master("b", { since: stopped });
      await edges.waitVip("a", VIP4, false);
      expect(edges.sent("b").every((advert) => advert.destination === v4("a"))).toBe(true);
      const last = () => edges.sent("b").at(-1)?.time ?? 0;
      await sleep(1000);
      const killed = unixNow();
      await higher.stop("SIGKILL");
      const lastHeard = last();
      const takeover = await edges.master("a", { since: killed });
      // 150, not 100: a little less than the bound below.
      expect(takeover.time - lastHeard).toBeGreaterThan(3 * interval);
      expect(takeover.time - lastHeard).toBeLessThan(masterDown(version, interval) + 0.35);
    }),
  );
});

describe.concurrent("unicast", () => {
  const unicast = (role: EdgeRole, priority: number, more: object = {}) => ({
    vrrp_instance: {
      VI_1: instance({
        version: 2,
        advert_int: 1,
        authentication: PASS,
        priority,
        unicast_src_ip: v4(role),
        unicast_peer: [`${v4(other(role))} min_ttl 254`],
        ...more,
      }),
    },
  });

  it(
    "case 16: a source that is no peer, multicast, and a TTL under the peer's min_ttl are refused and counted",
    withEdges(["a", "b", "c"], async (edges) => {
      const daemon = await edges.vipward("a", unicast("a", 150));
      await edges.master("a");
      forge(edges, "c", { destination: v4("a") });
      forge(edges, "b", { destination: "224.0.0.18" });
      forge(edges, "b", { destination: v4("a"), ttl: 253 });
      const dropped = async () => {
        const { counters } = await edgeStatus(daemon);
        return Object.keys(counters.drops).length === 3 && counters;
      };
      const { drops, advertsReceived } = await waitFor(dropped, { what: "three reasons to drop" });
      expect(drops).toEqual({ "unicast-source": 1, "not-unicast": 1, ttl: 1 });
      expect(advertsReceived).toBe(0);
      expect(await edgeStatus(daemon)).toMatchObject({ state: "MASTER" });
      // The logs name the stranger.
      expect(daemon.process.text).toContain(v4("c"));
      // With a TTL that is allowed, the same packet counts.
      forge(edges, "b", { destination: v4("a"), ttl: 254 });
      expect(await waitState(daemon, "BACKUP")).toMatchObject({ reason: expect.stringContaining("254") });
    }),
  );

  it(
    "unicast packets to a multicast instance are refused and counted; unicast_ttl is what we send with",
    withEdges(["a", "b"], async (edges) => {
      const multicast = instance({ version: 2, advert_int: 1, authentication: PASS, priority: 150 });
      const daemon = await edges.vipward("a", { vrrp_instance: { VI_1: multicast } });
      const sender = await edges.vipward("b", unicast("b", 200, { unicast_ttl: 200 }));
      const first = await edges.master("b");
      expect(first).toMatchObject({ ttl: 200, destination: v4("a") });
      await edges.master("a");
      await waitFor(async () => {
        const { drops } = (await edgeStatus(daemon)).counters;
        return (drops.ttl ?? 0) > 0;
      });
      await sender.stop();
      forge(edges, "b", { destination: v4("a") });
      await waitFor(async () => (await edgeStatus(daemon)).counters.drops["not-multicast"] === 1);
      expect(await edgeStatus(daemon)).toMatchObject({ state: "MASTER" });
    }),
  );

  it(
    "IPv6: from and to global addresses; keepalived is heard and hears us",
    withEdges(["a", "b"], async (edges) => {
      const vips = ["fe80::100", "2001:db8:99::100/64"];
      const paths = (role: EdgeRole) => ({
        unicast_src_ip: v6(role),
        unicast_peer: [v6(other(role))],
        virtual_ipaddress: vips,
      });
      const peer = await edges.keepalived("b", conf({ priority: 100, ...paths("b") }));
      await edges.master("b");
      const daemon = await edges.vipward("a", {
        vrrp_instance: { VI_1: instance({ priority: 150, ...paths("a") }) },
      });
      const first = await edges.master("a");
      expect(first).toMatchObject({ source: v6("a"), destination: v6("b"), ttl: 255 });
      await edges.waitVip("b", "2001:db8:99::100", false);
      expect(peer.log).not.toMatch(/invalid|mismatch|ignoring|dropp/i);
      const stopped = unixNow();
      await daemon.stop();
      await edges.master("b", { since: stopped });
      const again = await edges.vipward("a", {
        vrrp_instance: { VI_1: instance({ priority: 90, ...paths("a") }) },
      });
      await waitFor(async () => (await edgeStatus(again)).counters.advertsReceived > 2);
      expect(await edgeStatus(again)).toMatchObject({ state: "BACKUP", peer: { source: v6("b") } });
    }),
  );
});

const KEY = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const ANOTHER = "hex:ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const PORT = 8112;
const UDP_FILTER = `udp port ${PORT} or ip proto 112 or arp`;

const udp = (role: EdgeRole, priority: number, key = KEY) => ({
  vrrp_instance: {
    VI_1: instance({
      priority,
      transport: "udp",
      unicast_src_ip: v4(role),
      unicast_peer: [v4(other(role))],
      auth_hmac: { key: { 7: key } },
    }),
  },
});

/** UDP datagrams on the wire: their IPv4 source and payload. */
function datagrams(
  packets: readonly Packet[],
  source: string,
): { time: number; ttl: number; bytes: Uint8Array }[] {
  return packets.flatMap(({ time, frame }) => {
    const ip = frame.subarray(14);
    const isUdp = frame[12] === 8 && frame[13] === 0 && ip[9] === 17;
    if (!isUdp || [...ip.subarray(12, 16)].join(".") !== source) return [];
    const total = ((ip[2] ?? 0) << 8) | (ip[3] ?? 0);
    return { time, ttl: ip[8] ?? 0, bytes: ip.subarray(28, total) };
  });
}

describe.concurrent("transport udp with auth_hmac between two of ours", () => {
  it(
    "election, failover in both ways, nothing of protocol 112; a replayed datagram is refused and counted",
    withEdges(
      ["a", "b"],
      async (edges) => {
        const [a, b] = await Promise.all([
          edges.vipward("a", udp("a", 150)),
          edges.vipward("b", udp("b", 100)),
        ]);
        await waitState(a, "MASTER");
        await edges.waitVip("a");
        await waitFor(async () => (await edgeStatus(b)).counters.advertsReceived > 3);
        expect(await edgeStatus(b)).toMatchObject({
          state: "BACKUP",
          peer: { source: v4("a"), priority: 150 },
        });
        expect(edges.capture.adverts()).toEqual([]);
        const sent = datagrams(edges.capture.packets, v4("a"));
        expect(sent.length).toBeGreaterThan(3);
        // 8 bytes, one VIP, 28 bytes of trailer: type 1, key 7.
        expect([...sent[0]!.bytes.subarray(0, 3)]).toEqual([0x31, 51, 150]);
        expect(sent[0]!.bytes).toHaveLength(8 + 4 + 28);
        expect([...sent[0]!.bytes.subarray(12, 14)]).toEqual([1, 7]);
        expect(sent[0]!.ttl).toBe(255);

        const stopped = unixNow();
        await a.stop();
        await waitState(b, "MASTER");
        const goodbye = datagrams(edges.capture.packets, v4("a")).at(-1)!;
        expect(goodbye.bytes[2]).toBe(0);
        const first = datagrams(edges.capture.packets, v4("b")).find(({ time }) => time > stopped)!;
        expect(first.time - goodbye.time).toBeLessThan((0.2 * 156) / 256 + 0.35);
        await edges.waitVip("b");

        // An attacker with a's address repeats what a said when it was master.
        inNamespace(edges.node("a").name, () => {
          const index = libc().ifNametoindex("eth0");
          const fd = openUdpSocket({
            address: v4("a"),
            port: PORT,
            interfaceName: "eth0",
            interfaceIndex: index,
          });
          sendDatagram(fd, sent.at(-1)!.bytes, {
            address: v4("b"),
            port: PORT,
            interfaceIndex: index,
            ttl: 255,
          });
          closeFd(fd);
        });
        await waitFor(async () => (await edgeStatus(b)).counters.drops["hmac-replay"] === 1, {
          what: "the replay to be counted",
        });
        expect(await edgeStatus(b)).toMatchObject({ state: "MASTER" });

        await edges.vipward("a", udp("a", 150));
        await waitState(b, "BACKUP");
        await edges.waitVip("a");
      },
      UDP_FILTER,
    ),
  );

  it(
    "unicast_ttl is what we send with, and min_ttl is judged: a datagram from further away is refused",
    withEdges(
      ["a", "b"],
      async (edges) => {
        const far = udp("a", 150);
        Object.assign(far.vrrp_instance.VI_1, { unicast_ttl: 100 });
        const strict = udp("b", 100);
        Object.assign(strict.vrrp_instance.VI_1, { unicast_peer: [`${v4("a")} min_ttl 255`] });
        const a = await edges.vipward("a", far);
        const b = await edges.vipward("b", strict);
        await waitState(a, "MASTER");
        await waitFor(async () => ((await edgeStatus(b)).counters.drops.ttl ?? 0) > 2);
        expect(datagrams(edges.capture.packets, v4("a")).every(({ ttl }) => ttl === 100)).toBe(true);
        expect((await edgeStatus(b)).counters.advertsReceived).toBe(0);
      },
      UDP_FILTER,
    ),
  );

  it(
    "another key: each refuses the other, with the reason counted and no key in any log",
    withEdges(
      ["a", "b"],
      async (edges) => {
        const a = await edges.vipward("a", udp("a", 150));
        const b = await edges.vipward("b", udp("b", 100, ANOTHER));
        await Promise.all([waitState(a, "MASTER"), waitState(b, "MASTER")]);
        for (const daemon of [a, b]) {
          await waitFor(async () => ((await edgeStatus(daemon)).counters.drops["hmac-mismatch"] ?? 0) > 2);
          expect((await edgeStatus(daemon)).counters.advertsReceived).toBe(0);
          expect(daemon.process.text).toContain("auth_hmac");
          expect(daemon.process.text).not.toMatch(/0102030405060708/);
        }
      },
      UDP_FILTER,
    ),
  );

  it(
    "IPv6: the same over UDP",
    withEdges(["a", "b"], async (edges) => {
      const over6 = (role: EdgeRole, priority: number) => ({
        vrrp_instance: {
          VI_1: instance({
            priority,
            transport: "udp",
            unicast_src_ip: v6(role),
            unicast_peer: [v6(other(role))],
            virtual_ipaddress: ["fe80::100", "2001:db8:99::100/64"],
            auth_hmac: { key: { 7: KEY } },
          }),
        },
      });
      const a = await edges.vipward("a", over6("a", 150));
      const b = await edges.vipward("b", over6("b", 100));
      await waitState(a, "MASTER");
      await waitFor(async () => (await edgeStatus(b)).counters.advertsReceived > 2);
      expect(await edgeStatus(b)).toMatchObject({ state: "BACKUP", peer: { source: v6("a") } });
      await a.killAll();
      await waitState(b, "MASTER");
      await edges.waitVip("b", "2001:db8:99::100");
    }),
  );
});

describe.concurrent("auth_hmac over protocol 112", () => {
  const raw = (priority: number, mode?: string) => ({
    vrrp_instance: {
      VI_1: instance({
        priority,
        ...(mode === undefined ? {} : { auth_hmac: { key: { 7: KEY }, mode } }),
      }),
    },
  });

  it(
    "enforce on both sides: signed, elected, handed over",
    withEdges(["a", "b"], async (edges) => {
      const a = await edges.vipward("a", raw(150, "enforce"));
      const b = await edges.vipward("b", raw(100, "enforce"));
      const first = await edges.master("a");
      expect(first.payload).toHaveLength(8 + 4 + 28);
      await waitFor(async () => (await edgeStatus(b)).counters.advertsReceived > 3);
      expect(await edgeStatus(b)).toMatchObject({ state: "BACKUP", counters: { drops: {} } });
      const stopped = unixNow();
      await a.stop();
      await edges.master("b", { since: stopped });
      await edges.vipward("a", raw(150, "enforce"));
      await waitState(b, "BACKUP");
    }),
  );

  it(
    "permissive takes unsigned adverts, enforce refuses them; unsigned nodes refuse signed ones",
    withEdges(["a", "b", "c"], async (edges) => {
      const [permissive, enforcing, unsigned] = await Promise.all([
        edges.vipward("a", raw(100, "permissive")),
        edges.vipward("b", raw(90, "enforce")),
        edges.vipward("c", raw(150)),
      ]);
      await edges.master("c");
      await waitFor(async () => ((await edgeStatus(enforcing)).counters.drops["hmac-missing"] ?? 0) > 2);
      // It hears both masters; the better one is the peer it was told of last, sooner or later.
      await waitFor(async () => (await edgeStatus(permissive)).peer?.source === v4("c"));
      expect(await edgeStatus(permissive)).toMatchObject({ state: "BACKUP" });
      await waitState(enforcing, "MASTER");
      await waitFor(async () => ((await edgeStatus(unsigned)).counters.drops["auth-type"] ?? 0) > 2);
      // Signed, and of a lower priority: permissive judges the signature, and waits for the better one.
      expect((await edgeStatus(permissive)).counters.drops).toEqual({});
      expect(await edgeStatus(permissive)).toMatchObject({ state: "BACKUP" });
    }),
  );

  it(
    "receive-only sends unsigned and understands signed; keepalived 2.2.7 hears it",
    withEdges(["a", "b"], async (edges) => {
      const peer = await edges.keepalived("b", conf({ priority: 100 }));
      await edges.vipward("a", raw(150, "receive-only"));
      const first = await edges.master("a");
      expect(first.payload).toHaveLength(8 + 4);
      await edges.waitVip("b", VIP4, false);
      await sleep(1500);
      expect(edges.sent("b", { since: first.time + 0.5 })).toEqual([]);
      expect(peer.log).not.toMatch(/invalid|mismatch|ignoring|dropp/i);
    }),
  );
});
