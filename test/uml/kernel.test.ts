import { describe } from "vitest";
import { registerGuestTests, runGuest } from "../support/uml.ts";

/** Most of a guest's time is waiting for timers: two of them together take little longer than one. */
const runs = [
  ["the pair of the documents in a real kernel", runGuest({ entry: "test/uml/guest/pair.ts" })],
  ["one director in a real kernel", runGuest({ entry: "test/uml/guest/director.ts" })],
] as const;

for (const [name, results] of runs) {
  describe(name, async () => registerGuestTests(await results));
}
