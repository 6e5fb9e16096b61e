/** Sends one instance's advertisements over all its paths, signed where configured. */
import type { InstanceConfig } from "../../config/model.ts";
import { us } from "../../units.ts";
import { buildAdverts, signs } from "../../vrrp/advert.ts";
import { nextSequence } from "../../vrrp/sequence.ts";
import type { Sequence } from "../../wire/hmac.ts";
import type { InterfacePort } from "./interface-port.ts";
import { listeningInterfaces, sendingInterface } from "./ports.ts";

type FindPort = (name: string) => InterfacePort | undefined;

export class Transmitter {
  readonly #port: FindPort;
  /** Grows with every advertisement (auth_hmac); the clock keeps it growing over restarts. */
  #sequence: Sequence | undefined;

  constructor(port: FindPort) {
    this.#port = port;
  }

  /** What we send from on the instance's own interface; undefined while it has no usable address. */
  source(config: InstanceConfig): string | undefined {
    return this.#port(config.interface)?.sourceFor(config);
  }

  /**
   * One advertisement on every path. Throws the first error when no path took it: one working heartbeat
   * link is enough for peers to hear us.
   */
  advertise(config: InstanceConfig, priority: number): void {
    const sequence = this.#nextSequence(config);
    const errors: unknown[] = [];
    let sent = 0;
    for (const name of listeningInterfaces(config)) {
      try {
        if (this.#advertiseOn(name, config, priority, sequence)) sent++;
      } catch (error) {
        errors.push(error);
      }
    }
    if (sent === 0 && errors.length > 0) throw errors[0];
  }

  #advertiseOn(
    name: string,
    config: InstanceConfig,
    priority: number,
    sequence: Sequence | undefined,
  ): boolean {
    const source = this.#port(name)?.sourceFor(config);
    if (source === undefined) return false;
    const through = this.#port(name === config.interface ? sendingInterface(config) : name);
    if (!through?.link) return false;
    const parts = { priority, source, ...(sequence ? { sequence } : {}) };
    for (const outgoing of buildAdverts(config, parts)) through.send(config, outgoing);
    return true;
  }

  #nextSequence(config: InstanceConfig): Sequence | undefined {
    if (!signs(config) || config.auth.type !== "HMAC") return undefined;
    // UTC by specification: the one use of the real-time clock on the wire.
    this.#sequence = nextSequence(this.#sequence, us(Date.now() * 1_000), config.auth);
    return this.#sequence;
  }
}
