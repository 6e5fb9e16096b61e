/**
 * Bundles the daemon into dist/: `node deploy/build.mjs`.
 *
 *   src/main.ts + the process entry points --esbuild--> dist/*.js (+ .map), shared code in dist/chunks/
 *
 * koffi stays outside the bundle: it loads a prebuilt binary that lies beside it in node_modules.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const MAIN = "src/main.ts";
/** Each runs as a process or worker of its own, so each is a file of its own in dist/. */
const PROCESSES = ["src/daemon/vrrp-process.ts", "src/daemon/lvs-process.ts", "src/daemon/config-worker.ts"];
const EXTERNAL = ["koffi"];
const SHEBANG = "#!/usr/bin/env node\n";

// CommonJS dependencies inside an ESM bundle still call require() and use __dirname.
const BANNER = [
  `import { createRequire as __vipwardCreateRequire } from "node:module";`,
  `import { fileURLToPath as __vipwardToPath } from "node:url";`,
  `var require = __vipwardCreateRequire(import.meta.url);`,
  `var __filename = __vipwardToPath(import.meta.url);`,
  `var __dirname = __vipwardToPath(new URL(".", import.meta.url));`,
].join("\n");

/**
 * Builds dist/ and returns what was written.
 * @param {{ log?: (line: string) => void }} options
 * @returns {Promise<{ entries: string[], missing: string[], bytes: number, milliseconds: number }>}
 * @throws when src/main.ts is missing, koffi has no binary for this platform, or esbuild finds an error
 */
export async function build({ log = () => {} } = {}) {
  const started = performance.now();
  if (!existsSync(path.join(root, MAIN))) throw new Error(`${MAIN} is missing: there is nothing to build`);
  checkExternals();
  const missing = PROCESSES.filter((file) => !existsSync(path.join(root, file)));
  for (const file of missing) log(`build: ${file} does not exist, left out`);
  const entries = [MAIN, ...PROCESSES.filter((file) => !missing.includes(file))];
  const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  const { build: esbuild } = await import("esbuild");
  const result = await esbuild({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(entries.map((file) => [path.basename(file, ".ts"), file])),
    outdir: "dist",
    chunkNames: "chunks/[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    external: EXTERNAL,
    define: { __VIPWARD_VERSION__: JSON.stringify(version) },
    sourcemap: "linked",
    banner: { js: BANNER },
    legalComments: "none",
    logLevel: "warning",
    write: false,
  });
  const bytes = writeOutputs(result.outputFiles);
  const milliseconds = Math.round(performance.now() - started);
  log(`build: ${entries.length} entry points, ${Math.round(bytes / 1024)} KiB in dist/, ${milliseconds} ms`);
  return { entries, missing, bytes, milliseconds };
}

function checkExternals() {
  const require = createRequire(path.join(root, "package.json"));
  try {
    for (const name of EXTERNAL) require(name);
  } catch (error) {
    throw new Error(
      `koffi (the C library binding) does not load on ${process.platform}-${process.arch}: ${error.message}\n` +
        `  its binary comes with the optional package @koromix/koffi-${process.platform}-${process.arch}: run npm ci`,
    );
  }
}

/**
 * Every file is replaced by a rename and stale ones go last, so that a daemon started from dist/ while a
 * build runs finds either the old bundle or the new one.
 */
function writeOutputs(files) {
  const dist = path.join(root, "dist");
  const mainJs = path.join(dist, "main.js");
  const written = new Set();
  let bytes = 0;
  // Chunks before the entry points that name them.
  const chunksFirst = files.toSorted((a, b) => b.path.split("/").length - a.path.split("/").length);
  for (const file of chunksFirst) {
    let text = file.text;
    if (file.path === mainJs && !text.startsWith("#!")) text = SHEBANG + text;
    // The added first line moves every mapping down by one; ";" is an empty line in a source map.
    if (file.path === `${mainJs}.map` && !mainHasShebang(files, mainJs)) {
      const map = JSON.parse(text);
      text = JSON.stringify({ ...map, mappings: `;${map.mappings}` });
    }
    mkdirSync(path.dirname(file.path), { recursive: true });
    const temporary = `${file.path}.${process.pid}.tmp`;
    writeFileSync(temporary, text);
    if (file.path === mainJs) chmodSync(temporary, 0o755);
    renameSync(temporary, file.path);
    written.add(file.path);
    if (file.path.endsWith(".js")) bytes += file.contents.length;
  }
  for (const name of readdirSync(dist, { recursive: true })) {
    const old = path.join(dist, String(name));
    if (/\.(js|map)$/.test(old) && !written.has(old)) rmSync(old);
  }
  return bytes;
}

function mainHasShebang(files, mainJs) {
  return files.some((file) => file.path === mainJs && file.text.startsWith("#!"));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    await build({ log: console.log });
  } catch (error) {
    // esbuild has already printed its own diagnostics; the first line says how many.
    console.error(`build failed: ${error.message}`);
    process.exit(1);
  }
}
