import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { putU16, putU32 } from "../../src/net/bytes.ts";
import { SystemError } from "../../src/net/errors.ts";
import { libc } from "../../src/net/libc.ts";
import { type LinkEvent, LinkMonitor } from "../../src/net/link-monitor.ts";
import { encodeMessage } from "../../src/net/netlink-request.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../src/net/netlink-socket.ts";
import {
  type AddressInfo,
  type AddressRequest,
  RtNetlink,
  VIPWARD_IFA_PROTO,
} from "../../src/net/rtnetlink.ts";
import { addressDumpRequest, RTM_GETADDR, RTM_NEWADDR } from "../../src/net/rtnetlink-codec.ts";
import { seconds } from "../../src/units.ts";
import { inNamespace, ip, ipIn, pair, until } from "../support/namespace.ts";

let net: ReturnType<typeof pair>;
let rt: RtNetlink;
let index: number;
const closing: (() => void)[] = [];

beforeAll(() => {
  net = pair("rtnl");
  rt = inNamespace(net.a, () => RtNetlink.open());
  index = rt.links().find((link) => link.name === "eth0")?.index ?? 0;
});
afterEach(() => {
  for (const close of closing.splice(0)) close();
  for (const entry of rt.addresses())
    if (entry.protocol === VIPWARD_IFA_PROTO) rt.deleteAddress({ ...vip(), ...key(entry) });
});
afterAll(() => {
  rt.close();
  net.remove();
});

const vip = (change: Partial<AddressRequest> = {}): AddressRequest => ({
  index,
  family: 4,
  address: "192.0.2.100",
  prefixLength: 24,
  protocol: VIPWARD_IFA_PROTO,
  ...change,
});
const key = ({ index, family, address, prefixLength }: AddressInfo) => ({
  index,
  family,
  address,
  prefixLength,
});
const find = (address: string) => rt.addresses().find((entry) => entry.address === address);
const codeOf = (work: () => void): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
  return "";
};

function monitor(receiveBuffer?: number) {
  const events: LinkEvent[] = [];
  const it = inNamespace(
    net.a,
    () =>
      new LinkMonitor({
        onChange: (event) => events.push(event),
        ...(receiveBuffer === undefined ? {} : { receiveBuffer }),
      }),
  );
  closing.push(() => it.close());
  /** The first event that fits, past or to come. */
  const event = (test: (event: LinkEvent) => boolean) =>
    until(() => {
      it.drain();
      return events.find(test);
    });
  return { events, event, drain: () => it.drain() };
}

describe("RtNetlink", () => {
  it("lists the links as ip(8) does", () => {
    const expected = JSON.parse(ip("-n", net.a, "-j", "-d", "link", "show")) as {
      ifindex: number;
      ifname: string;
      address: string;
      mtu: number;
      linkinfo?: { info_kind?: string };
    }[];
    const mac = (bytes: Uint8Array) =>
      Buffer.from(bytes)
        .toString("hex")
        .replace(/..(?=.)/g, "$&:");
    expect(rt.links().map((l) => [l.index, l.name, mac(l.mac), l.mtu, l.kind])).toEqual(
      expected.map((l) => [l.ifindex, l.ifname, l.address, l.mtu, l.linkinfo?.info_kind]),
    );
    expect(rt.links().find((l) => l.name === "eth0")).toMatchObject({
      up: true,
      running: true,
      kind: "veth",
    });
  });

  it("adds a leased VIP, marked as ours, and deletes it", () => {
    rt.addAddress(vip({ validLifetime: seconds(30), label: "eth0:vip" }));
    expect(find("192.0.2.100")).toMatchObject({
      index,
      prefixLength: 24,
      label: "eth0:vip",
      secondary: true,
      protocol: VIPWARD_IFA_PROTO,
    });
    expect(find("192.0.2.100")?.validLifetime).toBeGreaterThan(28);
    expect(find("192.0.2.11")).toMatchObject({ secondary: false, validLifetime: undefined });
    rt.deleteAddress(vip());
    expect(find("192.0.2.100")).toBeUndefined();
  });

  it("adding twice is EEXIST; with replace it renews the lease", () => {
    rt.addAddress(vip({ validLifetime: seconds(5) }));
    expect(codeOf(() => rt.addAddress(vip({ validLifetime: seconds(60) })))).toBe("EEXIST");
    expect(find("192.0.2.100")?.validLifetime).toBeLessThanOrEqual(5);
    rt.renewAddress(vip({ validLifetime: seconds(60) }));
    expect(find("192.0.2.100")?.validLifetime).toBeGreaterThan(50);
    expect(rt.addresses().filter((entry) => entry.address === "192.0.2.100")).toHaveLength(1);
  });

  it("IPv6: a leased VIP is usable at once (nodad) and its renewal keeps its flags", () => {
    const six = vip({ family: 6, address: "2001:db8::100", prefixLength: 128, validLifetime: seconds(5) });
    rt.addAddress(six);
    rt.renewAddress({ ...six, validLifetime: seconds(60) });
    const found = find("2001:db8::100");
    expect(found).toMatchObject({ family: 6, protocol: VIPWARD_IFA_PROTO });
    // IFA_F_NODAD and IFA_F_NOPREFIXROUTE set, IFA_F_TENTATIVE not.
    expect((found?.flags ?? 0) & 0x242).toBe(0x202);
    expect(found?.validLifetime).toBeGreaterThan(50);
    rt.deleteAddress(six);
    expect(find("2001:db8::100")).toBeUndefined();
  });

  it("a lease that nobody renews expires in the kernel; one that is renewed stays", async () => {
    const { event } = monitor();
    rt.addAddress(vip({ validLifetime: seconds(1) }));
    rt.addAddress(vip({ address: "192.0.2.101", validLifetime: seconds(1) }));
    rt.renewAddress(vip({ address: "192.0.2.101", validLifetime: seconds(60) }));
    await event((e) => e.kind === "address-removed" && e.address.address === "192.0.2.100");
    expect(find("192.0.2.100")).toBeUndefined();
    expect(find("192.0.2.101")).toBeDefined();
  });

  it("renews many on a pool thread, and says which one failed and why", async () => {
    const many = Array.from({ length: 20 }, (_, i) =>
      vip({ address: `192.0.2.${150 + i}`, validLifetime: seconds(5) }),
    );
    for (const request of many) rt.addAddress(request);
    const results = await rt.renewAddresses([
      ...many.map((request) => ({ ...request, validLifetime: seconds(60) })),
      vip({ index: 9999, validLifetime: seconds(60) }),
    ]);
    expect(results.slice(0, 20)).toEqual(new Array(20).fill(undefined));
    expect(results[20]).toMatchObject({ code: "ENODEV" });
    for (const request of many) expect(find(request.address)?.validLifetime).toBeGreaterThan(50);
  });

  it("refusals keep errno and the kernel's text", () => {
    expect(codeOf(() => rt.deleteAddress(vip()))).toBe("EADDRNOTAVAIL");
    expect(codeOf(() => rt.addAddress(vip({ index: 9999 })))).toBe("ENODEV");
    let thrown: unknown;
    try {
      rt.addAddress(vip({ family: 6, address: "::1", prefixLength: 128, index: 9999 }));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ name: "SystemError", syscall: "netlink" });
    expect((thrown as SystemError).message).toMatch(/^cannot add ::1\/128 on interface 9999: netlink: E/);
  });
});

describe("LinkMonitor", () => {
  it("reports an added and a removed address with its owner mark", async () => {
    const { event } = monitor();
    rt.addAddress(vip());
    const added = await event((e) => e.kind === "address-added" && e.address.address === "192.0.2.100");
    expect(added).toMatchObject({ address: { index, protocol: VIPWARD_IFA_PROTO } });
    ipIn(net.a, "addr", "del", "192.0.2.100/24", "dev", "eth0");
    await event((e) => e.kind === "address-removed" && e.address.address === "192.0.2.100");
  });

  it("reports loss of carrier (the other end goes down), then its return", async () => {
    const { event, events } = monitor();
    ipIn(net.b, "link", "set", "eth0", "down");
    await event((e) => e.kind === "link" && e.link.index === index && e.link.up && !e.link.running);
    events.length = 0;
    ipIn(net.b, "link", "set", "eth0", "up");
    await event((e) => e.kind === "link" && e.link.index === index && e.link.running);
  });

  it("reports an administrative down, and a removed link by name", async () => {
    const { event } = monitor();
    ipIn(net.a, "link", "add", "eth1.5", "type", "bridge");
    ipIn(net.a, "link", "set", "eth1.5", "up");
    await event((e) => e.kind === "link" && e.link.name === "eth1.5" && e.link.up);
    ipIn(net.a, "link", "set", "eth1.5", "down");
    await event((e) => e.kind === "link" && e.link.name === "eth1.5" && !e.link.up);
    ipIn(net.a, "link", "del", "eth1.5");
    await event((e) => e.kind === "link-removed" && e.name === "eth1.5");
  });

  it("a port leaving a bridge is not a removed link", async () => {
    const { event, events } = monitor();
    ipIn(net.a, "link", "add", "br5", "type", "bridge");
    ipIn(net.a, "link", "add", "port5", "type", "veth", "peer", "name", "port6");
    ipIn(net.a, "link", "set", "port5", "master", "br5");
    ipIn(net.a, "link", "set", "port5", "nomaster");
    ipIn(net.a, "link", "del", "br5");
    await event((e) => e.kind === "link-removed" && e.name === "br5");
    expect(events).not.toContainEqual(expect.objectContaining({ kind: "link-removed", name: "port5" }));
    ipIn(net.a, "link", "del", "port5");
  });

  it("ENOBUFS: lost events are one overflow event, nothing stale after it, and it goes on working", async () => {
    const { events, event, drain } = monitor(2048);
    for (let round = 0; round < 200; round++) {
      rt.addAddress(vip());
      rt.deleteAddress(vip());
    }
    drain();
    expect(events).toEqual([{ kind: "overflow" }]);
    rt.addAddress(vip({ address: "192.0.2.102" }));
    await event((e) => e.kind === "address-added" && e.address.address === "192.0.2.102");
  });
});

describe("NetlinkSocket", () => {
  const open = (receiveBuffer?: number) => {
    const socket = inNamespace(net.a, () =>
      NetlinkSocket.open(NETLINK_ROUTE, receiveBuffer === undefined ? {} : { receiveBuffer }),
    );
    closing.push(() => socket.close());
    return socket;
  };
  const dump = encodeMessage(RTM_GETADDR, 0x301, 1, addressDumpRequest);

  it("unread answers beyond a tiny buffer throw ENOBUFS, not more; the socket works afterwards", () => {
    const socket = open(1024);
    expect(
      codeOf(() => {
        for (let i = 0; i < 300; i++) {
          try {
            socket.send(encodeMessage(0x7fff, 0x5, i + 1, Buffer.alloc(0)));
          } catch {
            // A full queue may already refuse the request.
          }
        }
        while (socket.tryReceive() !== undefined);
      }),
    ).toBe("ENOBUFS");
    socket.drain();
    socket.send(dump);
    expect(socket.receive(2_000)?.length).toBeGreaterThan(16);
  });

  it("receive() gives undefined when nothing comes", () => {
    expect(open().receive(5)).toBeUndefined();
  });

  it("a message from another process is not taken for the kernel's", () => {
    const [victim, attacker] = [open(), open()];
    // struct sockaddr_nl: AF_NETLINK, padding, port, groups.
    const to = Buffer.alloc(12);
    putU16(to, 0, 16);
    putU32(to, 4, victim.portId);
    const forged = encodeMessage(2, 0, 1, Buffer.alloc(20));
    expect(libc().sendto(attacker.fd, forged, forged.length, 0, to, to.length)).toBe(forged.length);
    victim.send(dump);
    // The forged one is first in the queue; the first one seen is the kernel's.
    expect(victim.receive(2_000)?.readUInt16LE(4)).toBe(RTM_NEWADDR);
  });
});
