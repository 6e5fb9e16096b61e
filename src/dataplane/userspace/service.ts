/**
 * One virtual service: its listener, its destinations and its scheduler's state.
 *
 *   listener -> accept -> persistence template, else scheduler -> Destination -> relay
 */
import { createServer, type Server, type Socket } from "node:net";
import { createScheduler, type Flow, type Scheduler } from "../../lvs/schedulers/index.ts";
import type { DestKey, DestSpec, ServiceKey, ServiceSpec } from "../../lvs/table.ts";
import { type Milliseconds, ms } from "../../units.ts";
import { clientBytes } from "./address.ts";
import { checkDest, checkService, type ListenAddress } from "./admission.ts";
import { Destination } from "./destination.ts";
import { type Log, Refusal } from "./failure.ts";
import { listenFreebind } from "./freebind.ts";
import { PersistenceTable, type Template } from "./persistence.ts";
import { abortSocket, type Relay, type RelayEvents, SOCKET_OPTIONS, startRelay } from "./relay.ts";
import { Traffic } from "./traffic.ts";

/** What the services of one dataplane share. */
export interface Shared {
  readonly log: Log;
  /** Monotonic. */
  readonly now: () => Milliseconds;
  readonly connectTimeout: Milliseconds;
  /** Every open relay, of deleted services too: close() ends them. */
  readonly relays: Set<Relay>;
}

/** IP_VS_SVC_F_PERSISTENT, include/uapi/linux/ip_vs.h. */
const PERSISTENT = 0x1;
const ACCEPT_ERROR_LOG_INTERVAL = ms(10_000);

export class VirtualService {
  readonly key: ServiceKey;
  readonly traffic = new Traffic();
  readonly #shared: Shared;
  readonly #listen: ListenAddress;
  readonly #server: Server;
  readonly #templates = new PersistenceTable();
  #spec: ServiceSpec;
  #scheduler: Scheduler;
  #schedulerState: unknown;
  /** In the kernel's order: each new destination goes to the head of the list. */
  #dests: readonly Destination[] = [];
  /** Deleted with connections still open: added again, they resume their counts (ip_vs_ctl.c's trash). */
  readonly #deleted = new Map<DestKey, Destination>();
  #warnedForwarding = false;
  #acceptErrorLogged: Milliseconds | undefined;

  private constructor(key: ServiceKey, spec: ServiceSpec, listen: ListenAddress, shared: Shared) {
    this.key = key;
    this.#spec = spec;
    this.#listen = listen;
    this.#shared = shared;
    this.#scheduler = schedulerFor(spec);
    this.#schedulerState = this.#scheduler.start([]);
    this.#server = createServer(SOCKET_OPTIONS, (socket) => this.#accept(socket));
  }

  /** Listens; throws a Refusal when the service cannot be had. */
  static async open(key: ServiceKey, spec: ServiceSpec, shared: Shared): Promise<VirtualService> {
    const listen = checkService(spec);
    const service = new VirtualService(key, spec, listen, shared);
    await listenFreebind(service.#server, listen.family, listen.address, listen.bytes, listen.port);
    service.#server.on("error", (error) => service.#acceptFailed(error));
    return service;
  }

  get spec(): ServiceSpec {
    return this.#spec;
  }

  get dests(): readonly Destination[] {
    return this.#dests;
  }

  edit(spec: ServiceSpec): void {
    checkService(spec);
    const before = this.#spec;
    const scheduler = schedulerFor(spec);
    this.#spec = spec;
    if (spec.scheduler !== before.scheduler || spec.flags !== before.flags) {
      this.#scheduler = scheduler;
      this.#schedulerState = scheduler.start(this.#dests);
    }
    // Templates are keyed by the masked address: with another mask they would never be found.
    if (!(spec.flags & PERSISTENT) || spec.netmask !== before.netmask) this.#templates.clear();
  }

  addDest(key: DestKey, spec: DestSpec): void {
    checkDest(spec, this.#listen);
    if (this.#find(key)) throw new Refusal("EEXIST", `destination ${key} is already in ${this.key}`);
    this.#warnForwarding(spec);
    const known = this.#deleted.get(key);
    this.#deleted.delete(key);
    const dest = known ?? new Destination(key, spec);
    dest.edit(spec);
    dest.inTable = true;
    this.#setDests([dest, ...this.#dests]);
  }

  editDest(key: DestKey, spec: DestSpec): void {
    checkDest(spec, this.#listen);
    const dest = this.#existing(key);
    this.#warnForwarding(spec);
    dest.edit(spec);
    this.#setDests(this.#dests);
  }

  /** Connections of the destination live on until they end (expire_nodest_conn=0). */
  deleteDest(key: DestKey): void {
    const dest = this.#existing(key);
    dest.inTable = false;
    if (dest.connections > 0) this.#deleted.set(key, dest);
    this.#setDests(this.#dests.filter((other) => other !== dest));
  }

  /** Expires persistence templates. */
  sweep(): void {
    this.#templates.sweep(this.#shared.now());
  }

  /** Call every RATE_INTERVAL_SECONDS. */
  tick(): void {
    this.traffic.tick();
    for (const dest of this.#dests) dest.traffic.tick();
    this.sweep();
  }

  /** Stops listening at once; open connections live on. */
  stopListening(): void {
    this.#server.close();
  }

  #find(key: DestKey): Destination | undefined {
    return this.#dests.find((dest) => dest.key === key);
  }

  #existing(key: DestKey): Destination {
    const dest = this.#find(key);
    if (!dest) throw new Refusal("ENOENT", `destination ${key} is not in ${this.key}`);
    return dest;
  }

  #setDests(dests: readonly Destination[]): void {
    this.#dests = dests;
    this.#schedulerState = this.#scheduler.update(this.#schedulerState, dests);
  }

  #warnForwarding(spec: DestSpec): void {
    if (this.#warnedForwarding || (spec.forward !== "route" && spec.forward !== "tunnel")) return;
    this.#warnedForwarding = true;
    this.#shared.log("warn", "userspace dataplane relays DR and TUN destinations as FULLNAT", {
      service: this.key,
      effect: "real servers see the director's address and answer through it",
    });
  }

  #acceptFailed(error: NodeJS.ErrnoException): void {
    const now = this.#shared.now();
    if (this.#acceptErrorLogged !== undefined && now - this.#acceptErrorLogged < ACCEPT_ERROR_LOG_INTERVAL) {
      return;
    }
    this.#acceptErrorLogged = now;
    this.#shared.log("warn", "cannot accept connections", {
      service: this.key,
      code: error.code,
      error: error.message,
    });
  }

  #accept(client: Socket): void {
    // Before anything else: a client that resets at once must not bring the process down.
    client.on("error", () => {});
    const address = clientBytes(client.remoteAddress ?? "", this.#listen.family);
    const dest = address && this.#pick(address, client.remotePort ?? 0);
    if (!dest) {
      abortSocket(client);
      return;
    }
    this.#relay(client, address, dest);
  }

  #pick(clientAddress: Uint8Array, clientPort: number): Destination | undefined {
    if (this.#spec.flags & PERSISTENT) {
      const known = this.#templates.find(clientAddress, this.#spec.netmask, this.#shared.now());
      if (known) return known;
    }
    const flow: Flow = { clientAddress, clientPort, serviceAddress: this.#listen.bytes };
    const choice = this.#scheduler.choose(this.#schedulerState, this.#dests, flow);
    this.#schedulerState = choice.state;
    return choice.dest === undefined ? undefined : this.#find(choice.dest);
  }

  #relay(client: Socket, address: Uint8Array, dest: Destination): void {
    const template = this.#remember(address, dest);
    this.traffic.conns += 1;
    dest.opened();
    const target = { host: dest.spec.address, port: dest.spec.port || this.#listen.port };
    const events = this.#events(dest, template, () => this.#shared.relays.delete(relay));
    const relay = startRelay(client, target, this.#shared.connectTimeout, events);
    this.#shared.relays.add(relay);
  }

  #remember(address: Uint8Array, dest: Destination): Template | undefined {
    const { flags, timeout, netmask } = this.#spec;
    if (!(flags & PERSISTENT)) return undefined;
    return this.#templates.opened(address, netmask, dest, ms(this.#shared.now() + timeout * 1000));
  }

  #events(dest: Destination, template: Template | undefined, ended: () => void): RelayEvents {
    let phase: "active" | "inactive" = "active";
    return {
      connected: () => this.#reachable(dest),
      connectFailed: (error) => this.#unreachable(dest, error),
      fromClient: (bytes) => {
        dest.traffic.inBytes += bytes;
        this.traffic.inBytes += bytes;
      },
      toClient: (bytes) => {
        dest.traffic.outBytes += bytes;
        this.traffic.outBytes += bytes;
      },
      closing: () => {
        phase = "inactive";
        dest.closing();
      },
      closed: () => {
        dest.closed(phase);
        if (template) template.connections -= 1;
        if (dest.connections === 0 && this.#deleted.get(dest.key) === dest) this.#deleted.delete(dest.key);
        ended();
      },
    };
  }

  /** Logged on change only: clients must not be able to fill the log. */
  #unreachable(dest: Destination, error: NodeJS.ErrnoException): void {
    if (dest.unreachable) return;
    dest.unreachable = true;
    this.#shared.log("warn", "cannot connect to real server; its clients are reset", {
      service: this.key,
      destination: dest.key,
      code: error.code,
      error: error.message,
    });
  }

  #reachable(dest: Destination): void {
    if (!dest.unreachable) return;
    dest.unreachable = false;
    this.#shared.log("info", "real server accepts connections again", {
      service: this.key,
      destination: dest.key,
    });
  }
}

function schedulerFor(spec: ServiceSpec): Scheduler {
  const scheduler = createScheduler(spec.scheduler, spec.flags);
  if (!scheduler.ok) throw new Refusal("EOPNOTSUPP", scheduler.error);
  return scheduler.value;
}
