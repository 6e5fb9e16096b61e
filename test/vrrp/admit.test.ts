/** What is received: conformance cases 1 to 15 of RFC 5798 §7.1, RFC 3768 §7.1 and the errata. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { us } from "../../src/units.ts";
import { admitIpv4, DROP_TEXT } from "../../src/vrrp/admit.ts";
import { internetChecksum } from "../../src/wire/checksum.ts";
import { fromHex, hex } from "../../src/wire/hex.ts";
import { passData } from "../../src/wire/vrrp.ts";
import { VRRP_VECTORS } from "../vectors/vrrp.ts";
import { accepted, admit, HIGHER, packet, VIP, vip } from "./support.ts";

const concat = (...parts: Uint8Array[]): Uint8Array => fromHex(parts.map(hex).join(""));
const PASS = { auth: { type: "PASS", pass: "secret12" } } as const;
const withPass = (pass: string) => packet(2, { pdu: { authType: 1, authData: passData(pass) } });

/** The packet with `words` 32-bit words of IP options (NOP, or rubbish). */
function withOptions(bytes: Uint8Array, words: number): Uint8Array {
  const options = new Uint8Array(words * 4).fill(1);
  const out = concat(bytes.subarray(0, 20), options, bytes.subarray(20));
  out[0] = 0x40 | (5 + words);
  new DataView(out.buffer).setUint16(2, out.length);
  new DataView(out.buffer).setUint16(10, 0);
  new DataView(out.buffer).setUint16(10, internetChecksum(out.subarray(0, 20 + words * 4)));
  return out;
}

describe("the IP packet", () => {
  it("case 1: RFC 791 3.1: IHL 5 to 15 are honoured, IHL 6 among them", () => {
    for (let words = 0; words <= 10; words++) {
      expect(accepted(withOptions(packet(2), words)).source).toBe(HIGHER);
    }
  });
  it("case 1: RFC 791 3.1: Ethernet padding beyond the total length is not looked at", () => {
    expect(accepted(concat(packet(3), new Uint8Array(14).fill(0xee)), { version: 3 }).priority).toBe(100);
  });
  it("case 1: a header that lies about its length is dropped", () => {
    const ihl4 = packet(2);
    ihl4[0] = 0x44;
    const beyond = packet(2);
    beyond[3] = beyond.length + 1;
    expect([ihl4, beyond, packet(2).subarray(0, 19), new Uint8Array(0)].map((bytes) => admit(bytes))).toEqual(
      ["ip-malformed", "ip-malformed", "ip-malformed", "ip-malformed"],
    );
  });
  it("RFC 791 2.3: fragments are dropped: an advertisement never needs one", () => {
    const more = packet(2);
    more[6] = 0x20;
    const last = packet(2);
    last[7] = 3;
    expect([admit(more), admit(last)]).toEqual(["ip-fragment", "ip-fragment"]);
  });
  it("case 2: RFC 5798 5.1.1.3: a TTL other than 255 is dropped", () => {
    expect([0, 1, 64, 254].map((ttl) => admit(packet(2, { ip: { ttl } })))).toEqual(Array(4).fill("ttl"));
  });
  it("RFC 5798 5.1.1.4: another IP protocol is dropped", () => {
    expect(admit(packet(2, { ip: { protocol: 51 } }))).toBe("not-vrrp");
  });
  it("case 16: what was not sent to the group is dropped by a multicast instance", () => {
    const result = admit(packet(3, { ip: { destination: "192.0.2.11" } }), { version: 3 });
    expect(result).toBe("not-multicast");
  });
});

describe("the message", () => {
  it("case 3: RFC 5798 7.1: a version other than the configured one is dropped, both ways", () => {
    expect(admit(packet(3), { version: 2 })).toBe("version");
    expect(admit(packet(2), { version: 3 })).toBe("version");
    const four = (message: Uint8Array) => message.with(0, 0x41);
    expect(admit(packet(3, { mangle: four }), { version: 3 })).toBe("version");
  });
  it("case 4: RFC 5798 5.2.2: a type other than ADVERTISEMENT is dropped, before its length is judged", () => {
    expect(admit(packet(2, { pdu: { type: 2 } }))).toBe("type");
    expect(admit(packet(3, { pdu: { type: 0 } }), { version: 3 })).toBe("type");
    const short = packet(2, { pdu: { type: 2 }, mangle: (message) => message.subarray(0, 9) });
    expect(admit(short)).toBe("type");
  });
  it.each([2, 3] as const)("case 5: RFC 5798 7.1: VRRPv%i of any other length is dropped", (version) => {
    const length = version === 2 ? 20 : 12;
    for (let cut = 0; cut < length; cut++) {
      const short = packet(version, { mangle: (message) => message.subarray(0, cut) });
      expect([cut, admit(short, { version })]).toEqual([cut, "length"]);
    }
    for (const extra of [1, 4, 28]) {
      const long = packet(version, { mangle: (message) => concat(message, new Uint8Array(extra)) });
      expect(admit(long, { version })).toBe("length");
    }
  });
  it("case 5: RFC 5798 5.2.5: a count that promises more addresses than are there is dropped", () => {
    const liar = (message: Uint8Array) => message.with(3, 255);
    expect(admit(packet(2, { mangle: liar }))).toBe("length");
    expect(admit(packet(3, { mangle: liar }), { version: 3 })).toBe("length");
  });
  it.each([2, 3] as const)("case 6: RFC 5798 5.2.8: any flipped bit of VRRPv%i is noticed", (version) => {
    const good = packet(version);
    for (let bit = 20 * 8; bit < good.length * 8; bit++) {
      const bad = good.with(bit >> 3, good[bit >> 3]! ^ (0x80 >> (bit & 7)));
      expect(typeof admit(bad, { version })).toBe("string");
    }
  });
  it("case 6: both v3 checksums over IPv4 are accepted, and told apart (RFC 5798 as deployed, RFC 9568)", () => {
    for (const checksum of ["pseudo-header", "message-only"] as const) {
      expect(accepted(packet(3, { checksum }), { version: 3 }).checksumKind).toBe(checksum);
    }
  });
  it("case 6: the v3 checksum is bound to the addresses of the IP header", () => {
    const bytes = packet(3, { checksum: "pseudo-header" });
    expect(admit(bytes.with(15, 77), { version: 3 })).toBe("checksum");
  });
  it("case 7: RFC 5798 7.1: a VRID without an instance here is a reason of its own, and named", () => {
    expect(admitIpv4(packet(2, { pdu: { vrid: 9 } }), () => undefined)).toEqual({
      ok: false,
      error: { reason: "vrid-unknown", source: HIGHER, vrid: 9 },
    });
  });
  it("case 8: erratum 8299: a count of 0 is accepted and noted, dropped only in strict mode", () => {
    const none = packet(3, { pdu: { addresses: [] } });
    expect(accepted(none, { version: 3 }).notes).toContain("no-addresses");
    expect(admit(none, { version: 3, strict: true })).toBe("no-addresses");
    // An instance without VIPs is content with a peer without VIPs.
    expect(accepted(none, { version: 3, vips: [] }).notes).not.toContain("vip-list-differs");
  });
  it("case 9: erratum 8301: a v3 interval of 0 is dropped", () => {
    expect(admit(packet(3, { pdu: { advertInterval: 0 } }), { version: 3 })).toBe("interval-zero");
  });
  it("case 11: RFC 2338 10: another authentication type is dropped, both ways", () => {
    expect(admit(packet(2), PASS)).toBe("auth-type");
    expect(admit(withPass("secret12"))).toBe("auth-type");
    expect(admit(packet(2, { pdu: { authType: 2 } }), PASS)).toBe("auth-type");
  });
  it("case 11: RFC 2338 5.3.10: another password is dropped; only its first 8 bytes count", () => {
    expect(accepted(withPass("secret12"), PASS).priority).toBe(100);
    expect(accepted(withPass("secret12-and-more"), PASS).priority).toBe(100);
    for (const pass of ["secret1", "Secret12", "secret13", ""])
      expect(admit(withPass(pass), PASS)).toBe("auth-password");
  });
  it("case 12: RFC 3768 7.1: a v2 interval that differs is dropped", () => {
    for (const advertInterval of [0, 2, 255]) {
      expect(admit(packet(2, { pdu: { advertInterval } }))).toBe("interval");
    }
  });
  it("case 12: RFC 5798 7.1: a v3 interval that differs is accepted, reported in microseconds and noted", () => {
    const advert = accepted(packet(3, { pdu: { advertInterval: 25 } }), { version: 3 });
    expect([advert.interval, advert.notes]).toEqual([250_000, ["interval-differs"]]);
  });
  it("case 13: another list of addresses is accepted and noted; order does not matter", () => {
    const two = { version: 3, vips: [vip(VIP), vip("192.0.2.101")] } as const;
    const notes = (...addresses: string[]) => accepted(packet(3, { pdu: { addresses } }), two).notes;
    expect(notes(VIP, "192.0.2.101")).toEqual([]);
    expect(notes("192.0.2.101", VIP)).toEqual([]);
    for (const list of [[VIP], [VIP, "192.0.2.102"], [VIP, VIP], [VIP, "192.0.2.101", "192.0.2.101"]])
      expect(notes(...list)).toEqual(["vip-list-differs"]);
  });
  it("case 14: erratum 8298: another owner is accepted and noted", () => {
    const owner = packet(3, { pdu: { priority: 255 } });
    expect(accepted(owner, { version: 3, priority: 255 }).notes).toEqual(["owner-conflict"]);
    expect(accepted(owner, { version: 3, priority: 100 }).notes).toEqual([]);
  });
  it("case 15: RFC 5798 5.2.6: the reserved nibble is ignored, in the interval too", () => {
    const reserved = (message: Uint8Array): Uint8Array => {
      const out = message.with(4, message[4]! | 0xf0);
      out.set([0, 0], 6);
      new DataView(out.buffer).setUint16(6, internetChecksum(out));
      return out;
    };
    const advert = accepted(packet(3, { mangle: reserved }), { version: 3 });
    expect([advert.interval, advert.notes]).toEqual([1_000_000, []]);
  });
  it("case 24: RFC 5798 5.2.7: 4095 centiseconds are accepted", () => {
    const advertInterval = 4095;
    expect(accepted(packet(3, { pdu: { advertInterval } }), { version: 3 }).interval).toBe(40_950_000);
  });
});

describe("order and robustness", () => {
  it("cases 1 to 12: the first failure decides", () => {
    const pdu = { advertInterval: 9, authType: 1 } as const;
    const spoiled = (message: Uint8Array) => message.with(7, message[7]! ^ 1);
    expect(admit(packet(2, { pdu, mangle: spoiled, ip: { ttl: 1 } }))).toBe("ttl");
    expect(admit(packet(2, { pdu, mangle: spoiled }))).toBe("checksum");
    expect(admit(packet(2, { pdu }))).toBe("auth-type");
    expect(admit(packet(2, { pdu: { ...pdu, authType: 0 } }))).toBe("interval");
  });
  it("every reason has words for the log", () => {
    for (const text of Object.values(DROP_TEXT)) expect(text).toMatch(/^(it|its|the|no) /);
  });
  it("vectors: whole packets of this program and of keepalived 2.2.7 are admitted", () => {
    const whole = VRRP_VECTORS.filter((vector) => vector.ipHeader !== undefined);
    expect(whole).toHaveLength(3);
    for (const { ipHeader, hex: message, ctx, pdu } of whole) {
      const pass = pdu.authData && new TextDecoder().decode(pdu.authData).replaceAll("\0", "");
      const advert = accepted(fromHex(ipHeader + message), {
        version: pdu.version,
        auth: pass ? { type: "PASS", pass } : { type: "none" },
        vips: pdu.addresses.map(vip),
        advertInterval: us(1_000_000),
      });
      expect(advert).toMatchObject({ source: ctx.source, priority: 100, notes: [] });
    }
  });
  it("hostile bytes give a reason, never an exception", () => {
    const mangled = fc.tuple(
      fc.constantFrom(packet(2), packet(3)),
      fc.array(fc.tuple(fc.nat(39), fc.nat(255)), { maxLength: 6 }),
      fc.nat(60),
    );
    fc.assert(
      fc.property(mangled, fc.constantFrom(2 as const, 3 as const), ([bytes, changes, length], version) => {
        const copy = new Uint8Array(length);
        copy.set(bytes.subarray(0, length));
        for (const [at, value] of changes) if (at < length) copy[at] = value;
        const result = admit(copy, { version });
        if (typeof result === "string") expect(Object.keys(DROP_TEXT)).toContain(result);
        else expect(result.advert.interval).toBeGreaterThan(0);
      }),
    );
  });
});
