/** Canonical keys of services and destinations; formats in table.ts. Addresses must be canonical text already. */
import type { Family } from "../config/model.ts";
import type { DestKey, ServiceId, ServiceKey } from "./table.ts";

/** "tcp 192.0.2.1:80", "udp [2001:db8::1]:53", "fwmark 7 inet", "fwmark 7 inet6". */
export function serviceKey(id: ServiceId): ServiceKey {
  if (id.kind === "fwmark") return `fwmark ${id.mark} ${id.family === 4 ? "inet" : "inet6"}`;
  return `${id.protocol} ${endpoint(id.address, id.port, id.family)}`;
}

/** "192.0.2.11:80", "[2001:db8::11]:80". */
export function destKey(dest: {
  readonly address: string;
  readonly port: number;
  readonly family: Family;
}): DestKey {
  return endpoint(dest.address, dest.port, dest.family);
}

function endpoint(address: string, port: number, family: Family): string {
  return family === 4 ? `${address}:${port}` : `[${address}]:${port}`;
}
