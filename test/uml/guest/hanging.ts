/** Blocks the guest's only thread, so that not even its own time limit helps (see test/uml/smoke.test.ts). */
import { guestTest, runAll } from "./harness.ts";

guestTest("hangs for ever", () => {
  for (;;);
});

await runAll();
