/**
 * One network interface as VRRP needs it: raw sockets in the group, UDP sockets, an AF_PACKET socket for
 * announcements, the current link state and the address adverts are sent from.
 */
import type { Family, InstanceConfig } from "../../config/model.ts";
import { openPacketSocket, sendFrame, sendMulticast6 } from "../../net/packet-socket.ts";
import type { Poller } from "../../net/poller.ts";
import { closeFd, openVrrpSocket, receivePacket, sendPacket } from "../../net/raw-socket.ts";
import { openVrrpSocket6, receivePacket6, sendPacket6 } from "../../net/raw-socket6.ts";
import { type AddressInfo, type LinkInfo, VIPWARD_IFA_PROTO } from "../../net/rtnetlink.ts";
import { interfaceSysctl, readSysctl } from "../../net/sysctl.ts";
import { openUdpSocket, receiveFrom, sendDatagram } from "../../net/udp-socket.ts";
import { groupOf, type Received } from "../../vrrp/admit.ts";
import type { Outgoing } from "../../vrrp/advert.ts";
import { isLinkLocal } from "../../vrrp/read-advert.ts";
import { encodeGarp } from "../../wire/arp.ts";
import { encodeNaFrame } from "../../wire/ndp.ts";

/** A socket an interface is to have, for as long as an instance needs it. */
export type SocketNeed =
  | {
      readonly kind: "raw";
      readonly family: Family;
      readonly group: string;
      /**
       * On a vmac: only frames that bear its own MAC, as those of its peers do. The kernel gives these to the
       * macvlan alone; it gives it copies of all others too, which its parent has as well.
       */
      readonly ownMac?: true;
    }
  | { readonly kind: "udp"; readonly family: Family; readonly address: string; readonly port: number };

interface OpenSocket {
  readonly fd: number;
  readonly need: SocketNeed;
}

/** What an instance needs on each of its interfaces; undefined while it has no address to bind to. */
export function socketNeed(config: InstanceConfig, port: InterfacePort): SocketNeed | undefined {
  if (!config.udp) return rawNeed(config, port.name);
  const address = port.sourceFor(config);
  return address === undefined
    ? undefined
    : { kind: "udp", family: config.family, address, port: config.udp.port };
}

export function rawNeed(config: InstanceConfig, name: string): SocketNeed & { readonly kind: "raw" } {
  const need = { kind: "raw", family: config.family, group: groupOf(config) } as const;
  return name === config.vmac?.name ? { ...need, ownMac: true } : need;
}

export const needKey = (need: SocketNeed): string =>
  need.kind === "raw"
    ? `raw ${need.family} ${need.group}${need.ownMac ? " own-mac" : ""}`
    : `udp ${need.address} ${need.port}`;

export class InterfacePort {
  readonly name: string;
  readonly #poller: Poller;
  readonly #onPacket: (port: InterfacePort, received: Received) => void;
  readonly #sockets = new Map<string, OpenSocket>();
  #packet: number | undefined;
  #link: LinkInfo | undefined;
  #addresses: readonly AddressInfo[] = [];

  constructor(name: string, poller: Poller, onPacket: (port: InterfacePort, received: Received) => void) {
    this.name = name;
    this.#poller = poller;
    this.#onPacket = onPacket;
  }

  get link(): LinkInfo | undefined {
    return this.#link;
  }

  /** Follows the interface: sockets are bound to an index, which changes when it is re-created. */
  update(link: LinkInfo | undefined, addresses: readonly AddressInfo[]): void {
    if (link?.index !== this.#link?.index) this.closeSockets();
    this.#link = link;
    this.#addresses = addresses;
  }

  /** Opens what is needed and closes what no longer is. `inherited` descriptors are used before new ones are made. */
  provide(needs: readonly SocketNeed[], inherited: ReadonlyMap<string, number> = new Map()): void {
    const link = this.#link;
    if (!link) return;
    const wanted = new Map(needs.map((need) => [needKey(need), need]));
    for (const key of [...this.#sockets.keys()]) if (!wanted.has(key)) this.#close(key);
    for (const [key, need] of wanted) {
      if (this.#sockets.has(key)) continue;
      const fd = inherited.get(key) ?? openSocket(need, link);
      this.#sockets.set(key, { fd, need });
      this.#poller.add(fd, () => this.#drain(fd, need));
    }
    this.#packet ??= openPacketSocket(link.index);
  }

  /** Reads everything that is queued. */
  drain(): void {
    for (const { fd, need } of this.#sockets.values()) this.#drain(fd, need);
  }

  #drain(fd: number, need: SocketNeed): void {
    // Bounded, so that a flood cannot keep the loop from its timers; the poll comes back for the rest.
    for (let n = 0; n < MAX_PACKETS_PER_TURN; n++) {
      let received: Received | undefined;
      try {
        received = receive(fd, need);
      } catch {
        // A vanished interface is the link monitor's to report.
        return;
      }
      if (!received) return;
      this.#onPacket(this, received);
    }
  }

  /**
   * Source of our adverts: the configured one, else the interface's first primary address that is no VIP
   * (for IPv6 multicast the link-local one). An address owner's VIP is such an address, and its only one at times.
   */
  sourceFor(config: InstanceConfig): string | undefined {
    if (config.sourceAddress !== undefined) {
      return this.#addresses.some((entry) => entry.address === config.sourceAddress)
        ? config.sourceAddress
        : undefined;
    }
    const vips = new Set(config.vips.map((vip) => vip.address));
    const own = this.#addresses.filter(
      (entry) => entry.family === config.family && !entry.secondary && entry.protocol !== VIPWARD_IFA_PROTO,
    );
    const linkLocalOnly = config.family === 6 && !config.unicast;
    const usable = linkLocalOnly ? own.filter((entry) => isLinkLocal(entry.address)) : own;
    const primary = usable.find((entry) => !vips.has(entry.address));
    return (primary ?? (config.priority === 255 ? usable[0] : undefined))?.address;
  }

  /** Throws SystemError, for the caller to count. */
  send(config: InstanceConfig, outgoing: Outgoing): void {
    const need = socketNeed(config, this);
    const socket = need && this.#sockets.get(needKey(need));
    const link = this.#link;
    if (!socket || !link) return;
    const { bytes, destination, ttl } = outgoing;
    const { index: interfaceIndex } = link;
    if (config.udp)
      sendDatagram(socket.fd, bytes, { address: destination, port: config.udp.port, interfaceIndex, ttl });
    else if (config.family === 4) sendPacket(socket.fd, bytes, destination);
    else if (this.name === config.vmac?.name) this.#sendFrame6(bytes, destination);
    else sendPacket6(socket.fd, bytes, destination, link.index);
  }

  /** A vmac has no IPv6 address until we are master, and without one the kernel's routing refuses to send. */
  #sendFrame6(packet: Uint8Array, group: string): void {
    if (this.#packet !== undefined && this.#link) sendMulticast6(this.#packet, this.#link, packet, group);
  }

  /** One gratuitous ARP or unsolicited neighbour advertisement (RFC 5798 §6.4.2). Throws SystemError. */
  announce(vip: string): void {
    if (this.#packet === undefined || !this.#link) return;
    const { index, mac, name } = this.#link;
    const frame = vip.includes(":")
      ? encodeNaFrame({ vip, mac, router: forwards6(name) })
      : encodeGarp({ vip, mac });
    sendFrame(this.#packet, index, frame);
  }

  #close(key: string): void {
    const socket = this.#sockets.get(key);
    if (!socket) return;
    this.#sockets.delete(key);
    // A descriptor must not be closed, and its number reused, while the poll still watches it.
    void this.#poller.remove(socket.fd).then(() => closeFd(socket.fd));
  }

  closeSockets(): void {
    for (const key of [...this.#sockets.keys()]) this.#close(key);
    if (this.#packet !== undefined) closeFd(this.#packet);
    this.#packet = undefined;
  }
}

export function openSocket(need: SocketNeed, link: LinkInfo): number {
  const where = { interfaceIndex: link.index, interfaceName: link.name };
  if (need.kind === "udp") return openUdpSocket({ ...where, address: need.address, port: need.port });
  const raw = { ...where, group: need.group, ...(need.ownMac ? { sourceMac: link.mac } : {}) };
  return need.family === 4 ? openVrrpSocket(raw) : openVrrpSocket6(raw);
}

function receive(fd: number, need: SocketNeed): Received | undefined {
  if (need.kind === "udp") {
    const datagram = receiveFrom(fd);
    return datagram && { transport: "udp", family: need.family, ...datagram, destination: need.address };
  }
  if (need.family === 4) {
    const bytes = receivePacket(fd);
    return bytes && { transport: "raw", family: 4, bytes };
  }
  const packet = receivePacket6(fd);
  if (!packet) return undefined;
  const { payload, ...where } = packet;
  return { transport: "raw", family: 6, bytes: payload, ...where };
}

/** The R flag says whether this node forwards (RFC 4861 §4.4). */
function forwards6(name: string): boolean {
  try {
    return readSysctl(interfaceSysctl(6, name, "forwarding")) === "1";
  } catch {
    return false;
  }
}

const MAX_PACKETS_PER_TURN = 512;
