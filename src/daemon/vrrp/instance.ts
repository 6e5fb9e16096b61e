/** One VRRP instance at the edge: feeds the pure machine and carries out its actions in order. */
import type { InstanceConfig } from "../../config/model.ts";
import type { AddressInfo, LinkInfo } from "../../net/rtnetlink.ts";
import { unreachable } from "../../result.ts";
import { type Microseconds, us } from "../../units.ts";
import type { Admitted } from "../../vrrp/admit.ts";
import type { Advert } from "../../vrrp/advert.ts";
import { DROP_TEXT, type Dropped, type DropReason } from "../../vrrp/drop.ts";
import {
  type Action,
  type Event,
  type Fault,
  type InstanceState,
  initialState,
  type MachineConfig,
  nextDeadline,
  rank,
  step,
  type VrrpState,
} from "../../vrrp/machine.ts";
import { type Note, noteText } from "../../vrrp/notes.ts";
import { type EffectivePriority, effectivePriority, type TrackerState } from "../../vrrp/priority.ts";
import { rememberSequence, type SequenceMemory } from "../../vrrp/sequence.ts";
import type { FromVrrp, InstancePulse, InstanceStatus, Logger, VrrpCounters } from "../messages.ts";
import { Announcements } from "./announcements.ts";
import { instanceStatus } from "./instance-status.ts";
import type { InterfacePort } from "./interface-port.ts";
import { Transmitter } from "./transmitter.ts";
import { heldVips, type VipContext, VipSet } from "./vip-set.ts";

export interface InstanceContext extends VipContext {
  readonly log: Logger;
  send(message: FromVrrp): void;
  port(name: string): InterfacePort | undefined;
  link(name: string): LinkInfo | undefined;
}

export class Instance {
  /** As configured; `#effective` has the priority with trackers. */
  config: InstanceConfig;
  /** Member of a sync group, which then decides when it becomes master. */
  grouped = false;
  readonly vips: VipSet;
  readonly #context: InstanceContext;
  readonly #transmitter: Transmitter;
  readonly #announcements = new Announcements();
  #effective: EffectivePriority;
  #trackers: readonly TrackerState[] = [];
  #state: InstanceState;
  #counters: Mutable<Omit<VrrpCounters, "drops">> = { ...ZERO };
  readonly #drops: Partial<Record<DropReason, number>> = {};
  /** auth_hmac: the highest sequence accepted of each sender. */
  sequences: SequenceMemory = {};
  /** Peer and reason pairs already logged in this state. */
  #logged = new Set<string>();
  #sending = true;

  constructor(config: InstanceConfig, context: InstanceContext, now: Microseconds) {
    this.config = config;
    this.#context = context;
    this.#transmitter = new Transmitter((name) => context.port(name));
    this.#effective = effectivePriority(config.priority, []);
    this.vips = new VipSet(config, context);
    this.#state = initialState(now);
  }

  /** The pure machine's state, for the sync group. */
  get machine(): InstanceState {
    return this.#state;
  }

  get state(): VrrpState {
    return this.#state.state;
  }

  get deadline(): Microseconds | undefined {
    const machine = nextDeadline(this.#state);
    const announcement = this.#announcements.next;
    if (machine === undefined || announcement === undefined) return machine ?? announcement;
    return us(Math.min(machine, announcement));
  }

  /** What is due by `now`. */
  tick(now: Microseconds): void {
    this.handle({ kind: "tick" }, now);
    this.#announceDue(now);
  }

  /** Address our adverts leave from on the instance's own interface. */
  get source(): string | undefined {
    return this.#transmitter.source(this.config);
  }

  /** Source of the last advertisement accepted. */
  get lastMaster(): string | undefined {
    return this.#state.peer?.source;
  }

  /** The configuration the machine runs with: the priority is the effective one. */
  get #running(): MachineConfig {
    const { priority } = this.#effective;
    if (priority === this.config.priority && !this.grouped) return this.config;
    return { ...this.config, priority, grouped: this.grouped };
  }

  handle(event: Event, now: Microseconds): void {
    const resumed = event.kind === "startup" && event.resume === true;
    const { state, actions } = step(this.#state, event, now, this.#running);
    this.#state = state;
    for (const action of actions) this.#carryOut(action, now, resumed);
  }

  hear({ advert, accepted }: Admitted, now: Microseconds): void {
    this.#counters.advertsReceived++;
    if (advert.priority === 0) this.#counters.priorityZeroReceived++;
    if (accepted) this.sequences = rememberSequence(this.sequences, accepted.key, accepted.sequence);
    const ownAddress = this.source;
    if (ownAddress !== undefined) this.handle({ kind: "advert", advert, ownAddress }, now);
  }

  /** Whether the sender would be master before us. */
  outranked(advert: Advert): boolean {
    const ownAddress = this.source;
    return ownAddress === undefined || rank(advert, ownAddress, this.#running) > 0;
  }

  /** Gives up what an earlier process of ours held, without having been master ourselves. */
  release(): void {
    try {
      this.#transmitter.advertise(this.config, 0);
      this.#counters.priorityZeroSent++;
    } catch (error) {
      this.#say("error", `cannot send a priority 0 advertisement: ${(error as Error).message}`);
    }
  }

  drop({ reason, source = "unknown" }: Dropped): void {
    this.#drops[reason] = (this.#drops[reason] ?? 0) + 1;
    const text = `ignored an advertisement of ${source}: ${DROP_TEXT[reason]}`;
    this.#logOnce("warn", `${source} ${reason}`, text, { source, reason });
  }

  // ---- conditions -----------------------------------------------------------------------------

  setTrackers(states: readonly TrackerState[], now: Microseconds): void {
    const before = this.#effective.priority;
    const running = this.#running;
    this.#trackers = states;
    this.#effective = effectivePriority(this.config.priority, states);
    const { priority, parts } = this.#effective;
    if (priority === before) return;
    const why = parts.filter((part) => part.adds !== 0).map((part) => `${part.name} ${signed(part.adds)}`);
    const because = why.length > 0 ? ` (${why.join(", ")})` : "";
    this.#say("info", `Changing effective priority from ${before} to ${priority}${because}`);
    this.handle({ kind: "reconfigured", before: running }, now);
  }

  /** Local conditions that forbid taking part. */
  faults(): Fault[] {
    return [...this.#ownLinkFaults(), ...this.#vipLinkFaults(), ...this.#effective.faults];
  }

  #ownLinkFaults(): Fault[] {
    const name = this.config.interface;
    const fault = linkFault(name, this.#context.link(name));
    // dont_track_primary: the link's state is not ours to judge, but without it nothing can be sent.
    const tolerated = this.config.dontTrackPrimary === true && fault?.kind === "interface-down";
    if (fault && !tolerated) return [fault];
    if (this.source !== undefined) return [];
    const family = this.config.family === 6 ? "an IPv6 link-local address" : "an IPv4 address";
    const which = this.config.sourceAddress ?? family;
    return [{ kind: "no-address", detail: `interface ${name} does not have ${which} to send from` }];
  }

  #vipLinkFaults(): Fault[] {
    const { vmac } = this.config;
    const devs = new Set(heldVips(this.config).flatMap((vip) => (vip.noTrack ? [] : [vip.dev])));
    devs.delete(this.config.interface);
    // Our own macvlan follows its parent, and is made by us.
    if (vmac) devs.delete(vmac.name);
    return [...devs].flatMap((dev) => linkFault(dev, this.#context.link(dev)) ?? []);
  }

  /** A VIP we hold was deleted by somebody else: put it back at once and say so. */
  addressVanished(address: AddressInfo, now: Microseconds): void {
    // Our own lease ends when we overslept; then we are no longer master, and must not put it back.
    this.handle({ kind: "tick" }, now);
    if (!this.vips.vanished(address) || this.#state.state !== "MASTER") return;
    this.#counters.addressesRestored++;
    this.#say("warn", `${address.address} was removed by somebody else`);
    // The machine puts it back, or yields to whoever keeps taking it away.
    this.handle({ kind: "vip-lost", address: address.address }, now);
  }

  /** A reload changed this instance; mastership goes on where identity allows it. */
  reconfigure(config: InstanceConfig, now: Microseconds): void {
    const before = this.#running;
    this.config = config;
    this.#effective = effectivePriority(config.priority, this.#trackers);
    if (this.#state.state === "MASTER") {
      this.vips.add(now);
      this.#announce(config.garpMasterRepeat, us(0), now);
    }
    this.handle({ kind: "reconfigured", before }, now);
  }

  // ---- actions --------------------------------------------------------------------------------

  #carryOut(action: Action, now: Microseconds, resumed: boolean): void {
    switch (action.kind) {
      case "send-advert":
        return this.#sendAdvert(action.priority, now);
      case "add-addresses":
        this.vips.add(now);
        return;
      case "remove-addresses":
        // Whatever is still to be announced would claim what is no longer ours.
        this.#announcements.clear();
        return this.vips.remove();
      case "announce":
        return this.#announce(action.count, action.gap, now);
      case "transition":
        return this.#transition(action, resumed);
      case "note":
        return this.#note(action.note);
      default:
        return unreachable(action);
    }
  }

  #sendAdvert(priority: number, now: Microseconds): void {
    try {
      this.#transmitter.advertise(this.config, priority);
      this.#counters.advertsSent++;
      if (priority === 0) this.#counters.priorityZeroSent++;
      if (!this.#sending) this.#say("info", "advertisements can be sent again");
      this.#sending = true;
    } catch (error) {
      this.#counters.sendErrors++;
      if (this.#sending) this.#say("error", `cannot send advertisements: ${(error as Error).message}`);
      this.#sending = false;
    }
    if (priority > 0 && this.#state.state === "MASTER") this.vips.renew(now);
  }

  #announce(count: number, gap: Microseconds, now: Microseconds): void {
    this.#announcements.add(heldVips(this.config), count, gap, now);
    this.#announceDue(now);
  }

  #announceDue(now: Microseconds): void {
    try {
      for (const vip of this.#announcements.due(now)) this.#context.port(vip.dev)?.announce(vip.address);
    } catch (error) {
      this.#logOnce("error", "announce", `cannot announce the VIPs: ${(error as Error).message}`, {});
    }
  }

  #transition(action: Action & { kind: "transition" }, resumed: boolean): void {
    this.#logged = new Set();
    if (action.to === "MASTER") this.#counters.becameMaster++;
    if (action.from === "MASTER") this.#counters.releasedMaster++;
    const { from, to, reason } = action;
    const { priority } = this.#effective;
    this.#context.send({
      type: "transition",
      instance: this.config.name,
      from,
      to,
      reason,
      priority,
      resumed,
    });
    this.#say(to === "FAULT" ? "warn" : "info", `${ENTERING[to]} (${reason})`, { from, to, reason });
  }

  #note(note: Note): void {
    const [level, text] = noteText(note);
    this.#logOnce(level, `${note.source} ${note.what}`, text, { source: note.source, note: note.what });
  }

  #logOnce(
    level: "info" | "warn" | "error",
    key: string,
    text: string,
    fields: Record<string, unknown>,
  ): void {
    // Sources are the network's to choose: bounded, or an attacker fills memory and the log.
    if (this.#logged.has(key) || this.#logged.size >= 64) return;
    this.#logged.add(key);
    this.#say(level, text, fields);
  }

  #say(level: "info" | "warn" | "error", text: string, fields: Record<string, unknown> = {}): void {
    this.#context.log(level, `(${this.config.name}) ${text}`, { instance: this.config.name, ...fields });
  }

  // ---- reports --------------------------------------------------------------------------------

  pulse(): InstancePulse {
    const { source } = this;
    return {
      name: this.config.name,
      state: this.#state.state,
      priority: this.#effective.priority,
      added: this.vips.added,
      ...(this.#state.state === "MASTER" ? { lastAdvertAt: this.#state.lastAdvertAt } : {}),
      ...(source === undefined ? {} : { source }),
    };
  }

  status(now: Microseconds): InstanceStatus {
    const counters = { ...this.#counters, drops: { ...this.#drops } };
    return instanceStatus(
      { config: this.config, state: this.#state, effective: this.#effective, vips: this.vips, counters },
      now,
    );
  }
}

function linkFault(name: string, link: LinkInfo | undefined): Fault | undefined {
  if (!link) return { kind: "interface-missing", detail: `interface ${name} does not exist` };
  if (!link.up) return { kind: "interface-down", detail: `interface ${name} is down` };
  if (!link.running) return { kind: "interface-down", detail: `interface ${name} has no carrier` };
  return undefined;
}

const signed = (n: number): string => (n > 0 ? `+${n}` : String(n));

/** keepalived's phrases, so that log searches written for it go on working. */
const ENTERING: Record<VrrpState, string> = {
  MASTER: "Entering MASTER STATE",
  BACKUP: "Entering BACKUP STATE",
  FAULT: "Entering FAULT STATE",
  INIT: "Stopped",
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
const ZERO = {
  advertsReceived: 0,
  advertsSent: 0,
  priorityZeroReceived: 0,
  priorityZeroSent: 0,
  becameMaster: 0,
  releasedMaster: 0,
  sendErrors: 0,
  addressesRestored: 0,
};
