/**
 * What `npm test` and `npm run demo` need before they start, with nothing but Node and npm: dependencies,
 * the build, system packages. Each step is quick and silent when there is nothing to do.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
export const isRoot = typeof process.getuid === "function" && process.getuid() === 0;
export const hasApt = existsSync("/usr/bin/apt-get");

const OLDEST_NODE = [20, 19];
const SBIN = ["/usr/local/sbin", "/usr/sbin", "/sbin"];
const SETUP_TIME_LIMIT_MS = 10 * 60_000;

/** Debian and Ubuntu package -> a command that proves it is there. */
export const PACKAGES = {
  "busybox-static": "busybox",
  curl: "curl",
  "dnsmasq-base": "dnsmasq",
  ipvsadm: "ipvsadm",
  iproute2: "ip",
  iptables: "iptables",
  keepalived: "keepalived",
  kmod: "modprobe",
  mount: "mount",
  nftables: "nft",
  procps: "sysctl",
  tcpdump: "tcpdump",
  "user-mode-linux": "linux.uml",
  "util-linux": "nsenter",
};

/** A problem the user can act on: shown without a stack. */
export class SetupError extends Error {}

export function say(line) {
  process.stdout.write(`set-up: ${line}\n`);
}

/** Ends the program on a Node that is too old, before anything fails in a stranger way. */
export function ensureNodeVersion() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  process.stderr.write(
    `vipward needs Node.js ${OLDEST_NODE.join(".")} or newer; this is ${process.version} (${process.execPath}).\n` +
      "Get a newer one from https://nodejs.org/en/download or your distribution, and run this again.\n",
  );
  process.exit(1);
}

/** `npm ci`, unless node_modules already is what package-lock.json asks for. */
export async function ensureDependencies() {
  const stampFile = path.join(root, "node_modules", ".vipward-lock");
  const wanted = hashOf([path.join(root, "package-lock.json")]);
  await withLock("dependencies", async () => {
    if (readText(stampFile) === wanted) return;
    if (!installedMatchesLock()) {
      say("installing the npm packages (npm ci, without install scripts)");
      // A user's own settings may leave development packages out.
      const args = [
        "ci",
        "--ignore-scripts",
        "--include=dev",
        "--include=optional",
        "--no-audit",
        "--no-fund",
      ];
      const npm = process.env.npm_execpath;
      const command = npm && /\.c?js$/.test(npm) ? [process.execPath, npm, ...args] : ["npm", ...args];
      const { code, output } = await runQuietly(command, "npm ci");
      if (code !== 0) throw new SetupError(`npm ci failed (is the registry reachable?)\n${output}`);
    }
    writeFileSync(stampFile, wanted);
  });
}

/** True when npm's own record of node_modules has every package of the lock file in its version. */
function installedMatchesLock() {
  const installed = readJson(path.join(root, "node_modules", ".package-lock.json"));
  const lock = readJson(path.join(root, "package-lock.json"));
  if (installed === undefined || lock === undefined) return false;
  return Object.entries(lock.packages).every(([place, { version, optional }]) => {
    if (place === "") return true;
    const found = installed.packages[place];
    // Optional ones are mostly binaries for other platforms.
    return found === undefined ? optional === true : found.version === version;
  });
}

/** Builds dist/ unless it was built from these very sources. */
export async function ensureBuild() {
  await withLock("build", async () => {
    const stampFile = path.join(root, "dist", ".stamp");
    const files = ["package-lock.json", "package.json", "deploy/build.mjs"].map((file) =>
      path.join(root, file),
    );
    const sources = readdirSync(path.join(root, "src"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
    const wanted = hashOf([...files, ...sources.sort()]);
    if (readText(stampFile) === wanted) return;
    const { build } = await import("./build.mjs");
    await build({ log: say });
    writeFileSync(stampFile, wanted);
  });
}

/**
 * Sees to it that system packages are there; as root with apt it installs them.
 * @param {(keyof typeof PACKAGES)[]} names
 * @returns {Promise<{ missing: { name: string, command: string, why: string }[] }>} what is still not there
 */
export async function ensureSystemPackages(names) {
  const absent = () => names.filter((name) => !hasCommand(PACKAGES[name]));
  let why = "installing it needs root";
  if (absent().length > 0 && isRoot && !hasApt) why = "there is no apt-get to install it with";
  if (absent().length > 0 && isRoot && hasApt) {
    why = "apt-get could not install it";
    await withLock("packages", () => install(absent()));
  }
  return { missing: absent().map((name) => ({ name, command: PACKAGES[name], why })) };
}

async function install(names) {
  if (names.length === 0) return;
  say(`installing system packages: ${names.join(" ")}`);
  const apt = (...args) => {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };
    const options = ["-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"];
    return runQuietly(["apt-get", ...options, ...args], `apt-get ${args[0]}`, env);
  };
  const installNow = (packages) => apt("install", "-y", "--no-install-recommends", ...packages);
  const allowServices = forbidServices();
  try {
    const update = await apt("update");
    // Lists of an earlier day may still do.
    if (update.code !== 0) say(`apt-get update failed:\n${update.output}`);
    if ((await installNow(names)).code === 0) return;
    // One unknown package keeps apt from installing the others.
    for (const name of names) {
      const { code, output } = await installNow([name]);
      if (code !== 0) say(`${name} could not be installed:\n${output}`);
    }
  } finally {
    allowServices();
  }
}

/**
 * The packaged daemons (keepalived) must not start on this machine: policy-rc.d is Debian's way to say so
 * (its exit status 101 means "forbidden"). Returns the way back. One that is already there stays.
 */
function forbidServices() {
  const file = "/usr/sbin/policy-rc.d";
  const mark = "# made by vipward's set-up for the time of an installation, pid ";
  const left = readText(file);
  const leftBy = left?.includes(mark) ? Number(left.split(mark)[1].split("\n")[0]) : undefined;
  if (left !== undefined && (leftBy === undefined || isAlive(leftBy))) return () => {};
  writeFileSync(file, `#!/bin/sh\n${mark}${process.pid}\nexit 101\n`, { mode: 0o755 });
  const remove = () => rmSync(file, { force: true });
  process.once("exit", remove);
  return () => {
    process.off("exit", remove);
    remove();
  };
}

/** Looks beyond PATH: a user's often lacks the sbin folders. */
export function hasCommand(command) {
  const folders = [...(process.env.PATH || "").split(":"), "/usr/local/bin", "/usr/bin", "/bin", ...SBIN];
  return folders.some((folder) => folder !== "" && existsSync(path.join(folder, command)));
}

/** Undefined when this process may make network namespaces, else why not. */
export function whyNoNamespaces() {
  if (!isRoot) return "it needs root";
  const tried = spawnSync("unshare", ["--net", "--mount", "true"], { encoding: "utf8" });
  if (tried.status === 0) return undefined;
  const reason = (tried.stderr || String(tried.error)).trim();
  return `this root may not make network namespaces (a container without CAP_SYS_ADMIN?): ${reason}`;
}

/** Two runs in one checkout take turns; a lock whose owner died is taken over. */
async function withLock(name, work) {
  const id = createHash("sha256").update(`${root}\0${name}`).digest("hex").slice(0, 16);
  const file = path.join(tmpdir(), `vipward-setup-${isRoot ? 0 : process.getuid()}-${id}`);
  const deadline = Date.now() + SETUP_TIME_LIMIT_MS;
  let told = false;
  while (!takeLock(file)) {
    const owner = Number(readText(file));
    if (!isAlive(owner) || Date.now() > deadline) rmSync(file, { force: true });
    else {
      if (!told) say(`waiting for another run here (pid ${owner}: ${name})`);
      told = true;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function takeLock(file) {
  try {
    // "wx" fails when it exists: who creates it has the lock.
    writeFileSync(file, String(process.pid), { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

/** Runs a command, its output kept back for the case of failure; a line every ten seconds shows it lives. */
function runQuietly(command, title, env = process.env) {
  return new Promise((resolve) => {
    const child = spawn(command[0], command.slice(1), { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const keep = (chunk) => {
      output = (output + chunk).slice(-4000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const started = Date.now();
    const seconds = () => Math.round((Date.now() - started) / 1000);
    const ticking = setInterval(() => say(`${title}: ${seconds()} s`), 10_000);
    const limit = setTimeout(() => child.kill("SIGKILL"), SETUP_TIME_LIMIT_MS);
    const end = (code, text) => {
      clearInterval(ticking);
      clearTimeout(limit);
      resolve({ code, output: text });
    };
    child.once("error", (error) => end(127, `${command[0]} does not start: ${error.message}`));
    child.once("close", (code, signal) => end(code ?? 1, signal ? `${output}\nended by ${signal}` : output));
  });
}

function hashOf(files) {
  const hash = createHash("sha256");
  for (const file of files)
    hash
      .update(`${path.relative(root, file)}\0`)
      .update(readFileSync(file))
      .update("\0");
  return hash.digest("hex");
}

function isAlive(pid) {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function readText(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function readJson(file) {
  const text = readText(file);
  return text === undefined ? undefined : JSON.parse(text);
}
