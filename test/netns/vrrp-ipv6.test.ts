/** VRRP over IPv6 (RFC 5798, cases 10, 17, 18, 21, 30, 42) beside the packaged keepalived. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  block,
  conf,
  type Edges,
  edgeStatus,
  instance,
  linkLocal,
  mac,
  unixNow,
  VIP4,
  v6,
  waitState,
  withEdges,
} from "../support/edges.ts";
import { waitFor } from "../support/lab.ts";

const LINK_LOCAL_VIP = "fe80::100";
const VIP6 = "2001:db8:99::100";
/** In a subnet that no address of the node's own is in. */
const LONELY = "2001:db8:77::100";
const VIPS = [LINK_LOCAL_VIP, `${VIP6}/64`];

const ours = (priority: number, more: Record<string, unknown> = {}) => ({
  vrrp_instance: { VI_1: instance({ priority, virtual_ipaddress: VIPS, ...more }) },
});
const theirs = (priority: number) =>
  conf({ priority, state: "BACKUP", virtual_ipaddress: VIPS.map((vip) => `${vip}`) });

interface AddressEntry {
  readonly local: string;
  readonly prefixlen: number;
  readonly valid_life_time: number;
  readonly preferred_life_time: number;
  readonly nodad?: boolean;
  readonly noprefixroute?: boolean;
  readonly deprecated?: boolean;
}

async function entries(edges: Edges, role: "a" | "b"): Promise<AddressEntry[]> {
  return JSON.parse(await edges.ip(role, "-j -6 addr show dev eth0"))[0].addr_info;
}

/** What belongs to the node and not to a VIP. */
async function furniture(edges: Edges, role: "a" | "b"): Promise<unknown> {
  const isVip = (text: string) => [LINK_LOCAL_VIP, VIP6, LONELY].includes(text);
  const addresses = (await entries(edges, role)).filter((entry) => !isVip(entry.local));
  const routes = JSON.parse(await edges.ip(role, "-j -6 route show table all")) as { dst: string }[];
  return { addresses, routes: routes.filter((route) => !isVip(route.dst)) };
}

const announced = (edges: Edges, role: "a" | "b", target: string, since: number) =>
  edges.capture
    .neighbourAdverts()
    .filter((na) => na.time >= since && na.target === target && na.targetMac === mac(role));

describe.concurrent("IPv6 beside keepalived", () => {
  it(
    "case 17, 18, 21, 30: what we send as master, and how both take over from each other",
    withEdges(["a", "b"], async (edges) => {
      const before = await furniture(edges, "a");
      const peer = await edges.keepalived("b", theirs(100));
      await edges.master("b");
      const daemon = await edges.vipward("a", ours(150));
      const first = await edges.master("a");
      expect(first).toMatchObject({
        version: 3,
        source: linkLocal("a"),
        destination: "ff02::12",
        ttl: 255,
        priority: 150,
        intervalMs: 200,
        addresses: [LINK_LOCAL_VIP, VIP6],
        sourceMac: mac("a"),
      });
      await edges.waitVip("b", VIP6, false);
      for (const target of [LINK_LOCAL_VIP, VIP6]) {
        await waitFor(() => announced(edges, "a", target, first.time).length >= 5);
        const [na] = announced(edges, "a", target, first.time);
        expect(na).toMatchObject({
          source: target,
          destination: "ff02::1",
          override: true,
          solicited: false,
          router: false,
        });
      }
      const held = await entries(edges, "a");
      for (const address of [LINK_LOCAL_VIP, VIP6]) {
        const entry = held.find(({ local }) => local === address);
        expect(entry).toMatchObject({ nodad: true, noprefixroute: true });
        expect(entry?.valid_life_time).toBeLessThanOrEqual(2);
      }
      // keepalived: a /128 is deprecated from the start, so that it is never chosen as a source.
      expect(held.find(({ local }) => local === LINK_LOCAL_VIP)).toMatchObject({ preferred_life_time: 0 });
      expect(held.find(({ local }) => local === VIP6)?.preferred_life_time).toBeGreaterThan(0);
      // Longer than the lease: it is renewed.
      await sleep(4000);
      expect(await edges.addresses("a")).toEqual(expect.arrayContaining([LINK_LOCAL_VIP, VIP6]));
      expect(edges.sent("b", { since: first.time + 0.5 })).toEqual([]);
      expect(peer.log).not.toMatch(/invalid|mismatch|ignoring|dropp/i);

      const stopped = unixNow();
      await daemon.stop();
      const goodbye = edges.sent("a", { since: stopped }).at(-1);
      expect(goodbye).toMatchObject({
        priority: 0,
        source: linkLocal("a"),
        addresses: [LINK_LOCAL_VIP, VIP6],
      });
      await edges.master("b", { since: stopped });
      await edges.waitVip("b", VIP6);
      expect(await furniture(edges, "a")).toEqual(before);
    }),
  );

  it(
    "our backup takes over from a killed keepalived and gives way to its return",
    withEdges(["a", "b"], async (edges) => {
      const peer = await edges.keepalived("b", theirs(150));
      const daemon = await edges.vipward("a", ours(100));
      await edges.master("b");
      await sleep(1500);
      expect(await edgeStatus(daemon)).toMatchObject({
        state: "BACKUP",
        peer: { source: linkLocal("b"), priority: 150 },
      });
      expect(edges.sent("a")).toEqual([]);
      const killed = unixNow();
      await peer.stop("SIGKILL");
      const takeover = await edges.master("a", { since: killed });
      const last = edges.sent("b").at(-1)?.time ?? 0;
      const down = 3 * 0.2 + (0.2 * 156) / 256;
      expect(takeover.time - last).toBeGreaterThan(down - 0.01);
      expect(takeover.time - last).toBeLessThan(down + 0.35);
      await edges.waitVip("a", VIP6);
      const returned = unixNow();
      await edges.keepalived("b", theirs(150));
      await edges.master("b", { since: returned });
      await edges.waitVip("a", VIP6, false);
      expect(await edgeStatus(daemon)).toMatchObject({
        state: "BACKUP",
        reason: expect.stringContaining("150"),
      });
    }),
  );

  it(
    "kill -9 of everything: the VIPs go by themselves, the node's addresses and routes of the same prefix stay",
    withEdges(["a", "b"], async (edges) => {
      const before = await furniture(edges, "a");
      const vips = [...VIPS, `${LONELY}/64`];
      const daemon = await edges.vipward("a", ours(150, { virtual_ipaddress: vips }));
      await edges.waitVip("a", LONELY);
      // A subnet that only the VIP is in has a route, ours.
      expect(await edges.ip("a", "-6 route show 2001:db8:77::/64")).toMatch(/proto (keepalived|18)/);
      expect(await edges.ip("a", "-6 route show 2001:db8:99::/64")).toMatch(/proto kernel/);
      await daemon.killAll();
      await edges.waitVip("a", VIP6, false);
      await edges.waitVip("a", LONELY, false);
      expect(await edges.addresses("a")).not.toContain(LINK_LOCAL_VIP);
      expect(await edges.ip("a", "-6 route show 2001:db8:99::/64")).toMatch(/proto kernel/);
      expect(await edges.addresses("a")).toEqual(expect.arrayContaining([v6("a"), linkLocal("a")]));
      // The lonely subnet's route is reclaimed by the next start, and goes with it.
      const again = await edges.vipward("a", ours(150, { virtual_ipaddress: vips }));
      await edges.waitVip("a", LONELY);
      await again.stop();
      expect(await furniture(edges, "a")).toEqual(before);
    }),
  );

  it(
    "case 42: IPv4 and IPv6 with one VRID are independent",
    withEdges(["a", "b"], async (edges) => {
      const v4Instance = (priority: number) => instance({ priority });
      const v6Instance = (priority: number) => instance({ priority, virtual_ipaddress: VIPS });
      const daemon = await edges.vipward("a", {
        vrrp_instance: { V4: v4Instance(150), V6: v6Instance(50) },
      });
      const common = { interface: "eth0", virtual_router_id: 51, version: 3, advert_int: 0.2 };
      const peer = await edges.keepalived(
        "b",
        conf(
          { priority: 50 },
          block("vrrp_instance V6", { ...common, priority: 150, virtual_ipaddress: VIPS }),
          "V4",
        ),
      );
      await edges.master("b", { family: 6 });
      await waitState(daemon, "MASTER", "V4");
      await waitState(daemon, "BACKUP", "V6");
      await edges.waitVip("a", VIP4);
      await edges.waitVip("b", VIP6);
      const since = unixNow();
      await sleep(2000);
      expect(edges.sent("a", { since, family: 6 })).toEqual([]);
      expect(edges.sent("b", { since, family: 4 })).toEqual([]);
      expect(await edgeStatus(daemon, "V4")).toMatchObject({ state: "MASTER", counters: { drops: {} } });
      const stopped = unixNow();
      await peer.stop();
      await edges.master("a", { since: stopped, family: 6 });
      expect((await edgeStatus(daemon, "V4")).counters).toMatchObject({ becameMaster: 1, releasedMaster: 0 });
    }),
  );

  it(
    "case 10 (erratum 8300): a list that does not begin with a link-local address is accepted and told, refused in strict mode",
    withEdges(["a", "b", "c"], async (edges) => {
      const globalOnly = conf({ priority: 200, virtual_ipaddress: [VIP6] });
      await edges.keepalived("b", globalOnly);
      const lenient = await edges.vipward("a", ours(150));
      const strict = await edges.vipward("c", ours(100, { strict_mode: true }));
      await waitFor(async () => ((await edgeStatus(strict)).counters.drops["not-link-local"] ?? 0) > 2);
      expect(await edgeStatus(lenient)).toMatchObject({
        state: "BACKUP",
        peer: { source: linkLocal("b"), priority: 200 },
        counters: { drops: {} },
      });
      await lenient.waitLog(/link-local/);
    }),
  );
});
