/** use_vmac: the macvlans of the running configuration and what they need of their parents. */
import type { InstanceConfig } from "../../config/model.ts";
import { createVmac, deleteVmac, VMAC_ALIAS } from "../../net/macvlan.ts";
import type { LinkInfo } from "../../net/rtnetlink.ts";
import { interfaceSysctl, readSysctl, type SysctlName, writeSysctl } from "../../net/sysctl.ts";
import { formatMac, virtualRouterMac } from "../../wire/arp.ts";
import type { Logger } from "../messages.ts";

/**
 * Case 38: the parent must neither answer ARP for addresses on the macvlan, nor name one of them as the
 * sender when it asks (which hosts learn from): both would give away its own MAC.
 */
const PARENT_SETTINGS = { arp_ignore: "1", arp_announce: "2" } as const;

export class Vmacs {
  readonly #log: Logger;
  readonly #made = new Set<string>();
  /** Parents seen to, and what their settings were before us. */
  readonly #parents = new Map<string, [SysctlName, string][]>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Makes what is missing and removes what is no longer wanted, or left by a killed run; true when links changed. */
  apply(configs: readonly InstanceConfig[], links: readonly LinkInfo[]): boolean {
    const wanted = configs.filter((config) => config.vmac);
    const names = new Set(wanted.map((config) => config.vmac?.name));
    let changed = false;
    for (const { name } of links.filter(isOurs)) {
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
    if (there && there.kind !== "macvlan") {
      this.#log("error", `(${config.name}) use_vmac: ${name} exists and is no macvlan; choose another name`);
      return false;
    }
    this.#made.add(name);
    // One that a killed run left is as good as new, and may hold VIPs that are to be resumed.
    if (
      there &&
      isOurs(there) &&
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

  #quietParent(parent: string): void {
    if (this.#parents.has(parent)) return;
    const before: [SysctlName, string][] = [];
    this.#parents.set(parent, before);
    for (const [parameter, value] of Object.entries(PARENT_SETTINGS)) {
      const name = interfaceSysctl(4, parent, parameter);
      try {
        const now = readSysctl(name);
        if (Number(now) >= Number(value)) continue;
        writeSysctl(name, value);
        before.push([name, now]);
      } catch (error) {
        this.#log("warn", `cannot set ${parameter} on ${parent}; it may answer for VIPs with its own MAC`, {
          error: (error as Error).message,
        });
      }
    }
    this.#warnOfReversePath();
  }

  /** Strict reverse path filtering counts for every interface, and a macvlan has no route to its senders. */
  #warnOfReversePath(): void {
    try {
      if (readSysctl(interfaceSysctl(4, "all", "rp_filter")) !== "1") return;
    } catch {
      return;
    }
    this.#log(
      "warn",
      "net.ipv4.conf.all.rp_filter is 1: the kernel drops what arrives on a vmac, adverts and traffic; set it to 0 or 2",
    );
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
    for (const [name, before] of [...this.#parents.values()].flat()) {
      try {
        writeSysctl(name, before);
      } catch {
        // The interface is gone, and its setting with it.
      }
    }
    this.#parents.clear();
  }
}

const isOurs = (link: LinkInfo): boolean => link.kind === "macvlan" && link.alias === VMAC_ALIAS;
