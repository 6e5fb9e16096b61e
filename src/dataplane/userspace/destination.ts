/** A destination with its live counters: what the scheduler reads and the relay writes. */
import type { SchedDest } from "../../lvs/schedulers/index.ts";
import type { DestKey, DestObservation, DestSpec } from "../../lvs/table.ts";
import { Traffic } from "./traffic.ts";

/** As the kernel counts TCP: active from the SYN on, inactive once either side has sent FIN. */
type Phase = "active" | "inactive";

export class Destination implements SchedDest {
  readonly key: DestKey;
  readonly traffic = new Traffic();
  spec: DestSpec;
  active = 0;
  inactive = 0;
  /** Persistence templates that point here. */
  persistent = 0;
  overloaded = false;
  /** False once deleted; its connections live on. */
  inTable = true;
  /** The last connect failed: logged once, not for every client. */
  unreachable = false;

  constructor(key: DestKey, spec: DestSpec) {
    this.key = key;
    this.spec = spec;
  }

  get weight(): number {
    return this.spec.weight;
  }

  get connections(): number {
    return this.active + this.inactive;
  }

  /** A raised or removed upper threshold lifts the overload at once (ip_vs_ctl.c). */
  edit(spec: DestSpec): void {
    if (spec.upperThreshold === 0 || spec.upperThreshold > this.spec.upperThreshold) this.overloaded = false;
    this.spec = spec;
  }

  opened(): void {
    this.active += 1;
    this.traffic.conns += 1;
    const { upperThreshold } = this.spec;
    if (upperThreshold !== 0 && this.connections >= upperThreshold) this.overloaded = true;
  }

  closing(): void {
    this.active -= 1;
    this.inactive += 1;
  }

  closed(phase: Phase): void {
    this[phase] -= 1;
    if (this.overloaded && this.#relieved()) this.overloaded = false;
  }

  /** Below the lower threshold or, without one, below three quarters of the upper. */
  #relieved(): boolean {
    const { lowerThreshold, upperThreshold } = this.spec;
    if (lowerThreshold !== 0) return this.connections < lowerThreshold;
    return upperThreshold === 0 || this.connections * 4 < upperThreshold * 3;
  }

  observe(): DestObservation {
    return {
      activeConns: this.active,
      inactConns: this.inactive,
      persistConns: this.persistent,
      stats: this.traffic.stats(),
    };
  }
}
