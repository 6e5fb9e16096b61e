/**
 * One network interface as VRRP needs it: a raw socket in the group, an AF_PACKET socket for ARP,
 * the current link state and the address adverts are sent from.
 */
import type { InstanceConfig } from "../../config/model.ts";
import { libc } from "../../net/libc.ts";
import { openPacketSocket, sendFrame } from "../../net/packet-socket.ts";
import type { Poller } from "../../net/poller.ts";
import { openVrrpSocket, receivePacket, sendPacket } from "../../net/raw-socket.ts";
import { type AddressInfo, type LinkInfo, VIPWARD_IFA_PROTO } from "../../net/rtnetlink.ts";
import { encodeGarp } from "../../wire/arp.ts";
import { VRRP_GROUP_V4 } from "../../wire/vrrp.ts";

export class InterfacePort {
  readonly name: string;
  readonly #poller: Poller;
  readonly #onPacket: (port: InterfacePort, packet: Uint8Array) => void;
  #raw: number | undefined;
  #packet: number | undefined;
  #link: LinkInfo | undefined;
  #addresses: readonly AddressInfo[] = [];

  constructor(name: string, poller: Poller, onPacket: (port: InterfacePort, packet: Uint8Array) => void) {
    this.name = name;
    this.#poller = poller;
    this.#onPacket = onPacket;
  }

  get link(): LinkInfo | undefined {
    return this.#link;
  }

  /** Follows the interface: sockets are bound to an index, which changes when it is re-created. */
  update(link: LinkInfo | undefined, addresses: readonly AddressInfo[], inherited?: number): void {
    if (this.#raw !== undefined && link?.index !== this.#link?.index) this.closeSockets();
    this.#link = link;
    this.#addresses = addresses;
    if (link && this.#raw === undefined) this.#open(link, inherited);
  }

  #open(link: LinkInfo, inherited: number | undefined): void {
    const group = { interfaceIndex: link.index, interfaceName: link.name, group: VRRP_GROUP_V4 };
    const raw = inherited ?? openVrrpSocket(group);
    this.#raw = raw;
    this.#packet = openPacketSocket(link.index);
    this.#poller.add(raw, () => this.drain());
  }

  /** Reads everything that is queued. A vanished interface is the link monitor's to report. */
  drain(): void {
    if (this.#raw === undefined) return;
    // Bounded, so that a flood cannot keep the loop from its timers; the poll comes back for the rest.
    for (let n = 0; n < MAX_PACKETS_PER_TURN; n++) {
      let packet: Uint8Array | undefined;
      try {
        packet = receivePacket(this.#raw);
      } catch {
        return;
      }
      if (!packet) return;
      this.#onPacket(this, packet);
    }
  }

  /**
   * Source of our adverts: mcast_src_ip, else the interface's first primary address that is not a VIP.
   * An address owner's VIP is such an address, and its only one at times.
   */
  sourceFor(config: InstanceConfig): string | undefined {
    if (config.sourceAddress !== undefined) {
      return this.#addresses.some((entry) => entry.address === config.sourceAddress)
        ? config.sourceAddress
        : undefined;
    }
    const vips = new Set(config.vips.map((vip) => vip.address));
    const own = this.#addresses.filter(
      (entry) => entry.family === 4 && !entry.secondary && entry.protocol !== VIPWARD_IFA_PROTO,
    );
    const primary = own.find((entry) => !vips.has(entry.address));
    return (primary ?? (config.priority === 255 ? own[0] : undefined))?.address;
  }

  /** Throws SystemError, for the caller to count. */
  sendAdvert(packet: Uint8Array): void {
    if (this.#raw !== undefined) sendPacket(this.#raw, packet, VRRP_GROUP_V4);
  }

  /** One gratuitous ARP request for the VIP (RFC 5798 §6.4.2). Throws SystemError. */
  announce(vip: string): void {
    if (this.#packet === undefined || !this.#link) return;
    sendFrame(this.#packet, this.#link.index, encodeGarp({ vip, mac: this.#link.mac }));
  }

  closeSockets(): void {
    const { close } = libc();
    const raw = this.#raw;
    // A descriptor must not be closed, and its number reused, while the poll still watches it.
    if (raw !== undefined) void this.#poller.remove(raw).then(() => close(raw));
    if (this.#packet !== undefined) close(this.#packet);
    this.#raw = undefined;
    this.#packet = undefined;
  }
}

const MAX_PACKETS_PER_TURN = 512;
