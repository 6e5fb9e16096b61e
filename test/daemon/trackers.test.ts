import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { TrackFileConfig, TrackProcessConfig, TrackScriptConfig } from "../../src/config/model.ts";
import { FileTracker } from "../../src/daemon/trackers/file-tracker.ts";
import { matchesProcess, ProcessTrackers } from "../../src/daemon/trackers/process-tracker.ts";
import { ScriptTracker } from "../../src/daemon/trackers/script-tracker.ts";
import type { Tracker, TrackerUpdate } from "../../src/daemon/trackers/types.ts";
import { ms } from "../../src/units.ts";

const dir = mkdtempSync(join(tmpdir(), "vw-trackers-"));
const running: Tracker[] = [];
afterEach(() => {
  for (const tracker of running.splice(0)) tracker.stop();
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const run = <T extends Tracker>(tracker: T): T => {
  running.push(tracker);
  tracker.start();
  return tracker;
};
const noLog = () => {};

describe("script tracker (vrrp_script)", () => {
  const script = (command: string[], extra: Partial<TrackScriptConfig> = {}): TrackScriptConfig => ({
    name: "chk",
    command,
    interval: ms(50),
    timeout: ms(5_000),
    rise: 1,
    fall: 1,
    reverse: false,
    initFail: false,
    ...extra,
  });

  it("tells every result, good by exit status 0 only", async () => {
    const flag = join(dir, "flag");
    const updates: TrackerUpdate[] = [];
    run(
      new ScriptTracker(
        script(["/usr/bin/test", "-e", flag]),
        undefined,
        (update) => updates.push(update),
        noLog,
      ),
    );
    await expect.poll(() => updates.length).toBeGreaterThan(1);
    expect(updates[0]).toMatchObject({ kind: "script", name: "chk", good: false, detail: "exit status 1" });
    writeFileSync(flag, "");
    await expect.poll(() => updates.at(-1)?.good).toBe(true);
  });

  it("never runs twice at a time, however short the interval", async () => {
    const file = join(dir, "overlap");
    const body = `echo s >> ${file}; sleep 0.15; echo e >> ${file}`;
    const updates: TrackerUpdate[] = [];
    run(
      new ScriptTracker(
        script(["/bin/sh", "-c", body], { interval: ms(10) }),
        undefined,
        (update) => updates.push(update),
        noLog,
      ),
    );
    await expect.poll(() => updates.length, { timeout: 5_000 }).toBeGreaterThan(2);
    expect(readFileSync(file, "utf8")).not.toMatch(/s\ns/);
  });

  it("says once that a script cannot be run, and calls it bad", async () => {
    const said: string[] = [];
    const updates: TrackerUpdate[] = [];
    const missing = script([join(dir, "missing.sh")], { interval: ms(5) });
    run(
      new ScriptTracker(
        missing,
        undefined,
        (update) => updates.push(update),
        (_level, text) => said.push(text),
      ),
    );
    await expect.poll(() => updates.length).toBeGreaterThan(3);
    expect(updates.every((update) => !update.good)).toBe(true);
    expect(said).toEqual([expect.stringContaining("missing.sh")]);
  });
});

describe("file tracker (vrrp_track_file)", () => {
  const file = (name: string, extra: Partial<TrackFileConfig> = {}): TrackFileConfig => ({
    name,
    path: join(dir, name),
    weight: 1,
    reverse: false,
    initOverwrite: false,
    ...extra,
  });

  it("takes an absent file as 0 and follows every change", async () => {
    const values: (number | undefined)[] = [];
    const config = file("weight");
    run(new FileTracker(config, (update) => values.push(update.value), noLog));
    expect(values).toEqual([0]);
    writeFileSync(config.path, "-25\n");
    await expect.poll(() => values.at(-1), { timeout: 3_000 }).toBe(-25);
    rmSync(config.path);
    await expect.poll(() => values.at(-1), { timeout: 3_000 }).toBe(0);
  });

  it("initializes a missing file, and leaves one that is there", () => {
    const config = file("init", { initValue: 5 });
    run(new FileTracker(config, () => {}, noLog));
    expect(readFileSync(config.path, "utf8").trim()).toBe("5");
    writeFileSync(config.path, "9");
    const values: (number | undefined)[] = [];
    run(new FileTracker(config, (update) => values.push(update.value), noLog));
    expect(values[0]).toBe(9);
  });

  it("takes rubbish as 0 and says so", () => {
    const config = file("rubbish");
    writeFileSync(config.path, "many");
    const said: string[] = [];
    const values: (number | undefined)[] = [];
    run(
      new FileTracker(
        config,
        (update) => values.push(update.value),
        (_level, text) => said.push(text),
      ),
    );
    expect(values).toEqual([0]);
    expect(said[0]).toContain("does not hold an integer");
  });
});

describe("process tracker (vrrp_track_process)", () => {
  const config = (command: string[], extra: Partial<TrackProcessConfig> = {}): TrackProcessConfig => ({
    name: "proc",
    command,
    paramMatch: "exact",
    quorum: 1,
    quorumMax: 65_535,
    fullCommand: false,
    riseDelay: ms(0),
    fallDelay: ms(0),
    reverse: false,
    ...extra,
  });

  it("notices a process that starts and one that ends", async () => {
    const marker = `7${process.pid}.25`;
    const updates: TrackerUpdate[] = [];
    run(new ProcessTrackers([config(["sleep", marker])], (update) => updates.push(update)));
    expect(updates[0]).toMatchObject({ good: false });
    const child = spawn("sleep", [marker]);
    await expect.poll(() => updates.at(-1)?.good, { timeout: 4_000 }).toBe(true);
    child.kill("SIGKILL");
    await expect.poll(() => updates.at(-1)?.good, { timeout: 4_000 }).toBe(false);
  }, 15_000);

  it.each([
    ["name only", ["nginx"], "none", "nginx", ["nginx", "-g", "x"], true],
    ["path", ["/usr/sbin/nginx"], "none", "nginx", ["/usr/sbin/nginx"], true],
    ["another path", ["/usr/sbin/nginx"], "none", "nginx", ["/opt/nginx"], false],
    ["exact parameters", ["app", "-a"], "exact", "app", ["app", "-a"], true],
    ["one parameter too many", ["app", "-a"], "exact", "app", ["app", "-a", "-b"], false],
    ["initial parameters", ["app", "-a"], "initial", "app", ["app", "-a", "-b"], true],
    ["partial parameter", ["app", "--conf"], "partial", "app", ["app", "--config=x"], true],
  ] as const)("matches by %s", (_name, command, paramMatch, comm, argv, expected) => {
    expect(matchesProcess({ command, paramMatch, fullCommand: false }, comm, argv)).toBe(expected);
  });
});
