/** Reception over IPv6, unicast and UDP: conformance cases 2, 6, 8, 10, 13, 16, 42 and skip_check_adv_addr. */
import { describe, expect, it } from "vitest";
import type { InstanceConfig } from "../../src/config/model.ts";
import { us } from "../../src/units.ts";
import { type Admitted, admit, type DropReason, type Local, type Received } from "../../src/vrrp/admit.ts";
import { encodeIpv4 } from "../../src/wire/ip.ts";
import { encodeVrrp } from "../../src/wire/vrrp.ts";
import { config, HIGHER, LOWER, OWN, packet, VIP, vip } from "./support.ts";

const vip6 = (address: string): InstanceConfig["vips"][number] => ({ ...vip(address), family: 6 });
const V6 = { family: 6, version: 3, vips: [vip6("fe80::100"), vip6("2001:db8::100")] } as const;
const PEERS = {
  peers: [
    { address: HIGHER, minTtl: 0, maxTtl: 255 },
    { address: LOWER, minTtl: 250, maxTtl: 254 },
  ],
  ttl: 255,
  checkSource: true,
} as const;

function judge(received: Received, over: Partial<InstanceConfig>, local: Partial<Local> = {}) {
  const own = config(over);
  const result = admit(received, {
    lookup: (vrid) => (vrid === own.vrid ? { config: own, ownAddress: OWN, ...local } : undefined),
    realTime: us(0),
    sequences: {},
  });
  return result.ok ? result.value : result.error.reason;
}
function advertOf(result: Admitted | DropReason) {
  if (typeof result === "string") throw new Error(`dropped: ${result}`);
  return result.advert;
}

const GROUP6 = { source: "fe80::12", destination: "ff02::12" };
interface Over6 {
  addresses?: readonly string[];
  hopLimit?: number;
  source?: string;
  destination?: string;
  bytes?: Uint8Array;
}
function packet6({ addresses = ["fe80::100", "2001:db8::100"], hopLimit = 255, ...over }: Over6 = {}) {
  const where = { ...GROUP6, ...over };
  const pdu = { version: 3, type: 1, vrid: 51, priority: 100, advertInterval: 100, addresses } as const;
  const bytes = encodeVrrp(pdu, { family: 6, ...GROUP6 });
  return { transport: "raw", family: 6, hopLimit, bytes, ...where } as const;
}
const raw = (bytes: Uint8Array): Received => ({ transport: "raw", family: 4, bytes });

describe("IPv6", () => {
  it("RFC 5798 5.1.2: an advertisement to ff02::12 with hop limit 255 is admitted", () => {
    expect(advertOf(judge(packet6(), V6))).toEqual({
      source: "fe80::12",
      priority: 100,
      interval: 1_000_000,
      checksumKind: "pseudo-header",
      notes: [],
    });
  });
  it("case 2: RFC 5798 5.1.2.3: a hop limit other than 255 is dropped", () => {
    expect([0, 1, 254].map((hopLimit) => judge(packet6({ hopLimit }), V6))).toEqual(Array(3).fill("ttl"));
  });
  it("case 6: RFC 5798 5.2.8: the checksum covers source, destination and message", () => {
    expect(judge(packet6({ source: "fe80::13" }), V6)).toBe("checksum");
    const { bytes } = packet6();
    expect(judge(packet6({ bytes: bytes.with(2, 101) }), V6)).toBe("checksum");
  });
  it("case 6: a checksum over the message only is wrong over IPv6 (RFC 9568 changed it for IPv4 alone)", () => {
    const pdu = { version: 3, type: 1, vrid: 51, priority: 100, advertInterval: 100, addresses: [] } as const;
    const bytes = encodeVrrp(pdu, { family: 4, source: OWN, destination: HIGHER }, "message-only");
    expect(judge(packet6({ bytes }), V6)).toBe("checksum");
  });
  it("case 10: erratum 8300: a first address that is not link-local is accepted and noted", () => {
    const received = packet6({ addresses: ["2001:db8::100", "fe80::100"] });
    expect(advertOf(judge(received, V6)).notes).toEqual(["first-address-not-link-local"]);
    expect(judge(received, { ...V6, strict: true })).toBe("not-link-local");
  });
  it("case 10: fe80::/10 is link-local, its neighbours are not", () => {
    const notes = (address: string) =>
      advertOf(judge(packet6({ addresses: [address] }), { ...V6, vips: [vip6(address)] })).notes;
    expect(["fe80::1", "febf::1"].map(notes)).toEqual([[], []]);
    for (const address of ["fec0::1", "fe7f::1", "::1"])
      expect(notes(address)).toEqual(["first-address-not-link-local"]);
  });
  it("case 8: erratum 8299: no addresses: only that is noted, not a missing link-local one", () => {
    const none = packet6({ addresses: [] });
    expect(advertOf(judge(none, { ...V6, vips: [] })).notes).toEqual(["no-addresses"]);
    expect(judge(none, { ...V6, strict: true })).toBe("no-addresses");
  });
  it("case 3: version 2 does not exist over IPv6 (RFC 3768 1)", () => {
    const { bytes } = packet6();
    expect(judge(packet6({ bytes: bytes.with(0, 0x21) }), V6)).toBe("version");
  });
  it("case 42: an IPv4 and an IPv6 instance of one VRID are apart: neither hears the other's family", () => {
    expect(judge(packet6(), { version: 3 })).toBe("vrid-unknown");
    expect(judge(raw(packet(3)), V6)).toBe("vrid-unknown");
    const both: Record<number, InstanceConfig> = { 4: config({ version: 3 }), 6: config(V6) };
    const context = {
      lookup: (_vrid: number, family: 4 | 6) => ({ config: both[family]! }),
      realTime: us(0),
      sequences: {},
    };
    expect(admit(packet6(), context)).toMatchObject({ ok: true, value: { advert: { notes: [] } } });
    expect(admit(raw(packet(3)), context)).toMatchObject({ ok: true, value: { advert: { notes: [] } } });
  });
});

describe("case 16: unicast and multicast", () => {
  const unicast = { version: 3, unicast: PEERS } as const;
  const to = (destination: string, ip: Partial<{ source: string; ttl: number }> = {}) =>
    raw(packet(3, { ip: { destination, ...ip } }));

  it("keepalived unicast_peer: a packet of a peer to our address is admitted", () => {
    expect(advertOf(judge(to(OWN), unicast)).source).toBe(HIGHER);
  });
  it("keepalived check_unicast_src: a source that is no peer is dropped; accepted when it is off", () => {
    const stranger = to(OWN, { source: "192.0.2.77" });
    expect(judge(stranger, unicast)).toBe("unicast-source");
    expect(advertOf(judge(stranger, { ...unicast, unicast: { ...PEERS, checkSource: false } })).source).toBe(
      "192.0.2.77",
    );
  });
  it("multicast in unicast mode, another of our addresses, and the reverse, are dropped", () => {
    expect(judge(to("224.0.0.18"), unicast)).toBe("not-unicast");
    expect(judge(to(VIP), unicast)).toBe("not-unicast");
    expect(judge(to(OWN), { version: 3 })).toBe("not-multicast");
  });
  it("unicast_src_ip decides which address is ours", () => {
    const own = { ...unicast, sourceAddress: "192.0.2.30" };
    expect(judge(to("192.0.2.30"), own)).toMatchObject({ vrid: 51 });
    expect(judge(to(OWN), own)).toBe("not-unicast");
  });
  it("while our address is not known, any unicast destination is ours, no multicast one", () => {
    expect(judge(to(OWN), unicast, { ownAddress: undefined as never })).toMatchObject({ vrid: 51 });
    expect(judge(to("239.1.2.3"), unicast, { ownAddress: undefined as never })).toBe("not-unicast");
  });
  it("case 2: keepalived min_ttl, max_ttl: each peer has its own bounds, inclusive", () => {
    const ttls = (source: string, ...list: number[]) =>
      list.map((ttl) => judge(to(OWN, { source, ttl }), unicast));
    for (const result of ttls(HIGHER, 1, 64, 255)) expect(result).toMatchObject({ vrid: 51 });
    for (const result of ttls(LOWER, 250, 254)) expect(result).toMatchObject({ vrid: 51 });
    expect(ttls(LOWER, 249, 255, 1)).toEqual(["ttl", "ttl", "ttl"]);
  });
  it("IPv6 peers need not be link-local", () => {
    const peer = { address: "2001:db8::2", minTtl: 0, maxTtl: 255 };
    const over = { ...V6, sourceAddress: "2001:db8::1", unicast: { ...PEERS, peers: [peer] } };
    const where = { source: peer.address, destination: "2001:db8::1" };
    const pdu = {
      version: 3,
      type: 1,
      vrid: 51,
      priority: 9,
      advertInterval: 100,
      addresses: ["fe80::100"],
    } as const;
    const bytes = encodeVrrp(pdu, { family: 6, ...where });
    expect(judge(packet6({ ...where, bytes, hopLimit: 60 }), over)).toMatchObject({
      advert: { priority: 9 },
    });
    expect(judge(packet6(), over)).toBe("not-unicast");
  });
  it("keepalived vrrp_mcast_group4: another group is ours when configured, else not", () => {
    expect(judge(to("224.0.0.118"), { version: 3 })).toBe("not-multicast");
    expect(judge(to("224.0.0.118"), { version: 3, multicastGroup: "224.0.0.118" })).toMatchObject({
      vrid: 51,
    });
    expect(judge(to("224.0.0.18"), { version: 3, multicastGroup: "224.0.0.118" })).toBe("not-multicast");
  });
});

describe("transport", () => {
  it("protocol 112 and UDP are never mixed on one instance", () => {
    const message = packet(3).subarray(20);
    const datagram = {
      transport: "udp",
      family: 4,
      source: HIGHER,
      destination: OWN,
      bytes: message,
    } as const;
    expect(judge(datagram, { version: 3, unicast: PEERS })).toBe("transport");
    const udp = { version: 3, unicast: PEERS, udp: { port: 1985 } } as const;
    expect(judge(raw(packet(3, { ip: { destination: OWN } })), udp)).toBe("transport");
  });
  it("case 7: a packet for nobody that crossed a router is not even that", () => {
    expect(judge(raw(packet(3, { pdu: { vrid: 9 }, ip: { ttl: 64 } })), { version: 3 })).toBe("ttl");
    expect(judge(raw(packet(3, { pdu: { vrid: 9 } })), { version: 3 })).toBe("vrid-unknown");
  });
});

describe("case 13: address lists", () => {
  const two = { version: 3, vips: [vip(VIP), vip("192.0.2.101")] } as const;
  const list = (...addresses: string[]) => raw(packet(3, { pdu: { addresses } }));
  it("nothing in common is told apart from a different list: it is probably another virtual router", () => {
    expect(advertOf(judge(list("10.0.0.1"), two)).notes).toEqual(["foreign-addresses"]);
    expect(advertOf(judge(list(VIP, "10.0.0.1"), two)).notes).toEqual(["vip-list-differs"]);
  });
  it("keepalived skip_check_adv_addr: an unchanged master's list is not looked at again", () => {
    const skip = { ...two, skipCheckAddresses: true };
    const notes = (over: Partial<InstanceConfig>, lastMaster?: string) =>
      advertOf(judge(list(VIP), over, lastMaster === undefined ? {} : { lastMaster })).notes;
    expect(notes(skip, HIGHER)).toEqual([]);
    expect(notes(skip, LOWER)).toEqual(["vip-list-differs"]);
    expect(notes(skip)).toEqual(["vip-list-differs"]);
    expect(notes(two, HIGHER)).toEqual(["vip-list-differs"]);
  });
});

it("a VRRP message in IPv4 whose header says IPv6 addresses cannot exist; other rubbish gives a reason", () => {
  const header = { tos: 0, id: 1, ttl: 255, protocol: 112, source: HIGHER, destination: "224.0.0.18" };
  expect(judge(raw(encodeIpv4(header, new Uint8Array(0))), { version: 3 })).toBe("length");
  expect(judge(packet6({ bytes: new Uint8Array(0) }), V6)).toBe("length");
  expect(judge(packet6({ bytes: new Uint8Array(1) }), V6)).toBe("type");
});
