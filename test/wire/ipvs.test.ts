import { describe, expect, it } from "vitest";
import { destKey, serviceKey } from "../../src/lvs/keys.ts";
import type { DestSpec, Operation, ServiceId, ServiceSpec } from "../../src/lvs/table.ts";
import { fromHex, hex } from "../../src/wire/hex.ts";
import {
  decodeDaemon,
  decodeDest,
  decodeInfo,
  decodeService,
  decodeTimeouts,
  writeFlush,
  writeGetConfig,
  writeGetDaemons,
  writeGetDests,
  writeGetInfo,
  writeGetService,
  writeGetServices,
  writeOperation,
  writeSetConfig,
  writeStartDaemon,
  writeStopDaemon,
  writeZero,
} from "../../src/wire/ipvs.ts";
import { maskToPrefix, prefixToMask } from "../../src/wire/ipvs-netmask.ts";
import {
  HOST_LITTLE_ENDIAN,
  NetlinkWriter,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  parseAttributes,
  parseMessages,
} from "../../src/wire/netlink.ts";
import * as captured from "../vectors/ipvs.ts";

const { DEST, FAMILY_ID, SERVICE } = captured;
const written = (write: (w: NetlinkWriter) => void): Uint8Array => {
  const w = new NetlinkWriter();
  write(w);
  return w.bytes();
};
const operation = (op: Operation["op"], service: ServiceSpec = SERVICE, dest: DestSpec = DEST): Operation => {
  const key = serviceKey(service.id);
  return op === "addService" || op === "editService" || op === "deleteService"
    ? { op, key, service }
    : { op, key, service, destKey: destKey(dest), dest };
};
const payloadOf = (op: Operation): Uint8Array =>
  parseMessages(written((w) => writeOperation(w, FAMILY_ID, 1, 0, op)))[0]!.payload;
const command = (bytes: Uint8Array) => {
  const { type, flags, seq, payload } = parseMessages(bytes)[0]!;
  return { type, flags, seq, command: payload[0], version: payload[1] };
};

describe.runIf(HOST_LITTLE_ENDIAN)("IPVS requests as Linux 6.1 took them", () => {
  it("NEW_SERVICE and NEW_DEST in one buffer", () => {
    const bytes = written((w) => {
      writeOperation(w, FAMILY_ID, 1, NLM_F_ACK, operation("addService"));
      writeOperation(w, FAMILY_ID, 2, NLM_F_ACK, operation("addDest"));
    });
    expect(hex(bytes)).toBe(captured.NEW_SERVICE_AND_DEST);
  });
  it("GET_SERVICE and GET_DEST dumps", () => {
    expect(hex(written((w) => writeGetServices(w, FAMILY_ID, 100)))).toBe(captured.GET_SERVICES);
    expect(hex(written((w) => writeGetDests(w, FAMILY_ID, 100, SERVICE.id)))).toBe(captured.GET_DESTS);
  });
  it("NEW_DAEMON for master and backup", () => {
    const bytes = written((w) => {
      writeStartDaemon(w, FAMILY_ID, 1, NLM_F_ACK, captured.MASTER_DAEMON);
      writeStartDaemon(w, FAMILY_ID, 2, NLM_F_ACK, captured.BACKUP_DAEMON);
    });
    expect(hex(bytes)).toBe(captured.START_DAEMONS);
  });
});

describe.runIf(HOST_LITTLE_ENDIAN)("IPVS answers captured from Linux 6.1", () => {
  const payloads = (text: string) => parseMessages(fromHex(text)).map((message) => message.payload);
  const zero = 0n;
  const stats = {
    conns: zero,
    inPkts: zero,
    outPkts: zero,
    inBytes: zero,
    outBytes: zero,
    cps: zero,
    inPps: zero,
    outPps: zero,
    inBps: zero,
    outBps: zero,
  };
  it("a service is what was asked for: HASHED is masked, the mask is a prefix length again", () => {
    expect(decodeService(payloads(captured.SERVICES_DUMP)[0]!)).toEqual({ spec: SERVICE, stats });
  });
  it("a destination is what was asked for, its connections beside it", () => {
    expect(decodeDest(payloads(captured.DESTS_DUMP)[0]!)).toEqual({
      spec: DEST,
      observation: { activeConns: 0, inactConns: 1, persistConns: 1, stats },
    });
  });
  it("sync daemons, with the kernel's defaults filled in", () => {
    const daemons = payloads(captured.DAEMONS_DUMP);
    expect(decodeDaemon(daemons[0]!)).toEqual(captured.MASTER_DAEMON);
    expect(decodeDaemon(daemons[1]!)).toEqual({
      ...captured.BACKUP_DAEMON,
      maxLength: 1452,
      port: 8848,
      ttl: 1,
    });
  });
  it("a message of one kind is not taken for another, nor is NLMSG_DONE", () => {
    const service = payloads(captured.SERVICES_DUMP);
    const dest = payloads(captured.DESTS_DUMP)[0]!;
    for (const payload of [dest, service[1]!]) expect(decodeService(payload)).toBeUndefined();
    for (const payload of [service[0]!, service[1]!]) expect(decodeDest(payload)).toBeUndefined();
    for (const decode of [decodeDaemon, decodeInfo, decodeTimeouts]) expect(decode(dest)).toBeUndefined();
  });
});

describe("commands (linux/ip_vs.h)", () => {
  const request = { type: FAMILY_ID, flags: NLM_F_REQUEST | NLM_F_ACK, seq: 9, version: 1 };
  const operations: readonly (readonly [Operation["op"], number])[] = [
    ["addService", 1],
    ["editService", 2],
    ["deleteService", 3],
    ["addDest", 5],
    ["editDest", 6],
    ["deleteDest", 7],
  ];
  for (const [op, number] of operations) {
    it(`${op} is command ${number}`, () => {
      const bytes = written((w) => writeOperation(w, FAMILY_ID, 9, NLM_F_ACK, operation(op)));
      expect(command(bytes)).toEqual({ ...request, command: number });
    });
  }
  it("the other requests", () => {
    const plain = { ...request, flags: NLM_F_REQUEST };
    const dump = { ...request, flags: NLM_F_REQUEST | NLM_F_DUMP };
    const of = (write: (w: NetlinkWriter) => void) => command(written(write));
    expect(of((w) => writeGetService(w, FAMILY_ID, 9, SERVICE.id))).toEqual({ ...plain, command: 4 });
    expect(of((w) => writeStopDaemon(w, FAMILY_ID, 9, NLM_F_ACK, "backup"))).toEqual({
      ...request,
      command: 10,
    });
    expect(of((w) => writeGetDaemons(w, FAMILY_ID, 9))).toEqual({ ...dump, command: 11 });
    const timeouts = { tcp: 900, tcpFin: 120, udp: 300 };
    expect(of((w) => writeSetConfig(w, FAMILY_ID, 9, NLM_F_ACK, timeouts))).toEqual({
      ...request,
      command: 12,
    });
    expect(of((w) => writeGetConfig(w, FAMILY_ID, 9))).toEqual({ ...plain, command: 13 });
    expect(of((w) => writeGetInfo(w, FAMILY_ID, 9))).toEqual({ ...plain, command: 15 });
    expect(of((w) => writeZero(w, FAMILY_ID, 9, NLM_F_ACK))).toEqual({ ...request, command: 16 });
    expect(of((w) => writeFlush(w, FAMILY_ID, 9, NLM_F_ACK))).toEqual({ ...request, command: 17 });
  });
  it("ZERO of one service carries its identity, of all carries nothing", () => {
    const payload = (id?: ServiceId) => parseMessages(written((w) => writeZero(w, 1, 1, 0, id)))[0]!.payload;
    expect(payload().length).toBe(4);
    expect([...parseAttributes(payload(SERVICE.id), 4).keys()]).toEqual([1]);
  });
});

describe("attributes (linux/ip_vs.h)", () => {
  const nest = (op: Operation, type: number) => parseAttributes(parseAttributes(payloadOf(op), 4).get(type)!);
  const v6: ServiceSpec = {
    ...SERVICE,
    id: { kind: "address", protocol: "tcp", family: 6, address: "2001:db8::1", port: 443 },
    netmask: 64,
  };
  const word = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);

  it("deleting needs the identity only", () => {
    expect([...nest(operation("deleteService"), 1).keys()]).toEqual([1, 2, 3, 4]);
    expect([...nest(operation("deleteDest"), 1).keys()]).toEqual([1, 2, 3, 4]);
    expect([...nest(operation("deleteDest"), 2).keys()]).toEqual([1, 2, 11]);
  });
  it("a service is identified by family and mark, or protocol, address and port in network order", () => {
    const mark: ServiceSpec = { ...SERVICE, id: { kind: "fwmark", family: 6, mark: 0xffffffff } };
    expect([...nest(operation("deleteService", mark), 1)]).toEqual([
      [1, new Uint8Array(Uint16Array.of(10).buffer)],
      [5, word(0xffffffff)],
    ]);
    const plain = nest(operation("deleteService"), 1);
    expect(hex(plain.get(4)!)).toBe("13c4");
    expect(hex(plain.get(3)!)).toBe("c0000201000000000000000000000000");
  });
  it("NETMASK is a mask in network order for IPv4 and a prefix length for IPv6", () => {
    expect(hex(nest(operation("addService"), 1).get(9)!)).toBe("ffffff00");
    expect(nest(operation("addService", v6), 1).get(9)).toEqual(word(64));
  });
  it("FLAGS is the flags and a mask of all bits", () => {
    const flags = nest(operation("addService"), 1).get(7)!;
    expect([flags.subarray(0, 4), flags.subarray(4)]).toEqual([word(0x11), word(0xffffffff)]);
  });
  it("PE_NAME is sent when there is one", () => {
    expect(nest(operation("addService"), 1).has(11)).toBe(false);
    expect(hex(nest(operation("addService", { ...SERVICE, pe: "sip" }), 1).get(11)!)).toBe("73697000");
  });
  it("forwarding methods are masq 0, local 1, tunnel 2, route 3, bypass 4", () => {
    const methods = ["masq", "local", "tunnel", "route", "bypass"] as const;
    const numbers = methods.map((forward) =>
      nest(operation("addDest", SERVICE, { ...DEST, forward }), 2).get(3),
    );
    expect(numbers).toEqual([0, 1, 2, 3, 4].map(word));
  });
  it("tunnel attributes go with tunnels only; the port is in network order", () => {
    const tunnel = nest(operation("addDest"), 2);
    expect([tunnel.get(13), hex(tunnel.get(14)!), tunnel.get(15)]).toEqual([
      Uint8Array.of(1),
      "17c0",
      new Uint8Array(Uint16Array.of(2).buffer),
    ]);
    const route = nest(operation("editDest", SERVICE, { ...DEST, forward: "route" }), 2);
    for (const type of [13, 14, 15]) expect(route.has(type)).toBe(false);
  });
  it("ADDR_FAMILY is the destination's own, which may differ from the service's", () => {
    expect(nest(operation("addDest", v6, DEST), 2).get(11)).toEqual(new Uint8Array(Uint16Array.of(2).buffer));
  });
  it("text that is no address of its family is refused, not sent", () => {
    const bad = { ...DEST, address: "2001:db8::1" };
    expect(() => payloadOf(operation("addDest", SERVICE, bad))).toThrow(
      /"2001:db8::1" is not an IPv4 address/,
    );
  });
});

/** One answer with a nested attribute filled by `fill`. */
const answer = (commandNumber: number, type: number, fill: (w: NetlinkWriter) => void): Uint8Array => {
  const w = new NetlinkWriter().begin(FAMILY_ID, 0, 1).u8(commandNumber).u8(1).u16(0);
  const mark = w.beginNested(type);
  fill(w);
  return parseMessages(w.endNested(mark).end().bytes())[0]!.payload;
};

describe("decoding answers (linux/ip_vs.h)", () => {
  const identity = (w: NetlinkWriter) =>
    w.attrU16(1, 2).attrU16(2, 6).attr(3, fromHex("c0000201000000000000000000000000")).attrU16be(4, 80);
  const stats = (w: NetlinkWriter, type: number, first: number, wide: boolean) => {
    const mark = w.beginNested(type);
    for (let counter = 1; counter <= 10; counter++) {
      const value = first + counter;
      // STATS has 32 bits for all but the byte counters, STATS64 has 64 for all.
      if (wide || counter === 4 || counter === 5)
        w.attr(counter, new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
      else w.attrU32(counter, value);
    }
    w.endNested(mark);
  };
  const counters = (first: number) => ({
    conns: BigInt(first + 1),
    inPkts: BigInt(first + 2),
    outPkts: BigInt(first + 3),
    inBytes: BigInt(first + 4),
    outBytes: BigInt(first + 5),
    cps: BigInt(first + 6),
    inPps: BigInt(first + 7),
    outPps: BigInt(first + 8),
    inBps: BigInt(first + 9),
    outBps: BigInt(first + 10),
  });

  it("STATS64 is preferred to STATS; kernels before 4.1 have STATS only", () => {
    const both = answer(1, 1, (w) => {
      stats(identity(w), 10, 100, false);
      stats(w, 12, 2 ** 40, true);
    });
    expect(decodeService(both)?.stats).toEqual(counters(2 ** 40));
    const old = answer(1, 1, (w) => stats(identity(w), 10, 100, false));
    expect(decodeService(old)?.stats).toEqual(counters(100));
    expect(decodeService(answer(1, 1, identity))).not.toHaveProperty("stats");
    const dest = answer(5, 2, (w) => {
      w.attr(1, fromHex("0a000001000000000000000000000000")).attrU16be(2, 80);
      stats(w, 10, 100, false);
      stats(w, 12, 500, true);
    });
    expect(decodeDest(dest)?.observation.stats).toEqual(counters(500));
  });
  it("kernels before 3.18 send no ADDR_FAMILY: the service's counts", () => {
    const dest = answer(5, 2, (w) => w.attr(1, fromHex("20010db8000000000000000000000001")).attrU16be(2, 80));
    expect(decodeDest(dest, 6)?.spec).toMatchObject({ family: 6, address: "2001:db8::1" });
    expect(decodeDest(dest)?.spec).toMatchObject({ family: 4, address: "32.1.13.184" });
  });
  it("connection flags beside the forwarding method are masked", () => {
    const forward = (value: number) =>
      decodeDest(answer(5, 2, (w) => w.attr(1, new Uint8Array(16)).attrU16be(2, 80).attrU32(3, value)))?.spec
        .forward;
    expect(forward(0x103)).toBe("route");
    expect(forward(0xfff8)).toBe("masq");
    for (const unknown of [5, 6, 7]) expect(forward(unknown)).toBeUndefined();
  });
  it("a service or destination without what identifies it is undefined", () => {
    const bad: ((w: NetlinkWriter) => void)[] = [
      (w) => w.attrU16(1, 2),
      (w) => w.attrU16(1, 7).attrU32(5, 1),
      (w) => w.attrU16(1, 2).attrU16(2, 47).attr(3, new Uint8Array(16)).attrU16be(4, 80),
      (w) => w.attrU16(1, 10).attrU16(2, 6).attr(3, new Uint8Array(15)).attrU16be(4, 80),
      (w) => w.attrU16(1, 2).attrU16(2, 6).attr(3, new Uint8Array(16)).attrU32(4, 80),
      () => undefined,
    ];
    for (const fill of bad) expect(decodeService(answer(1, 1, fill))).toBeUndefined();
    expect(decodeDest(answer(5, 2, () => undefined))).toBeUndefined();
    expect(decodeDest(answer(5, 2, (w) => w.attr(1, new Uint8Array(3)).attrU16be(2, 80)))).toBeUndefined();
    expect(decodeService(new Uint8Array(3))).toBeUndefined();
    expect(decodeDest(new Uint8Array(0))).toBeUndefined();
  });
  it("GET_INFO: version and connection table size", () => {
    const w = new NetlinkWriter()
      .begin(1, 0, 0)
      .u8(14)
      .u8(1)
      .u16(0)
      .attrU32(1, 0x010201)
      .attrU32(2, 4096)
      .end();
    expect(decodeInfo(w.bytes().subarray(16))).toEqual({ version: "1.2.1", connTabSize: 4096 });
  });
  it("GET_CONFIG: what SET_CONFIG wrote, 0 for what is missing", () => {
    const timeouts = { tcp: 901, tcpFin: 121, udp: 301 };
    expect(decodeTimeouts(written((w) => writeSetConfig(w, 1, 1, 0, timeouts)).subarray(16))).toEqual(
      timeouts,
    );
    expect(decodeTimeouts(fromHex("0c010000"))).toEqual({ tcp: 0, tcpFin: 0, udp: 0 });
  });
});

describe("persistence granularity", () => {
  it("every IPv4 prefix length goes both ways", () => {
    for (let prefix = 0; prefix <= 32; prefix++) expect(maskToPrefix(prefixToMask(prefix))).toBe(prefix);
    expect(prefixToMask(24)).toBe(0xffffff00);
    expect(() => prefixToMask(33)).toThrow(/\/33/);
  });
  it("ipvsadm takes any mask: one that is no prefix comes back as it was and equals no prefix", () => {
    for (const mask of [0xff00ff00, 1, 0x80000001, 0x7fffffff]) {
      expect(maskToPrefix(mask)).toBe(-mask);
      expect(prefixToMask(maskToPrefix(mask))).toBe(mask);
    }
  });
});

describe("keys", () => {
  it("table.ts: canonical text of services and destinations", () => {
    expect(serviceKey({ kind: "address", protocol: "tcp", family: 4, address: "192.0.2.1", port: 80 })).toBe(
      "tcp 192.0.2.1:80",
    );
    expect(
      serviceKey({ kind: "address", protocol: "udp", family: 6, address: "2001:db8::1", port: 53 }),
    ).toBe("udp [2001:db8::1]:53");
    expect(serviceKey({ kind: "fwmark", family: 4, mark: 7 })).toBe("fwmark 7 inet");
    expect(serviceKey({ kind: "fwmark", family: 6, mark: 7 })).toBe("fwmark 7 inet6");
    expect(destKey({ address: "192.0.2.11", port: 80, family: 4 })).toBe("192.0.2.11:80");
    expect(destKey({ address: "2001:db8::11", port: 80, family: 6 })).toBe("[2001:db8::11]:80");
  });
});
