/** What a master holds besides its VIPs, and what static_* puts there for good. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  conf,
  type Edges,
  edgeStatus,
  instance,
  unixNow,
  VIP4,
  v4,
  waitState,
  withEdges,
} from "../support/edges.ts";
import { waitFor } from "../support/lab.ts";

const EXCLUDED = ["10.98.0.100", "2001:db8:98::100"];

const HELD = {
  virtual_ipaddress_excluded: ["10.98.0.100/24 dev eth1", "2001:db8:98::100/64 dev eth1"],
  virtual_routes: [
    `198.51.100.0/24 via ${v4("client")} metric 50`,
    "blackhole 203.0.113.0/24",
    `default via 10.98.0.1 dev eth1 table 1000 src ${EXCLUDED[0]}`,
    "2001:db8:55::/48 via 2001:db8:98::1 dev eth1",
  ],
  virtual_rules: ["from 10.98.0.0/24 table 1000 priority 77", "fwmark 5 table 1000 priority 78"],
};

/** Routes, rules and addresses of a node as `ip` shows them. */
async function everything(edges: Edges): Promise<string[]> {
  const shown = await Promise.all(
    [
      "-4 route show table all",
      "-6 route show table all",
      "-4 rule show",
      "-6 rule show",
      "-o -4 addr show",
    ].map((words) => edges.ip("a", words)),
  );
  // Lifetimes of leased addresses run.
  return shown
    .flatMap((text) =>
      text
        .replace(/valid_lft.*/g, "")
        .split("\n")
        .map((line) => line.trim()),
    )
    .filter(Boolean);
}

const EXPECTED = [
  `198.51.100.0/24 via ${v4("client")} dev eth0 proto keepalived metric 50`,
  "blackhole 203.0.113.0/24 proto keepalived",
  `default via 10.98.0.1 dev eth1 table 1000 proto keepalived src ${EXCLUDED[0]}`,
  "2001:db8:55::/48 via 2001:db8:98::1 dev eth1 proto keepalived metric 1024",
  "77: from 10.98.0.0/24 lookup 1000 proto keepalived",
  "78: from all fwmark 0x5 lookup 1000 proto keepalived",
];

async function present(edges: Edges): Promise<string[]> {
  // "proto 18" where iproute2 has no name for it.
  const lines = (await everything(edges)).map((line) =>
    line.replace(/proto 18\b/, "proto keepalived").replace(/\s+/g, " "),
  );
  return EXPECTED.filter((expected) => lines.some((line) => line.startsWith(expected)));
}

async function expectHeld(edges: Edges): Promise<void> {
  expect(await present(edges)).toEqual(EXPECTED);
  expect(await edges.addresses("a", "eth1")).toEqual(expect.arrayContaining(EXCLUDED));
}

describe.concurrent("virtual_ipaddress_excluded, virtual_routes, virtual_rules", () => {
  it(
    "are there exactly while master, beside a keepalived that takes over; excluded ones are announced, not advertised",
    withEdges(["a", "b"], async (edges) => {
      await edges.addLink("a", "eth1");
      const before = await everything(edges);
      await edges.keepalived("b", conf({ priority: 100 }));
      await edges.master("b");
      const daemon = await edges.vipward("a", {
        vrrp_instance: { VI_1: instance({ priority: 150, ...HELD }) },
      });
      expect(await present(edges)).toEqual([]);
      const first = await edges.master("a");
      expect(first.addresses).toEqual([VIP4]);
      await edges.waitVip("a", EXCLUDED[1], true, "eth1");
      await waitFor(async () => (await present(edges)).length === EXPECTED.length);
      await expectHeld(edges);
      expect((await edgeStatus(daemon)).vips.map(({ address }) => address)).toEqual([VIP4, ...EXCLUDED]);
      // Longer than any lease.
      await sleep(3500);
      await expectHeld(edges);
      const better = unixNow();
      const peer = await edges.vipward(
        "b",
        { vrrp_instance: { VI_1: instance({ priority: 200 }) } },
        { name: "better" },
      );
      await edges.master("b", { since: better });
      await waitState(daemon, "BACKUP");
      expect(await everything(edges)).toEqual(before);
      await peer.stop();
      await waitState(daemon, "MASTER");
      await expectHeld(edges);
      await daemon.stop();
      expect(await everything(edges)).toEqual(before);
    }),
  );

  it(
    "kill -9 of everything: routes and rules stay until the next start, which removes them when it is not master",
    withEdges(["a", "b"], async (edges) => {
      await edges.addLink("a", "eth1");
      const before = await everything(edges);
      const config = { vrrp_instance: { VI_1: instance({ priority: 150, ...HELD }) } };
      const daemon = await edges.vipward("a", config);
      await waitState(daemon, "MASTER");
      await expectHeld(edges);
      await daemon.killAll();
      await edges.waitVip("a", VIP4, false);
      await edges.waitVip("a", EXCLUDED[1], false, "eth1");
      // The kernel took those that need an address; the others would be here for ever.
      expect(await present(edges)).toContain(EXPECTED[1]);
      await edges.vipward("b", { vrrp_instance: { VI_1: instance({ priority: 200 }) } });
      await edges.master("b");
      const again = await edges.vipward("a", config);
      await waitState(again, "BACKUP");
      expect(await everything(edges)).toEqual(before);
    }),
  );

  it(
    "a killed vrrp process resumes with them; a reload changes them one by one",
    withEdges(["a"], async (edges) => {
      await edges.addLink("a", "eth1");
      const config = (held: object) => ({
        vrrp_instance: { VI_1: instance({ priority: 150, advert_int: 1, ...held }) },
      });
      const daemon = await edges.vipward("a", config(HELD));
      await waitState(daemon, "MASTER");
      await expectHeld(edges);
      const { body } = await daemon.api("/api/v1/status");
      process.kill(JSON.parse(body).processes.vrrp, "SIGKILL");
      await daemon.waitLog(/resumed after a restart/);
      await waitState(daemon, "MASTER");
      await expectHeld(edges);
      daemon.configure(
        JSON.stringify(
          config({
            ...HELD,
            virtual_routes: HELD.virtual_routes.slice(1),
            virtual_rules: HELD.virtual_rules.slice(1),
          }),
        ),
      );
      await daemon.cli("reload");
      await waitFor(async () => (await present(edges)).length === EXPECTED.length - 2);
      expect(await present(edges)).toEqual([...EXPECTED.slice(1, 4), EXPECTED[5]]);
      await daemon.stop();
      expect(await present(edges)).toEqual([]);
    }),
  );
});

describe.concurrent("static_ipaddress, static_routes, static_rules", () => {
  it(
    "are there as backup too, again after somebody's deletion and a reload, and stay when we stop",
    withEdges(["a"], async (edges) => {
      const config = (priority: number) => ({
        static_ipaddress: ["10.97.0.1/24 dev eth0", "2001:db8:97::1/64 dev eth0"],
        static_routes: [`192.0.2.0/24 via ${v4("client")} dev eth0`],
        static_rules: ["from 10.97.0.0/24 table 1001 priority 79"],
        global_defs: { vrrp_startup_delay: 60 },
        vrrp_instance: { VI_1: instance({ priority }) },
      });
      const daemon = await edges.vipward("a", config(100));
      await waitState(daemon, "BACKUP");
      const expectThere = async () => {
        const entries = JSON.parse(await edges.ip("a", "-j addr show dev eth0"))[0].addr_info as {
          local: string;
          valid_life_time: number;
        }[];
        for (const address of ["10.97.0.1", "2001:db8:97::1"])
          expect(entries.find(({ local }) => local === address)?.valid_life_time).toBe(4294967295);
        expect(await edges.ip("a", "-4 route show 192.0.2.0/24")).toContain(`via ${v4("client")} dev eth0`);
        // Its own prefix route, as any address of the operator's.
        expect(await edges.ip("a", "-6 route show 2001:db8:97::/64")).toContain("proto kernel");
        expect(await edges.ip("a", "-4 rule show")).toMatch(/^79:\s+from 10\.97\.0\.0\/24 lookup 1001/m);
      };
      await expectThere();
      await edges.ip("a", "addr del 10.97.0.1/24 dev eth0");
      await edges.ip("a", "rule del priority 79");
      daemon.configure(JSON.stringify(config(101)));
      await daemon.cli("reload");
      await expectThere();
      await daemon.stop();
      await expectThere();
    }),
  );
});

describe.concurrent("promote_secondaries", () => {
  it(
    "is set on the interface while we run, and as it was afterwards; the VIP's end leaves its subnet's other addresses",
    withEdges(["a"], async (edges) => {
      const read = async () =>
        (
          await edges.lab.exec(edges.node("a"), ["cat", "/proc/sys/net/ipv4/conf/eth0/promote_secondaries"])
        ).stdout.trim();
      await edges.lab.exec(edges.node("a"), ["sysctl", "-qw", "net.ipv4.conf.all.promote_secondaries=0"]);
      await edges.lab.exec(edges.node("a"), ["sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=0"]);
      const daemon = await edges.vipward("a", {
        global_defs: { vip_lease: false },
        vrrp_instance: {
          VI_1: instance({ priority: 150, promote_secondaries: true, virtual_ipaddress: ["10.96.0.100/24"] }),
        },
      });
      await edges.waitVip("a", "10.96.0.100");
      expect(await read()).toBe("1");
      await edges.ip("a", "addr add 10.96.0.1/24 dev eth0");
      await daemon.stop();
      expect(await edges.addresses("a")).toContain("10.96.0.1");
      expect(await edges.addresses("a")).not.toContain("10.96.0.100");
      expect(await read()).toBe("0");
    }),
  );
});
