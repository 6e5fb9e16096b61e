/**
 * What the supervisor does itself while there is no vrrp process: it keeps owned instances advertised for
 * a moment, or gives them up. It shares the raw sockets that the vrrp process inherited.
 */
import type { Config, InstanceConfig } from "../../config/model.ts";
import { closeFd, openVrrpSocket, sendPacket } from "../../net/raw-socket.ts";
import { type LinkInfo, RtNetlink } from "../../net/rtnetlink.ts";
import { type Microseconds, seconds } from "../../units.ts";
import { buildAdvertPacket } from "../../vrrp/advert.ts";
import { leaseSeconds } from "../../vrrp/timing.ts";
import { VRRP_GROUP_V4 } from "../../wire/vrrp.ts";
import type { InheritedSocket, InstancePulse, Logger } from "../messages.ts";
import { vipRequest } from "../vrrp/vip-set.ts";
import { FIRST_INHERITED_FD } from "./child.ts";

/** An instance the dead process was master of. */
export interface Owned {
  readonly config: InstanceConfig;
  readonly source: string;
  readonly added: readonly string[];
  lastAdvertAt: Microseconds;
}

interface OpenSocket {
  readonly interface: string;
  readonly ifindex: number;
  readonly fd: number;
}

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
   * One receive socket per interface, opened before the vrrp process starts and kept here, so that what
   * arrives while it is restarted is not lost. Throws SystemError (no CAP_NET_RAW).
   */
  openSockets(config: Config): { readonly fds: number[]; readonly sockets: InheritedSocket[] } {
    const links = new Map(this.links().map((link) => [link.name, link]));
    const names = [...new Set(config.instances.map((instance) => instance.interface))];
    const wanted = names.flatMap((name) => links.get(name) ?? []);
    this.keepOnly(config, wanted);
    for (const link of wanted) {
      if (this.#sockets.some((socket) => socket.interface === link.name)) continue;
      const fd = openVrrpSocket({
        interfaceIndex: link.index,
        interfaceName: link.name,
        group: VRRP_GROUP_V4,
      });
      this.#sockets.push({ interface: link.name, ifindex: link.index, fd });
    }
    return {
      fds: this.#sockets.map((socket) => socket.fd),
      sockets: this.#sockets.map(({ fd: _ours, ...socket }, at) => ({
        ...socket,
        fd: FIRST_INHERITED_FD + at,
      })),
    };
  }

  /** A socket that nobody reads would hand stale adverts to a later vrrp process. */
  keepOnly(config: Config, links: readonly LinkInfo[] = this.links()): void {
    const names = new Set(config.instances.map((instance) => instance.interface));
    const current = (socket: OpenSocket) =>
      names.has(socket.interface) &&
      links.some((link) => link.name === socket.interface && link.index === socket.ifindex);
    for (const socket of this.#sockets) if (!current(socket)) closeFd(socket.fd);
    this.#sockets = this.#sockets.filter(current);
  }

  owned(config: Config, pulses: readonly InstancePulse[]): Owned[] {
    return pulses.flatMap((pulse) => {
      const instance = config.instances.find((entry) => entry.name === pulse.name);
      if (!instance || pulse.state !== "MASTER" || pulse.source === undefined) return [];
      const { added, source, lastAdvertAt } = pulse;
      return [{ config: instance, source, added, lastAdvertAt: lastAdvertAt ?? (0 as Microseconds) }];
    });
  }

  /** The advertisement the vrrp process would have sent, with the lease it would have renewed. */
  advertise(owned: Owned, now: Microseconds, vipLease: boolean): void {
    owned.lastAdvertAt = now;
    this.#send(owned, owned.config.priority);
    if (!vipLease) return;
    const lease = seconds(leaseSeconds(owned.config));
    this.#forAdded(owned, (request) =>
      this.#rtnetlink.addAddress({ ...request, validLifetime: lease, preferredLifetime: lease }),
    );
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

  #forAdded(owned: Owned, act: (request: NonNullable<ReturnType<typeof vipRequest>>) => void): void {
    const links = this.links();
    for (const vip of owned.config.vips) {
      if (!owned.added.includes(vip.address)) continue;
      const request = vipRequest(vip, links.find((link) => link.name === vip.dev)?.index);
      try {
        if (request) act(request);
      } catch (error) {
        this.#log("debug", `(${owned.config.name}) ${(error as Error).message}`);
      }
    }
  }

  #send(owned: Owned, priority: number): void {
    const socket = this.#sockets.find((entry) => entry.interface === owned.config.interface);
    if (!socket) return;
    try {
      sendPacket(socket.fd, buildAdvertPacket(owned.config, priority, owned.source), VRRP_GROUP_V4);
    } catch (error) {
      this.#log("error", `(${owned.config.name}) ${(error as Error).message}`);
    }
  }

  close(): void {
    for (const socket of this.#sockets) closeFd(socket.fd);
    this.#sockets = [];
    this.#rtnetlink.close();
  }
}
