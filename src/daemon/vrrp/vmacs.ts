/** use_vmac: the macvlans of the running configuration and what they need of their parents. */
import type { InstanceConfig } from "../../config/model.ts";
import { createVmac, deleteVmac } from "../../net/macvlan.ts";
import type { LinkInfo } from "../../net/rtnetlink.ts";
import { interfaceSysctl, readSysctl, writeSysctl } from "../../net/sysctl.ts";
import { formatMac, virtualRouterMac } from "../../wire/arp.ts";
import type { Logger } from "../messages.ts";

export class Vmacs {
  readonly #log: Logger;
  readonly #made = new Set<string>();
  /** arp_ignore of parents as it was before us. */
  readonly #arpIgnore = new Map<string, string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Makes what is missing and removes what is no longer wanted; true when links changed. */
  apply(configs: readonly InstanceConfig[], links: readonly LinkInfo[]): boolean {
    const wanted = configs.filter((config) => config.vmac);
    const names = new Set(wanted.map((config) => config.vmac?.name));
    let changed = false;
    for (const name of this.#made) {
      if (names.has(name)) continue;
      this.#delete(name);
      changed = true;
    }
    for (const config of wanted) changed = this.#make(config, links) || changed;
    return changed;
  }

  #make(config: InstanceConfig, links: readonly LinkInfo[]): boolean {
    const name = config.vmac!.name;
    const parent = links.find((link) => link.name === config.interface);
    if (!parent) return false;
    this.#quietParent(config.interface);
    const mac = virtualRouterMac(config.vrid, config.family);
    const there = links.find((link) => link.name === name);
    this.#made.add(name);
    // One that a killed run left is as good as new, and may hold VIPs that are to be resumed.
    if (
      there?.kind === "macvlan" &&
      there.parent === parent.index &&
      formatMac(there.mac) === formatMac(mac) &&
      there.up
    ) {
      return false;
    }
    try {
      createVmac({ name, parent: parent.index, mac, family: config.family });
      return true;
    } catch (error) {
      this.#log("error", `(${config.name}) cannot make the vmac: ${(error as Error).message}`);
      return false;
    }
  }

  /** Otherwise the parent, too, would answer ARP for addresses on the macvlan, with its own MAC (case 38). */
  #quietParent(parent: string): void {
    if (this.#arpIgnore.has(parent)) return;
    const name = interfaceSysctl(4, parent, "arp_ignore");
    try {
      const before = readSysctl(name);
      this.#arpIgnore.set(parent, before);
      if (before === "0") writeSysctl(name, "1");
    } catch (error) {
      this.#log("warn", `cannot set arp_ignore on ${parent}; it may answer for VIPs with its own MAC`, {
        error: (error as Error).message,
      });
    }
  }

  #delete(name: string): void {
    this.#made.delete(name);
    try {
      deleteVmac(name);
    } catch (error) {
      this.#log("warn", (error as Error).message);
    }
  }

  close(): void {
    for (const name of [...this.#made]) this.#delete(name);
    for (const [parent, before] of this.#arpIgnore) {
      try {
        writeSysctl(interfaceSysctl(4, parent, "arp_ignore"), before);
      } catch {
        // The interface is gone, and its setting with it.
      }
    }
    this.#arpIgnore.clear();
  }
}
