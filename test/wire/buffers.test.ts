import { describe, expect, it } from "vitest";
import { fromHex, hex } from "../../src/wire/hex.ts";
import { Reader } from "../../src/wire/reader.ts";
import { Writer } from "../../src/wire/writer.ts";

describe("Reader", () => {
  it("reads big-endian and says what remains", () => {
    const reader = new Reader(fromHex("01 0203 04050607 08090a0b0c0d0e0f aabb"));
    expect([reader.u8(), reader.u16(), reader.u32(), reader.u64()]).toEqual([
      0x01,
      0x0203,
      0x04050607,
      0x08090a0b0c0d0e0fn,
    ]);
    expect([reader.offset, reader.remaining]).toEqual([15, 2]);
    expect([hex(reader.bytes(2)), reader.remaining, reader.ok]).toEqual(["aabb", 0, true]);
  });
  it("a read past the end gives 0 and every read after it too, even one that would fit", () => {
    const reader = new Reader(fromHex("ffff"));
    expect(reader.u32()).toBe(0);
    expect([reader.u8(), reader.u64(), reader.bytes(1).length, reader.remaining]).toEqual([0, 0n, 0, 0]);
    expect(reader.ok).toBe(false);
  });
  it("respects the bounds of a view into a larger buffer", () => {
    const reader = new Reader(fromHex("00112233").subarray(1, 3));
    expect(reader.u16()).toBe(0x1122);
    expect([reader.u8(), reader.ok]).toEqual([0, false]);
  });
  it("negative and non-numeric lengths are errors", () => {
    for (const length of [-1, Number.NaN]) {
      const reader = new Reader(new Uint8Array(4));
      expect([reader.bytes(length).length, reader.ok]).toEqual([0, false]);
    }
  });
});

describe("Writer", () => {
  it("refuses numbers that do not fit rather than cut them", () => {
    const writer = new Writer();
    for (const value of [256, -1, 1.5, Number.NaN]) expect(() => writer.u8(value)).toThrow(RangeError);
    expect(() => writer.u16(65536)).toThrow(RangeError);
    expect(() => writer.u32(2 ** 32)).toThrow(RangeError);
    for (const value of [-1n, 2n ** 64n]) expect(() => writer.u64(value)).toThrow(RangeError);
  });
  it("setU16 overwrites what is written and nothing else", () => {
    const writer = new Writer(2).u32(0).setU16(1, 0xabcd);
    expect(hex(writer.finish())).toBe("00abcd00");
    for (const offset of [-1, 3]) expect(() => writer.setU16(offset, 1)).toThrow(RangeError);
  });
  it("finish() is a copy: later writes do not show in it", () => {
    const writer = new Writer(8).u8(1);
    const first = writer.finish();
    writer.u8(2).setU16(0, 0xffff);
    expect(hex(first)).toBe("01");
  });
});

describe("hex", () => {
  it("white space and colons may stand between bytes", () => {
    expect(fromHex("00:5E 01\n02")).toEqual(Uint8Array.of(0, 0x5e, 1, 2));
    expect(fromHex("")).toEqual(new Uint8Array(0));
  });
  it("anything else is refused", () => {
    for (const bad of ["0", "0g", "0x00", "zz"]) expect(() => fromHex(bad)).toThrow(TypeError);
  });
});
