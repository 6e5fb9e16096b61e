/**
 * What one instance holds in the kernel while it is master: VIPs (advertised and excluded), routes and
 * rules. Every operation is idempotent; an address that was on the interface before us is never leased and
 * never removed.
 */
import type { InstanceConfig, VipConfig } from "../../config/model.ts";
import type { SystemError } from "../../net/errors.ts";
import {
  type AddressInfo,
  type AddressRequest,
  type RtNetlink,
  VIPWARD_IFA_PROTO,
} from "../../net/rtnetlink.ts";
import type { RtNetlinkRoutes } from "../../net/rtnetlink-routes.ts";
import { type Microseconds, type Seconds, seconds, us } from "../../units.ts";
import { leaseSeconds } from "../../vrrp/timing.ts";
import type { Logger, VipStatus } from "../messages.ts";
import { HeldRoutes } from "./held-routes.ts";

export interface VipContext {
  readonly rtnetlink: RtNetlink;
  readonly routes: RtNetlinkRoutes;
  readonly log: Logger;
  readonly vipLease: boolean;
  indexOf(dev: string): number | undefined;
  addresses(): readonly AddressInfo[];
}

/** virtual_ipaddress and virtual_ipaddress_excluded: held alike, only the first are advertised. */
export const heldVips = (config: InstanceConfig): readonly VipConfig[] =>
  config.excludedVips ? [...config.vips, ...config.excludedVips] : config.vips;

export class VipSet {
  #config: InstanceConfig;
  readonly #context: VipContext;
  readonly #routes: HeldRoutes;
  readonly #preexisting = new Set<string>();
  readonly #present = new Set<string>();
  #renewedAt: Microseconds = us(0);
  #routesSeenAt: Microseconds = us(0);

  constructor(config: InstanceConfig, context: VipContext) {
    this.#config = config;
    this.#context = context;
    this.#routes = new HeldRoutes(config, context);
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
    for (const vip of heldVips(this.#config)) {
      const there = this.#find(addresses, vip);
      if (!there || this.#present.has(vip.address)) continue;
      // Asked before it counts as present: `ours` may look at what we hold.
      if (!ours(there)) this.#preexisting.add(vip.address);
      this.#present.add(vip.address);
    }
  }

  #find(addresses: readonly AddressInfo[], vip: VipConfig): AddressInfo | undefined {
    const index = this.#context.indexOf(vip.dev);
    return addresses.find((entry) => entry.index === index && entry.address === vip.address);
  }

  /** Adds or renews every VIP, then (not when renewing) what needs them; returns how many VIPs failed. */
  add(now: Microseconds): number {
    const failed = this.#putAll(now);
    this.#routes.add();
    return failed;
  }

  /** With each advert: renews the leases, at most once a second, since each is a notification to every listener. */
  renew(now: Microseconds): void {
    if (this.#context.vipLease && now - this.#renewedAt >= RENEW_EVERY) this.#putAll(now);
    if (now - this.#routesSeenAt < LOOK_AT_ROUTES_EVERY) return;
    this.#routesSeenAt = now;
    this.#routes.restore();
  }

  #putAll(now: Microseconds): number {
    this.#renewedAt = now;
    return heldVips(this.#config).filter((vip) => !this.#put(vip)).length;
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
    return request && lease !== undefined ? leased(request, vip, lease) : request;
  }

  /** Routes and rules have no lease: removes those of a killed run. */
  reclaimRoutes(): void {
    this.#routes.reclaim();
  }

  /** The reverse of add: what needs the addresses goes first. */
  remove(): void {
    this.#routes.remove();
    this.#removeAddresses(heldVips(this.#config));
  }

  #removeAddresses(vips: readonly VipConfig[]): void {
    for (const vip of vips) {
      if (this.#preexisting.has(vip.address) || !this.#present.has(vip.address)) continue;
      this.#present.delete(vip.address);
      const request = vipRequest(vip, this.#context.indexOf(vip.dev));
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
    const vip = heldVips(this.#config).find((entry) => entry.address === address.address);
    if (!vip || this.#context.indexOf(vip.dev) !== address.index) return false;
    this.#preexisting.delete(vip.address);
    return this.#present.delete(vip.address);
  }

  /** The first half of a new configuration: VIPs, routes and rules that are not in it go. */
  drop(next: InstanceConfig): void {
    this.#routes.drop(next);
    const keep = new Set(heldVips(next).map(vipIdentity));
    this.#removeAddresses(heldVips(this.#config).filter((vip) => !keep.has(vipIdentity(vip))));
  }

  /** The second half: what is new comes with the next add(). */
  take(config: InstanceConfig): void {
    const listed = new Set(heldVips(config).map((vip) => vip.address));
    for (const address of this.#preexisting) if (!listed.has(address)) this.#preexisting.delete(address);
    for (const address of this.#present) if (!listed.has(address)) this.#present.delete(address);
    this.#config = config;
    this.#routes.take(config);
  }

  status(): VipStatus[] {
    const advertised = new Set(this.#config.vips);
    return heldVips(this.#config).map((vip) => ({
      address: vip.address,
      prefixLength: vip.prefixLength,
      dev: vip.dev,
      present: this.#present.has(vip.address),
      preexisting: this.#preexisting.has(vip.address),
      ...(advertised.has(vip) ? {} : { excluded: true }),
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

/** With the lifetimes of a lease; an IPv6 /128 is never a source unless asked for (keepalived's preferred_lft 0). */
export function leased(request: AddressRequest, vip: VipConfig, lease: Seconds): AddressRequest {
  const wanted = vip.preferredLifetime ?? (vip.family === 6 && vip.prefixLength === 128 ? 0 : lease);
  return { ...request, validLifetime: lease, preferredLifetime: seconds(Math.min(wanted, lease)) };
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
    ...(vip.peer === undefined ? {} : { peer: vip.peer }),
    ...(vip.label === undefined ? {} : { label: vip.label }),
    ...(vip.broadcast === undefined ? {} : { broadcast: vip.broadcast }),
  };
}

export const vipIdentity = (vip: VipConfig): string =>
  `${vip.address}/${vip.prefixLength} ${vip.dev} ${vip.label ?? ""} ${vip.peer ?? ""}`;

/** A little under a second, so that 1 s adverts renew each time in spite of jitter. */
const RENEW_EVERY = 900_000;
const LOOK_AT_ROUTES_EVERY = 2_000_000;
const GONE = new Set(["EADDRNOTAVAIL", "ENODEV", "ENOENT"]);
