import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { assertDemoSteps } from "../support/demo.ts";
import { TestProcess } from "../support/process.ts";
import { projectRoot } from "../support/root.ts";

/** What of the demo's making this machine has: its devices and its namespaces, by their names. */
function remains(): string[] {
  const namespaces = existsSync("/run/netns") ? readdirSync("/run/netns") : [];
  const devices = readFileSync("/proc/net/dev", "utf8").match(/\S+(?=:)/g) ?? [];
  return [...devices, ...namespaces].filter((name) => /^(lan|(p|vw)-(client|lb0\d|web\d))$/.test(name));
}

it("vipward demo: each step within its bound, over this kernel's IPVS or else the userspace relay", async () => {
  const before = remains();
  const demo = new TestProcess([process.execPath, path.join(projectRoot, "dist/main.js"), "demo"]);
  const { code } = await demo.exited;
  await demo.closed;
  expect(code, demo.text).toBe(0);
  // Judged afterwards: the demo itself loads the module where it can.
  const dataplane = existsSync("/proc/net/ip_vs")
    ? /^dataplane: the kernel's IPVS \(direct routing\)$/m
    : /^dataplane: USERSPACE RELAY, because this kernel has no ip_vs \(load it with: modprobe ip_vs\)$/m;
  expect(demo.text).toMatch(dataplane);
  assertDemoSteps(demo.text);
  expect(remains()).toEqual(before);
});
