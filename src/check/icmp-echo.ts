/** ICMP and ICMPv6 echo (RFC 792, RFC 4443 4.1 and 4.2). */
import { internetChecksum } from "../wire/checksum.ts";

const ECHO_REPLY = 0;
const ECHO_REQUEST = 8;
const ECHO_REQUEST6 = 128;
const ECHO_REPLY6 = 129;
const HEADER = 8;

export interface Echo {
  readonly id: number;
  readonly sequence: number;
  readonly data: Uint8Array;
}

/** The checksum of ICMPv6 covers addresses only the kernel knows, which fills it in (RFC 3542 3.1). */
export function echoRequest(family: 4 | 6, { id, sequence, data }: Echo): Uint8Array {
  const bytes = new Uint8Array(HEADER + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, family === 4 ? ECHO_REQUEST : ECHO_REQUEST6);
  view.setUint16(4, id);
  view.setUint16(6, sequence);
  bytes.set(data, HEADER);
  if (family === 4) view.setUint16(2, internetChecksum(bytes));
  return bytes;
}

/** An echo reply, else undefined. `withIpHeader`: as raw IPv4 sockets deliver it. */
export function parseEchoReply(family: 4 | 6, packet: Uint8Array, withIpHeader: boolean): Echo | undefined {
  const offset = withIpHeader ? (packet[0]! & 0xf) * 4 : 0;
  if (packet.length < offset + HEADER) return undefined;
  const bytes = packet.subarray(offset);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint8(0) !== (family === 4 ? ECHO_REPLY : ECHO_REPLY6) || view.getUint8(1) !== 0)
    return undefined;
  return { id: view.getUint16(4), sequence: view.getUint16(6), data: bytes.subarray(HEADER) };
}
