/**
 * One-way loss with full counts, VRRPv2 at 1 s adverts, priorities 150 and 100: from the loss until it is
 * named, and from its end until there is one owner. `npm run drills`
 *
 * VIPWARD_DRILL_ROUNDS sets another count than 10.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { print, quantile, table } from "../bench/support/report.ts";
import {
  confOf,
  type Directors,
  type Role,
  unixNow,
  VIP,
  withDirectors,
  yamlOf,
} from "../support/directors.ts";
import { waitFor } from "../support/lab.ts";
import { conflictsOf, type Loss, type LossRound, lose, type Names, oneWayRound } from "../support/one-way.ts";
import type { Vipward } from "../support/vipward.ts";

const ROUNDS = Number(process.env.VIPWARD_DRILL_ROUNDS ?? 10);
/** Pairs that work on one drill side by side: they mostly wait. */
const LANES = 3;
const SPEC = { a: { priority: 150, pass: "secret12" }, b: { priority: 100, pass: "secret12" } } as const;
const NAMED_WITHIN = 5;
const INTERVAL = 1;
/** Timers of a busy machine. */
const LATE = 0.5;

interface Drill {
  readonly name: string;
  readonly programs: Readonly<Record<Role, "vipward" | "keepalived">>;
  readonly loss: Loss;
  readonly names: Names;
}

const DRILLS: readonly Drill[] = [
  {
    name: "backup deaf to adverts",
    programs: { a: "vipward", b: "vipward" },
    loss: { deaf: "b", to: "adverts" },
    names: { a: ["two-masters"], b: ["duplicate-address"] },
  },
  {
    name: "backup receives nothing",
    programs: { a: "vipward", b: "vipward" },
    loss: { deaf: "b", to: "everything" },
    names: { a: ["two-masters"] },
  },
  {
    name: "keepalived as deaf backup",
    programs: { a: "vipward", b: "keepalived" },
    loss: { deaf: "b", to: "adverts" },
    names: { a: ["two-masters"] },
  },
  {
    name: "deaf backup of keepalived",
    programs: { a: "keepalived", b: "vipward" },
    loss: { deaf: "b", to: "adverts" },
    names: { b: ["duplicate-address"] },
  },
];

async function start(pair: Directors, { programs }: Pick<Drill, "programs">) {
  const daemons: Partial<Record<Role, Vipward>> = {};
  for (const role of ["a", "b"] as const) {
    if (programs[role] === "vipward") daemons[role] = await pair.vipward(role, yamlOf(SPEC[role]));
    else await pair.keepalived(role, confOf(SPEC[role]));
  }
  await pair.master("a");
  await waitFor(() => pair.owners.owners(VIP).join() === "a");
  return daemons;
}

async function lane(drill: Drill, count: number): Promise<LossRound[]> {
  const rounds: LossRound[] = [];
  await withDirectors(async (pair) => {
    const daemons = await start(pair, drill);
    for (let n = 0; n < count; n++) {
      // At any point of the interval.
      await sleep(1500 + Math.random() * 1000);
      const hold = { hold: Math.random() * 1000 };
      rounds.push(await oneWayRound(pair, drill.loss, daemons, drill.names, hold));
    }
  })();
  return rounds;
}

const rows: string[][] = [];

function tell(name: string, rounds: readonly LossRound[]): void {
  const column = (pick: (round: LossRound) => number) => {
    const values = rounds.map(pick);
    return [0, 0.5, 1].map((q) => quantile(values, q).toFixed(2)).join(" ");
  };
  rows.push([
    name,
    String(rounds.length),
    column((round) => round.secondMaster),
    column((round) => Math.max(...round.named)),
    column((round) => round.healed),
    column((round) => round.withdrawn),
  ]);
}

afterAll(() => {
  const header = [
    "drill",
    "rounds",
    "second master after",
    "named after",
    "healed within",
    "withdrawn after",
  ];
  print(table("one-way loss, seconds: least, median, most", header, rows));
});

describe("one-way loss", () => {
  for (const drill of DRILLS) {
    it(`${drill.name}, ${ROUNDS} rounds`, async () => {
      const lanes = Math.min(LANES, ROUNDS);
      const shares = Array.from({ length: lanes }, (_, i) => Math.floor((ROUNDS + i) / lanes));
      const rounds = (await Promise.all(shares.map((count) => lane(drill, count)))).flat();
      tell(drill.name, rounds);
      expect(rounds).toHaveLength(ROUNDS);
      for (const { named, healed } of rounds) {
        for (const time of named) expect.soft(time).toBeLessThan(NAMED_WITHIN + LATE);
        expect.soft(healed).toBeLessThan(INTERVAL + LATE);
      }
    });
  }

  it(
    "a deaf master: nothing changes and nothing is named for 30 s",
    withDirectors(async (pair) => {
      const daemons = await start(pair, { programs: { a: "vipward", b: "vipward" } });
      await sleep(1500);
      for (const to of ["adverts", "everything"] as const) {
        const since = unixNow();
        const mend = await lose(pair, { deaf: "a", to });
        await sleep(15_000);
        await mend();
        expect(pair.sent("b", since)).toEqual([]);
        expect(pair.owners.holdings(VIP).filter(({ role, from }) => role === "b" && from > since)).toEqual(
          [],
        );
        for (const daemon of Object.values(daemons)) expect(await conflictsOf(daemon)).toEqual([]);
      }
    }),
  );
});
