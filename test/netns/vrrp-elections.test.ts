/** Random elections of mixed make end as with keepalived alone; `npm run drills` holds 20. */
import { describe, expect, it } from "vitest";
import { describeElection, holdElection, planElection } from "../support/elections.ts";

/** Chosen for what they have in them: two and three nodes, both makes first, nopreempt, equal priorities. */
const SEEDS = [2, 3, 5, 7, 10, 13];

describe.concurrent("elections", () => {
  for (const election of SEEDS.map((seed) => planElection(seed))) {
    it(`${election.seed}, ${describeElection(election)}: the owners keepalived alone would give`, async () => {
      const [mixed, alone] = await Promise.all([holdElection(election), holdElection(election, true)]);
      expect(mixed).toEqual(alone);
    });
  }
});
