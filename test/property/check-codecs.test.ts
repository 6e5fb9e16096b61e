import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { firstDifference, parseHexString } from "../../src/check/byte-pattern.ts";
import { decodeReply, encodeName, encodeQuery } from "../../src/check/dns-message.ts";
import { decodeHealthResponse } from "../../src/check/grpc-health.ts";
import { echoRequest, parseEchoReply } from "../../src/check/icmp-echo.ts";
import { REGEX_OPTIONS, translatePcre } from "../../src/check/pcre.ts";
import { SmtpReplies } from "../../src/check/smtp-reply.ts";
import { effectiveWeight } from "../../src/check/weight.ts";
import { internetChecksum } from "../../src/wire/checksum.ts";
import { hex } from "../../src/wire/hex.ts";

const label = fc.stringMatching(/^[a-z0-9]{1,20}$/);
const name = fc.array(label, { maxLength: 6 }).map((labels) => labels.join("."));
const id = fc.nat(0xffff);
const type = fc.constantFrom(1, 2, 6, 15, 16, 28, 33, 99, 255);

describe("hostile replies, spec checks 3", () => {
  it("DNS: any change of any bytes of an answer is an answer, foreign or malformed, and never throws", () => {
    const change = fc.record({ at: fc.nat(120), byte: fc.nat(255) });
    fc.assert(
      fc.property(
        id,
        name,
        type,
        fc.array(change, { maxLength: 8 }),
        fc.nat(120),
        (qid, qname, qtype, changes, cut) => {
          const question = { id: qid, name: qname, type: qtype };
          const query = encodeQuery(question);
          const record = [0xc0, 12, qtype >> 8, qtype & 255, 0, 1, 0, 0, 0, 9, 0, 6, 0, 1, 0xc0, 12, 0, 0];
          const bytes = Uint8Array.of(...query, ...record, ...record);
          bytes[2] = 0x81;
          bytes[7] = 2;
          for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte;
          const decoded = decodeReply(bytes.subarray(0, bytes.length - (cut % bytes.length)), question);
          const keys = Object.keys(decoded).sort().join();
          expect(["foreign", "malformed", "answers,rcode,truncated"]).toContain(keys);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("DNS: the question read back is the one asked, whatever its case", () => {
    fc.assert(
      fc.property(id, name, type, (qid, qname, qtype) => {
        fc.pre(!("problem" in encodeName(qname)));
        const reply = encodeQuery({ id: qid, name: qname.toUpperCase(), type: qtype });
        reply[2] = 0x81;
        const decoded = decodeReply(reply, { id: qid, name: qname, type: qtype });
        expect(decoded).toEqual({ rcode: 0, truncated: false, answers: [] });
      }),
    );
  });

  it("SMTP: how the bytes are cut makes no difference, and nothing throws", () => {
    const piece = fc.constantFrom(
      "220 a\r\n",
      "250-b\r\n",
      "250 c\n",
      "2",
      "\r\n",
      "x",
      "\u0000",
      " ",
      "999 x\n",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), fc.integer({ min: 1, max: 5 }), (pieces, size) => {
        const bytes = Uint8Array.from(pieces.join(""), (c) => c.charCodeAt(0));
        const whole = new SmtpReplies().push(bytes);
        const cut = new SmtpReplies();
        const dripped = [];
        for (let at = 0; at < bytes.length; at += size) {
          dripped.push(...cut.push(bytes.subarray(at, at + size)));
          if (dripped.some((reply) => "problem" in reply)) break;
        }
        expect(dripped).toEqual(whole);
      }),
    );
  });

  it("gRPC and ICMP: any bytes are a status, a problem or nothing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const framed = Uint8Array.of(0, 0, 0, 0, bytes.length, ...bytes);
        for (const body of [bytes, framed]) {
          const status = decodeHealthResponse(body);
          expect(typeof status === "number" || typeof status.problem === "string").toBe(true);
        }
        for (const raw of [true, false]) parseEchoReply(4, bytes, raw);
        parseEchoReply(6, bytes, false);
      }),
    );
  });

  it("ICMP: a request's checksum is right (RFC 1071), and its reply gives back what was sent", () => {
    fc.assert(
      fc.property(id, id, fc.uint8Array({ maxLength: 100 }), (eid, sequence, data) => {
        const request = echoRequest(4, { id: eid, sequence, data });
        expect(internetChecksum(request)).toBe(0);
        const reply = request.slice();
        reply[0] = 0;
        expect(parseEchoReply(4, reply, false)).toEqual({ id: eid, sequence, data });
      }),
    );
  });
});

describe("patterns and weights", () => {
  it("hex strings: what is written in pairs is what was meant, and matches itself", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
        const text = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ");
        expect(parseHexString(text, false)).toBe(hex(bytes));
        expect(firstDifference(hex(bytes), bytes)).toBeUndefined();
        expect(firstDifference("xx".repeat(bytes.length), bytes)).toBeUndefined();
      }),
    );
  });

  it("PCRE: any pattern is an expression that compiles, or refused with a reason", () => {
    const bits = fc.constantFrom(
      ..."\\ [ ] ( ) { } ? * + . ^ $ | a 1 - : < > = ! P Q E x s S b \\s é #".split(" "),
    );
    const options = fc.subarray([...REGEX_OPTIONS]);
    fc.assert(
      fc.property(fc.array(bits, { maxLength: 12 }), options, (parts, chosen) => {
        const translated = translatePcre(parts.join(""), chosen);
        if ("problem" in translated) expect(translated.problem).not.toBe("");
        else new RegExp(translated.source, translated.flags);
      }),
      { numRuns: 2_000 },
    );
  });

  it("PCRE: without syntax of its own a text finds itself, and only itself", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA-Z0-9 _,;%&@~"'<>=!é☃-]{1,20}$/), (text) => {
        const translated = translatePcre(text, ["utf"]);
        if ("problem" in translated) return expect.unreachable(translated.problem);
        const regex = new RegExp(translated.source, translated.flags);
        expect(regex.exec(`<${text}>`)?.[0]).toBe(text);
        return undefined;
      }),
    );
  });

  it("weights stay within 0 and 65535, in whatever order they come", () => {
    const weight = fc.oneof(
      fc.record({ set: fc.nat(253) }),
      fc.record({ add: fc.integer({ min: -70_000, max: 70_000 }) }),
    );
    fc.assert(
      fc.property(fc.nat(65_535), fc.array(weight, { maxLength: 5 }), (configured, wanted) => {
        const effective = effectiveWeight(configured, wanted);
        expect(effective).toBe(effectiveWeight(configured, wanted.toReversed()));
        expect(effective).toBeGreaterThanOrEqual(0);
        expect(effective).toBeLessThanOrEqual(65_535);
      }),
    );
  });
});
