/** Random IPVS tables from a small universe, so that two of them overlap in every way. */
import fc from "fast-check";
import { destKey, serviceKey } from "../../src/lvs/keys.ts";
import type { DestSpec, ServiceId, ServiceSpec, Table, TableEntry } from "../../src/lvs/table.ts";

export const serviceIds: readonly ServiceId[] = [
  { kind: "address", protocol: "tcp", family: 4, address: "192.0.2.1", port: 80 },
  { kind: "address", protocol: "udp", family: 4, address: "192.0.2.1", port: 80 },
  { kind: "address", protocol: "tcp", family: 6, address: "2001:db8::1", port: 443 },
  { kind: "fwmark", family: 4, mark: 7 },
  { kind: "fwmark", family: 6, mark: 7 },
];

const serviceSpec = (id: ServiceId): fc.Arbitrary<ServiceSpec> =>
  fc.record({
    id: fc.constant(id),
    scheduler: fc.constantFrom("rr", "wlc", "sh"),
    flags: fc.constantFrom(0, 1, 8),
    timeout: fc.constantFrom(0, 360),
    netmask: fc.constantFrom(24, id.family === 4 ? 32 : 128),
    pe: fc.constantFrom("", "sip"),
  });

/** tun* are 0 unless forwarding is by tunnel, as DestSpec says. */
const forwarding = fc.oneof(
  fc.record({
    forward: fc.constantFrom("masq" as const, "route" as const),
    tunType: fc.constant(0),
    tunPort: fc.constant(0),
    tunFlags: fc.constant(0),
  }),
  fc.record({
    forward: fc.constant("tunnel" as const),
    tunType: fc.constantFrom(0, 1),
    tunPort: fc.constantFrom(0, 6080),
    tunFlags: fc.constantFrom(0, 1),
  }),
);

const destSpec: fc.Arbitrary<DestSpec> = fc
  .record({
    address: fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3"),
    family: fc.constant(4 as const),
    port: fc.constantFrom(80, 8080),
    forwarding,
    weight: fc.constantFrom(0, 0, 1, 2, 65535),
    upperThreshold: fc.constantFrom(0, 100),
    lowerThreshold: fc.constantFrom(0, 50),
  })
  .map(({ forwarding: by, ...rest }) => ({ ...rest, ...by }));

const entry = (id: ServiceId): fc.Arbitrary<TableEntry> =>
  fc
    .record({ service: serviceSpec(id), dests: fc.array(destSpec, { maxLength: 5 }) })
    .map(({ service, dests }) => ({
      service,
      dests: new Map(dests.map((dest) => [destKey(dest), dest])),
    }));

export const table: fc.Arbitrary<Table> = fc
  .subarray([...serviceIds])
  .chain((ids) => fc.tuple(...ids.map(entry)))
  .map((entries) => new Map(entries.map((one) => [serviceKey(one.service.id), one])));

/** Keys a configuration of ours may have had. */
export const ownedKeys: fc.Arbitrary<ReadonlySet<string>> = fc
  .subarray(serviceIds.map(serviceKey))
  .map((keys) => new Set(keys));

/** Equal content, whatever the order. */
export const plain = (value: Table): unknown =>
  [...value]
    .map(([key, one]) => [key, one.service, [...one.dests].sort(([a], [b]) => (a < b ? -1 : 1))] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));

export const restrict = (value: Table, keep: (key: string) => boolean): Table =>
  new Map([...value].filter(([key]) => keep(key)));
