import { describe } from "vitest";
import { registerGuestTests, runGuest } from "../support/uml.ts";

/** A reduced count; the full one is test/drills/ipvsadm.ts. */
describe("vipward ipvs beside ipvsadm 1.31 in a real kernel", async () => {
  registerGuestTests(await runGuest({ entry: "test/uml/guest/ipvsadm.ts" }));
});
