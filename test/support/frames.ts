/** A second, independent reading of what is on the wire: written apart from src/wire on purpose. */

export interface VrrpAdvert {
  /** Unix time in seconds, to the microsecond. */
  readonly time: number;
  readonly sourceMac: string;
  readonly source: string;
  readonly destination: string;
  /** IPv4 TTL or IPv6 hop limit. */
  readonly ttl: number;
  readonly version: number;
  readonly type: number;
  readonly vrid: number;
  readonly priority: number;
  readonly intervalMs: number;
  /** As tcpdump writes it: "1s" in version 2, "100cs" in version 3. */
  readonly intervalText: string;
  /** Version 2 only: 0 none, 1 simple text, 2 AH. */
  readonly authType: number;
  readonly addresses: readonly string[];
  /** From the VRRP header to the end of the IP packet. */
  readonly payload: Uint8Array;
}

export interface ArpPacket {
  readonly time: number;
  /** 1 request, 2 reply. */
  readonly operation: number;
  readonly frameSource: string;
  readonly frameDestination: string;
  readonly senderMac: string;
  readonly senderIp: string;
  readonly targetMac: string;
  readonly targetIp: string;
  /** Sender and target address are one: an announcement. */
  readonly gratuitous: boolean;
}

export interface NeighbourAdvert {
  readonly time: number;
  readonly source: string;
  readonly destination: string;
  readonly target: string;
  /** The target link-layer address option, when there is one. */
  readonly targetMac: string | undefined;
  readonly router: boolean;
  readonly solicited: boolean;
  readonly override: boolean;
}

const ETHERNET = 14;
const VLAN_TAG = 0x8100;
const PROTO_VRRP = 112;
const PROTO_AH = 51;
const PROTO_ICMPV6 = 58;
const NEIGHBOUR_ADVERT = 136;
const OPTION_TARGET_MAC = 2;

interface IpPacket {
  readonly sourceMac: string;
  readonly source: string;
  readonly destination: string;
  readonly ttl: number;
  readonly protocol: number;
  readonly payload: Uint8Array;
  readonly family: 4 | 6;
}

export function decodeVrrp(frame: Uint8Array, time: number): VrrpAdvert | undefined {
  let packet = decodeIp(frame);
  if (packet?.protocol === PROTO_AH) packet = insideAh(packet);
  if (packet?.protocol !== PROTO_VRRP || packet.payload.length < 8) return undefined;
  const { payload, sourceMac, source, destination, ttl, family } = packet;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const version = view.getUint8(0) >> 4;
  const interval = version === 2 ? view.getUint8(5) : view.getUint16(4) & 0xfff;
  const size = family === 4 ? 4 : 16;
  const addresses: string[] = [];
  for (let i = 0; i < view.getUint8(3) && 8 + (i + 1) * size <= payload.length; i++) {
    addresses.push(ipText(payload.subarray(8 + i * size, 8 + (i + 1) * size)));
  }
  return {
    time,
    sourceMac,
    source,
    destination,
    ttl,
    version,
    type: view.getUint8(0) & 15,
    vrid: view.getUint8(1),
    priority: view.getUint8(2),
    intervalMs: version === 2 ? interval * 1000 : interval * 10,
    intervalText: version === 2 ? `${interval}s` : `${interval}cs`,
    authType: version === 2 ? view.getUint8(4) : 0,
    addresses,
    payload,
  };
}

export function decodeArp(frame: Uint8Array, time: number): ArpPacket | undefined {
  const body = etherPayload(frame, 0x0806);
  if (body === undefined || body.length < 28) return undefined;
  const senderIp = ipText(body.subarray(14, 18));
  const targetIp = ipText(body.subarray(24, 28));
  return {
    time,
    operation: ((body[6] ?? 0) << 8) | (body[7] ?? 0),
    frameDestination: macText(frame.subarray(0, 6)),
    frameSource: macText(frame.subarray(6, 12)),
    senderMac: macText(body.subarray(8, 14)),
    senderIp,
    targetMac: macText(body.subarray(18, 24)),
    targetIp,
    gratuitous: senderIp === targetIp,
  };
}

export function decodeNeighbourAdvert(frame: Uint8Array, time: number): NeighbourAdvert | undefined {
  const packet = decodeIp(frame);
  if (packet?.protocol !== PROTO_ICMPV6 || packet.payload.length < 24) return undefined;
  const { payload } = packet;
  if (payload[0] !== NEIGHBOUR_ADVERT) return undefined;
  const flags = payload[4] ?? 0;
  const hasMac = payload.length >= 32 && payload[24] === OPTION_TARGET_MAC;
  return {
    time,
    source: packet.source,
    destination: packet.destination,
    target: ipText(payload.subarray(8, 24)),
    targetMac: hasMac ? macText(payload.subarray(26, 32)) : undefined,
    router: (flags & 0x80) !== 0,
    solicited: (flags & 0x40) !== 0,
    override: (flags & 0x20) !== 0,
  };
}

function decodeIp(frame: Uint8Array): IpPacket | undefined {
  const sourceMac = macText(frame.subarray(6, 12));
  const v4 = etherPayload(frame, 0x0800);
  if (v4 !== undefined && v4.length >= 20) {
    const headerLength = ((v4[0] ?? 0) & 15) * 4;
    const total = ((v4[2] ?? 0) << 8) | (v4[3] ?? 0);
    return {
      sourceMac,
      source: ipText(v4.subarray(12, 16)),
      destination: ipText(v4.subarray(16, 20)),
      ttl: v4[8] ?? 0,
      protocol: v4[9] ?? 0,
      payload: v4.subarray(headerLength, total),
      family: 4,
    };
  }
  const v6 = etherPayload(frame, 0x86dd);
  if (v6 === undefined || v6.length < 40) return undefined;
  return {
    sourceMac,
    source: ipText(v6.subarray(8, 24)),
    destination: ipText(v6.subarray(24, 40)),
    ttl: v6[7] ?? 0,
    protocol: v6[6] ?? 0,
    payload: v6.subarray(40, 40 + (((v6[4] ?? 0) << 8) | (v6[5] ?? 0))),
    family: 6,
  };
}

/** RFC 4302: the AH header's length is in 32-bit words, minus 2. */
function insideAh(packet: IpPacket): IpPacket {
  const length = ((packet.payload[1] ?? 0) + 2) * 4;
  return { ...packet, protocol: packet.payload[0] ?? 0, payload: packet.payload.subarray(length) };
}

function etherPayload(frame: Uint8Array, wanted: number): Uint8Array | undefined {
  if (frame.length < ETHERNET) return undefined;
  const typeAt = (offset: number) => ((frame[offset] ?? 0) << 8) | (frame[offset + 1] ?? 0);
  const tagged = typeAt(12) === VLAN_TAG;
  if (typeAt(tagged ? 16 : 12) !== wanted) return undefined;
  return frame.subarray(tagged ? ETHERNET + 4 : ETHERNET);
}

function macText(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Dotted or, for 16 bytes, RFC 5952 text (the URL parser compresses zeros by the same rules). */
function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
