/** Fails in each way a guest program can; test/uml/smoke.test.ts expects every one to be seen. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { guestTest, runAll } from "./harness.ts";

guestTest("passes", () => {});
guestTest("fails by an assertion", () => assert.equal(1, 2));
guestTest("fails by a stray rejection", async () => {
  void Promise.reject(new Error("stray"));
  await sleep(10_000);
});
guestTest("fails by taking too long", () => new Promise(() => {}), 50);
guestTest("dies", () => process.exit(3));
guestTest("is never reached", () => {});

await runAll();
