/**
 * Asks every few seconds who has the VIPs. A master must be the only one to answer, a backup must hear one
 * answer: two owners, or a stranger with the address, show here even when no advertisement tells of them; so
 * does the master that we became master beside, deaf to its advertisements.
 */
import type { VipConfig } from "../../config/model.ts";
import {
  type NeighbourAnswer,
  type NeighbourProbe,
  openArpProbe,
  openNdProbe,
} from "../../net/neighbour-probe.ts";
import type { Poller } from "../../net/poller.ts";
import type { LinkInfo } from "../../net/rtnetlink.ts";
import { type Microseconds, us } from "../../units.ts";
import { formatMac } from "../../wire/arp.ts";
import type { Instance } from "./instance.ts";
import { ProbeSchedule } from "./probe-schedule.ts";
import { heldVips } from "./vip-set.ts";

/** Of each instance per round; more take turns. */
const VIPS_PER_ROUND = 4;
const WAIT_US = 300_000;

interface Question {
  readonly instance: Instance;
  readonly vip: VipConfig;
  readonly round: number;
  readonly macs: Set<string>;
  readonly judgeAt: Microseconds;
}
interface OpenProbe {
  readonly probe: NeighbourProbe;
  readonly index: number;
}

export interface ProberContext {
  readonly poller: Poller;
  link(name: string): LinkInfo | undefined;
  /** Every MAC address of this node: its other interfaces may answer too. */
  ownMacs(): string[];
  instances(): readonly Instance[];
}

export class VipProber {
  readonly #context: ProberContext;
  readonly #probes = new Map<string, OpenProbe>();
  readonly #schedule = new ProbeSchedule<Instance>();
  /** In the order they were asked. */
  #questions: Question[] = [];

  constructor(context: ProberContext) {
    this.#context = context;
  }

  get deadline(): Microseconds {
    const [first] = this.#questions;
    return us(Math.min(this.#schedule.deadline, first?.judgeAt ?? Number.POSITIVE_INFINITY));
  }

  /** An instance changed its state. */
  hurry(): void {
    this.#schedule.hurry();
  }

  tick(now: Microseconds): void {
    this.#judge(now);
    for (const [instance, round] of this.#schedule.due(this.#context.instances(), now))
      this.#ask(instance, round, now);
  }

  #ask(instance: Instance, round: number, now: Microseconds): void {
    const vips = heldVips(instance.config);
    const first = round * VIPS_PER_ROUND;
    for (let n = 0; n < Math.min(VIPS_PER_ROUND, vips.length); n++) {
      const vip = vips[(first + n) % vips.length];
      if (vip) this.#question(instance, vip, round, now);
    }
  }

  #question(instance: Instance, vip: VipConfig, round: number, now: Microseconds): void {
    const link = this.#context.link(vip.dev);
    if (!link?.running || link.mac.length !== 6) return;
    try {
      // From 0.0.0.0, as RFC 5227 probes: nobody's ARP table learns anything from us.
      this.#open(link, vip.family).ask(vip.address, "0.0.0.0");
      this.#questions.push({ instance, vip, round, macs: new Set(), judgeAt: us(now + WAIT_US) });
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
    for (const { address, mac } of answersOf(probe)) {
      for (const { vip, macs } of this.#questions) {
        // Bounded: who floods answers gains nothing.
        if (vip.address === address && vip.dev === dev && macs.size < 8) macs.add(formatMac(mac));
      }
    }
  }

  #judge(now: Microseconds): void {
    const waiting = this.#questions.findIndex(({ judgeAt }) => judgeAt > now);
    const ripe = this.#questions.splice(0, waiting < 0 ? this.#questions.length : waiting);
    if (ripe.length === 0) return;
    const own = this.#context.ownMacs();
    for (const { instance, vip, round, macs } of ripe) {
      if (instance.probed(vip.address, [...macs], own, now)) this.#schedule.odd(instance, round, now);
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

function answersOf(probe: NeighbourProbe): NeighbourAnswer[] {
  try {
    return probe.answers();
  } catch {
    // ENETDOWN, told once to every packet socket: the link monitor tells it better.
    return [];
  }
}
