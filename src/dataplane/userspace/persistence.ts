/**
 * Persistence templates: clients of one network go to the destination they had. A template lasts
 * for the timeout after the network's latest connection, and while any of its connections is open.
 * Templates of a deleted destination or one at weight 0 no longer count (the kernel's
 * expire_quiescent_template=1): a drained server gets no new connections at all.
 */
import type { Milliseconds } from "../../units.ts";
import { networkKey } from "./address.ts";
import type { Destination } from "./destination.ts";

export interface Template {
  readonly dest: Destination;
  /** Monotonic. */
  readonly expires: Milliseconds;
  connections: number;
}

/** Bounds memory against clients with many addresses; the templates unused for longest go first. */
const MAX_TEMPLATES = 262_144;

export class PersistenceTable {
  /** In order of latest use. */
  readonly #templates = new Map<string, Template>();

  find(client: Uint8Array, prefixLength: number, now: Milliseconds): Destination | undefined {
    const template = this.#templates.get(networkKey(client, prefixLength));
    if (!template) return undefined;
    const alive = now < template.expires || template.connections > 0;
    return alive && template.dest.inTable && template.dest.weight > 0 ? template.dest : undefined;
  }

  /** A connection of the client opens to the destination; count it off the returned template at its end. */
  opened(client: Uint8Array, prefixLength: number, dest: Destination, expires: Milliseconds): Template {
    const key = networkKey(client, prefixLength);
    const previous = this.#templates.get(key);
    const template: Template =
      previous?.dest === dest ? Object.assign(previous, { expires }) : { dest, expires, connections: 0 };
    this.#remove(key);
    template.connections += 1;
    dest.persistent += 1;
    this.#templates.set(key, template);
    if (this.#templates.size > MAX_TEMPLATES) this.#remove(this.#templates.keys().next().value!);
    return template;
  }

  /** Drops what has expired. */
  sweep(now: Milliseconds): void {
    for (const [key, template] of this.#templates) {
      // In order of use, so nothing behind has expired either (or, the timeout shortened, soon will have).
      if (now < template.expires) return;
      if (template.connections === 0) this.#remove(key);
    }
  }

  clear(): void {
    for (const key of this.#templates.keys()) this.#remove(key);
  }

  #remove(key: string): void {
    const template = this.#templates.get(key);
    if (!template) return;
    template.dest.persistent -= 1;
    this.#templates.delete(key);
  }
}
