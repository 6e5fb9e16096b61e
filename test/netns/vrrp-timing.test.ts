/** Intervals, delays and checksums at the edges, and reloads of several kinds of instances at once. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { largestGap } from "../support/directors.ts";
import {
  conf,
  type Edges,
  edgeStatus,
  instance,
  linkLocal,
  unixNow,
  VIP4,
  v4,
  waitState,
  withEdges,
} from "../support/edges.ts";
import { waitFor } from "../support/lab.ts";

const ours = (settings: Record<string, unknown>, top: object = {}) => ({
  ...top,
  vrrp_instance: { VI_1: instance(settings) },
});

describe.concurrent("v3_checksum_as_v2", () => {
  it(
    "keepalived 2.2.7 refuses message-only checksums; we accept what it sends, and say which kind that is",
    withEdges(["a", "b"], async (edges) => {
      const peer = await edges.keepalived("b", conf({ priority: 100 }));
      const daemon = await edges.vipward("a", ours({ priority: 150, v3_checksum_as_v2: true }));
      await waitState(daemon, "MASTER");
      await peer.process.waitLine(/Invalid VRRPv3 checksum/);
      // It hears no master, so both are: the trap the option is.
      await edges.waitVip("a");
      await sleep(1000);
      expect(await edges.addresses("b")).toContain(VIP4);
      const status = await edgeStatus(daemon);
      expect(status).toMatchObject({
        state: "MASTER",
        peer: { source: v4("b"), priority: 100, checksumKind: "pseudo-header" },
      });
      expect(status.counters.drops).toEqual({});
      // As backup we take it for what it is. (While it refuses our adverts it puts its own off.)
      await daemon.stop();
      const backup = await edges.vipward("a", ours({ priority: 50, v3_checksum_as_v2: true }));
      await waitFor(async () => (await edgeStatus(backup)).counters.advertsReceived > 5);
      expect(await edgeStatus(backup)).toMatchObject({
        state: "BACKUP",
        peer: { checksumKind: "pseudo-header" },
        counters: { drops: {} },
      });
    }),
  );

  it(
    "between two of ours, one with and one without: each accepts the other's",
    withEdges(["a", "b"], async (edges) => {
      const a = await edges.vipward("a", ours({ priority: 150, v3_checksum_as_v2: true }));
      const b = await edges.vipward("b", ours({ priority: 100 }));
      await waitState(a, "MASTER");
      await waitFor(async () => (await edgeStatus(b)).peer?.checksumKind === "message-only");
      const stopped = unixNow();
      await a.stop();
      await edges.master("b", { since: stopped });
      const again = await edges.vipward("a", ours({ priority: 50, v3_checksum_as_v2: true }));
      await waitFor(async () => (await edgeStatus(again)).peer?.checksumKind === "pseudo-header");
      expect((await edgeStatus(again)).state).toBe("BACKUP");
      expect((await edgeStatus(b)).counters.drops).toEqual({});
    }),
  );
});

describe.concurrent("advertisements every 10 ms beside keepalived", () => {
  /** A late keepalived would be its own fault, and the test's: it gets a real-time class that is not cut off. */
  const realtime = "global_defs {\n  vrrp_rt_priority 40\n  vrrp_rlimit_rttime 60000000\n}";
  const WATCH = 10_000;

  it.each([
    ["ours is the master", 150, 100],
    ["keepalived's is the master", 100, 150],
    // A machine that stalls for 36 ms makes any router of this interval fail over: another try, then.
  ] as const)("%s: no transition for 10 s", { retry: 2 }, (_title, mine, their) =>
    withEdges(["a", "b"], async (edges) => {
      const peer = await edges.keepalived("b", conf({ priority: their, advert_int: 0.01 }, realtime));
      const daemon = await edges.vipward("a", ours({ priority: mine, advert_int: 0.01 }));
      const [master, backup] = mine > their ? (["a", "b"] as const) : (["b", "a"] as const);
      await edges.master(master);
      await waitState(daemon, mine > their ? "MASTER" : "BACKUP");
      await edges.waitVip(backup, VIP4, false);
      await sleep(500);
      const entered = () => peer.log.match(/Entering \w+ STATE/g)?.length;
      const [before, theirBefore, since] = [(await edgeStatus(daemon)).counters, entered(), unixNow()];
      await sleep(WATCH);
      const after = (await edgeStatus(daemon)).counters;
      expect(after.becameMaster).toBe(before.becameMaster);
      expect(after.releasedMaster).toBe(before.releasedMaster);
      expect(entered()).toBe(theirBefore);
      expect(edges.sent(backup, { since })).toEqual([]);
      const sent = edges.sent(master, { since });
      expect(sent.length).toBeGreaterThan(0.9 * (WATCH / 10));
      expect(sent[0]).toMatchObject({ intervalMs: 10 });
      if (master === "a") expect(largestGap(sent)).toBeLessThan(0.03);
    })(),
  );
});

describe.concurrent("delays", () => {
  it(
    "preempt_delay: a living lower master is left alone that long; a dead one is not waited for",
    withEdges(["a", "b"], async (edges) => {
      const peer = await edges.keepalived("b", conf({ priority: 100 }));
      await edges.master("b");
      const daemon = await edges.vipward("a", ours({ priority: 150, preempt_delay: 3 }));
      const { time } = await daemon.waitLog(/Entering BACKUP STATE/);
      const first = await edges.master("a");
      const waited = first.time - Date.parse(time) / 1000;
      expect(waited).toBeGreaterThan(3);
      expect(waited).toBeLessThan(3 + 2 * 0.7 + 0.5);
      await edges.waitVip("b", VIP4, false);
      await daemon.stop();
      await edges.master("b", { since: first.time });
      const again = await edges.vipward("a", ours({ priority: 150, preempt_delay: 60 }));
      await waitFor(async () => (await edgeStatus(again)).counters.advertsReceived > 5);
      expect((await edgeStatus(again)).state).toBe("BACKUP");
      const killed = unixNow();
      await peer.stop("SIGKILL");
      expect((await edges.master("a", { since: killed })).time - killed).toBeLessThan(1.5);
    }),
  );

  it(
    "nopreempt, and keepalived's preempt_delay against us",
    withEdges(["a", "b"], async (edges) => {
      const daemon = await edges.vipward("a", ours({ priority: 100, nopreempt: true }));
      await edges.master("a");
      await edges.keepalived("b", conf({ state: "BACKUP", priority: 150, preempt_delay: 2 }));
      const started = unixNow();
      expect((await edges.master("b", { since: started })).time - started).toBeGreaterThan(1.8);
      await waitState(daemon, "BACKUP");
      // Raised above it, nopreempt keeps us from taking over.
      daemon.configure(JSON.stringify(ours({ priority: 200, nopreempt: true })));
      await daemon.cli("reload");
      const since = unixNow();
      await sleep(2500);
      expect(edges.sent("a", { since })).toEqual([]);
      expect(await edgeStatus(daemon)).toMatchObject({ state: "BACKUP", priority: 200 });
    }),
  );

  it(
    "vrrp_startup_delay: no election before it, for the owner either; adverts are heard meanwhile",
    withEdges(["a", "b"], async (edges) => {
      const delayed = (priority: number) => ours({ priority }, { global_defs: { vrrp_startup_delay: 3 } });
      const [a, b] = await Promise.all([
        edges.vipward("a", delayed(255)),
        edges.vipward("b", {
          ...delayed(100),
          vrrp_instance: { VI_2: instance({ virtual_router_id: 52, priority: 100 }) },
        }),
      ]);
      for (const [daemon, role] of [
        [a, "a"],
        [b, "b"],
      ] as const) {
        const started = Date.parse((await daemon.waitLog(/vipward .* starting/)).time) / 1000;
        const first = await edges.master(role);
        expect(first.time - started).toBeGreaterThan(3);
        expect(first.time - started).toBeLessThan(5);
      }
    }),
  );
});

describe.concurrent("reload of several instances", () => {
  const V4 = instance({ priority: 150 });
  const V6 = instance({ priority: 150, virtual_ipaddress: ["fe80::100", "2001:db8:99::100/64"] });
  const VMAC = instance({
    priority: 150,
    virtual_router_id: 53,
    use_vmac: true,
    virtual_ipaddress: ["10.99.0.103/24"],
  });
  const UNICAST = instance({
    priority: 150,
    virtual_router_id: 54,
    unicast_src_ip: v4("a"),
    unicast_peer: [v4("b")],
    virtual_ipaddress: ["10.99.0.104/24"],
  });
  const LATER = instance({ priority: 150, virtual_router_id: 55, virtual_ipaddress: ["10.99.0.105/24"] });

  /** Adverts of one virtual router of ours since then: never a pause, never a goodbye. */
  function expectUnbroken(edges: Edges, since: number, vrid: number, family: 4 | 6): void {
    const sent = edges.sent("a", { since, vrid, family });
    expect(sent.length).toBeGreaterThan(5);
    expect(sent.map((advert) => advert.priority).filter((priority) => priority !== 150)).toEqual([]);
    expect(largestGap(sent)).toBeLessThan(1.5 * 0.2);
  }

  it(
    "adding, changing and removing some leaves the others alone: IPv4, IPv6, vmac, unicast",
    withEdges(["a", "b"], async (edges) => {
      const all = { V4, V6, VMAC, UNICAST };
      const daemon = await edges.vipward("a", { vrrp_instance: all });
      for (const name of Object.keys(all)) await waitState(daemon, "MASTER", name);
      await sleep(500);
      const since = unixNow();
      const reload = async (instances: object) => {
        daemon.configure(JSON.stringify({ vrrp_instance: instances }));
        await daemon.cli("reload");
        await sleep(600);
      };
      await reload({ ...all, LATER });
      await waitState(daemon, "MASTER", "LATER");
      await reload({ ...all, LATER: { ...LATER, priority: 90, virtual_ipaddress: ["10.99.0.106/24"] } });
      await edges.waitVip("a", "10.99.0.106");
      await reload(all);
      await edges.waitVip("a", "10.99.0.106", false);
      expect(edges.sent("a", { vrid: 55 }).at(-1)?.priority).toBe(0);
      // Another interval and another VIP for one of them only.
      await reload({
        ...all,
        UNICAST: { ...UNICAST, advert_int: 0.3, virtual_ipaddress: ["10.99.0.107/24"] },
      });
      await edges.waitVip("a", "10.99.0.107");
      await edges.waitVip("a", "10.99.0.104", false);
      const { UNICAST: _gone, ...rest } = all;
      await reload(rest);
      await edges.waitVip("a", "10.99.0.107", false);
      expectUnbroken(edges, since, 51, 4);
      expectUnbroken(edges, since, 51, 6);
      expectUnbroken(edges, since, 53, 4);
      expect(
        edges.sent("a", { since, vrid: 51, family: 6 }).every(({ source }) => source === linkLocal("a")),
      ).toBe(true);
      for (const name of Object.keys(rest))
        expect((await edgeStatus(daemon, name)).counters).toMatchObject({
          becameMaster: 1,
          releasedMaster: 0,
        });
    }),
  );
});
