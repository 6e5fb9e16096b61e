import assert from "node:assert/strict";
import path from "node:path";
import { assertDemoSteps } from "../../support/demo.ts";
import { TestProcess } from "../../support/process.ts";
import { projectRoot } from "../../support/root.ts";
import { guestTest, runAll, sh } from "./harness.ts";

guestTest(
  "vipward demo: each step within its bound, over the kernel's IPVS; nothing is left behind",
  async () => {
    const before = [sh("ip", "-o", "link"), sh("ip", "netns")];
    const demo = new TestProcess([process.execPath, path.join(projectRoot, "dist/main.js"), "demo"]);
    const { code } = await demo.exited;
    await demo.closed;
    assert.equal(code, 0, demo.text);
    assert.match(demo.text, /^dataplane: the kernel's IPVS \(direct routing\)$/m);
    assertDemoSteps(demo.text);
    assert.deepEqual([sh("ip", "-o", "link"), sh("ip", "netns")], before);
  },
  240_000,
);

await runAll();
