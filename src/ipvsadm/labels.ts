/** How ipvsadm names services and real servers, in lists and in rules. */
import type { Family, TransportProtocol } from "../config/model.ts";
import type { DestSpec, ServiceId } from "../lvs/table.ts";
import { formatIpv4, parseIpv6 } from "../wire/address.ts";
import type { Names } from "./names.ts";

/** Its buffer: a longer "[host]:port" is cut. */
const LABEL_LENGTH = 59;

/** "192.0.2.1:80", "host:http", "[2001:db8::1]:80". Without a protocol ports are numbers. */
export async function endpointLabel(
  address: string,
  family: Family,
  port: number,
  protocol: TransportProtocol | undefined,
  names: Names,
): Promise<string> {
  const host = (await names.hostOf(address)) ?? (family === 6 ? ipv6Text(address) : address);
  const service = (protocol && names.serviceOf(port, protocol)) ?? String(port);
  return (family === 6 ? `[${host}]:${service}` : `${host}:${service}`).slice(0, LABEL_LENGTH);
}

/** As inet_ntop(3) writes it: unlike RFC 5952, ::192.0.2.1 (::/96) ends in a dotted quad. */
export function ipv6Text(address: string): string {
  const bytes = parseIpv6(address);
  if (!bytes || bytes.subarray(0, 12).some((byte) => byte !== 0)) return address;
  return bytes[12] === 0 && bytes[13] === 0 ? address : `::${formatIpv4(bytes.subarray(12))}`;
}

const PROTOCOL_LABEL: Readonly<Record<TransportProtocol, string>> = { tcp: "TCP", udp: "UDP", sctp: "SCTP" };

/** The part of a list's line that is filled up to a width: IPv4 names are cut to it, IPv6 ones are not. */
function column(label: string, family: Family): string {
  return (family === 4 ? label.slice(0, 28) : label).padEnd(28);
}

/** "TCP  192.0.2.1:80            ", "FWM  7 IPv6                  ". */
export async function serviceColumn(id: ServiceId, names: Names): Promise<string> {
  if (id.kind === "fwmark") return `FWM  ${column(markText(id), 6)}`;
  const label = await endpointLabel(id.address, id.family, id.port, id.protocol, names);
  return `${PROTOCOL_LABEL[id.protocol].padEnd(5)}${column(label, id.family)}`;
}

/** Marks are printed as signed numbers. */
function markText(id: ServiceId & { kind: "fwmark" }): string {
  return `${id.mark | 0}${id.family === 6 ? " IPv6" : ""}`;
}

/** "  -> 192.0.2.11:80             ". */
export async function destColumn(dest: DestSpec, service: ServiceId, names: Names): Promise<string> {
  return `  -> ${column(await destLabel(dest, service, names), dest.family)}`;
}

export function destLabel(dest: DestSpec, service: ServiceId, names: Names): Promise<string> {
  const protocol = service.kind === "address" ? service.protocol : undefined;
  return endpointLabel(dest.address, dest.family, dest.port, protocol, names);
}

/** "-t 192.0.2.1:80", "-f 7 -6". */
export async function serviceOption(id: ServiceId, names: Names): Promise<string> {
  if (id.kind === "fwmark") return `-f ${id.mark | 0}${id.family === 6 ? " -6" : ""}`;
  const option = { tcp: "-t", udp: "-u", sctp: "--sctp-service" }[id.protocol];
  return `${option} ${await endpointLabel(id.address, id.family, id.port, id.protocol, names)}`;
}
