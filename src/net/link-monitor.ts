/** Changes of links and addresses as the kernel tells them, on a socket of their own. */
import { parseMessages } from "node-netlink/dist/structs.js";
import { SystemError } from "./errors.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink-socket.ts";
import {
  type AddressInfo,
  type LinkInfo,
  parseAddress,
  parseLink,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
} from "./rtnetlink-codec.ts";

/** linux/rtnetlink.h: RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR */
const GROUPS = [1, 5, 9];

export type LinkEvent =
  | { readonly kind: "link"; readonly link: LinkInfo }
  | { readonly kind: "link-removed"; readonly index: number; readonly name: string }
  /** Also a changed one: a renewed lifetime comes as "address-added". */
  | { readonly kind: "address-added" | "address-removed"; readonly address: AddressInfo }
  /** Events were lost: read everything again (RtNetlink.links(), addresses()). What was queued is gone, too. */
  | { readonly kind: "overflow" };

export interface LinkMonitorOptions {
  readonly onChange: (event: LinkEvent) => void;
  /** Bytes; default 4 MiB. */
  readonly receiveBuffer?: number;
}

export class LinkMonitor {
  readonly #socket: NetlinkSocket;
  readonly #onChange: (event: LinkEvent) => void;

  constructor(options: LinkMonitorOptions) {
    this.#onChange = options.onChange;
    this.#socket = NetlinkSocket.open(NETLINK_ROUTE, {
      groups: GROUPS,
      receiveBuffer: options.receiveBuffer ?? 4 << 20,
    });
  }

  /** For Poller.add(fd, () => monitor.drain()). */
  get fd(): number {
    return this.#socket.fd;
  }

  /** Reports everything that is queued. */
  drain(): void {
    for (;;) {
      const data = this.#next();
      if (data === undefined) return;
      for (const message of parseMessages(data)) {
        const event = toEvent(message.type, message.data);
        if (event !== undefined) this.#onChange(event);
      }
    }
  }

  #next(): Buffer | undefined {
    try {
      return this.#socket.tryReceive();
    } catch (error) {
      if (!(error instanceof SystemError) || (error.code !== "ENOBUFS" && error.code !== "EMSGSIZE"))
        throw error;
      // What is still queued is older than the dump that must follow, and would undo it.
      this.#socket.drain();
      this.#onChange({ kind: "overflow" });
      return undefined;
    }
  }

  /** If a Poller watches it: after the Poller's remove() has resolved. */
  close(): void {
    this.#socket.close();
  }
}

function toEvent(type: number, data: Buffer): LinkEvent | undefined {
  if (type === RTM_NEWLINK || type === RTM_DELLINK) {
    const link = parseLink(data);
    if (link === undefined) return undefined;
    return type === RTM_NEWLINK
      ? { kind: "link", link }
      : { kind: "link-removed", index: link.index, name: link.name };
  }
  if (type !== RTM_NEWADDR && type !== RTM_DELADDR) return undefined;
  const address = parseAddress(data);
  if (address === undefined) return undefined;
  return { kind: type === RTM_NEWADDR ? "address-added" : "address-removed", address };
}
