import { AttrStream } from "node-netlink/dist/structs.js";
import { describe, expect, it } from "vitest";
import { int32, putI32, putU16, putU32 } from "../../src/net/bytes.ts";
import { encodeMessage, readAck } from "../../src/net/netlink-request.ts";
import {
  type AddressRequest,
  encodeAddress,
  parseAddress,
  parseLink,
  RT_SCOPE_LINK,
  VIPWARD_IFA_PROTO,
} from "../../src/net/rtnetlink-codec.ts";
import { seconds } from "../../src/units.ts";

const bytes = (request: AddressRequest): Buffer => {
  const out = new AttrStream();
  encodeAddress(request, out);
  return Buffer.concat(out.bufs);
};
const roundTrip = (request: AddressRequest) => parseAddress(bytes(request));

/** struct nlattr, padded. */
function attribute(type: number, data: Uint8Array): Buffer {
  const b = Buffer.alloc((4 + data.length + 3) & ~3);
  putU16(b, 0, 4 + data.length);
  putU16(b, 2, type);
  b.set(data, 4);
  return b;
}

describe("addresses (linux/if_addr.h)", () => {
  const lease: AddressRequest = {
    index: 3,
    family: 4,
    address: "192.0.2.100",
    prefixLength: 24,
    label: "eth0:vip",
    broadcast: "192.0.2.255",
    scope: RT_SCOPE_LINK,
    validLifetime: seconds(4),
    protocol: VIPWARD_IFA_PROTO,
  };

  it("a leased VIP comes back as it was asked for, with IFA_PROTO", () => {
    expect(roundTrip(lease)).toEqual({
      family: 4,
      address: "192.0.2.100",
      prefixLength: 24,
      index: 3,
      label: "eth0:vip",
      scope: RT_SCOPE_LINK,
      flags: 0,
      secondary: false,
      protocol: 112,
      validLifetime: 4,
    });
  });

  it("IPv4 sets both IFA_LOCAL and IFA_ADDRESS", () => {
    const raw = bytes({ index: 1, family: 4, address: "192.0.2.1", prefixLength: 32 });
    for (const type of [1, 2])
      expect(raw.includes(attribute(type, Uint8Array.of(192, 0, 2, 1))), `attribute ${type}`).toBe(true);
  });

  it("a peer is IFA_ADDRESS, the address IFA_LOCAL", () => {
    expect(
      roundTrip({ index: 1, family: 4, address: "192.0.2.1", peer: "192.0.2.2", prefixLength: 32 }),
    ).toMatchObject({ address: "192.0.2.1", peer: "192.0.2.2" });
  });

  it("without a lifetime the address stays for ever", () => {
    expect(
      roundTrip({ index: 1, family: 4, address: "10.0.0.1", prefixLength: 8 })?.validLifetime,
    ).toBeUndefined();
  });

  it("IPv6: nodad and noprefixroute unless told otherwise; preferred lifetime 0 is kept", () => {
    const request: AddressRequest = {
      index: 2,
      family: 6,
      address: "2001:db8::100",
      prefixLength: 128,
      validLifetime: seconds(4),
      preferredLifetime: seconds(0),
    };
    expect(roundTrip(request)).toMatchObject({ family: 6, flags: 0x202, secondary: false, validLifetime: 4 });
    expect(roundTrip({ ...request, noDad: false, noPrefixRoute: false })?.flags).toBe(0);
    // struct ifa_cacheinfo: preferred, then valid.
    expect(
      bytes(request).includes(attribute(6, Buffer.concat([int32(0), int32(4), int32(0), int32(0)]))),
    ).toBe(true);
  });

  it("IFA_F_SECONDARY means secondary in IPv4 and temporary in IPv6", () => {
    const v4 = bytes({ index: 1, family: 4, address: "10.0.0.1", prefixLength: 8 }).subarray(0, 8);
    const v6 = bytes({ index: 1, family: 6, address: "fe80::1", prefixLength: 64 }).subarray(0, 8);
    const flag = attribute(8, int32(1));
    expect(parseAddress(Buffer.concat([v4, attribute(2, Uint8Array.of(10, 0, 0, 1)), flag]))).toMatchObject({
      secondary: true,
    });
    const temporary = Buffer.concat([v6, attribute(1, new Uint8Array(16).fill(1)), flag]);
    expect(parseAddress(temporary)).toMatchObject({ secondary: false, flags: 1 });
  });

  it.each([
    [{ validLifetime: seconds(0) }, "valid 0"],
    [{ validLifetime: seconds(1.5) }, "valid 1.5"],
    [{ validLifetime: seconds(2), preferredLifetime: seconds(3) }, "preferred 3"],
    [{ prefixLength: 33 }, "prefix length 33"],
  ])("refuses %j", (change, text) => {
    expect(() => bytes({ ...lease, ...change })).toThrow(text);
  });

  it("refuses an address of the other family", () => {
    expect(() => bytes({ ...lease, address: "2001:db8::1" })).toThrow(/IPv4/);
  });
});

describe("links (linux/if_link.h)", () => {
  const header = (family: number, flags: number) => {
    const b = Buffer.alloc(16);
    b[0] = family;
    putI32(b, 4, 7);
    putU32(b, 8, flags);
    return b;
  };
  const name = attribute(3, Buffer.from("eth0.100\0"));

  it("reads index, name, MAC, MTU, state, kind, parent and master", () => {
    const message = Buffer.concat([
      header(0, 0x1 | 0x40),
      name,
      attribute(1, Uint8Array.of(2, 0, 0, 0, 0, 1)),
      attribute(4, int32(1500)),
      attribute(5, int32(2)),
      attribute(10, int32(9)),
      attribute(18, attribute(1, Buffer.from("vlan\0"))),
    ]);
    expect(parseLink(message)).toEqual({
      index: 7,
      name: "eth0.100",
      mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
      flags: 0x41,
      up: true,
      running: true,
      mtu: 1500,
      kind: "vlan",
      parent: 2,
      master: 9,
    });
  });

  it("up without carrier is up, not running", () => {
    expect(parseLink(Buffer.concat([header(0, 0x1), name]))).toMatchObject({ up: true, running: false });
  });

  it("a bridge port's message (AF_BRIDGE) is not about the link: its removal only means it left the bridge", () => {
    expect(parseLink(Buffer.concat([header(7, 0x1), name]))).toBeUndefined();
  });

  it("unknown and odd attributes of other drivers do no harm", () => {
    const odd = attribute(7, new Uint8Array(5));
    expect(parseLink(Buffer.concat([header(0, 0), odd, attribute(999, new Uint8Array(1)), name]))?.name).toBe(
      "eth0.100",
    );
  });

  it("a truncated message is no link", () => {
    expect(parseLink(Buffer.alloc(15))).toBeUndefined();
  });
});

describe("acks (linux/netlink.h)", () => {
  const ackMessage = (errno: number, flags: number, ...rest: Uint8Array[]) => ({
    type: 2,
    flags,
    seq: 1,
    port: 1,
    data: Buffer.concat([int32(-errno), ...rest]),
  });
  const original = encodeMessage(20, 0, 1, Buffer.from("12345"));
  const text = attribute(1, Buffer.from("Address already assigned\0"));

  it("errno 0 is an ack", () => {
    expect(readAck(ackMessage(0, 0x100, original.subarray(0, 16)))).toEqual({ errno: 0 });
  });

  it("the extended ack text follows the header of a capped message", () => {
    expect(readAck(ackMessage(17, 0x300, original.subarray(0, 16), text))).toEqual({
      errno: 17,
      text: "Address already assigned",
    });
  });

  it("without NETLINK_CAP_ACK it follows the whole request, aligned", () => {
    expect(readAck(ackMessage(17, 0x200, original, text))?.text).toBe("Address already assigned");
  });

  it("any other message is no ack", () => {
    expect(readAck({ type: 16, flags: 0, seq: 1, port: 0, data: Buffer.alloc(20) })).toBeUndefined();
  });

  it("messages are padded so that the next one in the datagram starts aligned", () => {
    expect(original.length).toBe(24);
    expect(original.readUInt32LE(0) === 21 || original.readUInt32BE(0) === 21).toBe(true);
  });
});
