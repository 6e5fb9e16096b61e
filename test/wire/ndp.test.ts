import { describe, expect, it } from "vitest";
import { addressText } from "../../src/wire/address.ts";
import { fromHex, hex } from "../../src/wire/hex.ts";
import { encodeUnsolicitedNa, solicitedNodeGroup } from "../../src/wire/ndp.ts";
import { UNSOLICITED_NA } from "../vectors/vrrp.ts";

const MAC = fromHex("00005e000233");

describe("unsolicited neighbour advertisement", () => {
  it("vector: from the VIP to ff02::1, Router and Override set", () => {
    expect(hex(encodeUnsolicitedNa({ vip: "2001:db8::100", mac: MAC, router: true }))).toBe(UNSOLICITED_NA);
  });
  it("RFC 4861 4.4: the Router flag is the first bit; the checksum takes it in", () => {
    const message = encodeUnsolicitedNa({ vip: "2001:db8::100", mac: MAC, router: false });
    // 0x8000 less in one word is 0x8000 more in the checksum.
    expect(hex(message)).toBe(UNSOLICITED_NA.replace("880018faa0", "880098fa20"));
  });
  it("RFC 4443 2.3: the checksum takes in the source address", () => {
    const from = (source: string) =>
      hex(encodeUnsolicitedNa({ vip: "2001:db8::100", source, mac: MAC, router: true }).subarray(2, 4));
    expect(from("2001:db8::100")).toBe(UNSOLICITED_NA.slice(4, 8));
    expect(from("2001:db8::101")).toBe("18f9");
  });
  it("refuses what is not an IPv6 address or a MAC", () => {
    expect(() => encodeUnsolicitedNa({ vip: "192.0.2.1", mac: MAC, router: false })).toThrow(TypeError);
    expect(() => encodeUnsolicitedNa({ vip: "fe80::1", mac: new Uint8Array(5), router: false })).toThrow(
      TypeError,
    );
  });
  it("RFC 4291 2.7.1: solicited-node group of the example address", () => {
    expect(addressText(solicitedNodeGroup("4037::01:800:200e:8c6c"))).toBe("ff02::1:ff0e:8c6c");
  });
});
