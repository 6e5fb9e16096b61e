import { describe, expect, it } from "vitest";
import { internetChecksum } from "../../src/wire/checksum.ts";
import { fromHex, hex } from "../../src/wire/hex.ts";
import {
  addressBytes,
  addressText,
  compareAddresses,
  decodeIpv4,
  encodeIpv4,
  formatIpv6,
  parseIpv4,
  parseIpv6,
} from "../../src/wire/ip.ts";

const HEADER = {
  tos: 0xc0,
  id: 1,
  ttl: 255,
  protocol: 112,
  source: "192.0.2.11",
  destination: "224.0.0.18",
};
const PAYLOAD = fromHex("3133640100640568c0000264");
const errorOf = (bytes: Uint8Array) => {
  const result = decodeIpv4(bytes);
  return result.ok ? "decoded" : result.error;
};
/** The packet with `words` words of no-operation options put in after the fixed header. */
const withOptions = (words: number): Uint8Array => {
  const plain = encodeIpv4(HEADER, PAYLOAD);
  const packet = new Uint8Array(plain.length + 4 * words);
  packet.set(plain.subarray(0, 20));
  packet.fill(1, 20, 20 + 4 * words);
  packet.set(PAYLOAD, 20 + 4 * words);
  packet[0] = 0x40 | (5 + words);
  packet[3] = packet.length;
  return packet;
};

describe("internetChecksum", () => {
  it("RFC 1071 3: the worked example", () => {
    expect(internetChecksum(fromHex("0001f203f4f5f6f7"))).toBe(~0xddf2 & 0xffff);
  });
  it("RFC 1071 2: chunks count as one run of bytes, wherever they are cut", () => {
    const bytes = fromHex("0001f203f4f5f6f7ab");
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(internetChecksum(bytes.subarray(0, cut), bytes.subarray(cut))).toBe(internetChecksum(bytes));
    }
  });
  it("RFC 1071 4.1: an odd last byte is padded with zero", () => {
    expect(internetChecksum(fromHex("ab"))).toBe(internetChecksum(fromHex("ab00")));
  });
  it("carries of a full-length packet are folded", () => {
    expect(internetChecksum(new Uint8Array(65536).fill(0xff))).toBe(0);
    expect(internetChecksum()).toBe(0xffff);
  });
});

describe("IPv4 packets (conformance case 1)", () => {
  it("RFC 791 3.1: the header checksum verifies, DF and fragment fields are clear", () => {
    const packet = encodeIpv4(HEADER, PAYLOAD);
    expect(internetChecksum(packet.subarray(0, 20))).toBe(0);
    expect(hex(packet.subarray(6, 8))).toBe("0000");
  });
  it("RFC 791 3.1: IHL 5 to 15 is honoured", () => {
    for (let words = 0; words <= 10; words++) {
      const result = decodeIpv4(withOptions(words));
      expect(result.ok && result.value.headerLength).toBe(20 + 4 * words);
      expect(result.ok && result.value.payload).toEqual(PAYLOAD);
    }
  });
  it("RFC 791 3.1: IHL below 5 or beyond the packet is refused", () => {
    for (let ihl = 0; ihl < 5; ihl++) {
      const packet = encodeIpv4(HEADER, PAYLOAD);
      packet[0] = 0x40 | ihl;
      expect(errorOf(packet)).toBe("bad-header-length");
    }
    const packet = encodeIpv4(HEADER, new Uint8Array(0));
    packet[0] = 0x46;
    expect(errorOf(packet)).toBe("bad-header-length");
  });
  it("RFC 894: Ethernet padding beyond the total length is cut off", () => {
    const padded = new Uint8Array(46);
    padded.set(encodeIpv4(HEADER, PAYLOAD));
    const result = decodeIpv4(padded);
    expect(result.ok && result.value.totalLength).toBe(32);
    expect(result.ok && result.value.payload).toEqual(PAYLOAD);
  });
  it("RFC 791 3.1: a total length beyond the packet or inside the header is refused", () => {
    const packet = encodeIpv4(HEADER, PAYLOAD);
    expect(errorOf(packet.subarray(0, 31))).toBe("bad-total-length");
    packet[3] = 19;
    expect(errorOf(packet)).toBe("bad-total-length");
    const options = withOptions(1);
    options[3] = 20;
    expect(errorOf(options)).toBe("bad-total-length");
  });
  it("too short, then version, are judged first", () => {
    expect(errorOf(new Uint8Array(19))).toBe("too-short");
    expect(errorOf(new Uint8Array(0))).toBe("too-short");
    expect(errorOf(new Uint8Array(20).fill(0x60))).toBe("bad-version");
  });
  it("RFC 791 3.1: MF or a fragment offset makes a fragment, DF does not", () => {
    const fragment = (flags: number) => {
      const packet = encodeIpv4(HEADER, PAYLOAD);
      packet.set([flags >> 8, flags & 0xff], 6);
      const result = decodeIpv4(packet);
      return result.ok && result.value.fragment;
    };
    expect(fragment(0x2000)).toBe(true);
    expect(fragment(0x0001)).toBe(true);
    expect(fragment(0x1fff)).toBe(true);
    expect(fragment(0x4000)).toBe(false);
  });
});

describe("IPv4 text", () => {
  it("reads dotted quads", () => {
    expect(parseIpv4("192.0.2.1")).toEqual(Uint8Array.of(192, 0, 2, 1));
    expect(parseIpv4("0.0.0.0")).toEqual(new Uint8Array(4));
    expect(parseIpv4("255.255.255.255")).toEqual(new Uint8Array(4).fill(255));
  });
  for (const bad of [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.256",
    "0x1.2.3.4",
    "1.2.3.4 ",
    "1..3.4",
    "1.2.3.-4",
    "1.2.3.4/32",
    "+1.2.3.4",
    "1.2.3.1e1",
    "::1",
    "1.2.3.4\n",
  ]) {
    it(`refuses ${JSON.stringify(bad)}`, () => {
      expect(parseIpv4(bad)).toBeUndefined();
      expect(() => addressBytes(bad, 4)).toThrow(TypeError);
    });
  }
});

describe("IPv6 text", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["RFC 5952 4.1: leading zeros go", "2001:0db8:0::0001", "2001:db8::1"],
    ["RFC 5952 4.2.1: shortened as much as possible", "2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["RFC 5952 4.2.2: one zero group is not shortened", "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["RFC 5952 4.2.3: the longest run", "2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["RFC 5952 4.2.3: the first of equal runs", "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["RFC 5952 4.3: lower case", "2001:DB8::ABCD", "2001:db8::abcd"],
    ["RFC 5952 5: IPv4-mapped is dotted", "::ffff:c000:201", "::ffff:192.0.2.1"],
    ["RFC 4291 2.2: dotted quad at the end", "64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["unspecified", "0:0:0:0:0:0:0:0", "::"],
    ["loopback", "::1", "::1"],
    ["run at the end", "fe80:0:0:0:0:0:0:0", "fe80::"],
    ["no run", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    [":: for one group", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ];
  for (const [name, text, canonical] of cases) {
    it(`${name}: ${text}`, () => {
      const bytes = parseIpv6(text);
      expect(bytes && formatIpv6(bytes)).toBe(canonical);
    });
  }
  for (const bad of [
    "",
    ":",
    ":::",
    "1",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    "12345::",
    "::g",
    "fe80::1%eth0",
    "[::1]",
    "::1/64",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    ":1::",
    "1:::2",
    "::1.2.3",
    "::1.2.3.4:5",
    "1.2.3.4::",
    "1:2:3:4:5:6:7:1.2.3.4",
    " ::1",
    "::01.2.3.4",
    "1.2.3.4",
    `${"0".repeat(1000)}::`,
  ]) {
    it(`refuses ${JSON.stringify(bad.slice(0, 40))}`, () => {
      expect(parseIpv6(bad)).toBeUndefined();
      expect(() => addressBytes(bad, 6)).toThrow(TypeError);
    });
  }
});

describe("addresses of both families", () => {
  it("addressText tells the family by the length", () => {
    expect(addressText(Uint8Array.of(192, 0, 2, 1))).toBe("192.0.2.1");
    expect(addressText(addressBytes("2001:DB8::1", 6))).toBe("2001:db8::1");
    expect(() => addressText(new Uint8Array(5))).toThrow(TypeError);
  });
  it("RFC 5798 6.4.3: compared as unsigned numbers in network order", () => {
    expect(compareAddresses("192.0.2.2", "192.0.2.10")).toBeLessThan(0);
    expect(compareAddresses("200.0.0.1", "9.255.255.255")).toBeGreaterThan(0);
    expect(compareAddresses("192.0.2.1", "192.0.2.1")).toBe(0);
    expect(compareAddresses("fe80::ff", "fe80::1:0")).toBeLessThan(0);
    expect(compareAddresses("fe80:0::1", "fe80::1")).toBe(0);
    expect(compareAddresses("255.255.255.255", "::")).toBeLessThan(0);
    expect(() => compareAddresses("fe80::1", "router")).toThrow(TypeError);
  });
});
