/**
 * Routers on one simulated link that loses nothing: virtual time, real packets.
 *
 *   machine -> buildAdvertPacket -> link (latency) -> admitIpv4 -> machine and conflict watch of the others
 *
 * The kernel's part is played too: who holds the addresses, and the end of their lease.
 */
import type { InstanceConfig } from "../../src/config/model.ts";
import { type Microseconds, us } from "../../src/units.ts";
import { admitIpv4 } from "../../src/vrrp/admit.ts";
import { buildAdvertPacket } from "../../src/vrrp/advert.ts";
import { type Conflict, noteConflict, type Sighting } from "../../src/vrrp/conflict.ts";
import { type Event, type InstanceState, initialState, nextDeadline, step } from "../../src/vrrp/machine.ts";
import { leaseSeconds } from "../../src/vrrp/timing.ts";
import { actionText, config } from "../vrrp/support.ts";

export const LATENCY = 200;
/** Of one run; the longest honest one takes a few thousand. */
const MAX_TURNS = 100_000;

export interface LanRouter {
  readonly name: string;
  readonly address: string;
  config: InstanceConfig;
  state: InstanceState;
  /** A process runs; `awake` ends with SIGSTOP, `joined` with a pulled cable. */
  running: boolean;
  awake: boolean;
  joined: boolean;
  /** Sends, but hears nothing. */
  deaf: boolean;
  conflicts: readonly Conflict[];
  /** End of the lease of the addresses it holds. */
  heldUntil?: Microseconds;
  /** Packets that arrived while it slept. */
  queued: Uint8Array[];
  /** Adverts sent since its last line in the log. */
  routine: number;
  /** What is only worth one line until the state changes. */
  said: Set<string>;
}

export class Lan {
  now: Microseconds = us(0);
  readonly routers: LanRouter[] = [];
  readonly log: string[] = [];
  readonly spent = { nobody: 0, several: 0 };
  readonly #pending: { at: number; run: () => void }[] = [];
  #holders: string[] = [];

  add(name: string, address: string, over: Partial<InstanceConfig> = {}): LanRouter {
    const router: LanRouter = {
      name,
      address,
      config: config(over),
      state: initialState(us(0)),
      running: false,
      awake: true,
      joined: true,
      deaf: false,
      conflicts: [],
      queued: [],
      routine: 0,
      said: new Set(),
    };
    this.routers.push(router);
    return router;
  }

  at(time: number, run: () => void): void {
    this.#pending.push({ at: time, run });
  }

  /** Packets and commands before timers of the same instant: the daemon drains its sockets first too. */
  run(until: number): void {
    for (let turns = 0; ; turns++) {
      if (turns > MAX_TURNS)
        throw new Error(`no end at ${stamp(this.now)} s: a storm, or a timer stands still`);
      const next = this.#pending.reduce(
        (least, entry) => Math.min(least, entry.at),
        Number.POSITIVE_INFINITY,
      );
      const timer = Math.min(...this.routers.map(alarm));
      const time = Math.min(next, timer);
      if (time > until) break;
      this.#advance(time);
      if (next <= timer) {
        const index = this.#pending.findIndex((entry) => entry.at === next);
        this.#pending.splice(index, 1)[0]?.run();
      } else {
        for (const router of this.routers) this.#expire(router);
      }
      this.#noteHolders();
    }
    this.#advance(until);
    this.#flushRoutine();
  }

  #advance(time: number): void {
    const passed = Math.max(0, time - this.now);
    if (this.#holders.length === 0) this.spent.nobody += passed;
    if (this.#holders.length > 1) this.spent.several += passed;
    this.now = us(Math.max(time, this.now));
  }

  #expire(router: LanRouter): void {
    if (router.heldUntil !== undefined && router.heldUntil <= this.now) {
      delete router.heldUntil;
      this.#write(router, "kernel: the lease of the addresses ended");
    }
    if (timer(router) > this.now) return;
    this.feed(router, { kind: "tick" });
    this.#sight(router, { kind: "tick" });
  }

  // ---- what happens to a router ---------------------------------------------------------------

  start(router: LanRouter, resume = false): void {
    router.running = true;
    router.awake = true;
    router.state = initialState(this.now);
    // A start reclaims what an earlier run left behind, unless it goes on where that one was.
    if (!resume) delete router.heldUntil;
    this.feed(router, { kind: "startup", faults: [], resume });
  }
  stop(router: LanRouter): void {
    this.feed(router, { kind: "shutdown", reason: "stopped" });
    router.running = false;
  }
  /** SIGKILL: the kernel lives on and keeps the addresses as long as their lease. */
  kill(router: LanRouter): void {
    router.running = false;
    this.#write(router, "killed");
  }
  powerOff(router: LanRouter): void {
    router.running = false;
    delete router.heldUntil;
    this.#write(router, "power off");
  }
  suspend(router: LanRouter): void {
    router.awake = false;
    this.#write(router, "suspended");
  }
  wake(router: LanRouter): void {
    router.awake = true;
    this.#write(router, "continued");
    for (const packet of router.queued.splice(0)) this.#receive(router, packet);
    this.feed(router, { kind: "tick" });
  }
  cable(router: LanRouter, joined: boolean): void {
    router.joined = joined;
    this.#write(router, joined ? "cable in" : "cable out");
  }

  feed(router: LanRouter, event: Event): void {
    if (!router.running) return;
    const { state, actions } = step(router.state, event, this.now, router.config);
    router.state = state;
    for (const action of actions) {
      if (action.kind === "add-addresses") this.#renew(router);
      if (action.kind === "remove-addresses") delete router.heldUntil;
      if (action.kind === "send-advert") this.#send(router, action.priority);
      if (action.kind === "transition") router.said.clear();
    }
    const isRoutine = event.kind === "tick" && actions.length === 1 && actions[0]?.kind === "send-advert";
    if (isRoutine) router.routine++;
    const texts = actions
      .filter((action) => action.kind !== "note" || this.#once(router, actionText(action)))
      .map((action) =>
        action.kind === "transition" ? `${actionText(action)} (${action.reason})` : actionText(action),
      );
    if (!isRoutine && texts.length > 0) this.#write(router, texts.join("; "));
  }

  #renew(router: LanRouter): void {
    router.heldUntil = us(this.now + leaseSeconds(router.config) * 1_000_000);
  }

  #send(router: LanRouter, priority: number): void {
    if (priority > 0 && router.heldUntil !== undefined) this.#renew(router);
    if (!router.joined) return;
    const packet = buildAdvertPacket(router.config, priority, router.address);
    for (const other of this.routers) {
      if (other === router || !other.joined || other.deaf) continue;
      this.at(this.now + LATENCY, () => {
        if (other.awake) this.#receive(other, packet);
        else other.queued.push(packet);
      });
    }
  }

  #receive(router: LanRouter, packet: Uint8Array): void {
    if (!router.running) return;
    const result = admitIpv4(packet, (vrid) => (vrid === router.config.vrid ? router.config : undefined));
    if (result.ok) {
      const heard = { kind: "advert", advert: result.value.advert, ownAddress: router.address } as const;
      this.feed(router, heard);
      return this.#sight(router, heard);
    }
    const { source = "unknown", reason } = result.error;
    const text = `drops an advertisement of ${source}: ${reason}`;
    if (this.#once(router, text)) this.#write(router, text);
    this.#sight(router, { kind: "drop", source, reason });
  }

  #sight(router: LanRouter, sighting: Sighting): void {
    const { state, config: own } = router;
    const noted = noteConflict(router.conflicts, sighting, this.now, { state, config: own });
    router.conflicts = noted.conflicts;
    for (const { change, conflict } of noted.events)
      this.#write(router, `${conflict.kind} ${change}${change === "raised" ? `: ${conflict.text}` : ""}`);
  }

  // ---- log ------------------------------------------------------------------------------------

  get holders(): LanRouter[] {
    return this.routers.filter((router) => router.heldUntil !== undefined);
  }

  #once(router: LanRouter, text: string): boolean {
    if (router.said.has(text)) return false;
    router.said.add(text);
    return true;
  }

  #write(router: LanRouter, text: string): void {
    this.#flushRoutine();
    this.log.push(`${stamp(this.now)} ${router.name}: ${text}`);
  }

  /** Adverts that only kept the rhythm are counted, not listed. */
  #flushRoutine(): void {
    for (const router of this.routers) {
      if (router.routine > 0) this.log.push(`${" ".repeat(11)}(${router.name}: ${router.routine} adverts)`);
      router.routine = 0;
    }
  }

  #noteHolders(): void {
    const holders = this.holders.map((router) => router.name);
    if (holders.join() === this.#holders.join()) return;
    this.#holders = holders;
    this.log.push(`${stamp(this.now)} = VIP: ${holders.join(" and ") || "nobody"}`);
  }
}

const timer = (router: LanRouter): number =>
  (router.running && router.awake ? nextDeadline(router.state) : undefined) ?? Number.POSITIVE_INFINITY;
const alarm = (router: LanRouter): number =>
  Math.min(timer(router), router.heldUntil ?? Number.POSITIVE_INFINITY);

const stamp = (time: Microseconds): string => (time / 1e6).toFixed(6).padStart(10);
