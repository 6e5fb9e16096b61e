/**
 * The crash drills with full counts, VRRPv2 at 1 s adverts, backup priority 100 (the packaged keepalived):
 * each round is measured by tcpdump and `ip monitor`, and a table is printed. `npm run drills`
 *
 * VIPWARD_DRILL_ROUNDS sets another count than 20.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import {
  confOf,
  type Directors,
  largestGap,
  unixNow,
  VIP,
  vrrpPid,
  withDirectors,
  yamlOf,
} from "../support/directors.ts";
import { waitFor } from "../support/lab.ts";
import type { Vipward } from "../support/vipward.ts";

const ROUNDS = Number(process.env.VIPWARD_DRILL_ROUNDS ?? 20);
/** Pairs that work on one drill side by side: they mostly wait. */
const LANES = 4;
const HIGH = yamlOf({ priority: 150, pass: "secret12" });
const LOW = confOf({ priority: 100, pass: "secret12" });

/** Seconds. */
interface Round {
  /** From the event to the peer's first advert; undefined where the peer never took over. */
  readonly takeover: number | undefined;
  readonly twoOwners: number;
  readonly noOwner: number;
  /** Between two adverts of either side. */
  readonly gap: number;
}

type Bounds = { readonly [K in keyof Round]?: readonly [least: number, most: number] | "never" };

interface Drill {
  readonly name: string;
  readonly bounds: Bounds;
  /** Returns the daemon that is master at the end, perhaps a new one. */
  run(pair: Directors, ours: Vipward): Promise<Vipward>;
  /** How long a round is watched after the event, in ms. */
  readonly watch: number;
  /** A vrrp process may crash once in 60 s before it is held off: such drills need a fresh daemon. */
  readonly fresh: boolean;
}

/** spec/vrrp.md 4: the lease's bound on two owners at 1 s adverts. */
const LEASE_BOUND = 1.6;
const DOWN_100 = 3 + 156 / 256;
const SKEW_100 = 156 / 256;
/** Timers of a busy machine. */
const LATE = 0.5;

const DRILLS: readonly Drill[] = [
  {
    name: "kill -9 of the vrrp process",
    watch: 5000,
    fresh: true,
    bounds: { takeover: "never", twoOwners: [0, 0], noOwner: [0, 0], gap: [0.9, 1.9] },
    run: async (_, ours) => {
      process.kill(await vrrpPid(ours), "SIGKILL");
      return ours;
    },
  },
  {
    name: "SIGSTOP of the vrrp process",
    watch: 10_000,
    fresh: true,
    bounds: { takeover: "never", twoOwners: [0, LEASE_BOUND], noOwner: [0, 0], gap: [0.9, 3] },
    run: async (_, ours) => {
      process.kill(await vrrpPid(ours), "SIGSTOP");
      return ours;
    },
  },
  {
    name: "kill -9 of everything",
    watch: 6500,
    fresh: false,
    // The event lies up to one interval after the last advert.
    bounds: {
      takeover: [DOWN_100 - 1.2, DOWN_100 + LATE],
      twoOwners: [0, LEASE_BOUND],
      noOwner: [0, 0.1],
      gap: [0.9, DOWN_100 + LATE],
    },
    run: async (pair, ours) => {
      await ours.killAll();
      await sleep(6500);
      return pair.vipward("a", HIGH);
    },
  },
  {
    name: "SIGSTOP of everything for 6.5 s",
    watch: 6500,
    fresh: false,
    bounds: {
      takeover: [DOWN_100 - 1.2, DOWN_100 + LATE],
      twoOwners: [0, LEASE_BOUND],
      noOwner: [0, 0.1],
      gap: [0.9, DOWN_100 + LATE],
    },
    run: async (_, ours) => {
      const pids = [ours.pid, ...ours.children().map((child) => child.pid)];
      for (const pid of pids) process.kill(pid, "SIGSTOP");
      await sleep(6500);
      for (const pid of pids) process.kill(pid, "SIGCONT");
      return ours;
    },
  },
  {
    name: "kill -9 of the supervisor",
    watch: 3000,
    fresh: false,
    bounds: {
      takeover: [SKEW_100 - 0.02, SKEW_100 + LATE],
      twoOwners: [0, 0],
      noOwner: [0, SKEW_100 + LATE],
      gap: [0.5, 1.9],
    },
    run: async (pair, ours) => {
      process.kill(ours.pid, "SIGKILL");
      await sleep(3000);
      return pair.vipward("a", HIGH);
    },
  },
  {
    name: "clean stop",
    watch: 3000,
    fresh: false,
    bounds: {
      takeover: [SKEW_100 - 0.02, SKEW_100 + LATE],
      twoOwners: [0, 0],
      noOwner: [0, SKEW_100 + LATE],
      gap: [0.5, 1.9],
    },
    run: async (pair, ours) => {
      await ours.stop();
      await sleep(3000);
      return pair.vipward("a", HIGH);
    },
  },
];

async function masterAgain(pair: Directors, since: number): Promise<void> {
  await pair.master("a", since, 30_000);
  await waitFor(() => pair.owners.owners(VIP).join() === "a", { timeout: 20_000 });
  // Away from the transition, at any point of the interval.
  await sleep(1500 + Math.random() * 1000);
}

async function round(pair: Directors, drill: Drill, ours: Vipward): Promise<[Round, Vipward]> {
  const since = unixNow();
  const [next] = await Promise.all([drill.run(pair, ours), sleep(drill.watch)]);
  const until = since + drill.watch / 1000;
  const watched = pair.capture.adverts().filter(({ time }) => time >= since - 1.1 && time <= until);
  const first = pair.sent("b", since, until)[0];
  const measured = {
    takeover: first && first.time - since,
    twoOwners: pair.owners.twoOwners(VIP, since, until).seconds,
    noOwner: pair.owners.noOwner(VIP, since, until).seconds,
    gap: largestGap(watched),
  };
  return [measured, next];
}

async function lane(drill: Drill, count: number): Promise<Round[]> {
  const rounds: Round[] = [];
  const batch = drill.fresh ? 1 : count;
  while (rounds.length < count) {
    await withDirectors(async (pair) => {
      await pair.keepalived("b", LOW);
      let ours = await pair.vipward("a", HIGH);
      let since = 0;
      for (let i = 0; i < batch; i++) {
        await masterAgain(pair, since);
        const [measured, next] = await round(pair, drill, ours);
        rounds.push(measured);
        ours = next;
        since = unixNow();
        for (const [key, bounds] of Object.entries(drill.bounds))
          expect
            .soft(within(measured[key as keyof Round], bounds), `${key} ${measured[key as keyof Round]}`)
            .toBe(true);
      }
    })();
  }
  return rounds;
}

function within(value: number | undefined, bounds: readonly [number, number] | "never"): boolean {
  if (bounds === "never" || value === undefined) return bounds === "never" && value === undefined;
  return value >= bounds[0] && value <= bounds[1];
}

const lines: string[] = [];

function tell(name: string, rounds: readonly Round[]): void {
  const column = (key: keyof Round) => {
    const values = rounds.flatMap((measured) => measured[key] ?? []).sort((x, y) => x - y);
    if (values.length === 0) return "never".padEnd(22);
    const at = (share: number) => (values[Math.floor(share * (values.length - 1))] ?? 0).toFixed(3);
    return `${at(0)} ${at(0.5)} ${at(1)}`.padEnd(22);
  };
  const keys = ["takeover", "twoOwners", "noOwner", "gap"] as const;
  if (lines.length === 0) {
    lines.push("seconds: least, median, most");
    lines.push(["drill".padEnd(34), "rounds".padEnd(6), ...keys.map((key) => key.padEnd(22))].join("  "));
  }
  lines.push([name.padEnd(34), String(rounds.length).padEnd(6), ...keys.map(column)].join("  "));
}

afterAll(() => {
  process.stdout.write(`\n${lines.join("\n")}\n\n`);
});

describe("crash drills beside keepalived, VRRPv2, 1 s adverts, backup priority 100", () => {
  for (const drill of DRILLS) {
    it(`${drill.name}, ${ROUNDS} rounds`, async () => {
      const lanes = Math.min(LANES, ROUNDS);
      const shares = Array.from({ length: lanes }, (_, i) => Math.floor((ROUNDS + i) / lanes));
      const rounds = (await Promise.all(shares.map((count) => lane(drill, count)))).flat();
      tell(drill.name, rounds);
      expect(rounds).toHaveLength(ROUNDS);
    });
  }
});
