/** Gratuitous ARP and unsolicited NA still to be sent, paced by garp_interval and gna_interval. */
import type { VipConfig } from "../../config/model.ts";
import { type Microseconds, us } from "../../units.ts";

interface Planned {
  readonly vip: VipConfig;
  readonly at: Microseconds;
}

export class Announcements {
  #planned: Planned[] = [];
  /** When the last one on each interface is due: the next one there keeps the gap. */
  readonly #lastOn = new Map<string, Microseconds>();

  /** `count` rounds over all VIPs; without a gap everything is due at once. */
  add(vips: readonly VipConfig[], count: number, gap: Microseconds, now: Microseconds): void {
    for (let round = 0; round < count; round++) {
      for (const vip of vips) {
        const last = this.#lastOn.get(vip.dev);
        const at = gap === 0 || last === undefined ? now : us(Math.max(now, last + gap));
        this.#lastOn.set(vip.dev, at);
        this.#planned.push({ vip, at });
      }
    }
  }

  /** When the next one is due. */
  get next(): Microseconds | undefined {
    return this.#planned.length === 0 ? undefined : us(Math.min(...this.#planned.map(({ at }) => at)));
  }

  /** Takes out what is due, in order. */
  due(now: Microseconds): VipConfig[] {
    const due = this.#planned.filter(({ at }) => at <= now);
    if (due.length > 0) this.#planned = this.#planned.filter(({ at }) => at > now);
    return due.map(({ vip }) => vip);
  }

  clear(): void {
    this.#planned = [];
    this.#lastOn.clear();
  }
}
