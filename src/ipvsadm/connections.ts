/** /proc/net/ip_vs_conn, and what `ipvsadm -Lc` makes of it. */
import type { Family, TransportProtocol } from "../config/model.ts";
import { formatIpv4, formatIpv6, parseIpv6 } from "../wire/address.ts";
import { endpointLabel } from "./labels.ts";
import type { Names } from "./names.ts";

export interface ConnectionEnd {
  readonly family: Family;
  readonly address: string;
  readonly port: number;
}
export interface Connection {
  /** "TCP", "UDP", "SCTP", or "IP" for templates of firewall marks. */
  readonly protocol: string;
  readonly source: ConnectionEnd;
  readonly virtual: ConnectionEnd;
  readonly destination: ConnectionEnd;
  readonly state: string;
  /** Seconds. */
  readonly expires: number;
  /** Persistence engine and its data. */
  readonly engine?: string;
  readonly engineData?: string;
}

export class UnreadableConnections extends Error {}

/** One line of the file, its first (the heading) excepted. Throws UnreadableConnections. */
export function parseConnection(line: string): Connection {
  const [protocol, ...fields] = line.split(/\s+/).filter((field) => field !== "");
  const [fromAddress, fromPort, toAddress, toPort, destAddress, destPort, state, seconds] = fields;
  const source = end(fromAddress, fromPort);
  const virtual = end(toAddress, toPort);
  const destination = end(destAddress, destPort);
  if (!protocol || !source || !virtual || !destination || !state || !/^[0-9]{1,10}$/.test(seconds ?? "")) {
    throw new UnreadableConnections(`unexpected line of the connection table: "${line.slice(0, 200)}"`);
  }
  const [engine, engineData] = fields.slice(8);
  return {
    protocol,
    source,
    virtual,
    destination,
    state,
    expires: Number(seconds),
    ...(engine !== undefined && engineData !== undefined ? { engine, engineData } : {}),
  };
}

/** Addresses are "C0000201" or "2001:0db8:0000:...", ports four digits; both hexadecimal. */
function end(address: string | undefined, port: string | undefined): ConnectionEnd | undefined {
  if (!address || !/^[0-9A-Fa-f]{1,4}$/.test(port ?? "")) return undefined;
  const number = Number.parseInt(port ?? "", 16);
  if (/^[0-9A-Fa-f]{8}$/.test(address)) {
    const value = Number.parseInt(address, 16);
    const bytes = Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
    return { family: 4, address: formatIpv4(bytes), port: number };
  }
  const bytes = address.length === 39 ? parseIpv6(address) : undefined;
  return bytes && { family: 6, address: formatIpv6(bytes), port: number };
}

export function connectionsHeading(engineData: boolean): string {
  return (
    "IPVS connection entries\n" +
    "pro expire state       source             virtual            destination" +
    `${engineData ? "        pe name          pe_data" : ""}\n`
  );
}

const PROTOCOLS: Readonly<Record<string, TransportProtocol>> = { TCP: "tcp", UDP: "udp", SCTP: "sctp" };

export async function formatConnection(
  connection: Connection,
  engineData: boolean,
  names: Names,
): Promise<string> {
  const { protocol, state, expires, engine } = connection;
  const label = ({ address, family, port }: ConnectionEnd): Promise<string> =>
    endpointLabel(address, family, port, PROTOCOLS[protocol], names);
  const two = (value: number): string => String(value).padStart(2, "0");
  const time = `${two(Math.floor(expires / 60))}:${two(expires % 60)}`;
  const start =
    `${protocol.padEnd(3)} ${time.padEnd(6)} ${state.padEnd(11)} ` +
    `${(await label(connection.source)).padEnd(18)} ${(await label(connection.virtual)).padEnd(18)} `;
  const destination = await label(connection.destination);
  if (!engineData || engine === undefined) return `${start}${destination}\n`;
  return `${start}${destination.padEnd(16)} ${engine.padEnd(18)} ${connection.engineData}\n`;
}
