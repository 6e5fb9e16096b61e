/** One VRRP instance at the edge: feeds the pure machine and carries out its actions in order. */
import type { InstanceConfig } from "../../config/model.ts";
import type { AddressInfo } from "../../net/rtnetlink.ts";
import { unreachable } from "../../result.ts";
import { type Microseconds, usToSeconds } from "../../units.ts";
import type { Dropped } from "../../vrrp/admit.ts";
import { DROP_TEXT, type DropReason } from "../../vrrp/admit.ts";
import { type Advert, buildAdvertPacket } from "../../vrrp/advert.ts";
import {
  type Action,
  type Event,
  type Fault,
  type InstanceState,
  initialState,
  nextDeadline,
  rank,
  step,
  type VrrpState,
} from "../../vrrp/machine.ts";
import { type Note, noteText } from "../../vrrp/notes.ts";
import { masterDownInterval } from "../../vrrp/timing.ts";
import type { FromVrrp, InstancePulse, InstanceStatus, Logger, VrrpCounters } from "../messages.ts";
import type { InterfacePort } from "./interface-port.ts";
import { type VipContext, VipSet } from "./vip-set.ts";

export interface InstanceContext extends VipContext {
  readonly log: Logger;
  send(message: FromVrrp): void;
}

export class Instance {
  config: InstanceConfig;
  readonly port: InterfacePort;
  readonly vips: VipSet;
  readonly #context: InstanceContext;
  #state: InstanceState;
  #counters: Mutable<Omit<VrrpCounters, "drops">> = { ...ZERO };
  readonly #drops: Partial<Record<DropReason, number>> = {};
  /** Peer and reason pairs already logged in this state. */
  #logged = new Set<string>();
  #sending = true;

  constructor(config: InstanceConfig, port: InterfacePort, context: InstanceContext, now: Microseconds) {
    this.config = config;
    this.port = port;
    this.#context = context;
    this.vips = new VipSet(config, context);
    this.#state = initialState(now);
  }

  get state(): VrrpState {
    return this.#state.state;
  }

  get deadline(): Microseconds | undefined {
    return nextDeadline(this.#state);
  }

  handle(event: Event, now: Microseconds): void {
    const resumed = event.kind === "startup" && event.resume === true;
    const { state, actions } = step(this.#state, event, now, this.config);
    this.#state = state;
    for (const action of actions) this.#carryOut(action, now, resumed);
  }

  hear(advert: Advert, now: Microseconds): void {
    this.#counters.advertsReceived++;
    if (advert.priority === 0) this.#counters.priorityZeroReceived++;
    const ownAddress = this.port.sourceFor(this.config);
    if (ownAddress !== undefined) this.handle({ kind: "advert", advert, ownAddress }, now);
  }

  /** Whether the sender would be master before us. */
  outranked(advert: Advert): boolean {
    const ownAddress = this.port.sourceFor(this.config);
    return ownAddress === undefined || rank(advert, ownAddress, this.config) > 0;
  }

  /** Gives up what an earlier process of ours held, without having been master ourselves. */
  release(): void {
    const source = this.port.sourceFor(this.config);
    if (source === undefined) return;
    try {
      this.port.sendAdvert(buildAdvertPacket(this.config, 0, source));
      this.#counters.priorityZeroSent++;
    } catch (error) {
      this.#say("error", `cannot send a priority 0 advertisement: ${(error as Error).message}`);
    }
  }

  drop(dropped: Dropped): void {
    this.#drops[dropped.reason] = (this.#drops[dropped.reason] ?? 0) + 1;
    const source = dropped.source ?? "unknown";
    this.#logOnce(
      "warn",
      `${source} ${dropped.reason}`,
      `ignored an advertisement of ${source}: ${DROP_TEXT[dropped.reason]}`,
      {
        source,
        reason: dropped.reason,
      },
    );
  }

  /** Local conditions that forbid taking part. */
  faults(): Fault[] {
    const { link } = this.port;
    const name = this.config.interface;
    if (!link) return [{ kind: "interface-missing", detail: `interface ${name} does not exist` }];
    if (!link.up) return [{ kind: "interface-down", detail: `interface ${name} is down` }];
    if (!link.running) return [{ kind: "interface-down", detail: `interface ${name} has no carrier` }];
    if (this.port.sourceFor(this.config) === undefined) {
      const which = this.config.sourceAddress ?? "an IPv4 address";
      return [{ kind: "no-address", detail: `interface ${name} does not have ${which} to send from` }];
    }
    return [];
  }

  /** A VIP we hold was deleted by somebody else: put it back at once and say so. */
  addressVanished(address: AddressInfo, now: Microseconds): void {
    // Our own lease ends when we overslept; then we are no longer master, and must not put it back.
    this.handle({ kind: "tick" }, now);
    if (!this.vips.vanished(address) || this.#state.state !== "MASTER") return;
    this.#counters.addressesRestored++;
    this.#say(
      "warn",
      `${address.address} was removed from ${this.config.interface} by somebody else; restoring it`,
    );
    this.vips.add(now);
    this.#announce(1);
  }

  /** A reload changed this instance; mastership goes on where identity allows it. */
  reconfigure(config: InstanceConfig, now: Microseconds): void {
    this.config = config;
    if (this.#state.state === "MASTER") {
      this.vips.add(now);
      // The next advert may be due sooner than the old interval said.
      this.#state = {
        ...this.#state,
        advertAt: Math.min(this.#state.advertAt, now + config.advertInterval) as Microseconds,
      };
      this.#announce(config.garpMasterRepeat);
    }
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
        return this.vips.remove();
      case "announce":
        return this.#announce(action.count);
      case "transition":
        return this.#transition(action, resumed);
      case "note":
        return this.#note(action.note);
      default:
        return unreachable(action);
    }
  }

  #sendAdvert(priority: number, now: Microseconds): void {
    const source = this.port.sourceFor(this.config);
    if (source === undefined) return;
    try {
      this.port.sendAdvert(buildAdvertPacket(this.config, priority, source));
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

  #announce(count: number): void {
    try {
      for (let round = 0; round < count; round++) {
        for (const vip of this.config.vips) this.port.announce(vip.address);
      }
    } catch (error) {
      this.#logOnce("error", "announce", `cannot send gratuitous ARP: ${(error as Error).message}`, {});
    }
  }

  #transition(action: Action & { kind: "transition" }, resumed: boolean): void {
    this.#logged = new Set();
    if (action.to === "MASTER") this.#counters.becameMaster++;
    if (action.from === "MASTER") this.#counters.releasedMaster++;
    const { from, to, reason } = action;
    this.#context.send({
      type: "transition",
      instance: this.config.name,
      from,
      to,
      reason,
      priority: this.config.priority,
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
    const source = this.port.sourceFor(this.config);
    return {
      name: this.config.name,
      state: this.#state.state,
      added: this.vips.added,
      ...(this.#state.state === "MASTER" ? { lastAdvertAt: this.#state.lastAdvertAt } : {}),
      ...(source === undefined ? {} : { source }),
    };
  }

  status(now: Microseconds): InstanceStatus {
    const { config } = this;
    const state = this.#state;
    const interval = state.state === "BACKUP" ? state.masterInterval : config.advertInterval;
    const down = masterDownInterval(config, config.priority, interval);
    const { lease } = this.vips;
    const { at, ...peer } = state.peer ?? { at: undefined };
    return {
      name: config.name,
      interface: config.interface,
      vrid: config.vrid,
      version: config.version,
      state: state.state,
      age: usToSeconds((now - state.since) as Microseconds),
      reason: state.reason,
      priority: config.priority,
      advertInterval: usToSeconds(config.advertInterval),
      masterDownInterval: usToSeconds(down),
      preempt: config.preempt,
      faults: state.state === "FAULT" ? state.faults : [],
      vips: this.vips.status(),
      counters: { ...this.#counters, drops: { ...this.#drops } },
      ...(at === undefined
        ? {}
        : { peer: { ...(peer as Omit<typeof state.peer & object, "at">), ago: (now - at) / 1e6 } }),
      ...(lease === undefined
        ? {}
        : { lease: { seconds: lease, twoOwnersAtMost: twoOwnersAtMost(config, lease) } }),
    };
  }
}

/** spec: lease + 1.2 s (the kernel's own lateness) - a backup of priority 100's master-down interval. */
function twoOwnersAtMost(config: InstanceConfig, lease: number): number {
  const down = masterDownInterval(config, 100, config.advertInterval);
  return Math.round((lease + 1.2 - down / 1e6) * 10) / 10;
}

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
