import { describe, expect, it } from "vitest";
import { registerGuestTests, runGuest } from "../support/uml.ts";

describe("a real kernel with IPVS", async () => {
  registerGuestTests(await runGuest({ entry: "test/uml/guest/smoke.ts" }));
});

describe("the guest harness", () => {
  it("reports each way to fail, and what a dead guest never ran", async () => {
    const results = await runGuest({ entry: "test/uml/guest/failing.ts" });
    const byName = Object.fromEntries(results.map((result) => [result.name, result]));
    expect(results).toHaveLength(6);
    expect(byName.passes).toMatchObject({ ok: true });
    expect(byName["fails by an assertion"]?.error).toMatch(/1 !== 2[\s\S]*guest\/failing\.ts:7/);
    expect(byName["fails by a stray rejection"]?.error).toContain("stray");
    expect(byName["fails by taking too long"]?.error).toContain("not done within 50 ms");
    expect(byName.dies?.error).toMatch(/the guest ended early[\s\S]*exit 3/);
    expect(byName["is never reached"]).toMatchObject({ ok: false });
  });

  it("ends a guest that hangs, and says so", async () => {
    const results = await runGuest({ entry: "test/uml/guest/hanging.ts", timeoutMs: 8000 });
    // On a slow machine the limit comes before the guest has named its tests.
    expect(results).toHaveLength(1);
    expect(results[0]).toMatchObject({ ok: false });
    expect(results[0]?.error).toContain("did not end within 8000 ms");
  });
});
