import { describe, expect, it } from "vitest";
import { fromHex, hex } from "../../src/wire/hex.ts";
import { decodeIpv4, encodeIpv4 } from "../../src/wire/ip.ts";
import type { AddressContext, VrrpPdu } from "../../src/wire/types.ts";
import {
  decodeVrrp,
  encodeVrrp,
  equalBytes,
  passData,
  VRRP_PROTOCOL,
  VRRP_TOS,
  VRRP_TTL,
} from "../../src/wire/vrrp.ts";
import { HMAC_MESSAGE, HMAC_TRAILER, V4, V6, VRRP_VECTORS } from "../vectors/vrrp.ts";

const PASS = fromHex("21336401010149e7c00002647365637265743132");
const V3 = fromHex("3133640100640568c0000264");
const pdu3: VrrpPdu = {
  version: 3,
  type: 1,
  vrid: 51,
  priority: 100,
  advertInterval: 100,
  addresses: ["192.0.2.100"],
};
const concat = (...parts: Uint8Array[]) => fromHex(parts.map(hex).join(""));
const errorOf = (bytes: Uint8Array, ctx: AddressContext = V4) => {
  const result = decodeVrrp(bytes, ctx);
  return result.ok ? "decoded" : result.error;
};

describe("VRRP vectors", () => {
  for (const vector of VRRP_VECTORS) {
    it(`encodes: ${vector.name}`, () => {
      expect(hex(encodeVrrp(vector.pdu, vector.ctx, vector.checksum))).toBe(vector.hex);
    });
    it(`decodes: ${vector.name}`, () => {
      expect(decodeVrrp(fromHex(vector.hex), vector.ctx)).toEqual({
        ok: true,
        value: { pdu: vector.pdu, checksumKind: vector.checksum, trailer: new Uint8Array(0) },
      });
    });
    const ipHeader = vector.ipHeader;
    if (!ipHeader) continue;
    it(`IP packet both ways: ${vector.name}`, () => {
      const packet = fromHex(ipHeader + vector.hex);
      const header = {
        tos: VRRP_TOS,
        id: 1,
        ttl: VRRP_TTL,
        protocol: VRRP_PROTOCOL,
        source: vector.ctx.source,
        destination: vector.ctx.destination,
      };
      expect(hex(encodeIpv4(header, fromHex(vector.hex)))).toBe(hex(packet));
      const decoded = decodeIpv4(packet);
      expect(decoded).toMatchObject({ ok: true, value: { ...header, fragment: false, headerLength: 20 } });
      expect(decoded.ok && hex(decoded.value.payload)).toBe(vector.hex);
    });
  }

  it("auth_hmac captured from keepalived 2.4.3: the 28-byte trailer is outside the checksum", () => {
    const result = decodeVrrp(fromHex(HMAC_MESSAGE + HMAC_TRAILER), V4);
    expect(result).toMatchObject({ ok: true, value: { pdu: pdu3, checksumKind: "pseudo-header" } });
    expect(result.ok && hex(result.value.trailer)).toBe(HMAC_TRAILER);
    expect(result.ok && result.value.trailer.length).toBe(28);
  });
});

describe("VRRP defaults when encoding", () => {
  it("RFC 5798 5.2.8: v3 over IPv4 takes the pseudo-header unless told otherwise", () => {
    expect(hex(encodeVrrp(pdu3, V4))).toBe("3133640100640568c0000264");
    expect(hex(encodeVrrp(pdu3, V4, "message-only"))).toBe("313364010064a802c0000264");
  });
  it("RFC 3768 5.3.8: v2 never has a pseudo-header, v3 over IPv6 always", () => {
    const v2: VrrpPdu = {
      ...pdu3,
      version: 2,
      advertInterval: 1,
      authType: 1,
      authData: passData("secret12"),
    };
    expect(encodeVrrp(v2, V4, "pseudo-header")).toEqual(PASS);
    const v6: VrrpPdu = { ...pdu3, addresses: ["fe80::100"] };
    expect(encodeVrrp(v6, V6, "message-only")).toEqual(encodeVrrp(v6, V6));
  });
  it("RFC 2338 5.3.10: v2 without authentication data sends 8 zero bytes", () => {
    expect(hex(encodeVrrp({ ...pdu3, version: 2, advertInterval: 1 }, V4))).toBe(
      "213364010001b865c00002640000000000000000",
    );
  });
});

describe("VRRP length (conformance case 5)", () => {
  it("RFC 5798 7.1: fewer than 8 bytes is too short", () => {
    for (let length = 0; length < 8; length++) expect(errorOf(V3.subarray(0, length))).toBe("too-short");
  });
  it("RFC 3768 7.1: v2 is exactly 8 + 4n + 8 bytes", () => {
    for (let length = 8; length < PASS.length; length++) {
      expect(errorOf(PASS.subarray(0, length))).toBe("bad-length");
    }
    expect(errorOf(concat(PASS, new Uint8Array(1)))).toBe("bad-length");
    expect(errorOf(concat(PASS, new Uint8Array(28)))).toBe("bad-length");
  });
  it("RFC 5798 7.1: v3 needs 8 + 4n bytes, over IPv6 8 + 16n", () => {
    for (let length = 8; length < V3.length; length++) {
      expect(errorOf(V3.subarray(0, length))).toBe("bad-length");
    }
    const v6 = encodeVrrp({ ...pdu3, addresses: ["fe80::100", "2001:db8::100"] }, V6);
    for (let length = 8; length < v6.length; length++) {
      expect(errorOf(v6.subarray(0, length), V6)).toBe("bad-length");
    }
  });
  it("v3: trailing bytes are returned, whatever they are, for admission to judge", () => {
    for (const extra of [1, 2, 27, 28, 29]) {
      const result = decodeVrrp(concat(V3, new Uint8Array(extra).fill(0xa5)), V4);
      expect(result.ok && result.value.trailer).toEqual(new Uint8Array(extra).fill(0xa5));
    }
  });
  it("erratum 8299: a count of 0 decodes to no addresses", () => {
    const v2 = encodeVrrp({ ...pdu3, version: 2, advertInterval: 1, addresses: [] }, V4);
    expect(v2.length).toBe(16);
    expect(decodeVrrp(v2, V4)).toMatchObject({ ok: true, value: { pdu: { addresses: [] } } });
    const v3 = encodeVrrp({ ...pdu3, addresses: [] }, V4);
    expect(v3.length).toBe(8);
    expect(decodeVrrp(v3, V4)).toMatchObject({ ok: true, value: { pdu: { addresses: [] } } });
  });
  it("255 addresses, the most a count can say, go both ways", () => {
    const addresses = Array.from({ length: 255 }, (_, i) => `10.0.0.${i}`);
    const result = decodeVrrp(encodeVrrp({ ...pdu3, addresses }, V4), V4);
    expect(result.ok && result.value.pdu.addresses).toEqual(addresses);
  });
});

describe("VRRP checksum (conformance case 6)", () => {
  it("any single flipped bit of a v2 or v3 message is noticed", () => {
    for (const original of [PASS, V3]) {
      for (let bit = 0; bit < original.length * 8; bit++) {
        const bytes = original.slice();
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(errorOf(bytes)).not.toBe("decoded");
      }
    }
  });
  it("RFC 5798 5.2.8: the pseudo-header binds the message to source and destination", () => {
    expect(errorOf(V3, { ...V4, source: "192.0.2.12" })).toBe("bad-checksum");
    expect(errorOf(V3, { ...V4, destination: "192.0.2.12" })).toBe("bad-checksum");
  });
  it("RFC 9568 5.2.8: the message-only kind does not depend on the addresses and is named", () => {
    const bytes = fromHex("313364010064a802c0000264");
    const result = decodeVrrp(bytes, { ...V4, source: "198.51.100.7" });
    expect(result.ok && result.value.checksumKind).toBe("message-only");
  });
  it("RFC 5798 5.2.8: over IPv6 a message-only checksum is wrong", () => {
    const bytes = encodeVrrp({ ...pdu3, addresses: ["fe80::100"] }, V6);
    bytes.set([0, 0], 6);
    let sum = 0;
    for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
    while (sum > 0xffff) sum = (sum >> 16) + (sum & 0xffff);
    bytes.set([(~sum >> 8) & 0xff, ~sum & 0xff], 6);
    expect(errorOf(bytes, V6)).toBe("bad-checksum");
  });
  it("RFC 3768 5.3.8: v2 with a pseudo-header checksum is wrong", () => {
    const v3Checksum = fromHex("2133640101010000c00002647365637265743132");
    // The v2 vector's checksum less the folded pseudo-header of its addresses.
    v3Checksum.set(fromHex("a744"), 6);
    expect(errorOf(v3Checksum)).toBe("bad-checksum");
  });
});

describe("VRRP fields at decode level", () => {
  it("RFC 5798 5.2.1: versions other than 2 and 3 are refused, before length and checksum", () => {
    for (let version = 0; version < 16; version++) {
      if (version === 2 || version === 3) continue;
      const bytes = V3.slice();
      bytes[0] = (version << 4) | 1;
      expect(errorOf(bytes)).toBe("bad-version");
      expect(errorOf(bytes.subarray(0, 8))).toBe("bad-version");
    }
  });
  it("RFC 3768 5.3.1: there is no v2 over IPv6", () => {
    expect(errorOf(PASS, V6)).toBe("bad-version");
    expect(() => encodeVrrp({ ...pdu3, version: 2, addresses: [] }, V6)).toThrow(/IPv4 only/);
  });
  it("RFC 5798 5.2.2: the type is passed on, not judged", () => {
    const result = decodeVrrp(encodeVrrp({ ...pdu3, type: 7 }, V4), V4);
    expect(result.ok && result.value.pdu.type).toBe(7);
  });
  it("erratum 8301 (case 9): a v3 interval of 0 decodes as 0", () => {
    const result = decodeVrrp(encodeVrrp({ ...pdu3, advertInterval: 0 }, V4), V4);
    expect(result.ok && result.value.pdu.advertInterval).toBe(0);
  });
  it("RFC 5798 5.2.6 (case 15): the reserved nibble is ignored, but the checksum covers it", () => {
    for (let nibble = 1; nibble < 16; nibble++) {
      const bytes = V3.slice();
      bytes[4] = (nibble << 4) | (bytes[4] ?? 0);
      expect(errorOf(bytes)).toBe("bad-checksum");
      // One's complement: what is added to one word is taken from the checksum.
      let checksum = 0x0568 - (nibble << 12);
      if (checksum < 0) checksum += 0xffff;
      bytes.set([checksum >> 8, checksum & 0xff], 6);
      const result = decodeVrrp(bytes, V4);
      expect(result.ok && result.value.pdu.advertInterval).toBe(100);
    }
  });
  it("RFC 5798 5.2.7 (case 24): 4095 cs can be sent, 4096 is refused", () => {
    const result = decodeVrrp(encodeVrrp({ ...pdu3, advertInterval: 4095 }, V4), V4);
    expect(result.ok && result.value.pdu.advertInterval).toBe(4095);
    expect(() => encodeVrrp({ ...pdu3, advertInterval: 4096 }, V4)).toThrow(RangeError);
  });
  it("refuses to encode what does not fit a field", () => {
    const v2: VrrpPdu = { ...pdu3, version: 2, advertInterval: 1 };
    expect(() => encodeVrrp({ ...v2, advertInterval: 256 }, V4)).toThrow(RangeError);
    expect(() => encodeVrrp({ ...v2, authData: new Uint8Array(7) }, V4)).toThrow(RangeError);
    expect(() => encodeVrrp({ ...pdu3, vrid: 256 }, V4)).toThrow(RangeError);
    expect(() => encodeVrrp({ ...pdu3, priority: -1 }, V4)).toThrow(RangeError);
    expect(() => encodeVrrp({ ...pdu3, type: 16 }, V4)).toThrow(RangeError);
    expect(() => encodeVrrp({ ...pdu3, addresses: ["fe80::1"] }, V4)).toThrow(TypeError);
    const many = Array.from({ length: 256 }, () => "192.0.2.1");
    expect(() => encodeVrrp({ ...pdu3, addresses: many }, V4)).toThrow(RangeError);
  });
  it("a decoded value does not change when the receive buffer is used again", () => {
    const buffer = concat(PASS);
    const result = decodeVrrp(buffer, V4);
    buffer.fill(0);
    expect(result.ok && result.value.pdu.authData).toEqual(passData("secret12"));
  });
});

describe("authentication helpers", () => {
  it("RFC 2338 5.3.10: the first 8 bytes of the password, zero padded", () => {
    expect(hex(passData("1111"))).toBe("3131313100000000");
    expect(hex(passData("secret12"))).toBe("7365637265743132");
    expect(hex(passData("secret123456"))).toBe("7365637265743132");
    expect(hex(passData(""))).toBe("0000000000000000");
    expect(hex(passData("pässword"))).toBe("70c3a47373776f72");
  });
  it("equalBytes compares all bytes and lengths", () => {
    expect(equalBytes(passData("a"), passData("a"))).toBe(true);
    expect(equalBytes(passData("a"), passData("b"))).toBe(false);
    expect(equalBytes(fromHex("00000000000000ff"), new Uint8Array(8))).toBe(false);
    expect(equalBytes(new Uint8Array(7), new Uint8Array(8))).toBe(false);
    expect(equalBytes(new Uint8Array(0), new Uint8Array(0))).toBe(true);
  });
});
