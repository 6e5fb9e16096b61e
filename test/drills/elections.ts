/**
 * 20 random elections, VRRPv2 and v3, of mixed make: each must end, step by step, with the owners keepalived
 * alone gives. VIPWARD_DRILL_ROUNDS sets another count, VIPWARD_DRILL_SEED where they begin.
 */
import { expect, it } from "vitest";
import { describeElection, holdElection, planElection } from "../support/elections.ts";

const ROUNDS = Number(process.env.VIPWARD_DRILL_ROUNDS ?? 20);
const FIRST_SEED = Number(process.env.VIPWARD_DRILL_SEED ?? 1);

for (let seed = FIRST_SEED; seed < FIRST_SEED + ROUNDS; seed++) {
  const election = planElection(seed, [2, 3, 3]);
  it.concurrent(`${seed}, ${describeElection(election)}`, async () => {
    const [mixed, alone] = await Promise.all([holdElection(election), holdElection(election, true)]);
    process.stdout.write(
      `${seed} ${describeElection(election)}: ${mixed.join(" ")} (keepalived: ${alone.join(" ")})\n`,
    );
    expect(mixed).toEqual(alone);
  });
}
