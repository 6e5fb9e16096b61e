/** Counters of a service or destination, and their rates. Packets are unknown here and reported as 0. */
import type { Stats } from "../../lvs/table.ts";

/** Rates are averaged as net/netfilter/ipvs/ip_vs_est.c does: every 2 s, a quarter of the new value. */
export const RATE_INTERVAL_SECONDS = 2;
const NEW_SHARE = 0.25;

interface Counters {
  readonly conns: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

export class Traffic {
  conns = 0;
  /** From clients. */
  inBytes = 0;
  /** To clients. */
  outBytes = 0;
  #before: Counters = { conns: 0, inBytes: 0, outBytes: 0 };
  #rates: Counters = { conns: 0, inBytes: 0, outBytes: 0 };

  /** Call every RATE_INTERVAL_SECONDS. */
  tick(): void {
    const average = (counter: keyof Counters): number => {
      const rate = (this[counter] - this.#before[counter]) / RATE_INTERVAL_SECONDS;
      return this.#rates[counter] + (rate - this.#rates[counter]) * NEW_SHARE;
    };
    this.#rates = { conns: average("conns"), inBytes: average("inBytes"), outBytes: average("outBytes") };
    this.#before = { conns: this.conns, inBytes: this.inBytes, outBytes: this.outBytes };
  }

  stats(): Stats {
    const rate = (value: number): bigint => BigInt(Math.round(value));
    return {
      conns: BigInt(this.conns),
      inPkts: 0n,
      outPkts: 0n,
      inBytes: BigInt(this.inBytes),
      outBytes: BigInt(this.outBytes),
      cps: rate(this.#rates.conns),
      inPps: 0n,
      outPps: 0n,
      inBps: rate(this.#rates.inBytes),
      outBps: rate(this.#rates.outBytes),
    };
  }
}
