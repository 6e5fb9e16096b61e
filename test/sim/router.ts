/**
 * One instance of one simulated director: the machine, the process around it and the kernel under it.
 * Everything it does is held against the invariants; the first violation ends the run.
 */
import { type Microseconds, us } from "../../src/units.ts";
import { admit, type Local } from "../../src/vrrp/admit.ts";
import { buildAdverts, signs } from "../../src/vrrp/advert.ts";
import {
  type Action,
  type Event,
  type Fault,
  type InstanceState,
  initialState,
  type MachineConfig,
  nextDeadline,
  type step as realStep,
} from "../../src/vrrp/machine.ts";
import { hearOnPath, noPaths } from "../../src/vrrp/paths.ts";
import {
  nextSequence,
  rememberSequence,
  type SentSequence,
  type SequenceMemory,
} from "../../src/vrrp/sequence.ts";
import { leaseSeconds } from "../../src/vrrp/timing.ts";

export class Violation extends Error {}

/** The world as a router sees it. */
export interface Surroundings {
  /** Microseconds; every router's clocks are offsets of it. */
  now: number;
  readonly step: typeof realStep;
  send(from: Router, bytes: Uint8Array, path: number): void;
  /** Its state may have changed: its sync group is to be looked at. */
  touched(router: Router): void;
  /** Only called while a transcript is written. */
  readonly note?: (router: Router, text: string) => void;
}

export interface RouterIdentity {
  readonly name: string;
  readonly address: string;
  /** Directors by number; `link` tells the instances of a sync group apart. */
  readonly director: number;
  readonly link: number;
  readonly config: MachineConfig;
  /** Of the monotonic clock. */
  readonly clock: number;
  /** Address on a second path (heartbeat_interfaces) that carries the same adverts. */
  readonly heartbeat?: string;
}

/** The number of that path; the first one is the router's own link. */
export const HEARTBEAT = 7;

const NOTHING: readonly Fault[] = [];

export class Router {
  readonly identity: RouterIdentity;
  readonly #world: Surroundings;
  config: MachineConfig;
  state: InstanceState;
  /** When the next timer is due, in the world's time; infinite while it sleeps or does not run. */
  due = Number.POSITIVE_INFINITY;
  running = false;
  awake = true;
  /** Own faults, as the process sees them; in a sync group they reach the machine through it. */
  faults: readonly Fault[] = NOTHING;
  /** Packets that arrived while the process did not read. */
  inbox: { readonly bytes: Uint8Array; readonly path: number }[] = [];
  /** End of the lease of the VIP in the kernel; past = it does not have it. */
  vipUntil = -1;
  /** Error of the real-time clock. */
  clockError = 0;
  lastAdvertAt = Number.NEGATIVE_INFINITY;
  #sequence: SentSequence | undefined;
  /** Unsigned packets differ by their priority only. */
  readonly #packets = new Map<string, Uint8Array>();
  #paths = noPaths;
  #sequences: SequenceMemory = {};
  readonly #lease: number;
  readonly #lookup: (vrid: number) => Local | undefined;

  constructor(identity: RouterIdentity, world: Surroundings) {
    this.identity = identity;
    this.#world = world;
    this.config = identity.config;
    this.state = initialState(this.#monotonic());
    this.#lease = leaseSeconds(identity.config) * 1_000_000;
    this.#lookup = (vrid) => (vrid === this.config.vrid ? { config: this.config } : undefined);
  }

  get isMaster(): boolean {
    return this.running && this.state.state === "MASTER";
  }
  get hasVip(): boolean {
    return this.vipUntil > this.#world.now;
  }
  get listens(): boolean {
    return this.running && this.awake;
  }

  // ---- what happens to its process ----------------------------------------------------------------

  start(faults: readonly Fault[], resume: boolean): void {
    this.running = true;
    this.awake = true;
    this.inbox = [];
    this.state = initialState(this.#monotonic());
    this.#sequences = {};
    this.#paths = noPaths;
    // A start takes away what an earlier run left behind, unless it goes on where that one was.
    if (!resume) this.vipUntil = -1;
    this.feed({ kind: "startup", faults, resume });
  }
  /** The process dies; the kernel keeps the VIP as long as its lease. */
  kill(): void {
    this.running = false;
    this.inbox = [];
    this.due = Number.POSITIVE_INFINITY;
  }
  powerOff(): void {
    this.kill();
    this.vipUntil = -1;
  }
  pause(): void {
    this.awake = false;
    this.due = Number.POSITIVE_INFINITY;
  }
  /** Sockets are drained before timers are looked at. */
  wake(): void {
    this.awake = true;
    const waiting = this.inbox;
    this.inbox = [];
    for (const { bytes, path } of waiting) this.hear(bytes, path);
    if (!this.running) return;
    // Links and trackers are read again before timers too; in a sync group settling does it.
    if (!this.config.grouped) this.feed({ kind: "faults", faults: this.faults });
    this.feed({ kind: "tick" });
  }
  reconfigure(priority: number): void {
    const before = this.config;
    this.config = { ...before, priority };
    if (this.listens) this.feed({ kind: "reconfigured", before });
  }

  hear(bytes: Uint8Array, path: number): void {
    if (!this.running) return;
    if (!this.awake) {
      this.inbox.push({ bytes, path });
      return;
    }
    const result = admit(
      { transport: "raw", family: 4, bytes },
      { lookup: this.#lookup, realTime: this.#realTime(), sequences: this.#sequences },
    );
    if (!result.ok) {
      this.#world.note?.(this, `refuses ${result.error.source}: ${result.error.reason}`);
      return;
    }
    const { advert, accepted } = result.value;
    if (accepted) this.#sequences = rememberSequence(this.#sequences, accepted.key, accepted.sequence);
    const { address, heartbeat } = this.identity;
    const ownAddress = path === HEARTBEAT ? heartbeat! : address;
    if (heartbeat !== undefined) {
      const heard = { path: `${path}`, primary: `${this.identity.link}`, advert, ownAddress };
      const result = hearOnPath(this.#paths, heard, this.#monotonic(), this.state, this.config);
      this.#paths = result.paths;
      if (!result.deliver) {
        this.#world.note?.(this, `has a copy of ${result.identity} priority ${advert.priority}`);
        return;
      }
    }
    this.feed({ kind: "advert", advert, ownAddress });
  }

  // ---- the machine ------------------------------------------------------------------------------

  feed(event: Event): void {
    const now = this.#monotonic();
    const before = this.state;
    const { state, actions } = this.#world.step(before, event, now, this.config);
    this.state = state;
    if (this.#world.note) this.#world.note(this, transcript(event, actions));
    for (const action of actions) this.#carryOut(action);
    const deadline = this.awake && this.running ? nextDeadline(state) : undefined;
    this.due = deadline === undefined ? Number.POSITIVE_INFINITY : deadline - this.identity.clock;
    this.#check(before, event, actions, now);
    this.#world.touched(this);
  }

  #carryOut(action: Action): void {
    const { now } = this.#world;
    if (action.kind === "add-addresses") this.vipUntil = now + this.#lease;
    if (action.kind === "remove-addresses") this.vipUntil = -1;
    if (action.kind !== "send-advert") return;
    // Renewed with every advert; the kernel's own expiry is not undone by it before the machine has looked.
    if (action.priority > 0 && this.hasVip) this.vipUntil = now + this.#lease;
    if (action.priority > 0) this.lastAdvertAt = now;
    const { auth } = this.config;
    if (signs(this.config) && auth.type === "HMAC") {
      // One sequence for every path.
      this.#sequence = nextSequence(this.#sequence, this.#realTime(), auth);
      this.#packets.clear();
    }
    const { address, heartbeat, link } = this.identity;
    this.#world.send(this, this.#packet(action.priority, address), link);
    if (heartbeat !== undefined) this.#world.send(this, this.#packet(action.priority, heartbeat), HEARTBEAT);
  }

  #packet(priority: number, source: string): Uint8Array {
    const key = `${priority} ${source}`;
    const known = this.#packets.get(key);
    if (known) return known;
    const sequence = this.#sequence ? { sequence: this.#sequence } : {};
    const [out] = buildAdverts(this.config, { priority, source, ...sequence });
    this.#packets.set(key, out!.bytes);
    return out!.bytes;
  }

  #monotonic(): Microseconds {
    return us(this.#world.now + this.identity.clock);
  }
  #realTime(): Microseconds {
    return us(1_800_000_000_000_000 + this.#world.now + this.clockError);
  }

  // ---- invariants -------------------------------------------------------------------------------

  #check(before: InstanceState, event: Event, actions: readonly Action[], now: Microseconds): void {
    const { state } = this;
    const transitions = actions.filter((action) => action.kind === "transition");
    const asleep = transitions[0]?.reason.startsWith("asleep for ") === true;
    if (transitions.length > (asleep ? 2 : 1))
      this.#broken(`${transitions.length} transitions at one ${event.kind}`);
    if ((transitions.at(-1)?.to ?? before.state) !== state.state)
      this.#broken("a transition was not reported");
    if (this.hasVip !== (state.state === "MASTER"))
      this.#broken(`${state.state} ${this.hasVip ? "with" : "without"} the VIP`);
    if (state.since < before.since) this.#broken("time goes backwards");
    const deadline = nextDeadline(state);
    if (deadline !== undefined && !Number.isSafeInteger(deadline)) this.#broken(`deadline ${deadline}`);
    if (event.kind === "tick" && deadline !== undefined && deadline <= now)
      this.#broken("a timer stands still");
    if (state.state === "MASTER" && before.state === "MASTER") {
      const silent = state.lastAdvertAt - before.lastAdvertAt;
      // Overdue already: the process was paused for less than it would notice.
      const late = now > nextDeadline(before)!;
      if (!late && silent > this.config.advertInterval) this.#broken(`no advert for ${silent / 1e6} s`);
    }
  }

  #broken(what: string): never {
    throw new Violation(`${this.identity.name}: ${what}`);
  }
}

function transcript(event: Event, actions: readonly Action[]): string {
  const done = actions.map((action) => {
    if (action.kind === "transition") return `${action.from} -> ${action.to} (${action.reason})`;
    return action.kind === "send-advert" ? `advert ${action.priority}` : action.kind;
  });
  const what =
    event.kind === "advert" ? `hears ${event.advert.source} priority ${event.advert.priority}` : event.kind;
  return `${what}: ${done.join(", ") || "nothing"}`;
}
