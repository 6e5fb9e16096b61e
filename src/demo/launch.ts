/**
 * Puts the demo into namespaces of its own (network, mount, pid; without root a user namespace too) with a
 * private /run, so that everything it makes vanishes with its processes, however they end.
 */
import { spawn, spawnSync } from "node:child_process";

export interface LaunchOptions {
  readonly dataplane: string;
  /** dist/, where main.js is. */
  readonly entries: URL;
}

/** Resolves with the demo's exit status. */
export async function launch(options: LaunchOptions): Promise<number> {
  const missing = [
    ["ip", "iproute2"],
    ["unshare", "util-linux"],
    ["mount", "mount"],
  ].filter(([command]) => spawnSync("sh", ["-c", `command -v ${command}`]).status !== 0);
  if (missing.length > 0) {
    process.stderr.write(
      `vipward demo: ${missing.map(([command, pkg]) => `"${command}" (package ${pkg})`).join(" and ")} not found; install with apt-get install ${missing.map(([, pkg]) => pkg).join(" ")}\n`,
    );
    return 1;
  }
  const root = process.geteuid?.() === 0;
  const userNamespace = root ? [] : ["--user", "--map-root-user"];
  if (!root && spawnSync("unshare", [...userNamespace, "--net", "true"]).status !== 0) {
    process.stderr.write(
      "vipward demo: this system lets only root make network namespaces; run it as root " +
        "(or allow unprivileged user namespaces: sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)\n",
    );
    return 1;
  }
  const main = new URL("main.js", options.entries).pathname;
  const isolated = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--net", "--uts"];
  const child = spawn(
    "unshare",
    [
      ...userNamespace,
      ...isolated,
      process.execPath,
      main,
      "demo",
      "--inside",
      "--dataplane",
      options.dataplane,
    ],
    { stdio: "inherit" },
  );
  // The terminal's Ctrl-C reaches the demo itself; one sent to us alone is passed on by ending its init.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => child.kill("SIGTERM"));
  return new Promise((resolve) => {
    child.once("error", (error) => {
      process.stderr.write(`vipward demo: cannot start unshare: ${error.message}\n`);
      resolve(1);
    });
    child.once("exit", (code, signal) => resolve(code ?? (signal === null ? 1 : 130)));
  });
}
