import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import { projectRoot } from "./root.ts";

const require = createRequire(import.meta.url);

/** The bundle lies in a temporary folder: what is found beside a source file must be found from there too. */
const keepPlaces: Plugin = {
  name: "keep-places",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^koffi$/ }, () => ({
      // Its ESM entry: the absolute path replaces the package name, which /tmp could not resolve.
      path: path.join(path.dirname(require.resolve("koffi")), "index.js"),
      external: true,
    }));
    onLoad({ filter: /\/(src|test)\/.*\.ts$/ }, ({ path: file }) => ({
      loader: "ts",
      contents: readFileSync(file, "utf8")
        .replaceAll("import.meta.dirname", JSON.stringify(path.dirname(file)))
        .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(file).href)),
    }));
  },
};

/** Bundles a TypeScript program of the tests, so that plain node runs it. Paths are from the project's root. */
export async function bundleProgram(entry: string, outfile: string): Promise<void> {
  await build({
    absWorkingDir: projectRoot,
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: "inline",
    logLevel: "silent",
    plugins: [keepPlaces],
    banner: {
      js: `import { createRequire as __createRequire } from "node:module";\nvar require = __createRequire(${JSON.stringify(import.meta.url)});`,
    },
  });
}
