/**
 * track_gateway by ARP or neighbour solicitation: is the gateway there on the link? Catches the isolated
 * master, whose own link is up but leads nowhere.
 */
import type { TrackGatewayConfig } from "../../config/model.ts";
import { type NeighbourProbe, openArpProbe, openNdProbe } from "../../net/neighbour-probe.ts";
import { type AddressInfo, type LinkInfo, RtNetlink, VIPWARD_IFA_PROTO } from "../../net/rtnetlink.ts";
import type { Logger } from "../messages.ts";
import type { Tracker, TrackerSink } from "./types.ts";

export class NeighbourGatewayTracker implements Tracker {
  readonly #config: TrackGatewayConfig;
  readonly #sink: TrackerSink;
  readonly #log: Logger;
  readonly #rtnetlink = RtNetlink.open();
  #probe: { readonly probe: NeighbourProbe; readonly index: number; readonly mac: string } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #answered = false;
  #trouble: string | undefined;

  constructor(config: TrackGatewayConfig, sink: TrackerSink, log: Logger) {
    this.#config = config;
    this.#sink = sink;
    this.#log = log;
  }

  start(): void {
    this.#ask();
  }

  #ask(): void {
    this.#answered = false;
    const { address, interface: dev, interval, timeout } = this.#config;
    try {
      const { link, source } = this.#place();
      this.#open(link);
      // Answers to earlier questions say nothing about now.
      this.#probe?.probe.answers();
      this.#probe?.probe.ask(address, source);
      this.#trouble = undefined;
    } catch (error) {
      this.#close();
      const { message } = error as Error;
      if (message !== this.#trouble) this.#log("warn", `track_gateway ${this.#config.name}: ${message}`);
      this.#trouble = message;
    }
    this.#timer = setTimeout(() => {
      this.#judge(dev);
      this.#timer = setTimeout(() => this.#ask(), Math.max(0, interval - timeout));
    }, timeout);
  }

  #judge(dev: string): void {
    const { name, address } = this.#config;
    try {
      this.#answered = this.#probe?.probe.answers().some((answer) => answer.address === address) ?? false;
    } catch {
      // ENETDOWN: no answer, which is the point of asking.
    }
    const detail = this.#answered
      ? `${address} answers on ${dev}`
      : (this.#trouble ?? `${address} does not answer on ${dev}`);
    this.#sink({ kind: "gateway", name, good: this.#answered, detail });
  }

  /** Throws when the interface is missing or has no address to ask from. */
  #place(): { link: LinkInfo; source: string } {
    const { interface: dev, address } = this.#config;
    const link = this.#rtnetlink.links().find((entry) => entry.name === dev);
    if (!link) throw new Error(`interface ${dev} does not exist`);
    const family = address.includes(":") ? 6 : 4;
    const usable = (entry: AddressInfo) =>
      entry.index === link.index && entry.family === family && entry.protocol !== VIPWARD_IFA_PROTO;
    const own = this.#rtnetlink.addresses().find(usable);
    if (!own) throw new Error(`interface ${dev} has no IPv${family} address to ask from`);
    return { link, source: own.address };
  }

  /** Kept open while the interface stays the same one. */
  #open(link: LinkInfo): void {
    const mac = Buffer.from(link.mac).toString("hex");
    if (this.#probe?.index === link.index && this.#probe.mac === mac) return;
    this.#close();
    const open = this.#config.address.includes(":") ? openNdProbe : openArpProbe;
    this.#probe = { probe: open(link), index: link.index, mac };
  }

  #close(): void {
    this.#probe?.probe.close();
    this.#probe = undefined;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#close();
    this.#rtnetlink.close();
  }
}
