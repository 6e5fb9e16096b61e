import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { serviceKey } from "../../src/lvs/keys.ts";
import { decodeArp, encodeArp, formatMac, parseMac } from "../../src/wire/arp.ts";
import { internetChecksum } from "../../src/wire/checksum.ts";
import { fromHex, hex } from "../../src/wire/hex.ts";
import {
  addressBytes,
  addressText,
  compareAddresses,
  decodeIpv4,
  encodeIpv4,
  parseIpv4,
  parseIpv6,
} from "../../src/wire/ip.ts";
import { Reader } from "../../src/wire/reader.ts";
import type { ChecksumKind } from "../../src/wire/types.ts";
import { decodeVrrp, encodeVrrp, equalBytes } from "../../src/wire/vrrp.ts";
import { Writer } from "../../src/wire/writer.ts";
import { V4, V6 } from "../vectors/vrrp.ts";
import {
  address,
  bytesOf,
  family,
  ipv4,
  mutated,
  serviceId,
  u8,
  u16,
  u32,
  vrrpPdu,
} from "./wire-arbitraries.ts";

const header = fc.record({ tos: u8, id: u16, ttl: u8, protocol: u8, source: ipv4, destination: ipv4 });
const arp = fc.record({
  frameDestination: bytesOf(6),
  frameSource: bytesOf(6),
  operation: u16,
  senderMac: bytesOf(6),
  senderAddress: ipv4,
  targetMac: bytesOf(6),
  targetAddress: ipv4,
});

describe("round trips", () => {
  it("addresses: text and bytes, both families", () => {
    fc.assert(
      fc.property(
        family.chain((of) => fc.tuple(fc.constant(of), bytesOf(of === 4 ? 4 : 16))),
        ([of, bytes]) => {
          expect(addressBytes(addressText(bytes), of)).toEqual(bytes);
        },
      ),
    );
  });
  it("RFC 4291 2.2: the uncompressed and upper-case spelling is the same address", () => {
    fc.assert(
      fc.property(bytesOf(16), (bytes) => {
        const long = hex(bytes).toUpperCase().match(/.{4}/g)?.join(":") ?? "";
        expect(parseIpv6(long)).toEqual(bytes);
      }),
    );
  });
  it("compareAddresses is the order of the numbers", () => {
    const number = (text: string, of: 4 | 6) => BigInt(`0x${hex(addressBytes(text, of))}`);
    fc.assert(
      fc.property(
        family.chain((of) => fc.tuple(fc.constant(of), address(of), address(of))),
        ([of, a, b]) => {
          const [x, y] = [number(a, of), number(b, of)];
          expect(Math.sign(compareAddresses(a, b))).toBe(x < y ? -1 : x > y ? 1 : 0);
        },
      ),
    );
  });
  it("IPv4 packets, padded or not", () => {
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 100 }), fc.nat(46), (fields, payload, padding) => {
        const packet = encodeIpv4(fields, payload);
        expect(internetChecksum(packet.subarray(0, 20))).toBe(0);
        const padded = new Uint8Array(packet.length + padding);
        padded.set(packet);
        expect(decodeIpv4(padded)).toMatchObject({
          ok: true,
          value: { ...fields, payload, fragment: false },
        });
      }),
    );
  });
  it("VRRP messages of both versions, families and checksum kinds", () => {
    const kind = fc.constantFrom<ChecksumKind>("pseudo-header", "message-only");
    const message = family.chain((of) => fc.tuple(fc.constant(of), vrrpPdu(of), kind));
    fc.assert(
      fc.property(message, ([of, pdu, checksum]) => {
        const ctx = of === 4 ? V4 : V6;
        const result = decodeVrrp(encodeVrrp(pdu, ctx, checksum), ctx);
        expect(result).toMatchObject({ ok: true, value: { pdu } });
        const possible = pdu.version === 2 ? "message-only" : of === 6 ? "pseudo-header" : checksum;
        expect(result.ok && result.value.checksumKind).toBe(possible);
        expect(result.ok && result.value.trailer.length).toBe(0);
      }),
    );
  });
  it("VRRPv3 trailers come back untouched", () => {
    fc.assert(
      fc.property(vrrpPdu(6), fc.uint8Array({ maxLength: 64 }), (pdu, trailer) => {
        const bytes = new Writer().bytes(encodeVrrp(pdu, V6)).bytes(trailer).finish();
        expect(decodeVrrp(bytes, V6)).toEqual({
          ok: true,
          value: { pdu, trailer, checksumKind: "pseudo-header" },
        });
      }),
    );
  });
  it("ARP frames", () => {
    fc.assert(
      fc.property(arp, fc.nat(20), (fields, padding) => {
        const frame = new Writer().bytes(encodeArp(fields)).bytes(new Uint8Array(padding)).finish();
        expect(decodeArp(frame)).toEqual(fields);
      }),
    );
  });
  it("hexadecimal and MAC text", () => {
    fc.assert(
      fc.property(fc.uint8Array(), bytesOf(6), (bytes, mac) => {
        expect(fromHex(hex(bytes))).toEqual(bytes);
        expect(parseMac(formatMac(mac))).toEqual(mac);
      }),
    );
  });
  it("what Writer writes, Reader reads", () => {
    fc.assert(
      fc.property(
        u8,
        u16,
        u32,
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.uint8Array(),
        (a, b, c, d, e) => {
          const reader = new Reader(new Writer(1).u8(a).u16(b).u32(c).u64(d).bytes(e).finish());
          expect([reader.u8(), reader.u16(), reader.u32(), reader.u64(), reader.bytes(e.length)]).toEqual([
            a,
            b,
            c,
            d,
            e,
          ]);
          expect([reader.ok, reader.remaining]).toEqual([true, 0]);
          reader.u8();
          expect(reader.ok).toBe(false);
        },
      ),
    );
  });
});

describe("hostile input never throws", () => {
  const any = fc.uint8Array({ maxLength: 200 });
  it("decodeIpv4: arbitrary and mutated packets; an accepted payload lies inside the packet", () => {
    const valid = fc.tuple(header, any).map(([fields, payload]) => encodeIpv4(fields, payload));
    fc.assert(
      fc.property(fc.oneof(any, mutated(valid)), (bytes) => {
        const result = decodeIpv4(bytes);
        if (!result.ok) return;
        const { headerLength, totalLength, payload } = result.value;
        expect(headerLength).toBeGreaterThanOrEqual(20);
        expect(totalLength).toBeLessThanOrEqual(bytes.length);
        expect(payload.length).toBe(totalLength - headerLength);
      }),
    );
  });
  it("decodeVrrp: arbitrary and mutated messages; what is accepted encodes to the same bytes", () => {
    const valid = family.chain((of) => vrrpPdu(of).map((pdu) => encodeVrrp(pdu, of === 4 ? V4 : V6)));
    fc.assert(
      fc.property(fc.oneof(any, mutated(valid)), family, (bytes, of) => {
        const ctx = of === 4 ? V4 : V6;
        const result = decodeVrrp(bytes, ctx);
        if (!result.ok) return;
        const { pdu, checksumKind, trailer } = result.value;
        const again = encodeVrrp(pdu, ctx, checksumKind);
        expect(again.length + trailer.length).toBe(bytes.length);
        // The reserved nibble is not kept, and the checksum moves with it.
        const plain = pdu.version === 2 || (bytes[4] ?? 0) < 16;
        if (plain) expect(equalBytesButChecksum(again, bytes.subarray(0, again.length))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
  it("decodeArp: arbitrary and mutated frames", () => {
    fc.assert(
      fc.property(fc.oneof(any, mutated(arp.map(encodeArp))), (bytes) => {
        const value = decodeArp(bytes);
        if (value) expect(equalBytes(encodeArp(value), bytes.subarray(0, 42))).toBe(true);
      }),
    );
  });
  it("addresses: arbitrary text is an address or undefined, and then canonical text is stable", () => {
    const text = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[0-9a-f:.]{0,50}$/),
      fc.stringMatching(/^[0-9.]{0,16}$/),
    );
    fc.assert(
      fc.property(text, (input) => {
        for (const bytes of [parseIpv4(input), parseIpv6(input)]) {
          if (bytes) expect(addressBytes(addressText(bytes), bytes.length === 4 ? 4 : 6)).toEqual(bytes);
        }
      }),
    );
  });
  it("Reader: any sequence of reads on any bytes; an error sticks", () => {
    const reads = fc.array(fc.oneof(fc.constantFrom("u8", "u16", "u32", "u64"), fc.integer()), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(any, reads, (bytes, list) => {
        const reader = new Reader(bytes);
        let failed = false;
        for (const read of list) {
          if (typeof read === "number") reader.bytes(read);
          else reader[read as "u8"]();
          failed ||= !reader.ok;
          expect(reader.ok).toBe(!failed);
          expect(reader.offset + reader.remaining).toBeLessThanOrEqual(bytes.length);
        }
      }),
    );
  });
});

/** Zero has two spellings in one's complement, so equal sums may be written as two checksums. */
function equalBytesButChecksum(a: Uint8Array, b: Uint8Array): boolean {
  const without = (bytes: Uint8Array) =>
    new Writer().bytes(bytes.subarray(0, 6)).bytes(bytes.subarray(8)).finish();
  return equalBytes(without(a), without(b));
}

describe("keys", () => {
  it("table.ts: two services have the same key exactly when they are the same service", () => {
    fc.assert(
      fc.property(serviceId, serviceId, (a, b) => {
        expect(serviceKey(a) === serviceKey(b)).toBe(JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)));
        expect(serviceKey(a)).toBe(serviceKey({ ...a }));
      }),
    );
  });
});

function sorted(value: object): [string, unknown][] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}
