import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { build, type Plugin } from "esbuild";
import { afterAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(path.join(tmpdir(), "vw-locked-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The program lies in a temporary folder, where the package's name leads nowhere. */
const koffiByPath: Plugin = {
  name: "koffi-by-path",
  setup({ onResolve }) {
    const file = createRequire(import.meta.url).resolve("koffi");
    onResolve({ filter: /^koffi$/ }, () => ({ path: file, external: true }));
  },
};

describe("locked memory", () => {
  it("V8 lives on with the program locked: its code space grows, shrinks and is torn down (mlockall aborted it)", async () => {
    const program = path.join(folder, "churn.mjs");
    await build({
      entryPoints: [path.join(import.meta.dirname, "../support/code-space-churn.ts")],
      outfile: program,
      bundle: true,
      format: "esm",
      platform: "node",
      plugins: [koffiByPath],
    });
    // An abort (SIGTRAP) rejects, with the native stack on stderr.
    const { stdout } = await promisify(execFile)(process.execPath, [
      "--expose-gc",
      "--always-sparkplug",
      program,
    ]);
    expect(JSON.parse(stdout)).toEqual({ locked: true });
  });
});
