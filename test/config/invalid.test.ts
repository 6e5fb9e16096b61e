import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { formatProblems, parseConfig } from "../../src/config/load.ts";

/** Each invalid/NAME.yaml has its exact output beside it in NAME.txt (vitest -u rewrites them). */
const dir = new URL("./invalid/", import.meta.url);
const names = readdirSync(dir).flatMap((name) => (name.endsWith(".yaml") ? [name.slice(0, -5)] : []));

describe("every problem of a file, at its place", () => {
  it.each(names)("%s", async (name) => {
    const text = readFileSync(new URL(`${name}.yaml`, dir), "utf8");
    const result = parseConfig(text, `${name}.yaml`, { hostname: "lb01", env: {} });
    const output = formatProblems(result.problems, { color: false });
    expect(output).not.toContain("hunter2");
    expect(output).not.toBe("");
    await expect(`${result.ok ? "ok" : "refused"}\n${output}`).toMatchFileSnapshot(
      new URL(`${name}.txt`, dir).pathname,
    );
  });
});
