/** What is sent over IPv6, unicast and other groups: conformance cases 17, 20, 21 and v3_checksum_as_v2. */
import { describe, expect, it } from "vitest";
import type { InstanceConfig } from "../../src/config/model.ts";
import { us } from "../../src/units.ts";
import { admit } from "../../src/vrrp/admit.ts";
import { buildAdverts, sentChecksum } from "../../src/vrrp/advert.ts";
import { fromHex, hex } from "../../src/wire/hex.ts";
import { decodeIpv4 } from "../../src/wire/ip.ts";
import { VRRP_VECTORS } from "../vectors/vrrp.ts";
import { config, HIGHER, LOWER, OWN, vip } from "./support.ts";

const vip6 = (address: string): InstanceConfig["vips"][number] => ({ ...vip(address), family: 6 });
const V6 = { family: 6, version: 3, vips: [vip6("fe80::100"), vip6("2001:db8::100")] } as const;
const sent = (over: Partial<InstanceConfig>, source = OWN, priority = 100) =>
  buildAdverts(config(over), { priority, source });
const vector = (name: string) => VRRP_VECTORS.find((entry) => entry.name.startsWith(name))!;

describe("IPv6", () => {
  it("case 17: RFC 5798 5.1.2: a whole packet: next header 112, hop limit 255, to ff02::12", () => {
    const [out] = sent(V6, "fe80::11");
    expect(out).toMatchObject({ destination: "ff02::12", ttl: 255 });
    const header = "6c000000" + "0028" + "70" + "ff";
    const addresses = "fe800000000000000000000000000011" + "ff020000000000000000000000000012";
    expect(hex(out!.bytes)).toBe(header + addresses + vector("v3/IPv6, two").hex);
  });
  it("case 20: priority 0 is the known vector", () => {
    const [out] = sent(V6, "fe80::11", 0);
    expect(hex(out!.bytes.subarray(40))).toBe(vector("v3/IPv6, priority 0").hex);
  });
  it("case 21: RFC 5798 5.2.9: the link-local address comes first, wherever it is configured", () => {
    const [out] = sent({ ...V6, vips: [vip6("2001:db8::100"), vip6("fe80::100")] }, "fe80::11");
    expect(hex(out!.bytes.subarray(40))).toBe(vector("v3/IPv6, two").hex);
  });
  it("case 21: without a link-local VIP the list is sent as it is, as keepalived does", () => {
    const [out] = sent({ ...V6, vips: [vip6("2001:db8::2"), vip6("2001:db8::1")] }, "fe80::11");
    expect(hex(out!.bytes.subarray(48)).slice(-1)).toBe("1");
  });
  it("a router of the same configuration accepts it, without a note", () => {
    const [out] = sent(V6, "fe80::11");
    const bytes = out!.bytes.subarray(40);
    const where = { source: "fe80::11", destination: "ff02::12", hopLimit: 255 };
    const context = { lookup: () => ({ config: config(V6) }), realTime: us(0), sequences: {} };
    expect(admit({ transport: "raw", family: 6, bytes, ...where }, context)).toMatchObject({
      ok: true,
      value: { advert: { notes: [], priority: 100 } },
    });
  });
});

describe("unicast and groups", () => {
  const peers = [HIGHER, LOWER].map((address) => ({ address, minTtl: 0, maxTtl: 255 }));
  it("keepalived unicast_peer: one packet to each peer with unicast_ttl, each with its own checksum", () => {
    const out = sent({ version: 3, unicast: { peers, ttl: 3, checkSource: true } });
    expect(out.map(({ destination }) => destination)).toEqual([HIGHER, LOWER]);
    for (const { bytes, destination } of out) {
      const ip = decodeIpv4(bytes);
      expect(ip).toMatchObject({ ok: true, value: { ttl: 3, destination, source: OWN, protocol: 112 } });
      const receiver = config({
        version: 3,
        unicast: { peers: [{ address: OWN, minTtl: 3, maxTtl: 3 }], ttl: 255, checkSource: true },
      });
      const context = {
        lookup: () => ({ config: receiver, ownAddress: destination }),
        realTime: us(0),
        sequences: {},
      };
      expect(admit({ transport: "raw", family: 4, bytes }, context).ok).toBe(true);
    }
  });
  it("keepalived vrrp_mcast_group4: another group", () => {
    const [out] = sent({ multicastGroup: "224.0.0.118" });
    expect(out!.destination).toBe("224.0.0.118");
    expect(decodeIpv4(out!.bytes)).toMatchObject({ value: { destination: "224.0.0.118", ttl: 255 } });
  });
});

describe("checksum", () => {
  it("keepalived v3_checksum_as_v2: over the message only; version 2 and IPv6 know one kind each", () => {
    const [out] = sent({ version: 3, checksumMessageOnly: true });
    expect(hex(out!.bytes.subarray(20))).toBe(vector("v3/IPv4 message only").hex);
    const kinds = [
      config({ version: 3 }),
      config({ version: 3, checksumMessageOnly: true }),
      config({ version: 2 }),
      config({ ...V6, checksumMessageOnly: true }),
    ].map(sentChecksum);
    expect(kinds).toEqual(["pseudo-header", "message-only", "message-only", "pseudo-header"]);
    const [six] = sent({ ...V6, checksumMessageOnly: true }, "fe80::11");
    expect(six!.bytes.subarray(40)).toEqual(fromHex(vector("v3/IPv6, two").hex));
  });
});
