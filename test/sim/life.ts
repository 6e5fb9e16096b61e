/**
 * One seed: directors are made, start, suffer, are healed; then exactly one must be master.
 * Times are multiples of the advertisement interval, so that fast configurations take no longer to simulate.
 */
import { type Microseconds, us } from "../../src/units.ts";
import { type MachineConfig, step as realStep } from "../../src/vrrp/machine.ts";
import { masterDownInterval } from "../../src/vrrp/timing.ts";
import { config } from "../vrrp/support.ts";
import { Random } from "./random.ts";
import { Violation } from "./router.ts";
import { planTroubles } from "./troubles.ts";
import { World } from "./world.ts";

export interface Failure {
  readonly seed: number;
  readonly what: string;
  readonly transcript: readonly string[];
}
export interface Options {
  readonly step?: typeof realStep;
  readonly logging?: boolean;
}

/** Undefined when every invariant held. */
export function live(seed: number, { step = realStep, logging = false }: Options = {}): Failure | undefined {
  const random = new Random(seed);
  const { world, interval, longest } = makeWorld(random, step, logging);
  try {
    const healed = planTroubles(world, random, interval);
    world.run(healed);
    judge(world, healed, longest, world.weather.delayMost);
    return undefined;
  } catch (error) {
    // Anything else than a violation is one too: nothing here may throw.
    const what = error instanceof Violation ? error.message : `${(error as Error).stack}`;
    return { seed, what: `${what} at ${(world.now / 1e6).toFixed(6)} s`, transcript: world.log };
  }
}

const INTERVALS = [10_000, 100_000, 250_000, 1_000_000, 1_000_000, 3_000_000];
const KEY = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

function makeWorld(random: Random, step: typeof realStep, logging: boolean) {
  const version = random.chance(0.3) ? 2 : 3;
  const base = version === 2 ? 1_000_000 * random.between(1, 2) : random.pick(INTERVALS);
  const signed = version === 3 && random.chance(0.15);
  const links = random.chance(0.15) ? 2 : 1;
  const heartbeat = links === 1 && random.chance(0.2);
  // On the second path the addresses may be ordered the other way round.
  const reversed = random.chance(0.5);
  // v2 routers must agree on the interval (case 12).
  const mixed = version === 3 && random.chance(0.2);
  const delay = Math.max(1, Math.floor(base / random.between(20, 2_000)));
  const weather = { loss: 0, copies: 0, delayLeast: Math.ceil(delay / 2), delayMost: delay };
  const world = new World(random, weather, step, logging);
  const equal = random.chance(0.3);
  const priorities = equal ? [100] : [1, 50, 100, 101, 200, 254, 255];
  const count = random.between(2, 5);
  let owner = false;
  for (let director = 0; director < count; director++) {
    let priority = random.pick(priorities);
    // Two owners of one address are a mistake in the configuration, for tests of its own.
    if (priority === 255 && owner) priority = 150;
    owner ||= priority === 255;
    const own: MachineConfig = {
      ...config({
        version,
        priority,
        advertInterval: us(mixed ? base * random.between(1, 3) : base),
        preempt: random.chance(0.7),
        preemptDelay: us(random.chance(0.2) ? base * random.between(1, 8) : 0),
        lowerPriorityNoAdvert: random.chance(0.2),
        higherPrioritySendAdvert: random.chance(0.2),
        garpMasterDelay: us(random.pick([0, base * 2])),
        ...(signed ? { auth: hmac(base) } : {}),
      }),
      grouped: links > 1,
    };
    const clock = random.between(0, 1_000_000_000);
    world.add(
      Array.from({ length: links }, (_, link) => ({
        name: `${"abcde"[director]}${links > 1 ? link + 1 : ""}`,
        address: `192.0.${link + 2}.${10 + director}`,
        ...{ director, link, config: own, clock },
        ...(heartbeat ? { heartbeat: `198.51.100.${reversed ? 90 - director : 10 + director}` } : {}),
      })),
    );
  }
  return { world, interval: base, longest: us(mixed ? base * 3 : base) };
}

const hmac = (interval: number): MachineConfig["auth"] => ({
  type: "HMAC",
  keys: [{ id: 1, key: KEY }],
  activeKey: 1,
  antiReplay: "time",
  timeWindow: us(Math.max(3 * interval, 5_000_000)),
  mode: "enforce",
});

/** Everything is well again at `healed`: one master within the longest down interval and one advert interval. */
function judge(world: World, healed: number, longest: Microseconds, delay: number): void {
  const slowest = Math.max(
    ...world.routers.map(({ config: own }) => masterDownInterval(own, 1, longest) + longest),
  );
  const deadline = healed + slowest + 4 * delay;
  world.run(deadline);
  exactlyOne(world, delay);
  // And it stays so, over a preemption that may still come.
  world.run(deadline + slowest / 2);
  exactlyOne(world, delay);
}

function exactlyOne(world: World, delay: number): void {
  for (let link = 0; link < world.directors[0]!.routers.length; link++) {
    // A better router that takes over in this very moment: the other has not heard of it yet.
    if (world.masters(link).length > 1) world.run(world.now + 2 * delay);
    const masters = world.masters(link).map((router) => router.identity.name);
    if (masters.length !== 1)
      throw new Violation(`after healing ${masters.join(" and ") || "nobody"} is master`);
    const holders = world.holders(link).map((router) => router.identity.name);
    if (holders.join() !== masters.join())
      throw new Violation(
        `${masters.join()} is master, but ${holders.join(" and ") || "nobody"} has the VIP`,
      );
  }
}
