import { describe } from "vitest";
import { registerGuestTests, runGuest } from "../support/uml.ts";

/** What only a kernel of one's own can do: lossy links (netem) and a clock that is set. */
const runs = [
  ["lossy links", runGuest({ entry: "test/uml/guest/loss.ts" })],
  ["a clock set by hours", runGuest({ entry: "test/uml/guest/clock-step.ts" })],
] as const;

for (const [name, results] of runs) {
  describe(name, async () => registerGuestTests(await results));
}
