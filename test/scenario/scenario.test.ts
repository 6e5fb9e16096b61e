/** Every *.txt here is run and compared; UPDATE_SCENARIOS=1 rewrites what has changed, for a human to read. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { joinScenario, runScript, splitScenario } from "./transcript.ts";

const folder = new URL("./", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".txt"));
const update = process.env.UPDATE_SCENARIOS === "1";

describe("scenarios: RFC 5798 6.4 between routers", () => {
  it("are all here", () => {
    expect(files.length).toBeGreaterThanOrEqual(12);
  });
  it.each(files)("%s", (name) => {
    const file = new URL(name, folder);
    const { script, expected } = splitScenario(readFileSync(file, "utf8"));
    const actual = runScript(script);
    if (update && actual !== expected) writeFileSync(file, joinScenario({ script, expected: actual }));
    else expect(actual).toBe(expected);
  });
});

describe("the scenario language", () => {
  it("says which line it does not understand", () => {
    expect(() => runScript("router a 192.0.2.11\n0 strat a")).toThrow(
      'unknown command "strat"; known: start',
    );
    expect(() => runScript("0 start a")).toThrow('no router named "a"');
    expect(() => runScript("router a 192.0.2.11 prio=1")).toThrow('unknown router option "prio=1"');
    expect(() => runScript("router a 192.0.2.11\nsoon start a")).toThrow('"soon" is not a time');
  });
});
