/**
 * The VIPs of one instance in the kernel. Every operation is idempotent; what was on the interface before
 * us is never leased and never removed.
 */
import type { InstanceConfig, VipConfig } from "../../config/model.ts";
import type { SystemError } from "../../net/errors.ts";
import {
  type AddressInfo,
  type AddressRequest,
  type RtNetlink,
  VIPWARD_IFA_PROTO,
} from "../../net/rtnetlink.ts";
import { type Microseconds, type Seconds, seconds, us } from "../../units.ts";
import { leaseSeconds } from "../../vrrp/timing.ts";
import type { Logger, VipStatus } from "../messages.ts";

export interface VipContext {
  readonly rtnetlink: RtNetlink;
  readonly log: Logger;
  readonly vipLease: boolean;
  indexOf(dev: string): number | undefined;
}

export class VipSet {
  #config: InstanceConfig;
  readonly #context: VipContext;
  readonly #preexisting = new Set<string>();
  readonly #present = new Set<string>();
  #renewedAt: Microseconds = us(0);

  constructor(config: InstanceConfig, context: VipContext) {
    this.#config = config;
    this.#context = context;
  }

  /** Seconds a VIP outlives our last advert; undefined without leases. */
  get lease(): Seconds | undefined {
    return this.#context.vipLease ? seconds(leaseSeconds(this.#config)) : undefined;
  }

  /** Addresses this process put there and would have to take away. */
  get added(): string[] {
    return [...this.#present].filter((address) => !this.#preexisting.has(address));
  }

  /** Notes what is there now. `ours` tells addresses that we put there from the operator's. */
  survey(addresses: readonly AddressInfo[], ours: (address: AddressInfo) => boolean): void {
    for (const vip of this.#config.vips) {
      const there = this.#find(addresses, vip);
      if (!there || this.#present.has(vip.address)) continue;
      this.#present.add(vip.address);
      if (!ours(there)) this.#preexisting.add(vip.address);
    }
  }

  #find(addresses: readonly AddressInfo[], vip: VipConfig): AddressInfo | undefined {
    const index = this.#context.indexOf(vip.dev);
    return addresses.find((entry) => entry.index === index && entry.address === vip.address);
  }

  /** Adds or renews every VIP; returns how many failed. */
  add(now: Microseconds): number {
    this.#renewedAt = now;
    return this.#config.vips.filter((vip) => !this.#put(vip)).length;
  }

  /** Renews the leases, at most once a second: each renewal is a notification to every listener. */
  renew(now: Microseconds): void {
    if (!this.#context.vipLease || now - this.#renewedAt < RENEW_EVERY) return;
    this.add(now);
  }

  #put(vip: VipConfig): boolean {
    if (this.#preexisting.has(vip.address)) return true;
    const request = this.#request(vip);
    if (!request) return false;
    try {
      this.#context.rtnetlink.addAddress(request);
      this.#present.add(vip.address);
      return true;
    } catch (error) {
      this.#failed("cannot add", vip, error as SystemError);
      return false;
    }
  }

  #request(vip: VipConfig): AddressRequest | undefined {
    const request = vipRequest(vip, this.#context.indexOf(vip.dev));
    const { lease } = this;
    if (!request || lease === undefined) return request;
    return { ...request, validLifetime: lease, preferredLifetime: lease };
  }

  remove(): void {
    for (const vip of this.#config.vips) {
      if (this.#preexisting.has(vip.address) || !this.#present.has(vip.address)) continue;
      this.#present.delete(vip.address);
      const request = this.#request(vip);
      if (!request) continue;
      try {
        this.#context.rtnetlink.deleteAddress(request);
      } catch (error) {
        // Gone already (its lease ended, or somebody else was quicker): just what we want.
        if (!GONE.has((error as SystemError).code)) this.#failed("cannot remove", vip, error as SystemError);
      }
    }
  }

  /** The kernel says an address went away. True if it is one of ours that should be there. */
  vanished(address: AddressInfo): boolean {
    const vip = this.#config.vips.find((entry) => entry.address === address.address);
    if (!vip || this.#context.indexOf(vip.dev) !== address.index) return false;
    this.#preexisting.delete(vip.address);
    return this.#present.delete(vip.address);
  }

  /** The first half of a new configuration: VIPs that are not in it go. */
  drop(next: InstanceConfig): void {
    const keep = new Set(next.vips.map(vipIdentity));
    const before = this.#config;
    this.#config = { ...before, vips: before.vips.filter((vip) => !keep.has(vipIdentity(vip))) };
    this.remove();
    for (const vip of this.#config.vips) {
      this.#present.delete(vip.address);
      this.#preexisting.delete(vip.address);
    }
    this.#config = { ...before, vips: before.vips.filter((vip) => keep.has(vipIdentity(vip))) };
  }

  /** The second half, after every instance has dropped its own: VIPs may move between instances. */
  take(config: InstanceConfig): void {
    this.#config = config;
  }

  status(): VipStatus[] {
    return this.#config.vips.map((vip) => ({
      address: vip.address,
      prefixLength: vip.prefixLength,
      dev: vip.dev,
      present: this.#present.has(vip.address),
      preexisting: this.#preexisting.has(vip.address),
    }));
  }

  #failed(what: string, vip: VipConfig, error: SystemError): void {
    this.#context.log(
      "error",
      `(${this.#config.name}) ${what} ${vip.address}/${vip.prefixLength} on ${vip.dev}`,
      {
        instance: this.#config.name,
        error: error.message,
      },
    );
  }
}

/** The VIP as rtnetlink takes it, without a lifetime; undefined while its interface does not exist. */
export function vipRequest(vip: VipConfig, index: number | undefined): AddressRequest | undefined {
  if (index === undefined) return undefined;
  return {
    index,
    family: vip.family,
    address: vip.address,
    prefixLength: vip.prefixLength,
    scope: vip.scope,
    protocol: VIPWARD_IFA_PROTO,
    replace: true,
    ...(vip.label === undefined ? {} : { label: vip.label }),
    ...(vip.broadcast === undefined ? {} : { broadcast: vip.broadcast }),
  };
}

export const vipIdentity = (vip: VipConfig): string =>
  `${vip.address}/${vip.prefixLength} ${vip.dev} ${vip.label ?? ""}`;

/** A little under a second, so that 1 s adverts renew each time in spite of jitter. */
const RENEW_EVERY = 900_000;
const GONE = new Set(["EADDRNOTAVAIL", "ENODEV", "ENOENT"]);
