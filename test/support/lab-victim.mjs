/** A test to be killed: makes a lab with a process in it, says so, and waits (see test/netns/lab.test.ts). */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

// Node 20 does not run TypeScript by itself.
const folder = mkdtempSync(path.join(tmpdir(), "vw-victim-"));
const outfile = path.join(folder, "lab.mjs");
await build({
  entryPoints: [path.join(import.meta.dirname, "lab.ts")],
  outfile,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  define: { "import.meta.dirname": JSON.stringify(import.meta.dirname) },
});
const { Lab } = await import(pathToFileURL(outfile).href);
rmSync(folder, { recursive: true });

const lab = new Lab();
const lan = await lab.lan();
const node = await lab.node("a", [{ lan }]);
const sleeper = lab.spawn(node, ["setsid", "sleep", "1000"]);
console.log(`ready ${lab.id} ${lab.dir} ${sleeper.pid}`);
setInterval(() => {}, 1000);
