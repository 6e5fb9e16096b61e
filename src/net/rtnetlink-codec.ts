/** rtnetlink messages as values (linux/rtnetlink.h, if_link.h, if_addr.h), with node-netlink's codecs. */
import {
  type AddressAttrs,
  type AddressFlags,
  formatAddressMessage,
  parseAddressMessage,
} from "node-netlink/dist/rt/structs.js";
import { type AttrStream, getString, parseAttributes, putU32 } from "node-netlink/dist/structs.js";
import type { Family } from "../config/model.ts";
import { type Seconds, seconds } from "../units.ts";
import { addressBytes, addressText } from "../wire/address.ts";
import { getI32, getU32 } from "./bytes.ts";
import { AF_INET, AF_INET6 } from "./sockets.ts";

/** Value of IFA_PROTO that marks the addresses that are ours (kernel >= 5.18): the VRRP protocol number. */
export const VIPWARD_IFA_PROTO = 112;

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_INFO_KIND = 1;
const IFLA_EXT_MASK = 29;
const RTEXT_FILTER_SKIP_STATS = 8;
const IFA_FLAGS = 8;
const IFA_PROTO = 11;
export const IFF_UP = 0x1;
export const IFF_RUNNING = 0x40;
export const IFA_F_SECONDARY = 0x1;
const INFINITY_LIFE_TIME = 0xffffffff;

/** linux/rtnetlink.h */
export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;

export interface LinkInfo {
  readonly index: number;
  readonly name: string;
  /** 6 bytes on Ethernet; empty where the link has no hardware address. */
  readonly mac: Uint8Array;
  /** IFF_ bits. */
  readonly flags: number;
  /** IFF_UP: set up by the administrator. */
  readonly up: boolean;
  /** IFF_RUNNING: operational state up, or unknown (drivers that do not say). */
  readonly running: boolean;
  readonly mtu: number;
  /** "macvlan", "veth", "bridge"; absent on plain hardware. */
  readonly kind?: string;
  /** Index of the link below (macvlan, vlan) or of a veth's other end. */
  readonly parent?: number;
  /** Index of the bridge or bond it belongs to. */
  readonly master?: number;
  /** `ip link set alias`: tells macvlans of ours from others'. */
  readonly alias?: string;
}

export interface AddressInfo {
  readonly family: Family;
  readonly address: string;
  /** The other end, where it is not the address itself. */
  readonly peer?: string;
  readonly prefixLength: number;
  readonly index: number;
  /** IPv4 only. */
  readonly label?: string;
  readonly scope: number;
  /** IFA_F_ bits. */
  readonly flags: number;
  /** IPv4: not the primary address of its subnet. */
  readonly secondary: boolean;
  /** IFA_PROTO; absent before kernel 5.18 and on addresses nobody marked. */
  readonly protocol?: number;
  /** What is left of the lease; undefined means for ever. */
  readonly validLifetime: Seconds | undefined;
}

export interface AddressRequest {
  readonly index: number;
  readonly family: Family;
  readonly address: string;
  readonly prefixLength: number;
  readonly peer?: string;
  readonly label?: string;
  readonly broadcast?: string;
  /** RT_SCOPE_UNIVERSE unless given. */
  readonly scope?: number;
  /** Whole seconds, 1 or more; without it the address stays for ever. */
  readonly validLifetime?: Seconds;
  /** At most validLifetime, which is the default; 0 makes an IPv6 address deprecated: never a source. */
  readonly preferredLifetime?: Seconds;
  /** Usually VIPWARD_IFA_PROTO. Kernels before 5.18 ignore it. */
  readonly protocol?: number;
  /** An identical address that exists gets the new lifetimes, instead of the error EEXIST. */
  readonly replace?: boolean;
  /** IFA_F_NODAD; default true for IPv6. */
  readonly noDad?: boolean;
  /**
   * IFA_F_NOPREFIXROUTE; default true for IPv6, whose leased address would take the subnet's route
   * with it when it expires.
   */
  readonly noPrefixRoute?: boolean;
}

/**
 * Payload of RTM_NEWLINK or RTM_DELLINK; undefined for one about something else than the link
 * itself (a bridge port's AF_BRIDGE message: its RTM_DELLINK only means "left the bridge").
 * The attributes are picked one by one: the full typed parser refuses the whole message when some
 * driver's attribute, of no concern here, has an unknown length.
 */
export function parseLink(data: Buffer): LinkInfo | undefined {
  if (data.length < 16 || data[0] !== 0) return undefined;
  const flags = getU32(data, 8);
  const link = {
    index: getI32(data, 4),
    name: "",
    mac: new Uint8Array(0),
    flags,
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_RUNNING) !== 0,
    mtu: 0,
  };
  const optional: { kind?: string; parent?: number; master?: number; alias?: string } = {};
  parseAttributes(data.subarray(16), ({ type, data: value }) => {
    if (type === IFLA_ADDRESS) link.mac = new Uint8Array(value);
    else if (type === IFLA_IFNAME) link.name = getString(value);
    else if (type === IFLA_MTU) link.mtu = getU32(value, 0);
    else if (type === IFLA_LINK) optional.parent = getI32(value, 0);
    else if (type === IFLA_IFALIAS) optional.alias = getString(value);
    else if (type === IFLA_MASTER) optional.master = getI32(value, 0);
    else if (type === IFLA_LINKINFO) {
      parseAttributes(value, (info) => {
        if (info.type === IFLA_INFO_KIND) optional.kind = getString(info.data);
      });
    }
  });
  return { ...link, ...optional };
}

/** struct ifinfomsg for all links, without the counters. */
export function linkDumpRequest(out: AttrStream): void {
  out.emit(Buffer.alloc(16));
  out.push(IFLA_EXT_MASK, putU32(RTEXT_FILTER_SKIP_STATS));
}

/** struct ifaddrmsg for all addresses of both families. */
export const addressDumpRequest: Buffer = Buffer.alloc(8);

/** Payload of RTM_NEWADDR or RTM_DELADDR; undefined for families other than IPv4 and IPv6. */
export function parseAddress(data: Buffer): AddressInfo | undefined {
  const { data: header, attrs } = parseAddressMessage(data);
  const address = attrs.local ?? attrs.address;
  if ((header.family !== AF_INET && header.family !== AF_INET6) || address === undefined) return undefined;
  const family = header.family === AF_INET ? 4 : 6;
  const { flags, protocol } = rawAttributes(data);
  const valid = attrs.cacheInfo?.ifaValid ?? INFINITY_LIFE_TIME;
  const peer = attrs.address && !address.equals(attrs.address) ? addressText(attrs.address) : undefined;
  return {
    family,
    address: addressText(address),
    ...(peer === undefined ? {} : { peer }),
    prefixLength: header.prefixlen ?? 0,
    index: header.index ?? 0,
    ...(attrs.label === undefined ? {} : { label: attrs.label }),
    scope: header.scope ?? RT_SCOPE_UNIVERSE,
    flags,
    // The same bit means "temporary" (privacy address) in IPv6.
    secondary: family === 4 && (flags & IFA_F_SECONDARY) !== 0,
    ...(protocol === undefined ? {} : { protocol }),
    validLifetime: valid === INFINITY_LIFE_TIME ? undefined : seconds(valid),
  };
}

/** What the typed parser drops: attributes it does not know, and flag bits as a number. */
function rawAttributes(data: Buffer): { flags: number; protocol: number | undefined } {
  let flags = data[2] ?? 0;
  let protocol: number | undefined;
  parseAttributes(data.subarray(8), (attribute) => {
    if (attribute.type === IFA_FLAGS) flags = getU32(attribute.data, 0);
    else if (attribute.type === IFA_PROTO) protocol = attribute.data[0];
  });
  return { flags, protocol };
}

/** Payload of RTM_NEWADDR. Throws RangeError or TypeError on a request that makes no sense. */
export function encodeAddress(request: AddressRequest, out: AttrStream): void {
  const { family, address, prefixLength } = request;
  if (prefixLength < 0 || prefixLength > (family === 4 ? 32 : 128))
    throw new RangeError(`prefix length ${prefixLength} of ${address} is out of range`);
  const local = Buffer.from(addressBytes(address, family));
  const attrs: AddressAttrs = {
    // Both, always: without IFA_LOCAL, IPv4 has no address, and with it alone no subnet.
    local,
    address: request.peer === undefined ? local : Buffer.from(addressBytes(request.peer, family)),
    flags: addressFlags(request),
    cacheInfo: lifetimes(request),
  };
  if (request.label !== undefined && family === 4) attrs.label = request.label;
  if (request.broadcast !== undefined && family === 4)
    attrs.broadcast = Buffer.from(addressBytes(request.broadcast, 4));
  const data = {
    family: family === 4 ? AF_INET : AF_INET6,
    prefixlen: prefixLength,
    scope: request.scope ?? RT_SCOPE_UNIVERSE,
    index: request.index,
  };
  formatAddressMessage({ kind: "address", data, attrs }, out);
  if (request.protocol !== undefined) out.push(IFA_PROTO, Uint8Array.of(request.protocol));
}

function addressFlags(request: AddressRequest): AddressFlags {
  const ipv6 = request.family === 6;
  const flags: AddressFlags = {};
  if (request.noDad ?? ipv6) flags.nodad = true;
  if (request.noPrefixRoute ?? ipv6) flags.noprefixroute = true;
  return flags;
}

function lifetimes(request: AddressRequest): { ifaValid: number; ifaPrefered: number } {
  const valid = request.validLifetime ?? INFINITY_LIFE_TIME;
  const preferred = request.preferredLifetime ?? valid;
  if (
    !Number.isInteger(valid) ||
    valid < 1 ||
    !Number.isInteger(preferred) ||
    preferred < 0 ||
    preferred > valid
  )
    throw new RangeError(
      `lifetimes of ${request.address}: valid ${valid} s, preferred ${preferred} s; ` +
        "valid must be whole seconds of 1 or more, preferred not above it",
    );
  return { ifaValid: valid, ifaPrefered: preferred };
}
