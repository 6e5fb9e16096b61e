/** Bundles one program of this folder and runs it on plain node: `node test/sim/runner.mjs sim --seeds 1000`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as setup from "../../deploy/setup.mjs";

const [name = "", ...rest] = process.argv.slice(2);
if (!["sim", "fuzz"].includes(name)) {
  console.error("usage: node test/sim/runner.mjs sim|fuzz [options]");
  process.exit(2);
}
setup.ensureNodeVersion();
await setup.ensureDependencies();
const { build } = await import("esbuild");
const folder = mkdtempSync(path.join(tmpdir(), "vipward-sim-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const outfile = path.join(folder, `${name}.mjs`);
const entry = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
await build({
  entryPoints: [entry],
  outfile,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
});
process.argv.splice(2, process.argv.length - 2, ...rest);
await import(pathToFileURL(outfile).href);
