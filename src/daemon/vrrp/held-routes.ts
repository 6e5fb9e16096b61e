/**
 * virtual_routes and virtual_rules of one instance, and the on-link routes that IPv6 VIPs need: those are
 * added without a prefix route (an expiring one would take the subnet's route with it), so a subnet that
 * only the VIP is in gets its route from us.
 */
import type { InstanceConfig, RouteConfig, RuleConfig, VipConfig } from "../../config/model.ts";
import { type AddressInfo, VIPWARD_IFA_PROTO } from "../../net/rtnetlink.ts";
import { describeRoute, describeRule } from "../../net/rtnetlink-routes.ts";
import { addressBytes, addressText } from "../../wire/address.ts";
import type { VipContext } from "./vip-set.ts";

const MAIN_TABLE = 254;

export class HeldRoutes {
  #config: InstanceConfig;
  readonly #context: VipContext;
  /** In the kernel because of us, by their JSON. */
  readonly #routes = new Map<string, RouteConfig>();
  readonly #rules = new Map<string, RuleConfig>();

  constructor(config: InstanceConfig, context: VipContext) {
    this.#config = config;
    this.#context = context;
  }

  add(): void {
    const { routes, indexOf } = this.#context;
    for (const route of this.#wantedRoutes(this.#config)) {
      this.#attempt(() => {
        routes.addRoute(route, indexOf);
        this.#routes.set(JSON.stringify(route), route);
      });
    }
    for (const rule of this.#config.virtualRules ?? []) {
      this.#attempt(() => {
        routes.addRule(rule);
        this.#rules.set(JSON.stringify(rule), rule);
      });
    }
  }

  /** Puts back what somebody else deleted; looked at rather than heard of, since a router's table may be large and busy. */
  restore(): void {
    const { routes, indexOf, log } = this.#context;
    const { name } = this.#config;
    const told = (what: string) =>
      log("warn", `(${name}) restored ${what}, deleted by somebody else`, { instance: name });
    for (const route of this.#routes.values()) {
      this.#attempt(() => {
        if (routes.restoreRoute(route, indexOf)) told(`the route ${describeRoute(route)}`);
      });
    }
    for (const rule of this.#rules.values()) {
      this.#attempt(() => {
        if (routes.restoreRule(rule)) told(`the rule ${describeRule(rule)}`);
      });
    }
  }

  /** Rules before the tables they point to. */
  remove(): void {
    for (const key of [...this.#rules.keys()]) this.#removeRule(key);
    for (const key of [...this.#routes.keys()]) this.#removeRoute(key);
  }

  /** At start, of an instance that does not go on as master: what a killed run may have left. Only ours (rtm_protocol). */
  reclaim(): void {
    const { routes, indexOf } = this.#context;
    for (const rule of this.#config.virtualRules ?? []) this.#attempt(() => routes.deleteRule(rule));
    for (const route of this.#wantedRoutes(this.#config))
      this.#attempt(() => routes.deleteRoute(route, indexOf));
  }

  drop(next: InstanceConfig): void {
    const rules = new Set((next.virtualRules ?? []).map((rule) => JSON.stringify(rule)));
    const routes = new Set(this.#wantedRoutes(next).map((route) => JSON.stringify(route)));
    for (const key of [...this.#rules.keys()]) if (!rules.has(key)) this.#removeRule(key);
    for (const key of [...this.#routes.keys()]) if (!routes.has(key)) this.#removeRoute(key);
  }

  take(config: InstanceConfig): void {
    this.#config = config;
  }

  #removeRule(key: string): void {
    const rule = this.#rules.get(key);
    this.#rules.delete(key);
    if (rule) this.#attempt(() => this.#context.routes.deleteRule(rule));
  }

  #removeRoute(key: string): void {
    const route = this.#routes.get(key);
    this.#routes.delete(key);
    if (route) this.#attempt(() => this.#context.routes.deleteRoute(route, this.#context.indexOf));
  }

  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      const { name } = this.#config;
      this.#context.log("error", `(${name}) ${(error as Error).message}`, { instance: name });
    }
  }

  #wantedRoutes(config: InstanceConfig): RouteConfig[] {
    const onLink = [...config.vips, ...(config.excludedVips ?? [])].flatMap(
      (vip) => this.#onLinkRoute(vip) ?? [],
    );
    return [...onLink, ...(config.virtualRoutes ?? [])];
  }

  #onLinkRoute(vip: VipConfig): RouteConfig | undefined {
    // A link-local prefix is always on the link.
    if (
      vip.family !== 6 ||
      vip.prefixLength === 128 ||
      vip.peer !== undefined ||
      vip.address.startsWith("fe8")
    ) {
      return undefined;
    }
    const index = this.#context.indexOf(vip.dev);
    const shares = (entry: AddressInfo) =>
      entry.index === index &&
      entry.protocol !== VIPWARD_IFA_PROTO &&
      entry.prefixLength === vip.prefixLength &&
      entry.family === 6 &&
      subnet(entry.address, vip.prefixLength) === subnet(vip.address, vip.prefixLength);
    if (this.#context.addresses().some(shares)) return undefined;
    return {
      family: 6,
      destination: `${subnet(vip.address, vip.prefixLength)}/${vip.prefixLength}`,
      dev: vip.dev,
      table: MAIN_TABLE,
      type: "unicast",
      onlink: false,
    };
  }
}

/** The address with its host bits cleared. */
export function subnet(address: string, prefixLength: number): string {
  const bytes = addressBytes(address, 6);
  for (let bit = prefixLength; bit < 128; bit++) bytes[bit >> 3]! &= ~(0x80 >> (bit & 7));
  return addressText(bytes);
}
