/**
 * Asks every few seconds who has the VIPs. A master must be the only one to answer, a backup must hear one
 * answer: two owners, or a stranger with the address, show here even when no advertisement tells of them.
 */
import type { VipConfig } from "../../config/model.ts";
import { type NeighbourProbe, openArpProbe, openNdProbe } from "../../net/neighbour-probe.ts";
import type { Poller } from "../../net/poller.ts";
import type { LinkInfo } from "../../net/rtnetlink.ts";
import { type Microseconds, us } from "../../units.ts";
import { formatMac } from "../../wire/arp.ts";
import type { Instance } from "./instance.ts";
import { heldVips } from "./vip-set.ts";

/** One VIP of each instance per round: found within a few rounds, and never a burst. */
const ROUND_EVERY_US = 4_000_000;
const WAIT_US = 1_000_000;

interface Question {
  readonly instance: Instance;
  readonly vip: VipConfig;
  readonly macs: Set<string>;
}
interface OpenProbe {
  readonly probe: NeighbourProbe;
  readonly index: number;
}

export interface ProberContext {
  readonly poller: Poller;
  link(name: string): LinkInfo | undefined;
  instances(): readonly Instance[];
}

export class VipProber {
  readonly #context: ProberContext;
  readonly #probes = new Map<string, OpenProbe>();
  #questions: Question[] = [];
  #round = 0;
  #askAt: Microseconds;
  #judgeAt: Microseconds | undefined;

  constructor(context: ProberContext, now: Microseconds) {
    this.#context = context;
    this.#askAt = us(now + ROUND_EVERY_US);
  }

  get deadline(): Microseconds {
    return this.#judgeAt ?? this.#askAt;
  }

  tick(now: Microseconds): void {
    if (this.#judgeAt !== undefined && now >= this.#judgeAt) this.#judge(now);
    if (this.#judgeAt === undefined && now >= this.#askAt) this.#ask(now);
  }

  #ask(now: Microseconds): void {
    this.#askAt = us(now + ROUND_EVERY_US);
    this.#judgeAt = us(now + WAIT_US);
    this.#round++;
    for (const instance of this.#context.instances()) {
      if (instance.state !== "MASTER" && instance.state !== "BACKUP") continue;
      const vips = heldVips(instance.config);
      const vip = vips[this.#round % Math.max(1, vips.length)];
      if (vip) this.#question(instance, vip);
    }
  }

  #question(instance: Instance, vip: VipConfig): void {
    const link = this.#context.link(vip.dev);
    if (!link?.running || link.mac.length !== 6) return;
    try {
      // From 0.0.0.0, as RFC 5227 probes: nobody's ARP table learns anything from us.
      this.#open(link, vip.family).ask(vip.address, "0.0.0.0");
      this.#questions.push({ instance, vip, macs: new Set() });
    } catch {
      // The interface is going away; the link monitor tells.
    }
  }

  #open(link: LinkInfo, family: 4 | 6): NeighbourProbe {
    const key = `${link.name} ${family}`;
    const before = this.#probes.get(key);
    if (before?.index === link.index) return before.probe;
    if (before) this.#close(key, before);
    const probe = family === 4 ? openArpProbe(link) : openNdProbe(link);
    this.#probes.set(key, { probe, index: link.index });
    this.#context.poller.add(probe.fd, () => this.#hear(link.name, probe));
    return probe;
  }

  #hear(dev: string, probe: NeighbourProbe): void {
    for (const { address, mac } of probe.answers()) {
      for (const { vip, macs } of this.#questions) {
        // Bounded: who floods answers gains nothing.
        if (vip.address === address && vip.dev === dev && macs.size < 8) macs.add(formatMac(mac));
      }
    }
  }

  #judge(now: Microseconds): void {
    this.#judgeAt = undefined;
    for (const { instance, vip, macs } of this.#questions.splice(0)) {
      const link = this.#context.link(vip.dev);
      if (link) instance.probed(vip.address, [...macs], [formatMac(link.mac)], now);
    }
  }

  #close(key: string, { probe }: OpenProbe): void {
    this.#probes.delete(key);
    void this.#context.poller.remove(probe.fd).then(() => probe.close());
  }

  close(): void {
    for (const [key, open] of [...this.#probes]) this.#close(key, open);
  }
}
