import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { probeMisc } from "../../../src/check/probes/misc.ts";
import type { MiscCheckConfig } from "../../../src/config/model.ts";
import { ms } from "../../../src/units.ts";
import { miscConfig } from "../support.ts";
import { onCleanup, until } from "./servers.ts";

const NO_POLICY = { security: false };
const root = process.getuid?.() === 0;

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "misc-check-"));
  onCleanup(() => rmSync(dir, { recursive: true }));
  chmodSync(dir, 0o755);
  return dir;
}
const sh = (script: string, over: Partial<MiscCheckConfig> = {}): MiscCheckConfig =>
  miscConfig({ argv: ["/bin/sh", "-c", script], ...over });

describe("MISC_CHECK, keepalived.conf(5)", () => {
  it.each([
    [0, false, { ok: true, detail: "exit status 0" }],
    [1, false, { ok: false, reason: "exit-status", detail: "exit status 1" }],
    [2, false, { ok: false, reason: "exit-status" }],
    [0, true, { ok: true }],
    [1, true, { ok: false, reason: "exit-status" }],
    [2, true, { ok: true, weight: { set: 0 } }],
    [10, true, { ok: true, weight: { set: 8 } }],
    [255, true, { ok: true, weight: { set: 253 } }],
  ])("exit status %i, misc_dynamic %s", async (status, dynamic, wanted) => {
    const result = await probeMisc(sh(`exit ${status}`, { dynamic }), NO_POLICY);
    expect(result).toMatchObject(wanted);
    expect("weight" in result).toBe("weight" in wanted);
  });

  it("argv reaches the program as it is: no shell", async () => {
    const dir = folder();
    const script = join(dir, "args");
    writeFileSync(script, `#!/bin/sh\nprintf '%s|' "$@" > ${dir}/seen\n`, { mode: 0o755 });
    const argv = [script, "$HOME", "a b", "; touch x", "`id`"];
    expect(await probeMisc(miscConfig({ argv }), NO_POLICY)).toMatchObject({ ok: true });
    expect(readFileSync(join(dir, "seen"), "utf8")).toBe("$HOME|a b|; touch x|`id`|");
  });

  it("a signal", async () => {
    expect(await probeMisc(sh("kill -SEGV $$"), NO_POLICY)).toMatchObject({
      ok: false,
      reason: "killed-by-signal",
      detail: "killed by SIGSEGV",
    });
  });

  it("misc_timeout ends the whole group: TERM for what heeds it", async () => {
    const dir = folder();
    const script = `trap 'echo > ${dir}/termed; exit 0' TERM; sleep 60 & echo $! > ${dir}/child; wait`;
    const result = await probeMisc(sh(script, { timeout: ms(150) }), NO_POLICY);
    expect(result).toMatchObject({
      ok: false,
      reason: "timeout-script",
      detail: "not finished within 150 ms",
    });
    expect(existsSync(join(dir, "termed"))).toBe(true);
    await until(() => !running(Number(readFileSync(join(dir, "child"), "utf8"))));
  });

  it("KILL after 2 s for what does not", async () => {
    const result = await probeMisc(sh("trap '' TERM; sleep 60", { timeout: ms(100) }), NO_POLICY);
    expect(result).toMatchObject({ ok: false, reason: "timeout-script" });
    expect(result.duration).toBeGreaterThan(2_000);
  });

  it("a program that is not there is our trouble, not the server's", async () => {
    expect(await probeMisc(miscConfig({ argv: ["/nonexistent/check"] }), NO_POLICY)).toMatchObject({
      ok: false,
      reason: "local-error",
      detail: expect.stringContaining("/nonexistent/check"),
    });
  });

  it("an abort ends the program", async () => {
    const dir = folder();
    const controller = new AbortController();
    const probe = probeMisc(sh(`echo > ${dir}/started; exec sleep 60`), NO_POLICY, controller.signal);
    await until(() => existsSync(join(dir, "started")));
    controller.abort();
    expect(await probe).toMatchObject({ ok: false, detail: "probe cancelled" });
  });
});

describe.skipIf(!root)("MISC_CHECK as another user", () => {
  const id = (file: string): string => readFileSync(file, "utf8").trim();

  it("user of the checker, else script_user, else our own", async () => {
    const dir = folder();
    chmodSync(dir, 0o777);
    const script = (name: string) => `id -un > ${dir}/${name}`;
    await probeMisc(sh(script("own"), { user: "nobody" }), { security: false, user: "daemon" });
    await probeMisc(sh(script("policy")), { security: false, user: "daemon" });
    await probeMisc(sh(script("none")), NO_POLICY);
    expect(["own", "policy", "none"].map((name) => id(join(dir, name)))).toEqual([
      "nobody",
      "daemon",
      "root",
    ]);
  });

  it("a user who does not exist", async () => {
    expect(await probeMisc(sh("true", { user: "no-such-user" }), NO_POLICY)).toMatchObject({
      ok: false,
      reason: "local-error",
      detail: expect.stringContaining("no-such-user"),
    });
  });

  it("enable_script_security: what others can write is not run as root, but as others it is", async () => {
    const dir = folder();
    const script = join(dir, "check");
    writeFileSync(script, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
    chmodSync(script, 0o777);
    const cfg = miscConfig({ argv: [script] });
    expect(await probeMisc(cfg, { security: true })).toMatchObject({
      ok: false,
      reason: "local-error",
      detail: expect.stringContaining("can be written by others"),
    });
    expect(await probeMisc(cfg, { security: true, user: "nobody" })).toMatchObject({ ok: true });
  });
});

function running(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[2] !== "Z";
  } catch {
    return false;
  }
}
