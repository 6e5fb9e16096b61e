/**
 * The loop of the vrrp process:
 *
 *   ppoll -> drain every socket (adverts, link changes) -> tick every due timer -> act -> ppoll
 *
 * Nothing here waits, resolves names, parses files or runs scripts; a stall anywhere else cannot delay
 * an advert.
 */
import { rmSync } from "node:fs";
import type { InstanceConfig } from "../../config/model.ts";
import { boottimeUs, monotonicUs } from "../../net/clock.ts";
import { LinkMonitor } from "../../net/link-monitor.ts";
import { Poller } from "../../net/poller.ts";
import { type AddressInfo, type LinkInfo, RtNetlink, VIPWARD_IFA_PROTO } from "../../net/rtnetlink.ts";
import { type Microseconds, us } from "../../units.ts";
import { admitIpv4 } from "../../vrrp/admit.ts";
import type { FromVrrp, InstanceStatus, Logger, ServicesState, ToVrrp } from "../messages.ts";
import { Instance, type InstanceContext } from "./instance.ts";
import { InterfacePort } from "./interface-port.ts";
import { secondaryPromotion } from "./promote.ts";

type NetworkEvent = Parameters<ConstructorParameters<typeof LinkMonitor>[0]["onChange"]>[0];
type Configure = ToVrrp & { type: "configure" };

export class VrrpRuntime {
  readonly #send: (message: FromVrrp) => void;
  readonly #log: Logger;
  readonly #rtnetlink = RtNetlink.open();
  readonly #poller: Poller;
  readonly #monitor: LinkMonitor;
  readonly #ports = new Map<string, InterfacePort>();
  #instances: Instance[] = [];
  #links: readonly LinkInfo[] = [];
  #addresses: readonly AddressInfo[] = [];
  #services: ServicesState = { kind: "pending" };
  #serviceAddresses: ReadonlySet<string> = new Set();
  #pulseEvery: Microseconds = us(250_000);
  #pulseAt: Microseconds = us(0);
  /** CLOCK_BOOTTIME runs while the machine is suspended, CLOCK_MONOTONIC does not. */
  #suspended = 0;
  #vipLease = true;
  #stopping = false;
  #networkChanged = false;
  #vanished: AddressInfo[] = [];
  #stateFile: string | undefined;
  readonly #promotion = secondaryPromotion();
  /** Only while a restarted process decides what to go on with. */
  readonly #resuming = new Set<Instance>();
  readonly #outranked = new Set<Instance>();

  constructor(send: (message: FromVrrp) => void, log: Logger) {
    this.#send = send;
    this.#log = log;
    this.#poller = new Poller({
      onTick: (now) => this.#tick(now),
      onError: (error) => log("error", `poll: ${error.message}`),
    });
    this.#monitor = new LinkMonitor({ onChange: (event) => this.#networkEvent(event) });
    this.#poller.add(this.#monitor.fd, () => this.#monitor.drain());
    this.#suspended = boottimeUs() - monotonicUs();
  }

  start(): void {
    this.#pulseAt = monotonicUs();
    this.#schedule();
    this.#poller.start();
  }

  // ---- configuration --------------------------------------------------------------------------

  configure(message: Configure): void {
    const now = monotonicUs();
    this.#vipLease = message.global.vipLease;
    this.#services = message.services;
    this.#serviceAddresses = new Set(message.serviceAddresses);
    const inherited = new Map(message.sockets.map((socket) => [socket.ifindex, socket.fd]));
    const first = this.#instances.length === 0;
    this.#readNetwork();
    this.#openPorts(message.instances, inherited);
    this.#replaceInstances(message.instances, now, first ? message : undefined);
    const intervals = message.instances.map((instance) => instance.advertInterval / 2);
    // No faster than the supervisor judges (it waits at least 150 ms).
    this.#pulseEvery = us(Math.max(50_000, Math.min(250_000, ...intervals)));
    this.#stateFile = message.stateFile;
    const resumed = this.#resumeInstances(now);
    this.#applyConditions(now);
    this.#send({ type: "configured", resumed });
    this.#pulse(now);
    this.#schedule();
  }

  #openPorts(configs: readonly InstanceConfig[], inherited: ReadonlyMap<number, number>): void {
    const wanted = new Set(configs.map((config) => config.interface));
    for (const name of wanted) {
      if (!this.#ports.has(name)) {
        this.#ports.set(
          name,
          new InterfacePort(name, this.#poller, (port, packet) => this.#packet(port, packet)),
        );
      }
      const link = this.#links.find((entry) => entry.name === name);
      this.#updatePort(name, link === undefined ? undefined : inherited.get(link.index));
      if (this.#vipLease && link) this.#promotion.enable(name, this.#log);
    }
    for (const [name, port] of this.#ports) {
      if (wanted.has(name)) continue;
      port.closeSockets();
      this.#ports.delete(name);
    }
  }

  /** Instances are the same over a reload when VRID, family and interface are (keepalived's rule). */
  #replaceInstances(configs: readonly InstanceConfig[], now: Microseconds, first?: Configure): void {
    const before = new Map(this.#instances.map((instance) => [identity(instance.config), instance]));
    const plan = configs.map((config) => ({ config, kept: before.get(identity(config)) }));
    for (const { config } of plan) before.delete(identity(config));
    const held = this.#added();
    // What is given up goes before anything is taken on: a VIP may move from one instance to another.
    for (const gone of before.values())
      gone.handle({ kind: "shutdown", reason: "removed from the configuration" }, now);
    const changed = plan.filter(
      ({ config, kept }) => kept && JSON.stringify(kept.config) !== JSON.stringify(config),
    );
    for (const { config, kept } of changed) kept?.vips.drop(config);
    this.#instances = plan.map(
      ({ config, kept }) =>
        kept ?? new Instance(config, this.#ports.get(config.interface)!, this.#context(), now),
    );
    if (first) return this.#reclaim(first, now);
    for (const { config, kept } of changed) kept?.vips.take(config);
    this.#surveyNew(held);
    for (const { config, kept } of changed) kept?.reconfigure(config, now);
  }

  /** A VIP new to the configuration may be the operator's own address. */
  #surveyNew(heldBefore: ReadonlySet<string>): void {
    const added = this.#added();
    // Our own removals are heard now, and forgotten: later they would look like somebody else's.
    this.#monitor.drain();
    this.#vanished = this.#vanished.filter(({ address }) => !heldBefore.has(address) || added.has(address));
    this.#readNetwork();
    // From before the survey, which counts what it finds as present.
    const ours = (entry: AddressInfo) => entry.protocol === VIPWARD_IFA_PROTO || added.has(entry.address);
    for (const instance of this.#instances) instance.vips.survey(this.#addresses, ours);
  }

  #added(): ReadonlySet<string> {
    return new Set(this.#instances.flatMap((instance) => instance.vips.added));
  }

  /** Takes away what a killed run left behind, except what is about to be resumed. */
  #reclaim(message: Configure, now: Microseconds): void {
    const before = new Set(message.oursBefore);
    const ours = (entry: AddressInfo) => entry.protocol === VIPWARD_IFA_PROTO || before.has(entry.address);
    this.#decideResume(message, now);
    const keep = new Set(
      [...this.#resuming].flatMap((instance) => instance.config.vips.map((vip) => vip.address)),
    );
    for (const entry of this.#addresses) {
      if (!ours(entry) || keep.has(entry.address)) continue;
      try {
        const { index, family, address, prefixLength, scope } = entry;
        this.#rtnetlink.deleteAddress({ index, family, address, prefixLength, scope });
        this.#log("warn", `removed ${entry.address}/${entry.prefixLength}, left behind by an earlier run`);
      } catch (error) {
        this.#log("error", `cannot remove the left-over ${entry.address}: ${(error as Error).message}`);
      }
    }
    this.#readNetwork();
    for (const name of this.#ports.keys()) this.#updatePort(name);
    for (const instance of this.#instances) instance.vips.survey(this.#addresses, ours);
  }

  /** Who goes on as master after a restart of this process; whoever may not, gives up openly. */
  #decideResume(message: Configure, now: Microseconds): void {
    // The dead process's unread packets decide first: a better master may be waiting in the queue.
    for (const port of this.#ports.values()) port.drain();
    for (const instance of this.#instances) {
      const resume = message.resume[instance.config.name];
      if (!resume) continue;
      const { advertInterval: interval, downTimerAdverts } = instance.config;
      const age = now - resume.lastAdvertAt;
      const outranked = this.#outranked.has(instance);
      const inTime = age + Math.min(100_000, interval / 2) < (downTimerAdverts - 1) * interval;
      if (inTime && !outranked && this.#blocking(instance).length === 0) {
        this.#resuming.add(instance);
      } else if (age < downTimerAdverts * interval && !outranked) {
        // Peers still wait for us; later they have long elected another, and it is not ours to disturb.
        instance.release();
      }
    }
  }

  #resumeInstances(now: Microseconds): string[] {
    const names = [...this.#resuming].map((instance) => instance.config.name);
    for (const instance of this.#resuming)
      instance.handle({ kind: "startup", faults: [], resume: true }, now);
    this.#resuming.clear();
    return names;
  }

  setServices(services: ServicesState): void {
    this.#services = services;
    this.#applyConditions(monotonicUs());
    this.#schedule();
  }

  // ---- events ---------------------------------------------------------------------------------

  #packet(port: InterfacePort, bytes: Uint8Array): void {
    const mine = (vrid: number) =>
      this.#instances.find((instance) => instance.port === port && instance.config.vrid === vrid);
    const result = admitIpv4(bytes, (vrid) => mine(vrid)?.config);
    if (result.ok) {
      const instance = mine(result.value.vrid);
      if (instance?.state === "INIT" && instance.outranked(result.value.advert))
        this.#outranked.add(instance);
      return instance?.hear(result.value.advert, monotonicUs());
    }
    const { vrid } = result.error;
    if (vrid !== undefined) mine(vrid)?.drop(result.error);
  }

  #networkEvent(event: NetworkEvent): void {
    if (event.kind === "address-removed") this.#vanished.push(event.address);
    // Our own leases are renewed every second: reading everything again for each would make adverts late.
    const ours =
      (event.kind === "address-added" || event.kind === "address-removed") && this.#isOurs(event.address);
    if (!ours) this.#networkChanged = true;
  }

  #isOurs({ protocol, address }: AddressInfo): boolean {
    return (
      protocol === VIPWARD_IFA_PROTO ||
      this.#instances.some((instance) => instance.vips.added.includes(address))
    );
  }

  #tick(now: Microseconds): void {
    this.#noticeSuspend(now);
    if (this.#networkChanged) this.#networkReread(now);
    // After the links were read: a VIP that went with its interface is not to be put back.
    for (const address of this.#vanished.splice(0)) {
      for (const instance of this.#instances) instance.addressVanished(address, now);
    }
    for (const instance of this.#instances) {
      const { deadline } = instance;
      if (deadline !== undefined && deadline <= now) instance.handle({ kind: "tick" }, now);
    }
    if (now >= this.#pulseAt) this.#pulse(now);
    this.#schedule();
  }

  #noticeSuspend(now: Microseconds): void {
    const suspended = boottimeUs() - monotonicUs();
    const slept = suspended - this.#suspended;
    this.#suspended = suspended;
    if (slept < 500_000) return;
    const detail = `the machine was suspended for ${(slept / 1e6).toFixed(1)} s`;
    this.#log("warn", detail);
    for (const instance of this.#instances) instance.handle({ kind: "paused", detail }, now);
  }

  #networkReread(now: Microseconds): void {
    this.#networkChanged = false;
    try {
      this.#readNetwork();
    } catch (error) {
      // Tried again at the next tick: acting on half a picture would be worse.
      this.#networkChanged = true;
      this.#log("error", `cannot read links and addresses: ${(error as Error).message}`);
      return;
    }
    for (const name of this.#ports.keys()) this.#updatePort(name);
    this.#applyConditions(now);
  }

  #readNetwork(): void {
    this.#links = this.#rtnetlink.links();
    this.#addresses = this.#rtnetlink.addresses();
  }

  #updatePort(name: string, inherited?: number): void {
    const link = this.#links.find((entry) => entry.name === name);
    const addresses = this.#addresses.filter((entry) => entry.index === link?.index);
    try {
      this.#ports.get(name)?.update(link, addresses, inherited);
    } catch (error) {
      this.#log("error", `cannot use ${name}: ${(error as Error).message}`);
    }
  }

  /** Starts what may start, faults what must fault, recovers what can. */
  #applyConditions(now: Microseconds): void {
    for (const instance of this.#instances) {
      const faults = this.#blocking(instance);
      if (instance.state === "INIT" && !this.#stopping) {
        if (this.#services.kind === "pending" && this.#carriesService(instance)) continue;
        instance.handle({ kind: "startup", faults }, now);
      }
      instance.handle({ kind: "faults", faults }, now);
    }
  }

  #blocking(instance: Instance) {
    const faults = instance.faults();
    if (this.#services.kind === "unavailable" && this.#carriesService(instance)) {
      faults.push({ kind: "services-unavailable", detail: this.#services.reason });
    }
    return faults;
  }

  #carriesService(instance: Instance): boolean {
    return instance.config.vips.some((vip) => this.#serviceAddresses.has(vip.address));
  }

  // ---- reports --------------------------------------------------------------------------------

  #pulse(now: Microseconds): void {
    this.#pulseAt = us(now + this.#pulseEvery);
    this.#send({ type: "pulse", at: now, instances: this.#instances.map((instance) => instance.pulse()) });
  }

  status(): InstanceStatus[] {
    const now = monotonicUs();
    return this.#instances.map((instance) => instance.status(now));
  }

  #schedule(): void {
    let next: number = this.#pulseAt;
    for (const { deadline } of this.#instances)
      if (deadline !== undefined && deadline < next) next = deadline;
    this.#poller.setDeadline(us(next));
  }

  /**
   * The supervisor died. What is given up here must not be resumed by the next run: a peer may own it by
   * then, and a nopreempt pair would see it move back.
   */
  orphaned(): void {
    this.stop("the supervisor is gone");
    if (this.#stateFile !== undefined) rmSync(this.#stateFile, { force: true });
  }

  /** Priority 0, addresses removed, sockets closed. */
  stop(reason: string): void {
    this.#stopping = true;
    const now = monotonicUs();
    for (const instance of this.#instances) instance.handle({ kind: "shutdown", reason }, now);
    this.#pulse(now);
    this.#promotion.restore(this.#log);
    this.#poller.stop();
  }

  #context(): InstanceContext {
    const runtime = this;
    return {
      rtnetlink: this.#rtnetlink,
      log: this.#log,
      send: (message) => {
        // The supervisor stands in for the state it last heard of: a changed one is told at once.
        if (message.type === "transition") runtime.#pulseAt = us(0);
        runtime.#send(message);
      },
      get vipLease() {
        return runtime.#vipLease;
      },
      indexOf: (dev) => runtime.#links.find((link) => link.name === dev)?.index,
    };
  }
}

const identity = (config: InstanceConfig): string => `${config.interface} ${config.family} ${config.vrid}`;
