/** use_vmac: a macvlan interface with VRRP's virtual router MAC (RFC 5798 §7.3), in private mode as keepalived's. */
import { existsSync } from "node:fs";
import { type AttrStream, putU32 } from "node-netlink/dist/structs.js";
import type { Family } from "../config/model.ts";
import { putI32, putU32 as writeU32 } from "./bytes.ts";
import type { SystemError } from "./errors.ts";
import { NetlinkRequester, NLM_F_CREATE, NLM_F_EXCL } from "./netlink-request.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink-socket.ts";
import { IFF_UP, RTM_DELLINK, RTM_NEWLINK } from "./rtnetlink-codec.ts";
import { interfaceSysctl, sysctlPath, writeSysctl } from "./sysctl.ts";

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_LINK = 5;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_MACVLAN_MODE = 1;
/** linux/if_link.h: macvlans of one parent do not hear each other. */
const MACVLAN_MODE_PRIVATE = 1;
/** No link-local address from the MAC: two directors would get the same one (conformance case 43). */
const IN6_ADDR_GEN_MODE_NONE = "1";

/** Marks the macvlans that are ours (`ip link` shows "alias vipward"): a later run removes what a killed one left. */
export const VMAC_ALIAS = "vipward";

export interface VmacRequest {
  readonly name: string;
  readonly parent: number;
  readonly mac: Uint8Array;
  readonly family: Family;
}

/** Makes the interface, or takes over one a killed run left, and brings it up. Throws SystemError. */
export function createVmac(request: VmacRequest): void {
  const socket = NetlinkSocket.open(NETLINK_ROUTE);
  try {
    const requester = new NetlinkRequester(socket);
    try {
      requester.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, create(request), `create ${request.name}`);
    } catch (error) {
      if ((error as SystemError).code !== "EEXIST") throw error;
      requester.request(RTM_DELLINK, 0, byName(request.name, 0), `delete the left-over ${request.name}`);
      requester.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, create(request), `create ${request.name}`);
    }
    configure(request);
    requester.request(RTM_NEWLINK, 0, upWithAlias(request.name), `bring ${request.name} up`);
  } finally {
    socket.close();
  }
}

/** One that is gone already is no error. */
export function deleteVmac(name: string): void {
  const socket = NetlinkSocket.open(NETLINK_ROUTE);
  try {
    new NetlinkRequester(socket).request(RTM_DELLINK, 0, byName(name, 0), `delete ${name}`);
  } catch (error) {
    if ((error as SystemError).code !== "ENODEV") throw error;
  } finally {
    socket.close();
  }
}

/** Only the virtual MAC may answer for the VIP, and it answers for nothing else (conformance case 38). */
function configure({ name, family }: VmacRequest): void {
  const set = (af: Family, parameter: string, value: string) =>
    writeSysctl(interfaceSysctl(af, name, parameter), value);
  set(4, "arp_ignore", "1");
  set(4, "arp_filter", "0");
  set(4, "accept_local", "1");
  set(4, "rp_filter", "0");
  set(4, "promote_secondaries", "1");
  // A kernel without IPv6 has neither these nor a link-local address to prevent.
  if (!existsSync(sysctlPath(interfaceSysctl(6, name, "addr_gen_mode")))) return;
  set(6, "addr_gen_mode", IN6_ADDR_GEN_MODE_NONE);
  if (family === 6) set(6, "accept_ra", "0");
}

function create({ name, parent, mac }: VmacRequest) {
  return (out: AttrStream): void => {
    out.emit(Buffer.alloc(16));
    out.push(IFLA_IFNAME, Buffer.from(`${name}\0`));
    out.push(IFLA_LINK, putU32(parent));
    out.push(IFLA_ADDRESS, mac);
    out.push(IFLA_LINKINFO, (info: AttrStream) => {
      info.push(IFLA_INFO_KIND, Buffer.from("macvlan\0"));
      info.push(IFLA_INFO_DATA, (data: AttrStream) => {
        data.push(IFLA_MACVLAN_MODE, putU32(MACVLAN_MODE_PRIVATE));
      });
    });
  };
}

/** The alias in a message of its own: creation ignores it. */
function upWithAlias(name: string) {
  return (out: AttrStream): void => {
    byName(name, IFF_UP)(out);
    out.push(IFLA_IFALIAS, Buffer.from(VMAC_ALIAS));
  };
}

/** struct ifinfomsg with the flags to set, the link found by its name. */
function byName(name: string, flags: number) {
  return (out: AttrStream): void => {
    const header = Buffer.alloc(16);
    writeU32(header, 8, flags);
    putI32(header, 12, flags);
    out.emit(header);
    out.push(IFLA_IFNAME, Buffer.from(`${name}\0`));
  };
}
