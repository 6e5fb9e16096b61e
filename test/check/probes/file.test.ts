import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CheckEngine } from "../../../src/check/probes/engine.ts";
import { probeFile } from "../../../src/check/probes/file.ts";
import type { CheckWeight } from "../../../src/check/types.ts";
import { ms } from "../../../src/units.ts";
import { fileConfig } from "../support.ts";
import { onCleanup, openDescriptors, until } from "./servers.ts";

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "file-check-"));
  onCleanup(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
function file(text: string): string {
  const path = join(folder(), "value");
  writeFileSync(path, text);
  return path;
}

describe("FILE_CHECK, keepalived.conf(5)", () => {
  it.each([
    ["0\n", { weight: 0 }, { ok: true }],
    ["1\n", { weight: 0 }, { ok: false, reason: "file-value" }],
    ["-5", { weight: 0 }, { ok: false, reason: "file-value" }],
    ["0", { weight: 0, reverse: true }, { ok: false, reason: "file-value" }],
    ["1", { weight: 0, reverse: true }, { ok: true }],
    ["5", {}, { ok: true, detail: "5" }],
    ["5", { dynamic: true }, { ok: true, weight: { add: 5 } }],
    ["5", { dynamic: true, weight: -3 }, { ok: true, weight: { add: -15 }, detail: "5, times -3 is -15" }],
    ["-65535", { dynamic: true }, { ok: true, weight: { add: -65_535 } }],
    ["-65536", { dynamic: true }, { ok: false, reason: "file-value" }],
    ["65536", { weight: -1 }, { ok: false, reason: "file-value" }],
    ["", { dynamic: true }, { ok: true, weight: { add: 0 } }],
    ["rubbish", { weight: 0 }, { ok: true }],
    ["12 monkeys", { dynamic: true }, { ok: true, weight: { add: 0 } }],
    ["9".repeat(100), { dynamic: true }, { ok: true, weight: { add: 0 } }],
  ])("%j with %j", (text, over, wanted) => {
    const result = probeFile(fileConfig({ path: file(text), ...over }));
    expect(result).toMatchObject(wanted);
    expect("weight" in result).toBe("weight" in wanted);
  });

  it("no file is 0, as keepalived takes it", () => {
    expect(probeFile(fileConfig())).toMatchObject({ ok: true, detail: "no file, 0" });
  });

  it("a FIFO does not block, an endless device does not fill the memory", () => {
    const fifo = join(folder(), "fifo");
    execFileSync("mkfifo", [fifo]);
    expect(probeFile(fileConfig({ path: fifo }))).toMatchObject({ detail: "no file, 0" });
    expect(probeFile(fileConfig({ path: "/dev/zero" }))).toMatchObject({ detail: "no file, 0" });
  });
});

describe("FILE_CHECK in the engine: the file is watched", () => {
  async function watching(path: string): Promise<{ weights: CheckWeight[]; engine: CheckEngine }> {
    const weights: CheckWeight[] = [];
    const engine = new CheckEngine({
      onVerdict: () => undefined,
      onWeight: ({ weight }) => weights.push(weight),
    });
    onCleanup(() => engine.stop());
    // A delay_loop that no test would wait for: what is seen is seen because it changed.
    engine.apply([fileConfig({ path, dynamic: true, warmup: ms(0), delayLoop: ms(3_600_000) })]);
    await until(() => weights.length === 1);
    return { weights, engine };
  }

  it("written in place, and replaced by a rename", async () => {
    const path = file("1");
    const { weights, engine } = await watching(path);
    writeFileSync(path, "22");
    await until(() => weights.length === 2);
    writeFileSync(`${path}.new`, "333");
    renameSync(`${path}.new`, path);
    await until(() => weights.length === 3);
    expect(weights).toEqual([{ add: 1 }, { add: 22 }, { add: 333 }]);
    const id = fileConfig().id;
    expect(engine.weight(id)).toEqual({ add: 333 });
    expect(engine.snapshots()[0]?.weight).toEqual({ add: 333 });
  });

  it("a folder that comes later", async () => {
    const dir = join(folder(), "later");
    const path = join(dir, "value");
    const { weights } = await watching(path);
    expect(weights).toEqual([{ add: 0 }]);
    mkdirSync(dir);
    writeFileSync(path, "7");
    await until(() => weights.length === 2);
    expect(weights[1]).toEqual({ add: 7 });
  });

  it("a checker that is gone is not watched any more", async () => {
    const path = file("1");
    const before = openDescriptors();
    const { engine } = await watching(path);
    engine.apply([]);
    await until(() => openDescriptors() <= before + 1);
  });
});
