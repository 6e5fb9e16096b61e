/** `vipward ipvs` beside ipvsadm with the full count: every option with every command, 3,000 command lines, 20 starts. */
import { describe } from "vitest";
import { registerGuestTests, runGuest } from "../support/uml.ts";

const env = {
  VIPWARD_IPVS_COUNT: process.env.VIPWARD_IPVS_COUNT ?? "3000",
  VIPWARD_IPVS_SPAWNS: "20",
  VIPWARD_IPVS_SEED: process.env.VIPWARD_IPVS_SEED ?? "20240229",
};

describe("vipward ipvs beside ipvsadm 1.31 in a real kernel, full count", async () => {
  registerGuestTests(await runGuest({ entry: "test/uml/guest/ipvsadm.ts", timeoutMs: 3_600_000, env }));
});
