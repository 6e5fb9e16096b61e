import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RouteConfig, RuleConfig } from "../../src/config/model.ts";
import { libc } from "../../src/net/libc.ts";
import { createVmac, deleteVmac } from "../../src/net/macvlan.ts";
import { openArpProbe, openNdProbe } from "../../src/net/neighbour-probe.ts";
import { closeFd } from "../../src/net/raw-socket.ts";
import { openVrrpSocket6, receivePacket6, sendPacket6 } from "../../src/net/raw-socket6.ts";
import { RtNetlinkRoutes } from "../../src/net/rtnetlink-routes.ts";
import { encodeIpv6 } from "../../src/wire/ip6.ts";
import { inNamespace, ipIn, pair, until } from "../support/namespace.ts";

let net: ReturnType<typeof pair>;
beforeAll(() => {
  net = pair("full");
  for (const ns of [net.a, net.b]) ipIn(ns, "link", "set", "eth0", "addrgenmode", "none");
  ipIn(net.a, "addr", "add", "fe80::11/64", "dev", "eth0", "nodad");
  ipIn(net.b, "addr", "add", "fe80::12/64", "dev", "eth0", "nodad");
});
afterAll(() => net.remove());

const eth0 = (ns: string) => inNamespace(ns, () => libc().ifNametoindex("eth0"));
const socket = (ns: string) =>
  inNamespace(ns, () =>
    openVrrpSocket6({ interfaceIndex: eth0(ns), interfaceName: "eth0", group: "ff02::12" }),
  );

describe("raw IPv6 VRRP sockets", () => {
  const send = (fd: number, destination: string, payload: string) => {
    const header = { trafficClass: 0xc0, nextHeader: 112, hopLimit: 255, source: "fe80::11", destination };
    sendPacket6(fd, encodeIpv6(header, Buffer.from(payload, "hex")), destination, eth0(net.a));
  };

  it("RFC 5798 5.1.2: source, group, hop limit and payload arrive as sent, and no copy comes back", async () => {
    const [sender, receiver] = [socket(net.a), socket(net.b)];
    send(sender, "ff02::12", "3133640100640000");
    const packet = await until(() => receivePacket6(receiver));
    expect({ ...packet, payload: Buffer.from(packet.payload).toString("hex") }).toEqual({
      source: "fe80::11",
      destination: "ff02::12",
      hopLimit: 255,
      payload: "3133640100640000",
    });
    expect(receivePacket6(sender)).toBeUndefined();
    closeFd(sender);
    closeFd(receiver);
  });

  it("unicast arrives with its own destination", async () => {
    const [sender, receiver] = [socket(net.a), socket(net.b)];
    await until(() => {
      send(sender, "fe80::12", "aa");
      return receivePacket6(receiver)?.destination === "fe80::12" ? true : undefined;
    });
    closeFd(sender);
    closeFd(receiver);
  });
});

describe("virtual routes and rules", () => {
  const route = (extra: Partial<RouteConfig>): RouteConfig => ({
    family: 4,
    destination: "198.51.100.0/24",
    table: 254,
    type: "unicast",
    onlink: false,
    ...extra,
  });
  const withRoutes = (work: (routes: RtNetlinkRoutes) => void) =>
    inNamespace(net.a, () => {
      const routes = RtNetlinkRoutes.open();
      try {
        work(routes);
      } finally {
        routes.close();
      }
    });

  it.each([
    [
      "via a gateway",
      route({ via: "192.0.2.12", metric: 50 }),
      "198.51.100.0/24 via 192.0.2.12 dev eth0 proto keepalived metric 50",
    ],
    [
      "on a device, another table",
      route({ dev: "eth0", table: 1000 }),
      "198.51.100.0/24 dev eth0 proto keepalived scope link",
    ],
    ["a blackhole", route({ type: "blackhole" }), "blackhole 198.51.100.0/24 proto keepalived"],
    [
      "with a source",
      route({ via: "192.0.2.12", source: "192.0.2.11" }),
      "198.51.100.0/24 via 192.0.2.12 dev eth0 proto keepalived src 192.0.2.11",
    ],
    [
      "IPv6",
      route({ family: 6, destination: "2001:db8:5::/48", via: "fe80::12", dev: "eth0" }),
      "2001:db8:5::/48 via fe80::12 dev eth0 proto keepalived",
    ],
  ])("adds %s as ip-route shows it, twice without harm, and deletes it", (_name, config, shown) => {
    const list = () =>
      ipIn(net.a, config.family === 6 ? "-6" : "-4", "route", "show", "table", String(config.table));
    withRoutes((routes) => {
      routes.addRoute(config, () => eth0(net.a));
      routes.addRoute(config, () => eth0(net.a));
      expect(list()).toContain(shown);
      routes.deleteRoute(config, () => eth0(net.a));
      routes.deleteRoute(config, () => eth0(net.a));
      expect(list()).not.toContain(config.destination);
    });
  });

  it("restores a route and a rule only where they are missing, and says whether they were", () => {
    const config = route({ via: "192.0.2.12", metric: 51 });
    const rule: RuleConfig = { family: 4, priority: 78, from: "192.0.2.0/24", table: 1000 };
    withRoutes((routes) => {
      expect(routes.restoreRoute(config, () => eth0(net.a))).toBe(true);
      expect(routes.restoreRoute(config, () => eth0(net.a))).toBe(false);
      expect(routes.restoreRule(rule)).toBe(true);
      expect(routes.restoreRule(rule)).toBe(false);
      routes.deleteRoute(config, () => eth0(net.a));
      routes.deleteRule(rule);
    });
  });

  it("names the route in an error", () => {
    withRoutes((routes) => {
      expect(() => routes.addRoute(route({ via: "203.0.113.1" }), () => undefined)).toThrow(
        /add the route 198\.51\.100\.0\/24 via 203\.0\.113\.1/,
      );
    });
  });

  it("adds a rule as ip-rule shows it, twice without harm, and deletes it", () => {
    const rule: RuleConfig = { family: 4, priority: 77, from: "192.0.2.0/24", fwmark: 5, table: 1000 };
    withRoutes((routes) => {
      routes.addRule(rule);
      routes.addRule(rule);
      const shown = ipIn(net.a, "rule", "show")
        .split("\n")
        .filter((line) => line.startsWith("77:"));
      expect(shown).toEqual([expect.stringMatching(/from 192\.0\.2\.0\/24 fwmark 0x5 lookup 1000/)]);
      routes.deleteRule(rule);
      routes.deleteRule(rule);
      expect(ipIn(net.a, "rule", "show")).not.toContain("77:");
    });
  });
});

describe("use_vmac", () => {
  it("RFC 5798 7.3: a private macvlan with the virtual MAC, up, without an EUI-64 link-local; gone on delete", () => {
    const mac = Uint8Array.of(0x00, 0x00, 0x5e, 0x00, 0x02, 51);
    inNamespace(net.a, () => {
      createVmac({ name: "vrrp6.51", parent: eth0(net.a), mac, family: 6 });
      // A killed run may have left one: it is replaced, not an error.
      createVmac({ name: "vrrp6.51", parent: eth0(net.a), mac, family: 6 });
    });
    const shown = ipIn(net.a, "-d", "link", "show", "vrrp6.51");
    expect(shown).toContain("00:00:5e:00:02:33");
    expect(shown).toContain("macvlan mode private");
    expect(shown).toContain("UP");
    expect(ipIn(net.a, "-6", "addr", "show", "dev", "vrrp6.51")).not.toContain("fe80::");
    inNamespace(net.a, () => {
      deleteVmac("vrrp6.51");
      deleteVmac("vrrp6.51");
    });
    expect(() => ipIn(net.a, "link", "show", "vrrp6.51")).toThrow();
  });
});

describe("neighbour probes", () => {
  const linkOf = (ns: string) => {
    const [shown] = JSON.parse(ipIn(ns, "-j", "link", "show", "eth0")) as {
      ifindex: number;
      address: string;
    }[];
    return {
      index: shown!.ifindex,
      name: "eth0",
      mac: Buffer.from(shown!.address.replaceAll(":", ""), "hex"),
    };
  };
  const macOf = (ns: string) => linkOf(ns).mac.toString("hex");

  it("ARP: the neighbour's own MAC answers; an address nobody has stays silent", async () => {
    const probe = inNamespace(net.a, () => openArpProbe(linkOf(net.a)));
    probe.ask("192.0.2.12", "192.0.2.11");
    probe.ask("192.0.2.99", "192.0.2.11");
    const answer = await until(() => probe.answers()[0]);
    expect({ ...answer, mac: Buffer.from(answer.mac).toString("hex") }).toEqual({
      address: "192.0.2.12",
      mac: macOf(net.b),
    });
    expect(probe.answers()).toEqual([]);
    probe.close();
  });

  it("RFC 5227: a probe from 0.0.0.0 is answered too", async () => {
    const probe = inNamespace(net.a, () => openArpProbe(linkOf(net.a)));
    probe.ask("192.0.2.12", "0.0.0.0");
    expect((await until(() => probe.answers()[0])).address).toBe("192.0.2.12");
    probe.close();
  });

  it("RFC 4861: a neighbour solicitation is answered with the target's MAC", async () => {
    const probe = inNamespace(net.a, () => openNdProbe(linkOf(net.a)));
    probe.ask("fe80::12", "fe80::11");
    const answer = await until(() => probe.answers()[0]);
    expect({ ...answer, mac: Buffer.from(answer.mac).toString("hex") }).toEqual({
      address: "fe80::12",
      mac: macOf(net.b),
    });
    probe.close();
  });
});
