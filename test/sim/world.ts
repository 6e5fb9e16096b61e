/**
 * Directors on one or more simulated links, with every trouble a network and a machine can make.
 *
 *   machine -> buildAdverts -> link (loss, copies, delay, partitions) -> admit -> machine of the others
 */

import { us } from "../../src/units.ts";
import type { Event, Fault, step as realStep } from "../../src/vrrp/machine.ts";
import { combinedFaults, type GroupState, initialGroup, settleGroup } from "../../src/vrrp/sync-group.ts";
import { Agenda } from "./agenda.ts";
import type { Random } from "./random.ts";
import { Router, type RouterIdentity, type Surroundings, Violation } from "./router.ts";

/** The link's behaviour at the moment; times in microseconds. */
export interface Weather {
  loss: number;
  copies: number;
  delayLeast: number;
  delayMost: number;
}

/** The instances of one director; in a sync group when there are several. */
export interface Director {
  readonly routers: readonly Router[];
  group: GroupState | undefined;
}

const MAX_TURNS = 50_000;

export class World implements Surroundings {
  now = 0;
  readonly step: typeof realStep;
  readonly note?: (router: Router, text: string) => void;
  readonly directors: Director[] = [];
  readonly routers: Router[] = [];
  readonly agenda = new Agenda();
  readonly weather: Weather;
  readonly log: string[] = [];
  /** `from * 8 + to`, directors by number: a cut in one direction, on one link or (-1) on all. */
  readonly cuts = new Set<string>();
  readonly #random: Random;
  readonly #unsettled = new Set<number>();

  constructor(random: Random, weather: Weather, step: typeof realStep, logging: boolean) {
    this.#random = random;
    this.weather = weather;
    this.step = step;
    if (logging)
      this.note = (router, text) => this.log.push(`${stamp(this.now)} ${router.identity.name}: ${text}`);
  }

  add(identities: readonly RouterIdentity[]): void {
    const routers = identities.map((identity) => new Router(identity, this));
    this.routers.push(...routers);
    this.directors.push({ routers, group: routers.length > 1 ? initialGroup(us(0)) : undefined });
  }

  at(time: number, run: () => void): void {
    this.agenda.put(time, run);
  }

  /** Packets and troubles before timers of the same instant: the daemon drains its sockets first too. */
  run(until: number): void {
    for (let turns = 0; ; turns++) {
      if (turns > MAX_TURNS) throw new Violation("no end: a storm, or a timer stands still");
      let timer: Router | undefined;
      let earliest = this.agenda.next;
      for (const router of this.routers)
        if (router.due < earliest) {
          earliest = router.due;
          timer = router;
        }
      if (earliest > until) break;
      this.now = Math.max(this.now, earliest);
      if (timer) timer.feed({ kind: "tick" });
      else this.agenda.take()();
      while (this.#unsettled.size > 0) this.#settleNext();
    }
    this.now = until;
  }

  touched(router: Router): void {
    this.#unsettled.add(router.identity.director);
  }

  send(from: Router, bytes: Uint8Array, path: number): void {
    const { link, director } = from.identity;
    for (const to of this.routers) {
      if (to === from || to.identity.link !== link) continue;
      if (this.cuts.has(cut(director, to.identity.director, path))) continue;
      if (this.cuts.has(cut(director, to.identity.director, -1))) continue;
      const { loss, copies, delayLeast, delayMost } = this.weather;
      if (loss > 0 && this.#random.chance(loss)) continue;
      const times = copies > 0 && this.#random.chance(copies) ? 2 : 1;
      for (let n = 0; n < times; n++)
        this.at(this.now + this.#random.between(delayLeast, delayMost), () => to.hear(bytes, path));
    }
  }

  // ---- directors --------------------------------------------------------------------------------

  start({ routers, group }: Director, resume = false): void {
    const combined = group && combinedFaults(this.#groupInput(routers));
    for (const router of routers)
      router.start(combined?.[router.identity.name] ?? router.faults, resume && router.hasVip);
  }
  feed({ routers }: Director, event: Event): void {
    for (const router of routers) if (router.listens) router.feed(event);
  }
  /** A fault of one instance comes or goes; the others learn of it through their group. */
  setFaults(director: Director, router: Router, faults: readonly Fault[]): void {
    router.faults = faults;
    this.touched(router);
    if (!director.group && router.listens) router.feed({ kind: "faults", faults });
  }

  #groupInput(routers: readonly Router[]) {
    const members = routers.map(({ identity, state, faults }) => ({ name: identity.name, state, faults }));
    return { name: "G", members, faults: [] };
  }

  #settleNext(): void {
    const [number] = this.#unsettled;
    const director = this.directors[number!]!;
    if (director.group && director.routers.every((router) => router.listens)) this.#settle(director);
    for (const router of director.routers)
      if (router.listens && router.faults.length > 0 && router.isMaster)
        throw new Violation(`${router.identity.name}: MASTER in spite of a fault`);
    this.#unsettled.delete(number!);
  }

  #settle(director: Director): void {
    for (let round = 0; ; round++) {
      if (round > 5) throw new Violation("a sync group does not settle");
      const { group, events } = settleGroup(
        director.group!,
        this.#groupInput(director.routers),
        us(this.now),
      );
      director.group = group;
      if (events.length === 0) break;
      for (const { member, event } of events)
        director.routers.find((router) => router.identity.name === member)?.feed(event);
    }
    const states = new Set(director.routers.map((router) => router.state.state));
    if (states.size > 1)
      throw new Violation(
        `sync group of director ${director.routers[0]?.identity.director}: ${[...states].join(" and ")}`,
      );
  }

  masters(link: number): Router[] {
    return this.routers.filter((router) => router.identity.link === link && router.isMaster);
  }
  holders(link: number): Router[] {
    return this.routers.filter((router) => router.identity.link === link && router.hasVip);
  }
}

export const cut = (from: number, to: number, link: number): string => `${from * 8 + to} ${link}`;
const stamp = (time: number): string => (time / 1e6).toFixed(6).padStart(10);
