/** Generators of valid wire values, shared by the property tests. */
import fc from "fast-check";
import type { Family } from "../../src/config/model.ts";
import type { DestSpec, ServiceId, ServiceSpec } from "../../src/lvs/table.ts";
import { addressText } from "../../src/wire/address.ts";
import type { VrrpPdu } from "../../src/wire/types.ts";

export const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
export const u8 = fc.integer({ min: 0, max: 0xff });
export const u16 = fc.integer({ min: 0, max: 0xffff });
export const u32 = fc.integer({ min: 0, max: 0xffffffff });
export const family: fc.Arbitrary<Family> = fc.constantFrom(4, 6);

export const ipv4 = bytesOf(4).map(addressText);
/** Runs of zero groups are what RFC 5952 is about, so they are made likely. */
export const ipv6 = fc
  .tuple(bytesOf(16), fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }))
  .map(([bytes, zeros]) => addressText(bytes.map((byte, i) => (zeros[i >> 1] ? 0 : byte))));
export const address = (of: Family) => (of === 4 ? ipv4 : ipv6);

export const vrrpPdu = (of: Family): fc.Arbitrary<VrrpPdu> => {
  const common = {
    type: fc.integer({ min: 0, max: 15 }),
    vrid: u8,
    priority: u8,
    addresses: fc.array(address(of), { maxLength: 8 }),
  };
  const v3 = fc.record({
    ...common,
    version: fc.constant(3 as const),
    advertInterval: fc.integer({ min: 0, max: 4095 }),
  });
  const v2 = fc.record({
    ...common,
    version: fc.constant(2 as const),
    advertInterval: u8,
    authType: u8,
    authData: bytesOf(8),
  });
  return of === 4 ? fc.oneof<fc.Arbitrary<VrrpPdu>[]>(v2, v3) : v3;
};

export const serviceId: fc.Arbitrary<ServiceId> = family.chain((of) =>
  fc.oneof<fc.Arbitrary<ServiceId>[]>(
    fc.record({
      kind: fc.constant("address" as const),
      protocol: fc.constantFrom("tcp" as const, "udp" as const, "sctp" as const),
      family: fc.constant(of),
      address: address(of),
      port: u16,
    }),
    fc.record({ kind: fc.constant("fwmark" as const), family: fc.constant(of), mark: u32 }),
  ),
);

const name = fc.stringMatching(/^[a-z]{1,15}$/);
/** Flags without HASHED, which is the kernel's. */
export const serviceSpec: fc.Arbitrary<ServiceSpec> = serviceId.chain((id) =>
  fc.record({
    id: fc.constant(id),
    scheduler: name,
    flags: fc.integer({ min: 0, max: 0x3f }).map((flags) => flags & ~2),
    timeout: u32,
    netmask: fc.integer({ min: 0, max: id.family === 4 ? 32 : 128 }),
    pe: fc.oneof(fc.constant(""), name),
  }),
);

export const destSpec: fc.Arbitrary<DestSpec> = fc
  .record({
    of: family,
    v4: ipv4,
    v6: ipv6,
    port: u16,
    forward: fc.constantFrom(
      "masq" as const,
      "local" as const,
      "tunnel" as const,
      "route" as const,
      "bypass" as const,
    ),
    weight: u16,
    upperThreshold: u32,
    lowerThreshold: u32,
    tunType: fc.integer({ min: 0, max: 2 }),
    tunPort: u16,
    tunFlags: fc.integer({ min: 0, max: 3 }),
  })
  .map(({ of, v4, v6, tunType, tunPort, tunFlags, ...rest }) => {
    const tunnel = rest.forward === "tunnel";
    return {
      ...rest,
      family: of,
      address: of === 4 ? v4 : v6,
      tunType: tunnel ? tunType : 0,
      tunPort: tunnel ? tunPort : 0,
      tunFlags: tunnel ? tunFlags : 0,
    };
  });

/** A valid packet damaged in some places, cut short or lengthened. */
export const mutated = (valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> =>
  fc
    .record({
      bytes: valid,
      changes: fc.array(fc.tuple(fc.nat(), u8), { maxLength: 6 }),
      cut: fc.option(fc.nat(), { freq: 3 }),
      extra: fc.uint8Array({ maxLength: 40 }),
    })
    .map(({ bytes, changes, cut, extra }) => {
      const length = cut === null ? bytes.length : cut % (bytes.length + 1);
      const result = new Uint8Array(length + extra.length);
      result.set(bytes.subarray(0, length));
      result.set(extra, length);
      for (const [at, value] of changes) if (result.length > 0) result[at % result.length] = value;
      return result;
    });
