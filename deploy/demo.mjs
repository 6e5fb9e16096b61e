/** `npm run demo`: set-up, then `vipward demo` with the same arguments, signals and exit status. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import path from "node:path";
import * as setup from "./setup.mjs";

setup.ensureNodeVersion();
try {
  await setup.ensureDependencies();
  await setup.ensureBuild();
  const { missing } = await setup.ensureSystemPackages(["iproute2", "kmod", "mount", "procps", "util-linux"]);
  if (missing.length > 0) {
    const names = missing.map(({ name }) => name).join(" ");
    const lines = missing.map(({ name, command, why }) => `  ${command} (package ${name}): ${why}`);
    throw new setup.SetupError(
      `the demo needs:\n${lines.join("\n")}\n  on Debian or Ubuntu: apt-get install ${names}`,
    );
  }
} catch (error) {
  process.stderr.write(`${error instanceof setup.SetupError ? error.message : error.stack}\n`);
  process.exit(1);
}

const main = path.join(setup.root, "dist", "main.js");
const child = spawn(process.execPath, [main, "demo", ...process.argv.slice(2)], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    // A terminal's Ctrl-C has reached the child already.
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });
}
child.once("error", (error) => {
  process.stderr.write(`the demo does not start: ${error.message}\n`);
  process.exit(1);
});
child.once("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
