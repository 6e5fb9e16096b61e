import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { destKey, serviceKey } from "../../src/lvs/keys.ts";
import type { DestSpec, Operation, ServiceSpec } from "../../src/lvs/table.ts";
import { decodeFamily } from "../../src/wire/genl.ts";
import {
  decodeDaemon,
  decodeDest,
  decodeInfo,
  decodeService,
  decodeTimeouts,
  writeOperation,
  writeSetConfig,
  writeStartDaemon,
} from "../../src/wire/ipvs.ts";
import {
  NetlinkWriter,
  parseAttributes,
  parseDonePayload,
  parseErrorPayload,
  parseMessages,
} from "../../src/wire/netlink.ts";
import { destSpec, mutated, serviceSpec, u16, u32 } from "./wire-arbitraries.ts";

const addService = (service: ServiceSpec): Operation => ({
  op: "addService",
  key: serviceKey(service.id),
  service,
});
const addDest = (service: ServiceSpec, dest: DestSpec): Operation => ({
  op: "addDest",
  key: serviceKey(service.id),
  service,
  destKey: destKey(dest),
  dest,
});
const encode = (...operations: readonly Operation[]): Uint8Array => {
  const w = new NetlinkWriter(16);
  for (const [seq, operation] of operations.entries()) writeOperation(w, 28, seq, 0, operation);
  return w.bytes();
};
const any = fc.uint8Array({ maxLength: 300 });
const validOperation = fc
  .tuple(serviceSpec, destSpec, fc.boolean())
  .map(([service, dest, first]) => encode(first ? addService(service) : addDest(service, dest)));

describe("round trips (a request has the shape of its answer)", () => {
  it("services", () => {
    fc.assert(
      fc.property(serviceSpec, (service) => {
        expect(decodeService(parseMessages(encode(addService(service)))[0]!.payload)).toEqual({
          spec: service,
        });
      }),
    );
  });
  it("the kernel's HASHED is never part of a service's flags", () => {
    fc.assert(
      fc.property(serviceSpec, (service) => {
        const hashed = addService({ ...service, flags: service.flags | 2 });
        expect(decodeService(parseMessages(encode(hashed))[0]!.payload)?.spec).toEqual(service);
      }),
    );
  });
  it("destinations", () => {
    fc.assert(
      fc.property(serviceSpec, destSpec, (service, dest) => {
        const payload = parseMessages(encode(addDest(service, dest)))[0]!.payload;
        expect(decodeDest(payload)?.spec).toEqual(dest);
      }),
    );
  });
  it("timeouts", () => {
    fc.assert(
      fc.property(u32, u32, u32, (tcp, tcpFin, udp) => {
        const w = new NetlinkWriter();
        writeSetConfig(w, 28, 1, 0, { tcp, tcpFin, udp });
        expect(decodeTimeouts(parseMessages(w.bytes())[0]!.payload)).toEqual({ tcp, tcpFin, udp });
      }),
    );
  });
  it("sync daemons", () => {
    const daemon = fc.record(
      {
        state: fc.constantFrom("master" as const, "backup" as const),
        interface: fc.stringMatching(/^[a-z][a-z0-9.]{0,14}$/),
        syncId: fc.integer({ min: 0, max: 255 }),
        maxLength: u16,
        group: fc.constantFrom("224.0.0.81", "ff02::51"),
        port: u16,
        ttl: fc.integer({ min: 0, max: 255 }),
      },
      { requiredKeys: ["state", "interface", "syncId"] },
    );
    fc.assert(
      fc.property(daemon, (value) => {
        const w = new NetlinkWriter();
        writeStartDaemon(w, 28, 1, 0, value);
        expect(decodeDaemon(parseMessages(w.bytes())[0]!.payload)).toEqual(value);
      }),
    );
  });
  it("a batch parses back message by message, in either byte order", () => {
    const message = fc.record({ type: u16, flags: u16, seq: u32, value: fc.uint8Array({ maxLength: 20 }) });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 20 }), fc.boolean(), (messages, littleEndian) => {
        const w = new NetlinkWriter(16, littleEndian);
        for (const { type, flags, seq, value } of messages) w.begin(type, flags, seq).attr(1, value).end();
        const parsed = parseMessages(w.bytes(), littleEndian);
        expect(
          parsed.map(({ type, flags, seq, payload }) => ({
            type,
            flags,
            seq,
            value: parseAttributes(payload, 0, littleEndian).get(1),
          })),
        ).toEqual(messages);
      }),
    );
  });
});

describe("hostile input never throws and never hangs", () => {
  it("parseMessages: messages do not overlap and lie inside the buffer", () => {
    fc.assert(
      fc.property(fc.oneof(any, mutated(validOperation)), fc.boolean(), (bytes, littleEndian) => {
        let end = 0;
        for (const { payload } of parseMessages(bytes, littleEndian)) {
          const start = payload.byteOffset - bytes.byteOffset;
          expect(start - 16).toBeGreaterThanOrEqual(end);
          end = start + payload.length;
          expect(end).toBeLessThanOrEqual(bytes.length);
        }
      }),
    );
  });
  it("parseAttributes: any offset, values inside the payload, types below 0x4000", () => {
    fc.assert(
      fc.property(any, fc.nat(310), fc.boolean(), (bytes, offset, littleEndian) => {
        for (const [type, value] of parseAttributes(bytes, offset, littleEndian)) {
          expect(type).toBeLessThan(0x4000);
          expect(value.byteOffset - bytes.byteOffset + value.length).toBeLessThanOrEqual(bytes.length);
        }
      }),
    );
  });
  it("every decoder of answers: arbitrary payloads and mutated valid ones", () => {
    const payload = fc.oneof(
      any,
      mutated(validOperation.map((bytes) => bytes.slice(16))),
      // The generic header kept whole, so that the attributes are reached.
      fc
        .tuple(fc.constantFrom(1, 5, 9, 12, 14), mutated(validOperation.map((bytes) => bytes.slice(20))))
        .map(([command, rest]) => Uint8Array.of(command, 1, 0, 0, ...rest)),
    );
    const decoders = [decodeService, decodeDest, decodeDaemon, decodeInfo, decodeTimeouts, decodeFamily];
    fc.assert(
      fc.property(payload, u16, (bytes, flags) => {
        for (const decode of decoders) decode(bytes);
        expect(parseErrorPayload(bytes, flags).errno).toBeGreaterThanOrEqual(0);
        expect(parseDonePayload(bytes, flags).errno).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 500 },
    );
  });
  it("a damaged answer that still decodes can be written again", () => {
    fc.assert(
      fc.property(
        mutated(fc.tuple(serviceSpec).map(([service]) => encode(addService(service)).slice(16))),
        (bytes) => {
          const spec = decodeService(bytes)?.spec;
          if (spec && spec.netmask <= 128) expect(encode(addService(spec)).length).toBeGreaterThan(20);
        },
      ),
      { numRuns: 500 },
    );
  });
});
