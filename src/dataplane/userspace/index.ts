/**
 * The userspace dataplane: relays TCP in this process with FULLNAT semantics (real servers see the
 * director's address). For development, demos and sandboxes without ip_vs: every byte passes
 * through Node, packets are not counted, connections end with the process.
 */
import type { DestKey, DestObservation, DestSpec, Observed, Operation, ServiceKey } from "../../lvs/table.ts";
import { type Milliseconds, ms } from "../../units.ts";
import { type Dataplane, DataplaneError, type OperationFailure } from "../port.ts";
import { type Log, Refusal } from "./failure.ts";
import { type Shared, VirtualService } from "./service.ts";
import { RATE_INTERVAL_SECONDS } from "./traffic.ts";

export interface UserspaceOptions {
  readonly log: Log;
  /** A real server must accept within this time, or its client is reset (default 5 s). */
  readonly connectTimeout?: Milliseconds;
  /** Monotonic clock, for persistence; default performance.now(). */
  readonly now?: () => Milliseconds;
}

export async function openUserspaceDataplane(options: UserspaceOptions): Promise<Dataplane> {
  return new UserspaceDataplane({
    log: options.log,
    now: options.now ?? (() => ms(performance.now())),
    connectTimeout: options.connectTimeout ?? ms(5000),
    relays: new Set(),
  });
}

class UserspaceDataplane implements Dataplane {
  readonly kind = "userspace";
  readonly #shared: Shared;
  readonly #services = new Map<ServiceKey, VirtualService>();
  readonly #ticker: NodeJS.Timeout;
  #version = 0;
  #closed = false;
  /** Calls that change the table run one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(shared: Shared) {
    this.#shared = shared;
    this.#ticker = setInterval(() => {
      for (const service of this.#services.values()) service.tick();
    }, RATE_INTERVAL_SECONDS * 1000).unref();
  }

  async read(): Promise<Observed> {
    if (this.#closed)
      throw new DataplaneError("the userspace dataplane is closed", "ESHUTDOWN", "open it again");
    const services = [...this.#services.values()];
    for (const service of services) service.sweep();
    return {
      table: new Map(services.map((s) => [s.key, { service: s.spec, dests: destSpecs(s) }])),
      serviceStats: new Map(services.map((s) => [s.key, s.traffic.stats()])),
      dests: new Map(services.map((s) => [s.key, observations(s)])),
    };
  }

  apply(operations: readonly Operation[]): Promise<readonly OperationFailure[]> {
    return this.#exclusive(async () => {
      const failures: OperationFailure[] = [];
      for (const [index, operation] of operations.entries()) {
        const error = await this.#attempt(operation);
        if (error) failures.push({ index, operation, code: error.code, message: error.message });
      }
      return failures;
    });
  }

  async fingerprint(): Promise<string> {
    return `userspace ${this.#version}`;
  }

  flush(): Promise<void> {
    return this.#exclusive(async () => this.#removeAll());
  }

  /** Ends every connection, those of deleted services too. */
  close(): Promise<void> {
    return this.#exclusive(async () => {
      this.#closed = true;
      clearInterval(this.#ticker);
      this.#removeAll();
      for (const relay of this.#shared.relays) relay.abort();
    });
  }

  #exclusive<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => {});
    return result;
  }

  async #attempt(operation: Operation): Promise<Refusal | undefined> {
    try {
      if (this.#closed) throw new Refusal("ESHUTDOWN", "the userspace dataplane is closed");
      await this.#carryOut(operation);
      this.#version += 1;
      return undefined;
    } catch (error) {
      if (error instanceof Refusal) return error;
      // Nothing that goes wrong with one operation may keep the rest from being tried.
      const { code = "EIO", message } = error as NodeJS.ErrnoException;
      return new Refusal(code, message);
    }
  }

  async #carryOut(operation: Operation): Promise<void> {
    const { key } = operation;
    switch (operation.op) {
      case "addService":
        if (this.#services.has(key)) throw new Refusal("EEXIST", `service ${key} is already in the table`);
        this.#services.set(key, await VirtualService.open(key, operation.service, this.#shared));
        return;
      case "editService":
        return this.#existing(key).edit(operation.service);
      case "deleteService":
        return this.#delete(key, this.#existing(key));
      case "addDest":
        return this.#existing(key).addDest(operation.destKey, operation.dest);
      case "editDest":
        return this.#existing(key).editDest(operation.destKey, operation.dest);
      case "deleteDest":
        return this.#existing(key).deleteDest(operation.destKey);
    }
  }

  #existing(key: ServiceKey): VirtualService {
    const service = this.#services.get(key);
    if (!service) throw new Refusal("ESRCH", `service ${key} is not in the table`);
    return service;
  }

  #delete(key: ServiceKey, service: VirtualService): void {
    service.stopListening();
    this.#services.delete(key);
  }

  #removeAll(): void {
    for (const [key, service] of this.#services) this.#delete(key, service);
    this.#version += 1;
  }
}

const destSpecs = (service: VirtualService): ReadonlyMap<DestKey, DestSpec> =>
  new Map(service.dests.map((dest) => [dest.key, dest.spec]));

const observations = (service: VirtualService): ReadonlyMap<DestKey, DestObservation> =>
  new Map(service.dests.map((dest) => [dest.key, dest.observe()]));
