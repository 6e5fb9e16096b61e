import { describe, expect, it } from "vitest";
import { fdBudget, RESERVED_FDS } from "../../src/check/budget.ts";
import { firstDifference, parseHexString } from "../../src/check/byte-pattern.ts";
import { decodeReply, encodeName, encodeQuery } from "../../src/check/dns-message.ts";
import { dnsType, rcodeName } from "../../src/check/dns-types.ts";
import { decodeHealthResponse, encodeHealthRequest } from "../../src/check/grpc-health.ts";
import { echoRequest, parseEchoReply } from "../../src/check/icmp-echo.ts";
import { SmtpReplies } from "../../src/check/smtp-reply.ts";
import { effectiveWeight } from "../../src/check/weight.ts";
import { ms } from "../../src/units.ts";
import { fromHex, hex } from "../../src/wire/hex.ts";
import { dnsConfig, fileConfig, httpConfig, miscConfig, smtpConfig, tcpConfig } from "./support.ts";

describe("DNS messages, RFC 1035 4", () => {
  const question = { id: 0x1234, name: "www.example.org", type: 1 };
  const NAME = "03777777076578616d706c65036f726700";
  const head = (flags: string, answers: number) => `1234${flags}0001000${answers}00000000${NAME}00010001`;
  const decode = (text: string, type = 1) => decodeReply(fromHex(text), { ...question, type });

  it("a query", () => {
    expect(hex(encodeQuery(question))).toBe(`123401000001000000000000${NAME}00010001`);
    expect(hex(encodeQuery({ id: 1, name: "", type: 6 }))).toBe("0001010000010000000000000000060001");
  });

  it.each([
    ["a..b", "an empty label"],
    ["a".repeat(64), "longer than 63 bytes"],
    ["aaaaaaa.".repeat(40), "longer than 255 bytes"],
  ])("the name %s is refused", (name, problem) => {
    expect(encodeName(name)).toMatchObject({ problem: expect.stringContaining(problem) });
    expect(() => encodeQuery({ id: 1, name, type: 1 })).toThrow(RangeError);
  });

  it("answers of the type asked for, others passed over", () => {
    const cname = `c00c000500010000003c0004016bc010`;
    const a = `c00c000100010000003c0004c0000201`;
    expect(decode(`${head("8180", 2)}${cname}${a}`)).toEqual({
      rcode: 0,
      truncated: false,
      answers: ["192.0.2.1"],
    });
  });

  it.each([
    ["AAAA", 28, "20010db8000000000000000000000001", "2001:db8::1"],
    ["CNAME, compressed", 5, "016bc010", "k.example.org"],
    ["MX", 15, "000a046d61696cc010", "10 mail.example.org"],
    ["TXT", 16, "03763d3101780020", undefined],
    ["TXT of two strings", 16, "03763d31047820ff1b", "v=1x \\255\\027"],
    ["SRV", 33, "0000000513c4016bc010", "0 5 5060 k.example.org"],
    [
      "SOA",
      6,
      "0161c010016dc0100000000100000002000000030000000400000005",
      "a.example.org m.example.org 1 2 3 4 5",
    ],
    ["SOA cut short", 6, "0161c010016dc01000000001", undefined],
    ["any other in hex (RFC 3597)", 99, "0102ff", "\\# 3 0102ff"],
  ])("%s", (_name, type, data, text) => {
    const question4 = type.toString(16).padStart(4, "0");
    const length = (data.length / 2).toString(16).padStart(4, "0");
    const reply = `1234818000010001000000${"00"}${NAME}${question4}0001c00c${question4}00010000003c${length}${data}`;
    expect(decode(reply, type)).toEqual(
      text === undefined
        ? { malformed: expect.any(String) }
        : { rcode: 0, truncated: false, answers: [text] },
    );
  });

  it("another id, a query, another question: foreign", () => {
    expect(decode(head("8180", 0).replace(/^1234/, "1235"))).toEqual({ foreign: true });
    expect(decode(head("0100", 0))).toEqual({ foreign: true });
    expect(decode(head("8180", 0), 28)).toEqual({ foreign: true });
    expect(decode(head("8180", 0).replace("777777", "787777"))).toEqual({ foreign: true });
  });

  it("the case of the name does not matter (RFC 4343)", () => {
    expect(decode(head("8180", 0).replace("777777", "575757"))).toMatchObject({ rcode: 0 });
  });

  it("a FORMERR without the question is an answer; a NOERROR without it is not", () => {
    expect(decode("123481810000000000000000")).toEqual({ rcode: 1, truncated: false, answers: [] });
    expect(decode("123481800000000000000000")).toEqual({ foreign: true });
  });

  it("types and codes by name", () => {
    expect([dnsType("soa")?.value, dnsType("TYPE65280")?.value]).toEqual([6, 65_280]);
    expect([dnsType("TYPE65536"), dnsType("constructor")]).toEqual([undefined, undefined]);
    expect([rcodeName(3), rcodeName(12)]).toEqual(["NXDOMAIN", "RCODE12"]);
  });
});

describe("hex strings of UDP_CHECK", () => {
  it("keepalived.conf(5): its own example", () => {
    // "Ab12f 3 456 546443123 would be interpreted as AB 12 0F 03 45 06 54 64 43 12 03"
    expect(parseHexString("Ab12f 3 456 546443123", false)).toBe("ab120f0345065464431203");
  });
  it.each([
    ["xx1x", true, "xx1x"],
    ["xx", false, undefined],
    ["0g", true, undefined],
    ["", true, undefined],
    ["0xab 0xc", false, "ab0c"],
  ])("%j, wild %s", (text, wild, wanted) => {
    expect(parseHexString(text, wild)).toBe(wanted);
  });
  it("the place of the first difference", () => {
    expect(firstDifference("01x2ff", Uint8Array.of(1, 0xf2, 0xfe))).toBe(2);
    expect(firstDifference("01x2ff", Uint8Array.of(1, 0xf2))).toBeUndefined();
  });
});

describe("SMTP replies, RFC 5321 4.2", () => {
  const read = (...pieces: string[]) => {
    const replies = new SmtpReplies();
    return pieces.flatMap((piece) => replies.push(Uint8Array.from(piece, (c) => c.charCodeAt(0))));
  };
  it("in pieces, of several lines, with and without text", () => {
    expect(read("22", "0-mx one\r", "\n220 two\r\n250\r\n")).toEqual([
      { code: 220, text: "mx one two" },
      { code: 250, text: "" },
    ]);
  });
  it.each(["199 x\n", "650 x\n", "22 x\n", "220x\n", "220-a\n250 b\n", "x".repeat(3_000)])(
    "%j is none",
    (text) => {
      expect(read(text)).toEqual([{ problem: expect.any(String) }]);
    },
  );
});

describe("ICMP echo", () => {
  const echo = { id: 0x1234, sequence: 1, data: Uint8Array.of(1, 2, 3) };
  it("RFC 792: type 8 with its checksum; RFC 4443: type 128, the kernel's checksum", () => {
    expect(hex(echoRequest(4, echo))).toBe("0800e1c812340001010203");
    expect(hex(echoRequest(6, echo))).toBe("8000000012340001010203");
  });
  it("replies, with and without an IP header; anything else is none", () => {
    const reply = fromHex("0000000012340001010203");
    expect(parseEchoReply(4, reply, false)).toMatchObject({ id: 0x1234, sequence: 1 });
    const header = new Uint8Array(24).fill(0);
    header[0] = 0x46;
    expect(parseEchoReply(4, Uint8Array.of(...header, ...reply), true)).toMatchObject({ id: 0x1234 });
    expect(parseEchoReply(6, reply, false)).toBeUndefined();
    expect(parseEchoReply(4, fromHex("0800000012340001"), false)).toBeUndefined();
    expect(parseEchoReply(4, fromHex("4f00"), true)).toBeUndefined();
  });
});

describe("grpc.health.v1 messages", () => {
  it("a request", () => {
    expect(hex(encodeHealthRequest(""))).toBe("0000000000");
    expect(hex(encodeHealthRequest("a".repeat(200)))).toMatch(/^00000000cb0ac80161616/);
  });
  it.each([
    ["00000000020801", 1],
    ["0000000000", 0],
    ["000000000408011002", 1],
    ["0000", "no gRPC message"],
    ["01000000020801", "compressed"],
    ["00000000030801", "3 bytes in a body of 2"],
    ["000000000112", "malformed"],
    ["00000000021205", "malformed"],
    ["00000000030b0c0d", "malformed"],
    ["000000000b08ffffffffffffffffffff", "malformed"],
  ])("%s", (body, wanted) => {
    const status = decodeHealthResponse(fromHex(body));
    if (typeof wanted === "number") expect(status).toBe(wanted);
    else expect(status).toMatchObject({ problem: expect.stringContaining(wanted) });
  });
});

describe("weights of a real server, keepalived.conf(5) MISC_CHECK and FILE_CHECK", () => {
  it("one misc_dynamic sets it; several, and files, add their differences; 0 to 65535", () => {
    expect(effectiveWeight(10, [])).toBe(10);
    expect(effectiveWeight(10, [{ set: 20 }])).toBe(20);
    expect(effectiveWeight(10, [{ set: 20 }, { set: 5 }])).toBe(15);
    expect(effectiveWeight(10, [{ add: 5 }, { add: -7 }])).toBe(8);
    expect(effectiveWeight(10, [{ set: 20 }, { add: -7 }])).toBe(13);
    expect(effectiveWeight(10, [{ add: -50 }])).toBe(0);
    expect(effectiveWeight(10, [{ add: 99_999 }])).toBe(65_535);
  });
});

describe("descriptor budget, spec checks 4", () => {
  it("by deadline and delay_loop, what opens nothing needing none", () => {
    const timing = { connectTimeout: ms(5_000), delayLoop: ms(10_000) };
    const half = Array.from({ length: 100 }, () => tcpConfig(timing));
    expect(fdBudget(half, 20_000)).toEqual({ needed: 50, available: 20_000 - RESERVED_FDS });
    expect(fdBudget([fileConfig()], 20_000).needed).toBe(0);
    expect(fdBudget([dnsConfig(timing), miscConfig(timing), httpConfig(timing)], 1_024).needed).toBe(2);
    expect(fdBudget([smtpConfig(timing)], Number.POSITIVE_INFINITY).problem).toBeUndefined();
  });
  it("refused with the numbers, and what would do", () => {
    const many = Array.from({ length: 8_000 }, () =>
      tcpConfig({ connectTimeout: ms(5_000), delayLoop: ms(2_000) }),
    );
    expect(fdBudget(many, 4_096).problem).toBe(
      "8000 checkers may hold 6667 descriptors at once when their servers hang, but the limit on open files " +
        "(RLIMIT_NOFILE 4096) leaves 3584 for them: raise LimitNOFILE to 7179, or use a longer delay_loop or a " +
        "shorter connect_timeout",
    );
  });
});
