/** use_vmac (RFC 5798 7.3, cases 19, 38, 43) between ours, and with keepalived's as the peer. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  conf,
  type EdgeRole,
  type Edges,
  edgeStatus,
  instance,
  linkLocal,
  mac,
  unixNow,
  VIP4,
  v4,
  waitState,
  withEdges,
} from "../support/edges.ts";
import { waitFor } from "../support/lab.ts";

const VMAC = "00:00:5e:00:01:33";
const VMAC6 = "00:00:5e:00:02:33";
const DEV = "vrrp.51";

const ours = (priority: number, more: Record<string, unknown> = {}) => ({
  vrrp_instance: { VI_1: instance({ priority, use_vmac: true, ...more }) },
});

/** What the client believes to be the VIP's MAC; asks afresh when told to. */
async function clientArp(edges: Edges, fresh = false): Promise<string | undefined> {
  if (fresh) {
    await edges.ip("client", `neigh flush dev eth0`);
    // Any traffic makes the kernel ask.
    await reach(edges);
  }
  const entries = JSON.parse(await edges.ip("client", `-j neigh show ${VIP4} dev eth0`)) as {
    lladdr?: string;
  }[];
  return entries[0]?.lladdr;
}

/** A TCP connection attempt: nobody listens, so a reachable host refuses. */
async function reach(edges: Edges, vip = VIP4): Promise<string> {
  const script = `const s = require("net").connect({ host: "${vip}", port: 9, timeout: 3000 });
    const end = (what) => { console.log(what); process.exit(); };
    s.on("connect", () => end("connected")); s.on("timeout", () => end("timeout")); s.on("error", (e) => end(e.code));`;
  const { stdout } = await edges.lab.exec(edges.node("client"), [process.execPath, "-e", script]);
  return stdout.trim();
}

async function links(edges: Edges, role: EdgeRole): Promise<string> {
  return edges.ip(role, "-d link show");
}

/** Who said what about the VIP in ARP since then: sender MACs. */
const arpSenders = (edges: Edges, since: number) => [
  ...new Set(
    edges.capture
      .arps()
      .filter((arp) => arp.time >= since && arp.senderIp === VIP4)
      .map((arp) => `${arp.frameSource} ${arp.senderMac}`),
  ),
];

describe.concurrent("use_vmac", () => {
  it(
    "case 19, 38: frames and ARP bear the virtual MAC only; a takeover by ours leaves the client's entry valid; gone on stop",
    withEdges(["a", "b", "client"], async (edges) => {
      const before = await links(edges, "a");
      const since = unixNow();
      const a = await edges.vipward("a", ours(150));
      const b = await edges.vipward("b", ours(100));
      const first = await edges.master("a");
      expect(first).toMatchObject({ sourceMac: VMAC, source: v4("a"), destination: "224.0.0.18", ttl: 255 });
      await edges.waitVip("a", VIP4, true, DEV);
      expect(await edges.addresses("a")).not.toContain(VIP4);
      expect(await reach(edges)).toBe("ECONNREFUSED");
      expect(await clientArp(edges, true)).toBe(VMAC);
      // Asked once more, by broadcast: only one answer, and only with the virtual MAC.
      expect(arpSenders(edges, since)).toEqual([`${VMAC} ${VMAC}`]);
      // The node's own address keeps its own MAC.
      expect(await reach(edges, v4("a"))).toBe("ECONNREFUSED");
      expect(JSON.parse(await edges.ip("client", `-j neigh show ${v4("a")}`))[0].lladdr).toBe(mac("a"));
      await waitFor(async () => (await edgeStatus(b)).counters.advertsReceived > 3);
      expect(await edgeStatus(b)).toMatchObject({ state: "BACKUP", peer: { source: v4("a") } });

      const stopped = unixNow();
      await a.stop();
      const goodbye = edges.sent("a", { since: stopped }).at(-1);
      expect(goodbye).toMatchObject({ priority: 0, sourceMac: VMAC });
      const next = await edges.master("b", { since: stopped });
      expect(next.sourceMac).toBe(VMAC);
      await edges.waitVip("b", VIP4, true, DEV);
      // No new question is needed.
      expect(await clientArp(edges)).toBe(VMAC);
      expect(await reach(edges)).toBe("ECONNREFUSED");
      expect(arpSenders(edges, since)).toEqual([`${VMAC} ${VMAC}`]);
      expect(await links(edges, "a")).toBe(before);
    }),
  );

  it(
    "a killed vrrp process resumes on the same interface; kill -9 of everything leaves it without VIP, the next start reclaims it",
    withEdges(["a", "b"], async (edges) => {
      const config = ours(150, { advert_int: 1 });
      const a = await edges.vipward("a", config);
      await edges.vipward("b", ours(100, { advert_int: 1 }));
      await edges.waitVip("a", VIP4, true, DEV);
      await edges.master("a");
      await sleep(1500);
      const index = (await edges.ip("a", `-o link show ${DEV}`)).split(":")[0];
      const crashed = unixNow();
      const { body } = await a.api("/api/v1/status");
      process.kill(JSON.parse(body).processes.vrrp, "SIGKILL");
      await a.waitLog(/restarting it/);
      await waitState(a, "MASTER");
      await sleep(4000);
      expect(edges.sent("b", { since: crashed })).toEqual([]);
      const sent = edges.sent("a", { since: crashed });
      expect(sent.length).toBeGreaterThan(3);
      expect(sent.every((advert) => advert.sourceMac === VMAC && advert.priority === 150)).toBe(true);
      expect((await edges.ip("a", `-o link show ${DEV}`)).split(":")[0]).toBe(index);

      await a.killAll();
      const killed = unixNow();
      await edges.master("b", { since: killed });
      await edges.waitVip("a", VIP4, false, DEV);
      expect(await edges.ip("a", `-o link show ${DEV}`)).toContain(VMAC);
      const again = await edges.vipward("a", config);
      await edges.waitVip("a", VIP4, true, DEV);
      await again.stop();
      expect(await edges.ip("a", `link show ${DEV}`, false)).toBe("");
    }),
  );

  it(
    "kill -9 of everything, then a configuration without use_vmac: the left-over interface goes",
    withEdges(["a"], async (edges) => {
      const before = await links(edges, "a");
      const a = await edges.vipward("a", ours(150));
      await edges.waitVip("a", VIP4, true, DEV);
      await a.killAll();
      const again = await edges.vipward("a", { vrrp_instance: { VI_1: instance({ priority: 150 }) } });
      await edges.waitVip("a");
      await waitFor(async () => (await edges.ip("a", `link show ${DEV}`, false)) === "", {
        what: "the left-over vmac to go",
      });
      await again.stop();
      expect(await links(edges, "a")).toBe(before);
    }),
  );

  it(
    "vmac_xmit_base: adverts leave with the interface's own MAC, ARP with the virtual one",
    withEdges(["a", "client"], async (edges) => {
      await edges.vipward("a", ours(150, { vmac_xmit_base: true }));
      expect(await edges.master("a")).toMatchObject({ sourceMac: mac("a") });
      await edges.waitVip("a", VIP4, true, DEV);
      expect(await clientArp(edges, true)).toBe(VMAC);
    }),
  );

  it(
    "a reload that takes use_vmac away or puts it in moves the VIP without a transition",
    withEdges(["a"], async (edges) => {
      const a = await edges.vipward("a", ours(150));
      await edges.waitVip("a", VIP4, true, DEV);
      a.configure(JSON.stringify({ vrrp_instance: { VI_1: instance({ priority: 150 }) } }));
      await a.cli("reload");
      await edges.waitVip("a");
      expect(await edges.ip("a", `link show ${DEV}`, false)).toBe("");
      await waitFor(() => edges.sent("a").at(-1)?.sourceMac === mac("a"));
      a.configure(JSON.stringify(ours(150)));
      await a.cli("reload");
      await edges.waitVip("a", VIP4, true, DEV);
      await edges.waitVip("a", VIP4, false);
      await waitFor(() => edges.sent("a").at(-1)?.sourceMac === VMAC);
      expect((await edgeStatus(a)).counters).toMatchObject({ becameMaster: 1, releasedMaster: 0 });
      expect(edges.sent("a").every((advert) => advert.priority === 150)).toBe(true);
    }),
  );
});

describe.concurrent("use_vmac beside keepalived", () => {
  const theirs = (priority: number) => conf({ priority, use_vmac: true });

  it(
    "takes over from it and gives back to it; the client's ARP entry never changes",
    withEdges(["a", "b", "client"], async (edges) => {
      // keepalived's node would name the VIP when it asks for the client, with its own MAC (ours does not).
      await edges.ip("b", `neigh add ${v4("client")} lladdr ${mac("client")} dev eth0 nud permanent`);
      const peer = await edges.keepalived("b", theirs(150));
      const daemon = await edges.vipward("a", ours(100));
      expect(await edges.master("b")).toMatchObject({ sourceMac: VMAC });
      await edges.waitVip("b", VIP4, true, DEV);
      expect(await clientArp(edges, true)).toBe(VMAC);
      await sleep(1000);
      expect(await edgeStatus(daemon)).toMatchObject({ state: "BACKUP", peer: { source: v4("b") } });
      const killed = unixNow();
      await peer.stop();
      expect(await edges.master("a", { since: killed })).toMatchObject({ sourceMac: VMAC });
      await edges.waitVip("a", VIP4, true, DEV);
      expect(await clientArp(edges)).toBe(VMAC);
      expect(await reach(edges)).toBe("ECONNREFUSED");
      const returned = unixNow();
      const again = await edges.keepalived("b", theirs(150));
      await edges.master("b", { since: returned });
      await edges.waitVip("a", VIP4, false, DEV);
      expect(await clientArp(edges)).toBe(VMAC);
      expect(await reach(edges)).toBe("ECONNREFUSED");
      expect(again.log).not.toMatch(/invalid|mismatch|ignoring|dropp/i);
    }),
  );

  it(
    "vmac_xmit_base on one side only, and a peer without any vmac: both hear each other",
    withEdges(["a", "b", "c"], async (edges) => {
      // Frames that bear the virtual MAC reach the macvlan only, all others the interface.
      await edges.keepalived("b", theirs(200));
      const a = await edges.vipward("a", ours(150, { vmac_xmit_base: true }));
      const c = await edges.vipward("c", { vrrp_instance: { VI_1: instance({ priority: 100 }) } });
      await edges.master("b");
      for (const daemon of [a, c]) {
        await waitFor(async () => (await edgeStatus(daemon)).peer?.source === v4("b"));
        await waitState(daemon, "BACKUP");
      }
      const since = unixNow();
      await sleep(1500);
      expect([...edges.sent("a", { since }), ...edges.sent("c", { since })]).toEqual([]);
      // Each advert counts once, though the macvlan gets copies of what its parent gets.
      const heard = async () => (await edgeStatus(a)).counters.advertsReceived;
      const [before, sentBefore] = [await heard(), edges.sent("b").length];
      await sleep(2000);
      const [after, sentAfter] = [await heard(), edges.sent("b").length];
      expect(Math.abs(after - before - (sentAfter - sentBefore))).toBeLessThanOrEqual(1);
    }),
  );

  it(
    "adverts of a peer without vmac reach ours once each",
    withEdges(["a", "b"], async (edges) => {
      const a = await edges.vipward("a", ours(100));
      await edges.keepalived("b", conf({ priority: 200 }));
      await waitFor(async () => (await edgeStatus(a)).peer?.source === v4("b"));
      const heard = async () => (await edgeStatus(a)).counters.advertsReceived;
      const [before, sentBefore] = [await heard(), edges.sent("b").length];
      await sleep(2000);
      const [after, sentAfter] = [await heard(), edges.sent("b").length];
      expect(after - before).toBeGreaterThan(5);
      expect(Math.abs(after - before - (sentAfter - sentBefore))).toBeLessThanOrEqual(1);
      expect((await edgeStatus(a)).state).toBe("BACKUP");
    }),
  );

  it(
    "case 43: IPv6 with its own virtual MAC and no link-local of the macvlan's; both hear each other",
    withEdges(["a", "b"], async (edges) => {
      const vips = ["fe80::100", "2001:db8:99::100/64"];
      await edges.keepalived("b", conf({ priority: 100, use_vmac: true, virtual_ipaddress: vips }));
      const daemon = await edges.vipward("a", ours(150, { virtual_ipaddress: vips }));
      const first = await edges.master("a");
      expect(first).toMatchObject({ sourceMac: VMAC6, source: linkLocal("a"), destination: "ff02::12" });
      await edges.waitVip("a", "2001:db8:99::100", true, "vrrp6.51");
      expect((await edges.addresses("a", "vrrp6.51")).sort()).toEqual(["2001:db8:99::100", "fe80::100"]);
      await sleep(1500);
      expect(edges.sent("b", { since: first.time + 0.5 })).toEqual([]);
      const announced = edges.capture.neighbourAdverts().filter((na) => na.time >= first.time);
      expect(announced.some((na) => na.target === "2001:db8:99::100" && na.targetMac === VMAC6)).toBe(true);
      const stopped = unixNow();
      await daemon.stop();
      await edges.master("b", { since: stopped });
      const back = await edges.vipward("a", ours(90, { virtual_ipaddress: vips }));
      await waitFor(async () => (await edgeStatus(back)).counters.advertsReceived > 2);
      expect(await edgeStatus(back)).toMatchObject({ state: "BACKUP" });
    }),
  );
});
