/** One VRRP instance at the edge: feeds the pure machine and carries out its actions in order. */
import type { InstanceConfig } from "../../config/model.ts";
import type { AddressInfo } from "../../net/rtnetlink.ts";
import { unreachable } from "../../result.ts";
import { type Microseconds, us } from "../../units.ts";
import type { Admitted } from "../../vrrp/admit.ts";
import type { Advert } from "../../vrrp/advert.ts";
import type { Sighting } from "../../vrrp/conflict.ts";
import { wrongAnswers } from "../../vrrp/conflict-judge.ts";
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
import { hearOnPath, noPaths, type Paths } from "../../vrrp/paths.ts";
import { type EffectivePriority, effectivePriority, type TrackerState } from "../../vrrp/priority.ts";
import { rememberSequence, type SequenceMemory } from "../../vrrp/sequence.ts";
import type { FromVrrp, InstancePulse, InstanceStatus, Logger, VrrpCounters } from "../messages.ts";
import { Announcements } from "./announcements.ts";
import { ConflictWatch } from "./conflict-watch.ts";
import { instanceStatus } from "./instance-status.ts";
import type { InterfacePort } from "./interface-port.ts";
import type { WatchedLink } from "./link-damping.ts";
import { localFaults } from "./local-faults.ts";
import { Transmitter } from "./transmitter.ts";
import { heldVips, type VipContext, VipSet } from "./vip-set.ts";

export interface InstanceContext extends VipContext {
  readonly log: Logger;
  send(message: FromVrrp): void;
  port(name: string): InterfacePort | undefined;
  link(name: string): WatchedLink | undefined;
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
  readonly #conflicts: ConflictWatch;
  #paths: Paths = noPaths;
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
    this.#conflicts = new ConflictWatch(context.log, context.send);
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

  /** An admitted advertisement that came in on `path`, where our own address is `ownAddress`. */
  hear(
    { advert, accepted }: Admitted,
    path: string,
    ownAddress: string | undefined,
    now: Microseconds,
  ): void {
    this.#counters.advertsReceived++;
    if (advert.priority === 0) this.#counters.priorityZeroReceived++;
    if (accepted) this.sequences = rememberSequence(this.sequences, accepted.key, accepted.sequence);
    if (ownAddress === undefined) return;
    const primary = this.config.interface;
    const heard = hearOnPath(
      this.#paths,
      { path, primary, advert, ownAddress },
      now,
      this.#state,
      this.#running,
    );
    this.#paths = heard.paths;
    if (!heard.deliver) return;
    this.handle({ kind: "advert", advert, ownAddress }, now);
    this.#sight({ kind: "advert", advert, identity: heard.identity, ownAddress }, now);
  }

  /** Who answered for a VIP, and which MACs are ours; true when somebody did who should not. */
  probed(address: string, macs: readonly string[], own: readonly string[], now: Microseconds): boolean {
    this.#sight({ kind: "probe", address, macs, own }, now);
    return wrongAnswers(macs, own, this.#state).length > 0;
  }

  #sight(sighting: Sighting, now: Microseconds): void {
    this.#conflicts.note(sighting, now, { state: this.#state, config: this.#running });
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

  drop({ reason, source = "unknown" }: Dropped, now: Microseconds): void {
    this.#drops[reason] = (this.#drops[reason] ?? 0) + 1;
    this.#sight({ kind: "drop", source, reason }, now);
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
    return [
      ...localFaults(this.config, this.source, (dev) => this.#context.link(dev)),
      ...this.#effective.faults,
    ];
  }

  /** A VIP we hold was deleted by somebody else: put it back at once and say so. */
  addressVanished(address: AddressInfo, now: Microseconds): void {
    // Our own lease ends when we overslept; then we are no longer master, and must not put it back.
    this.handle({ kind: "tick" }, now);
    if (!this.vips.vanished(address) || this.#state.state !== "MASTER") return;
    this.#counters.addressesRestored++;
    const dev = heldVips(this.config).find((vip) => vip.address === address.address)?.dev;
    this.#say("warn", `${address.address} was removed from ${dev} by somebody else`);
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

  pulse(now: Microseconds): InstancePulse {
    this.#sight({ kind: "tick" }, now);
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
    const conflicts = this.#conflicts.status(now);
    const { config, vips } = this;
    return instanceStatus(
      { config, state: this.#state, effective: this.#effective, vips, counters, conflicts },
      now,
    );
  }
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
