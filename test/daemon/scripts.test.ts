import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { runScript } from "../../src/daemon/scripts/run-script.ts";
import { scriptProblem } from "../../src/daemon/scripts/security.ts";
import { resolveUser } from "../../src/daemon/scripts/users.ts";

const dir = mkdtempSync(join(tmpdir(), "vw-scripts-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const alive = (pid: number): boolean => {
  try {
    // A zombie still has a pid; its state says it is over.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
};

describe("runScript", () => {
  it("gives the exit status of the argv it was given", async () => {
    expect(await runScript({ argv: ["/bin/sh", "-c", "exit 7"] })).toEqual({ kind: "exit", status: 7 });
  });

  it("passes words as they are: no shell sees them", async () => {
    const marker = join(dir, "marker");
    await runScript({ argv: ["/bin/echo", `; touch ${marker} $(touch ${marker})`] });
    expect(existsSync(marker)).toBe(false);
  });

  it("tells of a command that cannot be started", async () => {
    const result = await runScript({ argv: [join(dir, "nothing-here")] });
    expect(result).toMatchObject({ kind: "failed", message: expect.stringContaining("nothing-here") });
  });

  it("hands on no secrets from the daemon's environment", async () => {
    process.env.VW_TEST_SECRET = "hush";
    const out = join(dir, "env");
    await runScript({ argv: ["/bin/sh", "-c", `env > ${out}`] });
    delete process.env.VW_TEST_SECRET;
    expect(readFileSync(out, "utf8")).not.toContain("hush");
  });

  it("ends the whole process group on timeout", async () => {
    const pidFile = join(dir, "pid");
    const result = await runScript({
      argv: ["/bin/sh", "-c", `sleep 60 & echo $! > ${pidFile}; wait`],
      timeout: 200,
    });
    expect(result).toEqual({ kind: "timeout" });
    const pid = Number(readFileSync(pidFile, "utf8"));
    await expect.poll(() => alive(pid), { timeout: 5_000 }).toBe(false);
  });

  it("kills what ignores SIGTERM", async () => {
    const argv = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"];
    expect(await runScript({ argv, timeout: 100 })).toEqual({ kind: "timeout" });
  }, 10_000);
});

describe("scriptProblem (keepalived enable_script_security)", () => {
  // Everything above the file must belong to root too, which only root's own folders do.
  it.skipIf(process.geteuid?.() !== 0)("accepts a script that only root can change", () => {
    expect(scriptProblem("/bin/true")).toBeUndefined();
  });

  it("names the path that others can write", () => {
    const loose = join(dir, "loose");
    mkdirSync(loose);
    chmodSync(loose, 0o777);
    const script = join(loose, "check.sh");
    writeFileSync(script, "#!/bin/sh\n", { mode: 0o755 });
    expect(scriptProblem(script)).toContain(`${loose} can be written by others`);
  });

  it("follows links, and judges what they lead to", () => {
    const target = join(dir, "target.sh");
    writeFileSync(target, "#!/bin/sh\n");
    chmodSync(target, 0o766);
    const link = join(dir, "link.sh");
    symlinkSync(target, link);
    expect(scriptProblem(link)).toContain(target);
  });

  it.each([
    ["relative/path", "not an absolute path"],
    ["/nonexistent/script", "does not exist"],
  ])("refuses %s", (path, why) => {
    expect(scriptProblem(path)).toContain(why);
  });
});

describe("resolveUser", () => {
  it("finds a user with its own group, and another group by name", () => {
    expect(resolveUser("root")).toEqual({ uid: 0, gid: 0 });
    expect(resolveUser("root", "daemon").gid).toBeGreaterThan(0);
  });
  it("names what it does not know", () => {
    expect(() => resolveUser("nobody-by-this-name")).toThrow("nobody-by-this-name");
    expect(() => resolveUser("root", "no-such-group")).toThrow("no-such-group");
  });
});
