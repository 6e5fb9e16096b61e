/** What this dataplane can carry: checked before anything is changed, with the kernel's errno names. */
import type { Family } from "../../config/model.ts";
import type { DestSpec, ServiceSpec } from "../../lvs/table.ts";
import { addressBytes, endpoint } from "./address.ts";
import { Refusal } from "./failure.ts";

export interface ListenAddress {
  readonly family: Family;
  readonly address: string;
  readonly bytes: Uint8Array;
  readonly port: number;
}

/** IP_VS_SVC_F_ONEPACKET, include/uapi/linux/ip_vs.h. */
const ONEPACKET = 0x4;

const unsupported = (what: string): Refusal =>
  new Refusal("EOPNOTSUPP", `the userspace dataplane cannot carry ${what}; use "dataplane: kernel"`);

/** Where the service listens; throws a Refusal for what cannot be carried. */
export function checkService(spec: ServiceSpec): ListenAddress {
  const { id } = spec;
  if (id.kind === "fwmark") throw unsupported(`fwmark services (fwmark ${id.mark})`);
  const where = endpoint(id.address, id.port);
  if (id.protocol !== "tcp") throw unsupported(`${id.protocol.toUpperCase()} services (${where})`);
  if (id.port === 0) throw unsupported(`services on every port (${where})`);
  if (spec.pe !== "") throw unsupported(`persistence engine "${spec.pe}" (${where})`);
  if (spec.flags & ONEPACKET) throw unsupported(`one-packet scheduling (${where})`);
  const bytes = addressBytes(id.address, id.family);
  if (!bytes) throw new Refusal("EINVAL", `"${id.address}" is no IPv${id.family} address without a zone`);
  if (!isPort(id.port)) throw new Refusal("EINVAL", `port ${id.port} of ${id.address} is not in 1..65535`);
  return { family: id.family, address: id.address, bytes, port: id.port };
}

export function checkDest(spec: DestSpec, listen: ListenAddress): void {
  const where = endpoint(spec.address, spec.port);
  const bytes = addressBytes(spec.address, spec.family);
  if (!bytes) throw new Refusal("EINVAL", `"${spec.address}" is no IPv${spec.family} address without a zone`);
  if (spec.family !== listen.family && spec.forward !== "tunnel") {
    throw new Refusal("EINVAL", `destination ${where} and its service are of different families`);
  }
  if (!isPort(spec.port)) throw new Refusal("EINVAL", `port ${spec.port} of ${where} is not in 0..65535`);
  if (spec.weight < 0) throw new Refusal("ERANGE", `weight ${spec.weight} of ${where} is below 0`);
  if (spec.lowerThreshold > spec.upperThreshold) {
    throw new Refusal("ERANGE", `lower threshold of ${where} is above its upper threshold`);
  }
  // It would connect to itself until no descriptor is left.
  const same = Buffer.compare(bytes, listen.bytes) === 0 && (spec.port || listen.port) === listen.port;
  if (same) throw new Refusal("EINVAL", `destination ${where} is the service itself`);
}

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 0 && port <= 65_535;
