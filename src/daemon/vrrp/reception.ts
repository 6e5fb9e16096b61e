/** From a received packet to the instance it is for, or to a counted drop. */
import { monotonicUs } from "../../net/clock.ts";
import { us } from "../../units.ts";
import { admit, type Local, type Received } from "../../vrrp/admit.ts";
import type { DropReason } from "../../vrrp/drop.ts";
import type { Instance } from "./instance.ts";
import type { InterfacePort } from "./interface-port.ts";
import { listeningInterfaces } from "./ports.ts";

export class Reception {
  readonly #instances: () => readonly Instance[];
  readonly #index = new Map<string, Instance>();
  #indexed: readonly Instance[] | undefined;
  /** Packets for none of our instances. */
  readonly strayDrops: Partial<Record<DropReason, number>> = {};
  /** Heard a better master before they were started: who resumes after a restart must know. */
  readonly outranked = new Set<Instance>();

  constructor(instances: () => readonly Instance[]) {
    this.#instances = instances;
  }

  receive(port: InterfacePort, received: Received): void {
    let instance: Instance | undefined;
    const lookup = (vrid: number, family: number): Local | undefined => {
      instance = this.#find(port.name, vrid, family);
      return instance && local(instance, port);
    };
    const sequences = () => instance?.sequences ?? {};
    const result = admit(received, {
      lookup,
      // UTC by specification, for auth_hmac only.
      realTime: us(Date.now() * 1_000),
      get sequences() {
        return sequences();
      },
    });
    const now = monotonicUs();
    if (!result.ok) {
      const { reason } = result.error;
      if (instance) instance.drop(result.error, now);
      else this.strayDrops[reason] = (this.strayDrops[reason] ?? 0) + 1;
      return;
    }
    if (!instance) return;
    if (instance.state === "INIT" && instance.outranked(result.value.advert)) this.outranked.add(instance);
    instance.hear(result.value, port.name, port.sourceFor(instance.config), now);
  }

  #find(dev: string, vrid: number, family: number): Instance | undefined {
    const instances = this.#instances();
    // A thousand instances hear a thousand adverts a second: found by key, indexed when the set changes.
    if (this.#indexed !== instances) this.#reindex(instances);
    return this.#index.get(`${dev} ${family} ${vrid}`);
  }

  #reindex(instances: readonly Instance[]): void {
    this.#index.clear();
    for (const instance of instances) {
      const { vrid, family } = instance.config;
      for (const dev of listeningInterfaces(instance.config)) {
        this.#index.set(`${dev} ${family} ${vrid}`, instance);
      }
    }
    this.#indexed = instances;
  }

  /** The set of instances, or what they listen to, may have changed. */
  forgetIndex(): void {
    this.#indexed = undefined;
  }
}

function local({ config, lastMaster }: Instance, port: InterfacePort): Local {
  const ownAddress = port.sourceFor(config);
  return {
    config,
    ...(ownAddress === undefined ? {} : { ownAddress }),
    ...(lastMaster === undefined ? {} : { lastMaster }),
  };
}
