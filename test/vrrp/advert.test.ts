/** What is sent, and the timer arithmetic: conformance cases 17 to 24. */
import { describe, expect, it } from "vitest";
import { us } from "../../src/units.ts";
import { buildAdvertPacket } from "../../src/vrrp/advert.ts";
import { leaseSeconds, masterDownInterval, skewTime } from "../../src/vrrp/timing.ts";
import { hex } from "../../src/wire/hex.ts";
import { decodeIpv4 } from "../../src/wire/ip.ts";
import { VRRP_VECTORS } from "../vectors/vrrp.ts";
import { accepted, config, OWN, VIP, vip } from "./support.ts";

const PASS = { auth: { type: "PASS", pass: "secret12" } } as const;
const sent = (over: Parameters<typeof config>[0], priority = config(over).priority) =>
  buildAdvertPacket(config(over), priority, OWN);
function header(bytes: Uint8Array) {
  const ip = decodeIpv4(bytes);
  if (!ip.ok) throw new Error(ip.error);
  return ip.value;
}

describe("transmission", () => {
  it("cases 17, 20: RFC 2338 5.3.10: the v2 packet with a password is the known vector, byte for byte", () => {
    const vector = VRRP_VECTORS.find(({ name }) => name.startsWith("v2 PASS (RFC"))!;
    expect(hex(sent(PASS))).toBe(vector.ipHeader! + vector.hex);
  });
  it("cases 17, 20: RFC 5798 5.2: the v3 packet is the known vector, byte for byte", () => {
    const vector = VRRP_VECTORS.find(({ name }) => name.startsWith("v3/IPv4 with pseudo-header (RFC"))!;
    expect(hex(sent({ version: 3 }))).toBe(vector.ipHeader! + vector.hex);
  });
  it.each([2, 3] as const)("case 17: RFC 5798 5.1.1: v%i: TTL 255, protocol 112, the group", (version) => {
    expect(header(sent({ version }))).toMatchObject({
      ttl: 255,
      protocol: 112,
      destination: "224.0.0.18",
      tos: 0xc0,
      fragment: false,
    });
  });
  it("case 18: RFC 5798 5.1.1.1: the source is the address it was given, never a VIP", () => {
    expect(header(sent({})).source).toBe(OWN);
    expect(OWN).not.toBe(VIP);
  });
  it.each([2, 3] as const)("case 20: RFC 5798 5.2.4: v%i carries priorities 0, 1, 254 and 255", (version) => {
    for (const priority of [0, 1, 254, 255])
      expect(header(sent({ version }, priority)).payload[2]).toBe(priority);
  });
  it("case 20: RFC 5798 5.2.6: the reserved bits are 0 at the longest interval", () => {
    const { payload } = header(sent({ version: 3, advertInterval: us(40_950_000) }));
    expect([...payload.subarray(4, 6)]).toEqual([0x0f, 0xff]);
  });
  it("case 20: an unauthenticated v2 message ends in 8 zero bytes (RFC 3768 5.3.10)", () => {
    expect(hex(header(sent({})).payload.subarray(-8))).toBe("0000000000000000");
  });
  it("case 24: RFC 5798 5.2.7: 4096 centiseconds cannot be sent", () => {
    expect(() => sent({ version: 3, advertInterval: us(40_960_000) })).toThrow(RangeError);
  });
  it.each([2, 3] as const)(
    "v%i: a router of the same configuration accepts what we send, without a note",
    (version) => {
      const over = { version, ...(version === 2 ? PASS : {}), vips: [vip(VIP), vip("192.0.2.101")] };
      expect(accepted(sent(over, 0), over)).toMatchObject({ source: OWN, priority: 0, notes: [] });
      const none = { ...over, vips: [] };
      expect(accepted(sent(none), none)).toMatchObject({ priority: 100, notes: ["no-addresses"] });
    },
  );
});

describe("timers", () => {
  const down = (version: 2 | 3, priority: number, interval: number, downTimerAdverts = 3) =>
    masterDownInterval({ version, advertInterval: us(interval), downTimerAdverts }, priority, us(interval));

  it("case 23: RFC 5798 6.1: skew and master-down interval in microseconds", () => {
    expect(down(2, 100, 1_000_000)).toBe(3_609_375);
    expect(down(3, 100, 1_000_000)).toBe(3_609_375);
    expect(down(2, 254, 1_000_000)).toBe(3_007_812);
    expect(down(3, 100, 100_000)).toBe(360_937);
  });
  it("case 23: RFC 3768 6.1: the v2 skew does not depend on the interval; the v3 skew does", () => {
    expect(skewTime(2, 100, us(10_000_000))).toBe(609_375);
    expect(skewTime(3, 100, us(10_000_000))).toBe(6_093_750);
    expect(skewTime(3, 255, us(10_000))).toBe(39);
  });
  it("case 23: keepalived down_timer_adverts sets the 3", () => {
    expect(down(2, 100, 1_000_000, 5)).toBe(5_609_375);
    expect(down(2, 100, 1_000_000, 1)).toBe(1_609_375);
  });
  it("a VIP's lease outlives the down interval of priority 1, in whole seconds of at least 2", () => {
    const lease = (advertInterval: number) =>
      leaseSeconds({ version: 3, advertInterval: us(advertInterval), downTimerAdverts: 3 });
    expect([100_000, 500_000, 1_000_000, 2_000_000].map(lease)).toEqual([2, 2, 4, 8]);
    for (let cs = 1; cs <= 4095; cs += 7)
      expect(lease(cs * 10_000) * 1_000_000).toBeGreaterThan(down(3, 1, cs * 10_000));
  });
});
