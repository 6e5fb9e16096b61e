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
import { type AddressInfo, VIPWARD_IFA_PROTO } from "../../net/rtnetlink.ts";
import { RtNetlinkRoutes } from "../../net/rtnetlink-routes.ts";
import { type Microseconds, us } from "../../units.ts";
import { formatMac } from "../../wire/arp.ts";
import type { FromVrrp, Logger, ServicesState, ToVrrp, VrrpStatus } from "../messages.ts";
import type { TrackerUpdate } from "../trackers/types.ts";
import { Groups } from "./groups.ts";
import { Instance, type InstanceContext } from "./instance.ts";
import { Ports } from "./ports.ts";
import { secondaryPromotion } from "./promote.ts";
import { Reception } from "./reception.ts";
import { takeStock } from "./restart.ts";
import { TrackerTable } from "./tracker-table.ts";
import { VipProber } from "./vip-prober.ts";
import { heldVips } from "./vip-set.ts";
import { Vmacs } from "./vmacs.ts";

type NetworkEvent = Parameters<ConstructorParameters<typeof LinkMonitor>[0]["onChange"]>[0];
type Configure = ToVrrp & { type: "configure" };

export class VrrpRuntime {
  readonly #send: (message: FromVrrp) => void;
  readonly #log: Logger;
  readonly #routes = RtNetlinkRoutes.open();
  readonly #poller: Poller;
  readonly #monitor: LinkMonitor;
  readonly #ports: Ports;
  readonly #vmacs: Vmacs;
  readonly #prober: VipProber;
  readonly #trackers = new TrackerTable();
  readonly #groups: Groups;
  readonly #reception = new Reception(() => this.#instances);
  #instances: Instance[] = [];
  /** vrrp_startup_delay: no election before. */
  #electFrom: Microseconds = us(0);
  #services: ServicesState = { kind: "pending" };
  #serviceAddresses: ReadonlySet<string> = new Set();
  #pulseEvery: Microseconds = us(250_000);
  #pulseAt: Microseconds = us(0);
  #fullPulseAt: Microseconds = us(0);
  #stateChanged = true;
  /** CLOCK_BOOTTIME runs while the machine is suspended, CLOCK_MONOTONIC does not. */
  #suspended = 0;
  #vipLease = true;
  #stopping = false;
  #networkChanged = false;
  #vanished: AddressInfo[] = [];
  #stateFile: string | undefined;
  readonly #promotion = secondaryPromotion();

  constructor(send: (message: FromVrrp) => void, log: Logger) {
    this.#send = send;
    this.#log = log;
    this.#poller = new Poller({
      onTick: (now) => this.#tick(now),
      onError: (error) => log("error", `poll: ${error.message}`),
    });
    this.#ports = new Ports(this.#poller, log, (port, received) => this.#reception.receive(port, received));
    this.#vmacs = new Vmacs(log);
    this.#groups = new Groups({
      log,
      send,
      blocking: (instance) => this.#blocking(instance),
      trackers: (config) => this.#trackers.states(config.trackers, (name) => this.#ports.link(name)),
    });
    this.#prober = new VipProber({
      poller: this.#poller,
      link: (name) => this.#ports.link(name),
      // Tunnels have addresses of other lengths.
      ownMacs: () => this.#ports.links.flatMap(({ mac }) => (mac.length === 6 ? formatMac(mac) : [])),
      instances: () => this.#instances,
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
    this.#trackers.configure(message);
    for (const update of message.trackers) this.#trackers.update(update);
    const first = this.#instances.length === 0;
    if (first) this.#electFrom = us(now + (message.global.startupDelay ?? 0));
    this.#ports.read();
    this.#vmacs.apply(message.instances, this.#ports.links);
    this.#ports.configure(message.instances, message.sockets);
    this.#promote(message.instances);
    const resuming = this.#replaceInstances(message, first, now);
    const intervals = message.instances.map((instance) => instance.advertInterval / 2);
    // No faster than the supervisor judges (it waits at least 150 ms).
    this.#pulseEvery = us(Math.max(50_000, Math.min(250_000, ...intervals)));
    this.#stateFile = message.stateFile;
    for (const instance of resuming) instance.handle({ kind: "startup", faults: [], resume: true }, now);
    this.#applyConditions(now);
    this.#send({ type: "configured", resumed: resuming.map((instance) => instance.config.name) });
    this.#pulse(now);
    this.#schedule();
  }

  #promote(configs: readonly InstanceConfig[]): void {
    const leased = this.#vipLease ? configs : configs.filter((config) => config.promoteSecondaries);
    const devs = new Set(leased.flatMap((config) => heldVips(config).map((vip) => vip.dev)));
    for (const dev of devs) if (this.#ports.link(dev)) this.#promotion.enable(dev, this.#log);
  }

  /** Instances are the same over a reload when VRID, family and interface are (keepalived's rule). Returns who resumes. */
  #replaceInstances(message: Configure, first: boolean, now: Microseconds): Instance[] {
    const before = new Map(this.#instances.map((instance) => [identity(instance.config), instance]));
    const plan = message.instances.map((config) => ({ config, kept: before.get(identity(config)) }));
    for (const { config } of plan) before.delete(identity(config));
    const held = this.#added();
    // What is given up goes before anything is taken on: a VIP may move from one instance to another.
    for (const gone of before.values())
      gone.handle({ kind: "shutdown", reason: "removed from the configuration" }, now);
    const changed = plan.filter(
      ({ config, kept }) => kept && JSON.stringify(kept.config) !== JSON.stringify(config),
    );
    for (const { config, kept } of changed) kept?.vips.drop(config);
    this.#instances = plan.map(({ config, kept }) => kept ?? new Instance(config, this.#context(), now));
    this.#reception.forgetIndex();
    this.#groups.configure(message.syncGroups, this.#instances, now);
    this.#tellTrackers(now);
    if (first) return this.#takeStock(message, now);
    for (const { config, kept } of changed) kept?.vips.take(config);
    this.#surveyNew(held);
    for (const { config, kept } of changed) kept?.reconfigure(config, now);
    return [];
  }

  #takeStock(message: Configure, now: Microseconds): Instance[] {
    const restart = {
      message,
      instances: this.#instances,
      ports: this.#ports,
      log: this.#log,
      outranked: this.#reception.outranked,
      blocked: (instance: Instance) => this.#blocking(instance).length > 0,
      mates: (instance: Instance) => this.#groups.withMates(instance),
    };
    const resuming = takeStock(restart, now);
    this.#reception.outranked.clear();
    return resuming;
  }

  /** A VIP new to the configuration may be the operator's own address. */
  #surveyNew(heldBefore: ReadonlySet<string>): void {
    const added = this.#added();
    // Our own removals are heard now, and forgotten: later they would look like somebody else's.
    this.#monitor.drain();
    this.#vanished = this.#vanished.filter(({ address }) => !heldBefore.has(address) || added.has(address));
    this.#ports.read();
    for (const instance of this.#instances)
      instance.vips.survey(this.#ports.addresses, (entry) => this.#isOurs(entry));
  }

  #added(): ReadonlySet<string> {
    return new Set(this.#instances.flatMap((instance) => instance.vips.added));
  }

  setServices(services: ServicesState): void {
    this.#services = services;
    this.#applyConditions(monotonicUs());
    this.#schedule();
  }

  // ---- events ---------------------------------------------------------------------------------

  updateTracker(update: TrackerUpdate): void {
    if (!this.#trackers.update(update)) return;
    const now = monotonicUs();
    this.#tellTrackers(now);
    this.#applyConditions(now);
    this.#schedule();
  }

  #tellTrackers(now: Microseconds): void {
    for (const instance of this.#instances) {
      const refs = instance.config.trackers;
      if (refs)
        instance.setTrackers(
          this.#trackers.states(refs, (name) => this.#ports.link(name)),
          now,
        );
    }
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
    const { deadline: linksDue } = this.#ports;
    if (this.#networkChanged || (linksDue !== undefined && now >= linksDue)) this.#networkReread(now);
    // After the links were read: a VIP that went with its interface is not to be put back.
    for (const address of this.#vanished.splice(0)) {
      for (const instance of this.#instances) instance.addressVanished(address, now);
    }
    for (const instance of this.#instances) {
      const { deadline } = instance;
      if (deadline !== undefined && deadline <= now) instance.tick(now);
    }
    this.#groups.settle(now);
    this.#prober.tick(now);
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
      this.#ports.read();
      // A parent that came back needs its vmac again.
      const configs = this.#instances.map((instance) => instance.config);
      if (this.#vmacs.apply(configs, this.#ports.links)) this.#ports.read();
    } catch (error) {
      // Tried again at the next tick: acting on half a picture would be worse.
      this.#networkChanged = true;
      this.#log("error", `cannot read links and addresses: ${(error as Error).message}`);
      return;
    }
    this.#tellTrackers(now);
    this.#applyConditions(now);
  }

  /** Starts what may start, faults what must fault, recovers what can. */
  #applyConditions(now: Microseconds): void {
    for (const instance of this.#instances) {
      const faults = this.#blocking(instance);
      if (instance.state === "INIT" && !this.#stopping) {
        if (this.#services.kind === "pending" && this.#carriesService(instance)) continue;
        const delay = us(Math.max(0, this.#electFrom - now));
        const together = this.#groups.startFaults(instance) ?? faults;
        instance.handle({ kind: "startup", faults: together, delay }, now);
      }
      // A group feeds its members' faults itself, combined.
      if (!instance.grouped) instance.handle({ kind: "faults", faults }, now);
    }
    this.#groups.settle(now);
  }

  #blocking(instance: Instance) {
    const faults = instance.faults();
    if (this.#services.kind === "unavailable" && this.#carriesService(instance)) {
      faults.push({ kind: "services-unavailable", detail: this.#services.reason });
    }
    return faults;
  }

  #carriesService(instance: Instance): boolean {
    return heldVips(instance.config).some((vip) => this.#serviceAddresses.has(vip.address));
  }

  // ---- reports --------------------------------------------------------------------------------

  /** Says that this process lives, and often enough what it holds; all of it each time would cost a thousand instances dear. */
  #pulse(now: Microseconds): void {
    this.#pulseAt = us(now + this.#pulseEvery);
    const full = this.#instances.length <= FEW || this.#stateChanged || now >= this.#fullPulseAt;
    if (!full) return this.#send({ type: "pulse", at: now });
    this.#stateChanged = false;
    this.#fullPulseAt = us(now + 1_000_000);
    this.#send({ type: "pulse", at: now, instances: this.#instances.map((instance) => instance.pulse(now)) });
  }

  status(): VrrpStatus {
    const now = monotonicUs();
    return {
      instances: this.#instances.map((instance) => instance.status(now)),
      groups: this.#groups.status(now),
      strayDrops: { ...this.#reception.strayDrops },
    };
  }

  #schedule(): void {
    const linksDue = this.#ports.deadline ?? Number.POSITIVE_INFINITY;
    let next: number = Math.min(this.#pulseAt, this.#prober.deadline, linksDue);
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
    this.#prober.close();
    this.#vmacs.close();
    this.#promotion.restore(this.#log);
    this.#poller.stop();
  }

  #context(): InstanceContext {
    const runtime = this;
    return {
      rtnetlink: this.#ports.rtnetlink,
      routes: this.#routes,
      port: (name) => this.#ports.get(name),
      link: (name) => this.#ports.link(name),
      addresses: () => this.#ports.addresses,
      log: this.#log,
      send: (message) => {
        // The supervisor stands in for the state it last heard of: a changed one is told at once.
        if (message.type === "transition") {
          runtime.#pulseAt = us(0);
          runtime.#stateChanged = true;
          runtime.#prober.hurry();
        }
        runtime.#send(message);
      },
      get vipLease() {
        return runtime.#vipLease;
      },
      indexOf: (dev) => this.#ports.link(dev)?.index,
    };
  }
}

/** So many instances are told whole with every pulse. */
const FEW = 64;

const identity = (config: InstanceConfig): string => `${config.interface} ${config.family} ${config.vrid}`;
