/** What goes wrong in one life, all from its seed; every trouble ends when the world is healed. */
import type { Fault } from "../../src/vrrp/machine.ts";
import { LINK_DOWN } from "../vrrp/support.ts";
import type { Random } from "./random.ts";
import { HEARTBEAT } from "./router.ts";
import { cut, type Director, type World } from "./world.ts";

/** In advertisement intervals. */
const CHAOS = 12;
const FAULT: readonly Fault[] = [LINK_DOWN];
const NONE: readonly Fault[] = [];

/** Puts starts, troubles and healing on the world's agenda; returns when everything is well again. */
export function planTroubles(world: World, random: Random, interval: number): number {
  const end = CHAOS * interval;
  for (const director of world.directors)
    world.at(random.below(random.chance(0.8) ? 2 * interval : 8 * interval), () => {
      if (!director.routers[0]!.running) world.start(director);
    });
  const fine = { ...world.weather };
  for (let n = random.below(8); n > 0; n--) {
    const trouble = random.pick(TROUBLES);
    const director = random.pick(world.directors);
    const from = random.below(end);
    const until = Math.min(end, from + random.between(1, 5 * interval));
    trouble({ world, random, director, interval, from, until });
  }
  world.at(end, () => heal(world));
  // Delayed packets of the troubled time are still under way.
  const settled = end + 2 * interval;
  world.at(settled, () => Object.assign(world.weather, fine));
  world.at(end, () => Object.assign(world.weather, fine));
  return settled;
}

interface Trouble {
  readonly world: World;
  readonly random: Random;
  readonly director: Director;
  readonly interval: number;
  readonly from: number;
  readonly until: number;
}

function heal(world: World): void {
  world.cuts.clear();
  for (const director of world.directors) {
    for (const router of director.routers) {
      router.clockError = 0;
      if (router.config.priority !== router.identity.config.priority)
        router.reconfigure(router.identity.config.priority);
      world.setFaults(director, router, NONE);
    }
    wake(director);
    if (!director.routers[0]!.running) world.start(director);
    world.feed(director, { kind: "contend" });
  }
}

function wake({ routers }: Director): void {
  for (const router of routers) if (!router.awake) router.wake();
}

const isUp = ({ routers }: Director): boolean => routers[0]!.listens;

const TROUBLES: readonly ((trouble: Trouble) => void)[] = [
  function stopped({ world, director, from, until }) {
    world.at(from, () => {
      if (!isUp(director)) return;
      world.feed(director, { kind: "shutdown", reason: "stopped" });
      for (const router of director.routers) router.kill();
    });
    world.at(until, () => restart(world, director));
  },
  function killed({ world, random, director, from, until }) {
    const quick = random.chance(0.5);
    world.at(from, () => {
      for (const router of director.routers) router.kill();
    });
    world.at(quick ? from + random.below(Math.ceil((until - from) / 2)) : until, () =>
      restart(world, director, true),
    );
  },
  function poweredOff({ world, director, from, until }) {
    world.at(from, () => {
      for (const router of director.routers) router.powerOff();
    });
    world.at(until, () => restart(world, director));
  },
  function paused({ world, director, from, until }) {
    world.at(from, () => {
      for (const router of director.routers) router.pause();
    });
    world.at(until, () => wake(director));
  },
  /** Cable out: neither heard nor hearing. */
  function isolated({ world, director, from, until }) {
    const me = number(director);
    between(
      world,
      from,
      until,
      (others) => others.flatMap((other) => [cut(me, other, -1), cut(other, me, -1)]),
      me,
    );
  },
  function deaf({ world, random, director, from, until }) {
    const me = number(director);
    const path = random.pick([-1, 0, HEARTBEAT]);
    between(world, from, until, (others) => others.map((other) => cut(other, me, path)), me);
  },
  function unheard({ world, director, from, until }) {
    const me = number(director);
    between(world, from, until, (others) => others.map((other) => cut(me, other, -1)), me);
  },
  /** One link of a sync group, or one heartbeat path, only. */
  function oneLink({ world, random, director, from, until }) {
    const me = number(director);
    const paths = [...director.routers.map(({ identity }) => identity.link), HEARTBEAT];
    const link = random.pick(paths);
    between(
      world,
      from,
      until,
      (others) => others.flatMap((other) => [cut(me, other, link), cut(other, me, link)]),
      me,
    );
  },
  function split({ world, random, from, until }) {
    const sides = world.directors.map(() => random.below(2));
    between(world, from, until, (all) =>
      all.flatMap((a) => all.filter((b) => sides[a] !== sides[b]).map((b) => cut(a, b, -1))),
    );
  },
  function storm({ world, random, interval, from, until }) {
    const { delayLeast, delayMost } = world.weather;
    const bad = {
      loss: random.pick([0, 0.2, 0.5, 0.9]),
      copies: random.pick([0, 0.3]),
      delayMost: random.pick([delayMost, interval, Math.floor(1.5 * interval)]),
    };
    world.at(from, () => Object.assign(world.weather, bad));
    world.at(until, () => Object.assign(world.weather, { loss: 0, copies: 0, delayLeast, delayMost }));
  },
  function faulty({ world, random, director, from, until }) {
    const router = random.pick(director.routers);
    world.at(from, () => world.setFaults(director, router, FAULT));
    world.at(until, () => world.setFaults(director, router, NONE));
  },
  function reprioritized({ world, random, director, from, until }) {
    const priority = random.between(1, 254);
    const set = (to: number) => {
      for (const router of director.routers) router.reconfigure(to);
    };
    world.at(from, () => set(priority));
    world.at(until, () => set(director.routers[0]!.identity.config.priority));
  },
  /** Only from one director: a thief everywhere would leave no router healthy. */
  function stolen({ world, random, from, interval }) {
    const [router] = world.directors[0]!.routers;
    for (let n = random.between(1, 4), at = from; n > 0; n--, at += random.below(interval))
      world.at(at, () => {
        if (router!.listens && router!.isMaster) router!.feed({ kind: "vip-lost", address: "192.0.2.100" });
      });
  },
  function released({ world, random, director, from }) {
    const router = random.pick(director.routers);
    world.at(from, () => {
      if (router.listens) router.feed({ kind: "release", reason: "failover" });
    });
  },
  function wrongTime({ world, random, director, from, until }) {
    const error = random.pick([-3600, -6, -3, 3, 6, 3600]) * 1_000_000;
    const set = (to: number) => {
      for (const router of director.routers) router.clockError = to;
    };
    world.at(from, () => set(error));
    world.at(until, () => set(0));
  },
];

function restart(world: World, director: Director, resumable = false): void {
  const { routers } = director;
  if (routers[0]!.running) return;
  // spec 4: only while no peer can have taken over yet, and all instances of a group or none.
  const resume =
    resumable &&
    routers.every((router) => {
      const { advertInterval, downTimerAdverts } = router.config;
      const age = world.now - router.lastAdvertAt;
      return router.hasVip && age + advertInterval / 2 < (downTimerAdverts - 1) * advertInterval;
    });
  world.start(director, resume && routers.every((router) => router.faults.length === 0));
}

const number = (director: Director): number => director.routers[0]!.identity.director;

function between(
  world: World,
  from: number,
  until: number,
  list: (directors: readonly number[]) => string[],
  except = -1,
): void {
  const numbers = world.directors.map(number).filter((each) => each !== except);
  const cuts = list(numbers);
  world.at(from, () => {
    for (const each of cuts) world.cuts.add(each);
  });
  world.at(until, () => {
    for (const each of cuts) world.cuts.delete(each);
  });
}
