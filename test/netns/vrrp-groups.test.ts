/** Sync groups beside keepalived, services that decide who is master, heartbeat paths, conflicts. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { instanceStatus, largestGap, vrrpPid } from "../support/directors.ts";
import { conf, edgeStatus, instance, unixNow, VIP4, v4, waitState, withEdges } from "../support/edges.ts";
import { waitFor } from "../support/lab.ts";
import { groupConf, groupYaml, type TwoLinks, VIPS, withTwoLinks } from "../support/two-links.ts";
import type { Vipward } from "../support/vipward.ts";
import { deafToAll } from "../support/vrrp-faults.ts";

const QUICK = { advertInt: 0.2 };

interface GroupView {
  readonly name: string;
  readonly state: string;
  readonly reason: string;
}

async function group(daemon: Vipward): Promise<GroupView | undefined> {
  const { body } = await daemon.api("/api/v1/status");
  return (JSON.parse(body) as { groups: readonly GroupView[] }).groups[0];
}

/** A notify script that writes its arguments to a file, and what it has written. */
function notes(net: TwoLinks): { readonly script: string; lines(): string[] } {
  const file = path.join(net.lab.dir, "notified");
  const script = path.join(net.lab.dir, "notify.sh");
  writeFileSync(file, "");
  writeFileSync(script, `#!/bin/sh\necho "$@" >> ${file}\n`, { mode: 0o755 });
  return { script, lines: () => readFileSync(file, "utf8").trim().split("\n") };
}

describe.concurrent("a sync group beside keepalived", () => {
  it(
    "one of our links fails: both VIPs move together, and come back together; the group's script is told",
    withTwoLinks(async (net) => {
      const told = notes(net);
      const ours = await net.vipward("a", groupYaml({ priority: 150, ...QUICK, notify: told.script }));
      await net.keepalived("b", groupConf({ priority: 100, ...QUICK }));
      await net.waitOwner("a");
      await waitFor(() => told.lines().at(-1)?.startsWith("GROUP G MASTER"));
      await net.lab.unplug(net.nodes.a, net.lans[1], "eth1");
      await net.waitOwner("b");
      expect(await instanceStatus(ours, "VI_0")).toMatchObject({
        state: "FAULT",
        faults: [{ kind: "sync-group", detail: expect.stringContaining("VI_1 of sync group G is in FAULT") }],
      });
      expect((await instanceStatus(ours, "VI_1")).faults[0]?.kind).toBe("interface-down");
      expect((await group(ours))?.state).toBe("FAULT");
      await waitFor(() => told.lines().at(-1)?.startsWith("GROUP G FAULT"));
      // Given up on the link that works: no master-down interval there.
      expect(net.sent("a", 0).at(-1)?.priority).toBe(0);
      await net.lab.plug(net.nodes.a, net.lans[1], "eth1");
      await net.waitOwner("a");
      expect((await group(ours))?.state).toBe("MASTER");
      await waitFor(() => told.lines().at(-1)?.startsWith("GROUP G MASTER"));
      expect(told.lines().some((line) => line.startsWith("INSTANCE"))).toBe(false);
    }),
  );

  it(
    "one of keepalived's links fails: we take both; when it is back we give both back",
    withTwoLinks(async (net) => {
      await net.keepalived("b", groupConf({ priority: 150, ...QUICK }));
      await net.vipward("a", groupYaml({ priority: 100, ...QUICK }));
      await net.waitOwner("b");
      await net.lab.unplug(net.nodes.b, net.lans[0], "eth0");
      await net.waitOwner("a");
      await net.lab.plug(net.nodes.b, net.lans[0], "eth0");
      await net.waitOwner("b");
    }),
  );

  it(
    "nopreempt: the group stays where it is when the better router returns",
    withTwoLinks(async (net) => {
      const spec = { ...QUICK, nopreempt: true };
      const ours = await net.vipward("a", groupYaml({ priority: 150, ...spec }));
      await net.waitOwner("a");
      await net.keepalived("b", groupConf({ priority: 100, ...spec }));
      await net.lab.unplug(net.nodes.a, net.lans[0], "eth0");
      await net.waitOwner("b");
      await net.lab.plug(net.nodes.a, net.lans[0], "eth0");
      await waitFor(async () => (await group(ours))?.state === "BACKUP");
      await sleep(2000);
      for (const vip of VIPS) expect(net.owners.owners(vip)).toEqual(["b"]);
    }),
  );

  it(
    "kill -9 of the vrrp process: the whole group goes on, no advert missed, keepalived sees nothing",
    withTwoLinks(async (net) => {
      const ours = await net.vipward("a", groupYaml({ priority: 150, advertInt: 1 }));
      const peer = await net.keepalived("b", groupConf({ priority: 100, advertInt: 1 }));
      await net.waitOwner("a");
      await sleep(2000);
      const transitions = () => peer.log.match(/Entering \w+ STATE/g)?.length;
      const before = transitions();
      const since = unixNow();
      process.kill(await vrrpPid(ours), "SIGKILL");
      await sleep(4500);
      for (const link of [0, 1] as const) {
        expect(net.sent("b", link, since)).toEqual([]);
        expect(largestGap(net.sent("a", link, since - 1.1))).toBeLessThan(1.9);
        expect(net.owners.noOwner(VIPS[link], since).seconds).toBe(0);
      }
      expect(transitions()).toBe(before);
      expect(await group(ours)).toMatchObject({
        state: "MASTER",
        reason: expect.stringContaining("resumed"),
      });
    }),
  );
});

describe.concurrent("what lies behind and beside the link", () => {
  it(
    "track_virtual_server: the director that reaches no web server gives the VIP to the one that does",
    withTwoLinks(async (net) => {
      const web = await net.lab.node("web", [{ lan: net.lans[1], addresses: ["10.99.0.80/24"] }]);
      const server = `require("node:http").createServer((_, r) => r.end("ok")).listen(80, () => console.log("up"))`;
      await net.lab.spawn(web, [process.execPath, "-e", server]).waitLine(/up/);
      const config = (priority: number) => ({
        vrrp_instance: {
          VI_0: {
            interface: "eth0",
            virtual_router_id: 51,
            version: 3,
            priority,
            advert_int: 0.2,
            virtual_ipaddress: [`${VIPS[0]}/24`],
            track_virtual_server: { [`${VIPS[0]} 80`]: -60 },
          },
        },
        virtual_server: {
          [`${VIPS[0]} 80`]: {
            delay_loop: 0.5,
            lb_algo: "rr",
            real_server: {
              "10.99.0.80 80": {
                TCP_CHECK: { connect_timeout: 1, retry: 1, delay_before_retry: 0.2 },
              },
            },
          },
        },
      });
      const userspace = { dataplane: "userspace" } as const;
      const [a, b] = await Promise.all([
        net.vipward("a", config(150), userspace),
        net.vipward("b", config(100), userspace),
      ]);
      const [vip] = VIPS;
      await net.waitOwner("a", [vip]);
      await waitState(b, "BACKUP");
      const cut = (verb: string) =>
        net.lab.exec(net.nodes.a, [
          ...["iptables-legacy", "-w", verb, "OUTPUT", "-d", "10.99.0.80"],
          ...["-p", "tcp", "-j", "REJECT"],
        ]);
      await cut("-A");
      await net.waitOwner("b", [vip]);
      expect(await edgeStatus(a)).toMatchObject({ state: "BACKUP", priority: 90, basePriority: 150 });
      await cut("-D");
      await net.waitOwner("a", [vip]);
      expect(await edgeStatus(a)).toMatchObject({ priority: 150 });
    }),
  );

  it(
    "heartbeat_interfaces: a peer is lost only when it is lost on all links",
    withTwoLinks(async (net) => {
      const config = (priority: number) => ({
        vrrp_instance: {
          VI_0: {
            interface: "eth0",
            heartbeat_interfaces: ["eth1"],
            virtual_router_id: 51,
            version: 3,
            priority,
            advert_int: 0.2,
            virtual_ipaddress: [`${VIPS[0]}/24`],
          },
        },
      });
      const [vip] = VIPS;
      const a = await net.vipward("a", config(150));
      const b = await net.vipward("b", config(100));
      await net.waitOwner("a", [vip]);
      await waitState(b, "BACKUP");
      // Frames are lost in the switch: neither router sees its carrier go.
      const since = unixNow();
      const mend = await deafToAll(net.lab, net.lans[0], "b");
      await sleep(2500);
      expect(net.sent("b", 0, since)).toEqual([]);
      expect(net.owners.owners(vip)).toEqual(["a"]);
      const mendBoth = await deafToAll(net.lab, net.lans[1], "b-eth1");
      await waitState(b, "MASTER");
      // Both are master, and one of them hears the other: it says so.
      await waitFor(async () => /CONFLICT two-masters/.test(a.process.text));
      await mendBoth();
      await waitState(b, "BACKUP");
      await net.waitOwner("a", [vip]);
      await mend();
      expect((await edgeStatus(a)).counters.becameMaster).toBe(1);
    }),
  );
});

describe.concurrent("conflicts are named in log and status", () => {
  const PASS = { auth_type: "PASS", auth_pass: "secret12" };
  const V2 = { version: 2, advert_int: 1 } as const;

  interface Named {
    readonly kind: string;
    readonly subject: string;
    readonly text: string;
  }
  async function conflict(daemon: Vipward, kind: string): Promise<Named> {
    const named = async () => {
      const { body } = await daemon.api("/api/v1/status");
      const { instances } = JSON.parse(body) as { instances: { conflicts: readonly Named[] }[] };
      return instances[0]?.conflicts.find((entry) => entry.kind === kind);
    };
    const found = await waitFor(named, { timeout: 20_000, what: `conflict ${kind}` });
    expect(daemon.process.text).toContain(`CONFLICT ${kind}`);
    return found;
  }

  it(
    "another password: deaf to each other, and why",
    withEdges(["a", "b"], async (edges) => {
      const ours = { vrrp_instance: { VI_1: instance({ ...V2, priority: 150, authentication: PASS }) } };
      const daemon = await edges.vipward("a", ours);
      await edges.master("a");
      const other = { auth_type: "PASS", auth_pass: "another1" };
      await edges.keepalived("b", conf({ ...V2, priority: 100, authentication: other }));
      await edges.master("b");
      expect(await conflict(daemon, "one-way")).toMatchObject({
        subject: v4("b"),
        text: expect.stringMatching(/we are master, and the advertisements of .* are refused: .*password/),
      });
    }),
  );

  it(
    "a foreign router with our virtual_router_id",
    withEdges(["a", "b"], async (edges) => {
      const daemon = await edges.vipward("a", { vrrp_instance: { VI_1: instance({ priority: 150 }) } });
      await edges.master("a");
      const foreign = { priority: 200, virtual_ipaddress: ["10.99.0.200/24"] };
      await edges.keepalived("b", conf(foreign));
      expect(await conflict(daemon, "foreign-router")).toMatchObject({
        subject: v4("b"),
        text: expect.stringContaining("virtual_router_id 51"),
      });
    }),
  );

  it(
    "the VIP set by hand on another host: named by its MAC, withdrawn when it is gone",
    withEdges(["a", "b", "c"], async (edges) => {
      const config = (priority: number) => ({ vrrp_instance: { VI_1: instance({ priority }) } });
      const master = await edges.vipward("a", config(150));
      const backup = await edges.vipward("b", config(100));
      await edges.master("a");
      await waitState(backup, "BACKUP");
      const since = unixNow();
      await edges.ip("c", `addr add ${VIP4}/32 dev eth0`);
      const { subject, text } = await conflict(master, "duplicate-address");
      // Two questions, two seconds apart, each with 0.3 s for answers.
      expect(unixNow() - since).toBeLessThan(5 + 1);
      expect(subject).toBe(VIP4);
      expect(text).toContain("02:00:00:00:00:13");
      expect((await conflict(backup, "duplicate-address")).text).toMatch(/ and /);
      await edges.ip("c", `addr del ${VIP4}/32 dev eth0`);
      await waitFor(() => [master, backup].every((one) => one.process.text.includes("CONFLICT over")));
      expect((await edgeStatus(master)).state).toBe("MASTER");
    }),
  );
});
