/** Names of hosts and ports: what parsing and formatting ask of the machine. */
import type { TransportProtocol } from "../config/model.ts";

export interface Names {
  /** First IPv4 address of a host name (/etc/hosts, DNS); undefined when there is none. */
  ipv4Of(host: string): Promise<string | undefined>;
  /** Name of an address; undefined when it has none. */
  hostOf(address: string): Promise<string | undefined>;
  /** getservbyname(3). */
  portOf(service: string, protocol: TransportProtocol): number | undefined;
  /** getservbyport(3). */
  serviceOf(port: number, protocol: TransportProtocol): string | undefined;
}

/** Everything as numbers (-n). */
export const NUMERIC: Names = {
  ipv4Of: async () => undefined,
  hostOf: async () => undefined,
  portOf: () => undefined,
  serviceOf: () => undefined,
};

export interface ServiceTable {
  readonly ports: ReadonlyMap<string, number>;
  readonly names: ReadonlyMap<string, string>;
}

/** The text of /etc/services (services(5)); keys are "http/tcp" and "80/tcp", the first line that matches wins. */
export function parseServices(text: string): ServiceTable {
  const ports = new Map<string, number>();
  const names = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [name, numbered, ...aliases] = line.replace(/#.*/, "").trim().split(/\s+/);
    const [, digits, protocol] = /^(\d{1,5})\/(\w+)$/.exec(numbered ?? "") ?? [];
    const port = Number(digits);
    if (!name || protocol === undefined || port > 0xffff) continue;
    for (const alias of [name, ...aliases]) {
      const key = `${alias}/${protocol}`;
      if (!ports.has(key)) ports.set(key, port);
    }
    if (!names.has(`${port}/${protocol}`)) names.set(`${port}/${protocol}`, name);
  }
  return { ports, names };
}
