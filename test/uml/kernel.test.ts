import { describe } from "vitest";
import { registerGuestTests, runGuest } from "../support/uml.ts";

describe("the pair of the documents in a real kernel", async () => {
  registerGuestTests(await runGuest({ entry: "test/uml/guest/pair.ts" }));
});
