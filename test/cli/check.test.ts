import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { checkCommand } from "../../src/cli/check.ts";

let dir: string;
let out: string;
let err: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "vipward-check-"));
  out = "";
  err = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true });
});

const file = (text: string | Uint8Array): string => {
  const path = join(dir, "v.yaml");
  writeFileSync(path, text);
  return path;
};

describe("vipward check", () => {
  it("returns 0 and one line of counts for a good file", async () => {
    const path = file(
      "virtual_server: { 192.0.2.1 80: { delay_loop: 6, real_server: { 192.0.2.2 80: { TCP_CHECK: } } } }",
    );
    expect(await checkCommand({ config: path })).toBe(0);
    expect(err).toBe("");
    expect(out).toMatch(
      /^.*v\.yaml: ok: 0 instances, 1 service, 1 real server, 1 checker, config [0-9a-f]{12}\n$/,
    );
  });
  it("returns 1 and every problem for a bad one, without colours when not on a terminal", async () => {
    expect(await checkCommand({ config: file("zz: 1\nyy: 2\n") })).toBe(1);
    expect(out).toBe("");
    expect(err).toMatch(
      /:1:1: error: unknown key "zz"[\s\S]*:2:1: error: unknown key "yy"[\s\S]*2 errors, 0 warnings\n$/,
    );
    expect(err).not.toContain("\u001b");
  });
  it("chooses the node", async () => {
    const path = file("nodes: { a: {}, b: { zz: 1 } }");
    expect(await checkCommand({ config: path, node: "a" })).toBe(0);
    expect(await checkCommand({ config: path, node: "b" })).toBe(1);
  });
  it("says what is wrong with a file that can't be read", async () => {
    expect(await checkCommand({ config: join(dir, "none.yaml") })).toBe(1);
    expect(err).toMatch(/none\.yaml: error: no such file \(ENOENT\)/);
    expect(await checkCommand({ config: dir })).toBe(1);
    expect(err).toMatch(/is a directory, not a file/);
    expect(await checkCommand({ config: "/dev/zero" })).toBe(1);
    expect(err).toMatch(/is not a regular file/);
    expect(await checkCommand({ config: file(new Uint8Array([0xff, 0xfe, 0x41])) })).toBe(1);
    expect(err).toMatch(/not UTF-8 text/);
  });
  it.skipIf(process.getuid?.() === 0)("says so when it may not read", async () => {
    const path = file("a: 1");
    chmodSync(path, 0);
    expect(await checkCommand({ config: path })).toBe(1);
    expect(err).toMatch(/permission denied \(EACCES\)/);
  });
});
