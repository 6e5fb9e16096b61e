import { describe } from "vitest";
import { registerGuestTests, runGuest } from "../support/uml.ts";

/** Alone: its bounds are in milliseconds. */
describe("the demo in a real kernel", async () => {
  registerGuestTests(await runGuest({ entry: "test/uml/guest/demo.ts" }));
});
