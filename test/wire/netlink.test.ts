import { describe, expect, it } from "vitest";
import { decodeFamily, writeGetFamily } from "../../src/wire/genl.ts";
import { fromHex, hex } from "../../src/wire/hex.ts";
import {
  attributeBigint,
  attributeNumber,
  attributeText,
  HOST_LITTLE_ENDIAN,
  NetlinkWriter,
  NLA_F_NET_BYTEORDER,
  NLM_F_ACK,
  NLM_F_ACK_TLVS,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  parseAttributes,
  parseDonePayload,
  parseErrorPayload,
  parseMessages,
} from "../../src/wire/netlink.ts";
import * as captured from "../vectors/ipvs.ts";

const little = (capacity?: number) => new NetlinkWriter(capacity, true);

describe("NetlinkWriter", () => {
  it("linux/netlink.h: header and attributes, padded to 4 bytes, lengths without the padding", () => {
    const w = little()
      .begin(0x1c, NLM_F_REQUEST | NLM_F_ACK, 7)
      .u8(1)
      .u8(2)
      .u16(3);
    w.attrU8(1, 0xaa).attrU16(2, 0xbbcc).attrU32(3, 0x11223344).attrU16be(4, 0xbbcc).attrU32be(5, 0x11223344);
    w.attrString(6, "rr")
      .attrI32(7, -1)
      .attrFlags(8, 1, 0xffffffff)
      .attr(9, Uint8Array.of(1, 2, 3, 4, 5))
      .end();
    expect(hex(w.bytes())).toBe(
      [
        "64000000 1c00 0500 07000000 00000000 01020300",
        "05000100aa000000 06000200ccbb0000 0800030044332211 06000400bbcc0000 0800050011223344",
        "070006007272000008000700ffffffff0c00080001000000ffffffff 090009000102030405000000",
      ]
        .join("")
        .replace(/ /g, ""),
    );
    expect(parseMessages(w.bytes(), true)).toHaveLength(1);
  });
  it("big-endian hosts: the header and plain values swap, network-order values do not", () => {
    const w = new NetlinkWriter(64, false).begin(0x1c, 1, 7).attrU16(2, 0xbbcc).attrU16be(4, 0xbbcc).end();
    expect(hex(w.bytes())).toBe("00000020001c0001000000070000000000060002bbcc000000060004bbcc0000");
    expect(parseMessages(w.bytes(), false)[0]).toMatchObject({ type: 0x1c, flags: 1, seq: 7 });
  });
  it("nested attributes carry NLA_F_NESTED and the length of what is in them", () => {
    const w = little().begin(1, 0, 0);
    const outer = w.beginNested(1);
    const inner = w.beginNested(2);
    w.attrU8(3, 9);
    w.endNested(inner).endNested(outer).end();
    expect(hex(w.bytes().subarray(16))).toBe("10000180" + "0c000280" + "0500030009000000");
  });
  it("many messages share one growing buffer and parse back", () => {
    const w = little(16);
    for (let seq = 1; seq <= 20_000; seq++)
      w.begin(28, 1, seq)
        .attrString(1, "x".repeat(seq % 7))
        .end();
    expect(w.count).toBe(20_000);
    const messages = parseMessages(w.bytes(), true);
    expect(messages.map((message) => message.seq)).toEqual(Array.from({ length: 20_000 }, (_, i) => i + 1));
    expect(messages.every(({ payload, seq }) => payload.length === (seq % 7 < 4 ? 8 : 12))).toBe(true);
  });
  it("after reset() nothing of the last batch shows through, padding included", () => {
    const w = little();
    w.begin(0xffff, 0xffff, 0xffffffff).attr(0xff, new Uint8Array(40).fill(0xff)).end();
    w.reset().begin(1, 2, 3).attrU8(4, 5).end();
    expect(hex(w.bytes())).toBe("18000000010002000300000000000000" + "0500040005000000");
    expect([w.count, w.length]).toEqual([1, 24]);
  });
  it("a message that is not ended, or ended twice, is a programming error", () => {
    const w = little().begin(1, 0, 0);
    expect(() => w.bytes()).toThrow(/end\(\) is missing/);
    expect(() => w.begin(1, 0, 0)).toThrow(/end\(\) is missing/);
    w.end();
    expect(() => w.end()).toThrow(/without begin/);
  });
  it("linux/netlink.h: nla_len has 16 bits, so larger attributes are refused", () => {
    const w = little().begin(1, 0, 0);
    expect(() => w.attr(1, new Uint8Array(65532))).toThrow(RangeError);
    expect(w.attr(1, new Uint8Array(65531)).length).toBe(16 + 65536);
    const mark = w.beginNested(2);
    w.attr(1, new Uint8Array(65531));
    expect(() => w.endNested(mark)).toThrow(RangeError);
  });
});

describe("parseMessages", () => {
  const two = () => little().begin(3, 2, 1).u32(0).end().begin(2, 0, 9).bytes(Uint8Array.of(1)).end().bytes();
  it("reads type, flags, sequence and payload; the last message may lack its padding", () => {
    const messages = parseMessages(two().subarray(0, 37), true);
    expect(messages).toEqual([
      { type: 3, flags: 2, seq: 1, pid: 0, payload: new Uint8Array(4) },
      { type: 2, flags: 0, seq: 9, pid: 0, payload: Uint8Array.of(1) },
    ]);
  });
  for (const length of [0, 1, 15, 18, 0x7fffffff, 0xfffffffc, 0xffffffff]) {
    it(`stops at a second header that claims ${length} bytes`, () => {
      const bytes = two().slice();
      new DataView(bytes.buffer).setUint32(20, length, true);
      expect(parseMessages(bytes.subarray(0, 37), true).map((message) => message.type)).toEqual([3]);
    });
  }
  it("a truncated header at the end is left out", () => {
    expect(parseMessages(two().subarray(0, 35), true)).toHaveLength(1);
    expect(parseMessages(new Uint8Array(15), true)).toEqual([]);
  });
});

describe("parseAttributes", () => {
  it("masks NLA_F_NESTED and NLA_F_NET_BYTEORDER out of the type", () => {
    const w = little().begin(1, 0, 0);
    w.endNested(w.beginNested(5))
      .attrU16be(6 | NLA_F_NET_BYTEORDER, 80)
      .end();
    expect([...parseAttributes(w.bytes(), 16, true)]).toEqual([
      [5, new Uint8Array(0)],
      [6, Uint8Array.of(0, 80)],
    ]);
  });
  it("linux/netlink.h: of a repeated attribute the last counts", () => {
    const bytes = fromHex("0500010001000000 0500010002000000");
    expect(parseAttributes(bytes, 0, true).get(1)).toEqual(Uint8Array.of(2));
  });
  for (const length of ["0000", "0300", "0900", "ffff"]) {
    it(`stops at an attribute whose length is 0x${length} (little-endian)`, () => {
      const bytes = fromHex(`0500010001000000 ${length}020002000000`);
      expect([...parseAttributes(bytes, 0, true).keys()]).toEqual([1]);
    });
  }
  it("an offset beyond the payload gives nothing", () => {
    expect(parseAttributes(new Uint8Array(4), 100, true).size).toBe(0);
  });
});

describe("errors of the kernel", () => {
  const error = (text: string) => {
    const message = parseMessages(fromHex(text), true)[0]!;
    expect(message.type).toBe(NLMSG_ERROR);
    return parseErrorPayload(message.payload, message.flags, true);
  };
  it("captured: an acknowledgement is errno 0", () => {
    const acks = parseMessages(fromHex(captured.NEW_SERVICE_AND_DEST_ACKS), true);
    expect(acks.map(({ payload, flags }) => parseErrorPayload(payload, flags, true))).toEqual([
      { errno: 0, originalSeq: 1 },
      { errno: 0, originalSeq: 2 },
    ]);
  });
  it("captured: extended acknowledgement after the echoed request", () => {
    expect(error(captured.EXT_ACK)).toEqual({
      errno: 19,
      originalSeq: 42,
      message: "ipv4: Device not found",
    });
  });
  it("captured: extended acknowledgement after a capped request", () => {
    expect(error(captured.EXT_ACK_CAPPED)).toEqual({
      errno: 19,
      originalSeq: 42,
      message: "ipv4: Device not found",
    });
  });
  it("captured: without NLM_F_ACK_TLVS the echoed request is not taken for TLVs", () => {
    expect(error(captured.ERROR_WHOLE_REQUEST)).toEqual({ errno: 22, originalSeq: 77 });
  });
  it("a hostile length of the echoed request yields no message", () => {
    const bytes = fromHex(captured.EXT_ACK);
    for (const length of [0, 0xffffffff, 0x80000000]) {
      new DataView(bytes.buffer).setUint32(20, length, true);
      const { payload, flags } = parseMessages(bytes, true)[0]!;
      const result = parseErrorPayload(payload, flags, true);
      expect(result.message).not.toBe("ipv4: Device not found");
      expect(result.errno).toBe(19);
    }
  });
  it("short payloads read as zeros", () => {
    expect(parseErrorPayload(new Uint8Array(3), NLM_F_ACK_TLVS, true)).toEqual({ errno: 0, originalSeq: 0 });
    expect(parseErrorPayload(fromHex("edffffff"), 0, true)).toEqual({ errno: 19, originalSeq: 0 });
  });
  it("captured: NLMSG_DONE ends a dump well", () => {
    const done = parseMessages(fromHex(captured.SERVICES_DUMP), true).at(-1)!;
    expect(done.type).toBe(NLMSG_DONE);
    expect(parseDonePayload(done.payload, done.flags, true)).toEqual({ errno: 0 });
  });
  it("linux/netlink.h: NLMSG_DONE may carry an errno and an extended acknowledgement", () => {
    const payload = fromHex("fcffffff 080001006f6f6d00");
    expect(parseDonePayload(payload, NLM_F_ACK_TLVS, true)).toEqual({ errno: 4, message: "oom" });
    expect(parseDonePayload(new Uint8Array(0), 0, true)).toEqual({ errno: 0 });
  });
});

describe("attribute values", () => {
  it("numbers of 1, 2, 4 and 8 bytes; anything else is undefined", () => {
    expect(attributeNumber(fromHex("ff"), true)).toBe(255);
    expect(attributeNumber(fromHex("0100"), true)).toBe(1);
    expect(attributeNumber(fromHex("ffffffff"), true)).toBe(0xffffffff);
    expect(attributeNumber(fromHex("0100000000000000"), true)).toBe(1);
    expect(attributeNumber(fromHex("ffffffffffffffff"), true)).toBeUndefined();
    expect(attributeBigint(fromHex("ffffffffffffffff"), true)).toBe(0xffffffffffffffffn);
    for (const length of [0, 3, 5, 16]) expect(attributeBigint(new Uint8Array(length), true)).toBeUndefined();
    expect(attributeNumber(undefined)).toBeUndefined();
  });
  it("text ends at the first zero byte or the end", () => {
    expect(attributeText(fromHex("727200ff"))).toBe("rr");
    expect(attributeText(fromHex("7272"))).toBe("rr");
    expect(attributeText(new Uint8Array(0))).toBe("");
  });
});

describe("generic netlink controller", () => {
  it("linux/genetlink.h: CTRL_CMD_GETFAMILY by name", () => {
    const w = little();
    writeGetFamily(w, 1, "IPVS");
    expect(hex(w.bytes())).toBe(
      "20000000" + "1000" + "0100" + "01000000" + "00000000" + "03020000" + "090002004950565300000000",
    );
  });
  it.runIf(HOST_LITTLE_ENDIAN)("captured: the answer gives the family's message type", () => {
    const message = parseMessages(fromHex(captured.FAMILY))[0]!;
    expect(decodeFamily(message.payload)).toEqual({ id: captured.FAMILY_ID, name: "IPVS", version: 1 });
  });
  it("other messages are not families", () => {
    expect(decodeFamily(new Uint8Array(0))).toBeUndefined();
    expect(decodeFamily(fromHex("01020000"))).toBeUndefined();
    expect(decodeFamily(fromHex("03020000 060001001c000000 090002004950565300000000"))).toBeUndefined();
  });
});
