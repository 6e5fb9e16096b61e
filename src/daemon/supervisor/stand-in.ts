/**
 * What the supervisor does itself while there is no vrrp process: it keeps owned instances advertised for
 * a moment, or gives them up. It shares the raw sockets that the vrrp process inherited.
 */
import type { Config, InstanceConfig } from "../../config/model.ts";
import { openPacketSocket, sendMulticast6 } from "../../net/packet-socket.ts";
import { closeFd, sendPacket } from "../../net/raw-socket.ts";
import { sendPacket6 } from "../../net/raw-socket6.ts";
import { type LinkInfo, RtNetlink } from "../../net/rtnetlink.ts";
import { openUdpSocket, sendDatagram } from "../../net/udp-socket.ts";
import { type Microseconds, seconds, us } from "../../units.ts";
import { buildAdverts, type Outgoing, signs } from "../../vrrp/advert.ts";
import { nextSequence } from "../../vrrp/sequence.ts";
import { leaseSeconds } from "../../vrrp/timing.ts";
import type { InheritedSocket, InstancePulse, Logger } from "../messages.ts";
import { needKey, openSocket, rawNeed, type SocketNeed } from "../vrrp/interface-port.ts";
import { hearingInterfaces, sendingInterface } from "../vrrp/ports.ts";
import { heldVips, leased, vipRequest } from "../vrrp/vip-set.ts";
import { FIRST_INHERITED_FD } from "./child.ts";

/** An instance the dead process was master of. */
export interface Owned {
  readonly config: InstanceConfig;
  readonly source: string;
  /** Effective priority it had. */
  readonly priority: number;
  readonly added: readonly string[];
  lastAdvertAt: Microseconds;
}

interface OpenSocket {
  readonly interface: string;
  readonly ifindex: number;
  /** needKey() */
  readonly need: string;
  readonly fd: number;
}

interface WantedSocket {
  readonly link: LinkInfo;
  readonly need: SocketNeed;
}

const sameSocket = (socket: OpenSocket, { link, need }: WantedSocket): boolean =>
  socket.ifindex === link.index && socket.need === needKey(need);

export class StandIn {
  readonly #log: Logger;
  readonly #rtnetlink = RtNetlink.open();
  #sockets: OpenSocket[] = [];

  constructor(log: Logger) {
    this.#log = log;
  }

  links(): LinkInfo[] {
    return this.#rtnetlink.links();
  }

  /**
   * The raw receive sockets, opened before the vrrp process starts and kept here, so that what arrives while
   * it is restarted is not lost. Throws SystemError (no CAP_NET_RAW). UDP sockets are bound to an address
   * and left to the vrrp process.
   */
  openSockets(config: Config): { readonly fds: number[]; readonly sockets: InheritedSocket[] } {
    const wanted = this.#wanted(config);
    this.keepOnly(config, wanted);
    for (const socket of wanted) {
      if (this.#sockets.some((open) => sameSocket(open, socket))) continue;
      const { link, need } = socket;
      const fd = openSocket(need, link);
      this.#sockets.push({ interface: link.name, ifindex: link.index, need: needKey(need), fd });
    }
    return {
      fds: this.#sockets.map((socket) => socket.fd),
      sockets: this.#sockets.map(({ ifindex, need }, at) => ({ ifindex, need, fd: FIRST_INHERITED_FD + at })),
    };
  }

  #wanted(config: Config): WantedSocket[] {
    const links = new Map(this.links().map((link) => [link.name, link]));
    const wanted = new Map<string, WantedSocket>();
    for (const instance of config.instances) {
      if (instance.udp) continue;
      for (const name of hearingInterfaces(instance)) {
        const link = links.get(name);
        const need = rawNeed(instance, name);
        if (link) wanted.set(`${name} ${needKey(need)}`, { link, need });
      }
    }
    return [...wanted.values()];
  }

  /** A socket that nobody reads would hand stale adverts to a later vrrp process. */
  keepOnly(config: Config, wanted: readonly WantedSocket[] = this.#wanted(config)): void {
    const current = (socket: OpenSocket) => wanted.some((entry) => sameSocket(socket, entry));
    for (const socket of this.#sockets) if (!current(socket)) closeFd(socket.fd);
    this.#sockets = this.#sockets.filter(current);
  }

  owned(config: Config, pulses: readonly InstancePulse[]): Owned[] {
    return pulses.flatMap((pulse) => {
      const instance = config.instances.find((entry) => entry.name === pulse.name);
      if (!instance || pulse.state !== "MASTER" || pulse.source === undefined) return [];
      const { added, source, priority, lastAdvertAt } = pulse;
      return [{ config: instance, source, priority, added, lastAdvertAt: lastAdvertAt ?? us(0) }];
    });
  }

  /** The advertisement the vrrp process would have sent, with the lease it would have renewed. */
  advertise(owned: Owned, now: Microseconds, vipLease: boolean): void {
    owned.lastAdvertAt = now;
    this.#send(owned, owned.priority);
    if (!vipLease) return;
    const lease = seconds(leaseSeconds(owned.config));
    this.#forAdded(owned, (request, vip) => this.#rtnetlink.addAddress(leased(request, vip, lease)));
  }

  /** Priority 0 first, so that a backup is on its way while the addresses go (RFC 5798 §6.4.3). */
  release(owned: Owned): void {
    this.#send(owned, 0);
    this.#removeAdded(owned);
    this.#log("warn", `(${owned.config.name}) gave up mastership for the lost vrrp process`, {
      instance: owned.config.name,
    });
  }

  /** Without a word on the wire: somebody else has been elected meanwhile. */
  abandon(owned: Owned): void {
    this.#removeAdded(owned);
    this.#log("warn", `(${owned.config.name}) silent for too long to go on as master`, {
      instance: owned.config.name,
    });
  }

  #removeAdded(owned: Owned): void {
    this.#forAdded(owned, (request) => this.#rtnetlink.deleteAddress(request));
  }

  #forAdded(
    owned: Owned,
    act: (request: NonNullable<ReturnType<typeof vipRequest>>, vip: Owned["config"]["vips"][number]) => void,
  ): void {
    const links = this.links();
    for (const vip of heldVips(owned.config)) {
      if (!owned.added.includes(vip.address)) continue;
      const request = vipRequest(vip, links.find((link) => link.name === vip.dev)?.index);
      try {
        if (request) act(request, vip);
      } catch (error) {
        this.#log("debug", `(${owned.config.name}) ${(error as Error).message}`);
      }
    }
  }

  /** On the instance's own interface only: further heartbeat links are not worth the delay here. */
  #send({ config, source }: Owned, priority: number): void {
    try {
      const link = this.links().find((entry) => entry.name === sendingInterface(config));
      if (!link) return;
      // The clock is ahead of whatever the dead process used last.
      const sequence =
        signs(config) && config.auth.type === "HMAC"
          ? { sequence: nextSequence(undefined, us(Date.now() * 1_000), config.auth) }
          : {};
      for (const outgoing of buildAdverts(config, { priority, source, ...sequence })) {
        this.#sendOne(config, source, link, outgoing);
      }
    } catch (error) {
      this.#log("error", `(${config.name}) ${(error as Error).message}`);
    }
  }

  #sendOne(config: InstanceConfig, source: string, link: LinkInfo, outgoing: Outgoing): void {
    const { bytes, destination, ttl } = outgoing;
    if (config.family === 6 && link.name === config.vmac?.name) return sendFrame6(link, bytes, destination);
    const where = { interfaceName: link.name, interfaceIndex: link.index };
    const own = config.udp
      ? { fd: openUdpSocket({ ...where, address: source, port: config.udp.port }), temporary: true }
      : this.#rawFor(config, link);
    try {
      const { interfaceIndex } = where;
      if (config.udp)
        sendDatagram(own.fd, bytes, { address: destination, port: config.udp.port, interfaceIndex, ttl });
      else if (config.family === 4) sendPacket(own.fd, bytes, destination);
      else sendPacket6(own.fd, bytes, destination, link.index);
    } finally {
      if (own.temporary) closeFd(own.fd);
    }
  }

  /** A vmac has no socket here: one is made for the moment. */
  #rawFor(config: InstanceConfig, link: LinkInfo): { readonly fd: number; readonly temporary: boolean } {
    const need = rawNeed(config, link.name);
    const open = this.#sockets.find((socket) => sameSocket(socket, { link, need }));
    return open ? { fd: open.fd, temporary: false } : { fd: openSocket(need, link), temporary: true };
  }

  close(): void {
    for (const socket of this.#sockets) closeFd(socket.fd);
    this.#sockets = [];
    this.#rtnetlink.close();
  }
}

/** As the vrrp process sends through a vmac, which may have no address by now. */
function sendFrame6(link: LinkInfo, packet: Uint8Array, group: string): void {
  const fd = openPacketSocket(link.index);
  try {
    sendMulticast6(fd, link, packet, group);
  } finally {
    closeFd(fd);
  }
}
