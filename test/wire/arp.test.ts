import { describe, expect, it } from "vitest";
import {
  ARP_REPLY,
  ARP_REQUEST,
  decodeArp,
  encodeArp,
  encodeGarp,
  formatMac,
  parseMac,
  virtualRouterMac,
} from "../../src/wire/arp.ts";
import { fromHex, hex } from "../../src/wire/hex.ts";
import { GARP } from "../vectors/vrrp.ts";

const MAC = fromHex("00005e000133");

describe("gratuitous ARP", () => {
  it("vector: zero target hardware address (RFC 5227 1.1)", () => {
    expect(hex(encodeGarp({ vip: "192.0.2.100", mac: MAC, targetMac: new Uint8Array(6) }))).toBe(GARP);
  });
  it("by default the target hardware address is broadcast, as keepalived sends it", () => {
    const expected = `${GARP.slice(0, 64)}ffffffffffff${GARP.slice(76)}`;
    expect(hex(encodeGarp({ vip: "192.0.2.100", mac: MAC }))).toBe(expected);
  });
  it("decodes the vector", () => {
    expect(decodeArp(fromHex(GARP))).toEqual({
      frameDestination: new Uint8Array(6).fill(0xff),
      frameSource: MAC,
      operation: ARP_REQUEST,
      senderMac: MAC,
      senderAddress: "192.0.2.100",
      targetMac: new Uint8Array(6),
      targetAddress: "192.0.2.100",
    });
  });
  it("refuses what is not an IPv4 address or a MAC", () => {
    expect(() => encodeGarp({ vip: "fe80::1", mac: MAC })).toThrow(TypeError);
    expect(() => encodeGarp({ vip: "192.0.2.1", mac: new Uint8Array(8) })).toThrow(TypeError);
  });
});

describe("decodeArp", () => {
  const reply = {
    frameDestination: fromHex("020000000001"),
    frameSource: fromHex("020000000002"),
    operation: ARP_REPLY,
    senderMac: fromHex("020000000003"),
    senderAddress: "192.0.2.1",
    targetMac: fromHex("020000000004"),
    targetAddress: "192.0.2.2",
  };
  it("RFC 826: a reply, padded to the Ethernet minimum, keeps every field apart", () => {
    const padded = new Uint8Array(60);
    padded.set(encodeArp(reply));
    expect(decodeArp(padded)).toEqual(reply);
  });
  it("RFC 826: any shorter frame is refused", () => {
    const frame = encodeArp(reply);
    for (let length = 0; length < 42; length++) expect(decodeArp(frame.subarray(0, length))).toBeUndefined();
  });
  it("RFC 826: other EtherTypes, hardware, protocols and address lengths are refused", () => {
    for (const offset of [12, 13, 14, 15, 16, 17, 18, 19]) {
      const frame = encodeArp(reply);
      frame[offset] = (frame[offset] ?? 0) ^ 1;
      expect(decodeArp(frame)).toBeUndefined();
    }
  });
});

describe("MAC text", () => {
  it("both ways", () => {
    expect(formatMac(MAC)).toBe("00:00:5e:00:01:33");
    expect(parseMac("00:00:5E:00:01:33")).toEqual(MAC);
    expect(parseMac("00-00-5e-00-01-33")).toEqual(MAC);
  });
  it("refuses anything else", () => {
    for (const bad of [
      "",
      "00:00:5e:00:01",
      "00:00:5e:00:01:33:00",
      "0:0:5e:0:1:33",
      "00:00-5e:00:01:33",
      "x",
    ]) {
      expect(parseMac(bad)).toBeUndefined();
    }
    expect(() => formatMac(new Uint8Array(5))).toThrow(TypeError);
  });
  it("RFC 5798 7.3: the virtual router's MAC", () => {
    expect(formatMac(virtualRouterMac(51, 4))).toBe("00:00:5e:00:01:33");
    expect(formatMac(virtualRouterMac(51, 6))).toBe("00:00:5e:00:02:33");
  });
});
