/** The interfaces the instances use, kept in step with what the kernel says of links and addresses. */
import type { InstanceConfig } from "../../config/model.ts";
import { monotonicUs } from "../../net/clock.ts";
import type { Poller } from "../../net/poller.ts";
import { type AddressInfo, RtNetlink } from "../../net/rtnetlink.ts";
import type { Microseconds } from "../../units.ts";
import type { Received } from "../../vrrp/admit.ts";
import type { InheritedSocket, Logger } from "../messages.ts";
import { InterfacePort, type SocketNeed, socketNeed } from "./interface-port.ts";
import { LinkDamping, type WatchedLink } from "./link-damping.ts";

/** Where adverts are heard: the instance's interface and its further heartbeat links. */
export const listeningInterfaces = (config: InstanceConfig): string[] => [
  config.interface,
  ...(config.heartbeatInterfaces ?? []),
];

/** Where adverts leave on the instance's own link: with a vmac, through it (unicast has no use for it). */
export const sendingInterface = (config: InstanceConfig): string =>
  config.vmac && !config.vmac.xmitBase && !config.unicast ? config.vmac.name : config.interface;

/** Where receive sockets are open: a vmac gets the frames of peers that have the same virtual MAC. */
export const hearingInterfaces = (config: InstanceConfig): string[] =>
  config.vmac ? [...listeningInterfaces(config), config.vmac.name] : listeningInterfaces(config);

/** Every interface the instance has to do with. */
export const usedInterfaces = (config: InstanceConfig): string[] => [
  ...hearingInterfaces(config),
  ...[...config.vips, ...(config.excludedVips ?? [])].map((vip) => vip.dev),
];

export class Ports {
  readonly rtnetlink = RtNetlink.open();
  readonly #poller: Poller;
  readonly #log: Logger;
  readonly #onPacket: (port: InterfacePort, received: Received) => void;
  readonly #ports = new Map<string, InterfacePort>();
  #configs: readonly InstanceConfig[] = [];
  #inherited: readonly InheritedSocket[] = [];
  readonly #damping = new LinkDamping();
  links: readonly WatchedLink[] = [];
  addresses: readonly AddressInfo[] = [];

  constructor(poller: Poller, log: Logger, onPacket: (port: InterfacePort, received: Received) => void) {
    this.#poller = poller;
    this.#log = log;
    this.#onPacket = onPacket;
  }

  /** Throws SystemError when the kernel cannot be asked. */
  read(): void {
    this.links = this.#damping.apply(this.rtnetlink.links(), monotonicUs());
    this.addresses = this.rtnetlink.addresses();
    for (const port of this.#ports.values()) this.#update(port);
  }

  /** Ports for a new set of instances. `inherited` sockets are used where they fit. */
  configure(configs: readonly InstanceConfig[], inherited: readonly InheritedSocket[]): void {
    this.#configs = configs;
    this.#inherited = inherited;
    const wanted = new Set(configs.flatMap(usedInterfaces));
    for (const name of wanted) {
      if (!this.#ports.has(name))
        this.#ports.set(
          name,
          new InterfacePort(name, this.#poller, (port, packet) => this.#heard(port, packet)),
        );
    }
    for (const [name, port] of this.#ports) {
      if (wanted.has(name)) continue;
      port.closeSockets();
      this.#ports.delete(name);
    }
    this.read();
    // Whatever is opened later is opened here: the numbers may belong to something else by then.
    this.#inherited = [];
  }

  /** What came through a vmac came over its parent. */
  #heard(port: InterfacePort, received: Received): void {
    const parent = this.#configs.find((config) => config.vmac?.name === port.name)?.interface;
    this.#onPacket((parent && this.#ports.get(parent)) || port, received);
  }

  #update(port: InterfacePort): void {
    const link = this.link(port.name);
    port.update(
      link,
      this.addresses.filter((entry) => entry.index === link?.index),
    );
    const needs: SocketNeed[] = [];
    for (const config of this.#configs) {
      if (!hearingInterfaces(config).includes(port.name)) continue;
      const need = socketNeed(config, port);
      if (need) needs.push(need);
    }
    const inherited = this.#inherited.filter((socket) => socket.ifindex === link?.index);
    try {
      port.provide(needs, new Map(inherited.map((socket) => [socket.need, socket.fd])));
    } catch (error) {
      this.#log("error", `cannot use ${port.name}: ${(error as Error).message}`);
    }
  }

  get(name: string): InterfacePort | undefined {
    return this.#ports.get(name);
  }

  /** When links are to be read again though the kernel tells nothing new. */
  get deadline(): Microseconds | undefined {
    return this.#damping.deadline;
  }

  link(name: string): WatchedLink | undefined {
    return this.links.find((link) => link.name === name);
  }

  drain(): void {
    for (const port of this.#ports.values()) port.drain();
  }

  close(): void {
    for (const port of this.#ports.values()) port.closeSockets();
    this.#ports.clear();
  }
}
