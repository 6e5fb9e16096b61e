/** The stages of test/run.mjs. Each returns { passed, failed, skipped } as lists of { name, why }. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as setup from "../../deploy/setup.mjs";

const { root } = setup;
const GRACE_MS = 5_000;
const MAX_OUTPUT = 20_000;

/** Process groups of running stages, by leader; a signal to the runner ends them. */
const groups = new Set();

/** SIGTERM for every stage's process group, SIGKILL for what is left of it after five seconds. */
export async function endGroups() {
  const pids = [...groups];
  for (const pid of pids) signalGroup(pid, "SIGTERM");
  const deadline = Date.now() + GRACE_MS;
  while (pids.some((pid) => signalGroup(pid, 0)) && Date.now() < deadline) await pause(50);
  for (const pid of pids) signalGroup(pid, "SIGKILL");
}

/** A tool that passes or fails as a whole: lint, types. */
export async function toolStage(name, argv, limitMs) {
  const { code, output, late } = await runGroup(argv, { limitMs, collect: true });
  if (code === 0 && !late) return tally({ passed: [{ name }] });
  const why = late ? `no end within ${limitMs / 1000} s` : `exit status ${code}`;
  process.stdout.write(`\n${name} failed (${why}):\n${output}\n`);
  return tally({ failed: [{ name, why }] });
}

export async function buildStage() {
  try {
    await setup.ensureBuild();
    return tally({ passed: [{ name: "build" }] });
  } catch (error) {
    process.stdout.write(`\nbuild failed: ${error.message}\n`);
    return tally({ failed: [{ name: "build", why: error.message.split("\n")[0] }] });
  }
}

/**
 * One vitest project. `strict`: nothing in it may be skipped.
 * @param {{ project: string, args: string[], limitMs: number, strict: boolean }} options
 */
export async function vitestStage({ project, args, limitMs, strict }) {
  const folder = mkdtempSync(path.join(tmpdir(), "vw-tally-"));
  const file = path.join(folder, "tally.jsonl");
  try {
    const argv = [
      ...[process.execPath, path.join(root, "node_modules/vitest/vitest.mjs"), "run"],
      ...["--config", "test/vitest.config.ts", "--project", project],
      ...["--reporter=default", `--reporter=${path.join(root, "test/support/tally-reporter.mjs")}`],
      ...args,
    ];
    const { code, late } = await runGroup(argv, { limitMs, env: { VIPWARD_TALLY: file }, folder });
    const entries = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
    const lateness = late ? `killed after ${limitMs / 60_000} minutes, the limit for ${project}` : undefined;
    return addUp(
      project,
      entries.map((line) => JSON.parse(line)),
      { code, lateness, strict },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function addUp(project, entries, { code, lateness, strict }) {
  const result = tally({});
  const open = new Map();
  const files = new Set();
  const label = ({ file, name }) => (file ? `${file} > ${name}` : name);
  for (const entry of entries) {
    const name = label(entry);
    if (entry.event === "file") files.add(entry.file);
    else if (entry.event === "done") files.delete(entry.file);
    else if (entry.event === "ready") open.set(name, entry);
    else if (entry.event === "broken") result.failed.push({ name, why: entry.error });
    else if (entry.event === "result") {
      open.delete(name);
      if (entry.state === "passed") result.passed.push({ name });
      else if (entry.state === "failed") result.failed.push({ name, why: entry.error });
      else if (strict)
        result.failed.push({ name, why: `skipped, though root and apt are here (${entry.error ?? ""})` });
      else
        result.skipped.push({
          name,
          why: entry.error ?? "marked so in its file, or a hook before it failed",
        });
    }
  }
  const finished = entries.some((entry) => entry.event === "end");
  if (!finished) {
    const why = lateness ?? `vitest ended early (exit status ${code})`;
    for (const name of open.keys()) result.failed.push({ name, why: `unfinished: ${why}` });
    for (const file of files) result.failed.push({ name: file, why: `not all of it ran: ${why}` });
    if (open.size + files.size === 0) result.failed.push({ name: project, why });
  } else if (result.failed.length === 0 && code !== 0) {
    result.failed.push({
      name: project,
      why: `vitest ended with ${code}: no test files, or an error outside all tests`,
    });
  }
  return result;
}

/** A suite that can't run here: its declared tests are counted as skipped; where it had to run, it failed. */
export function skippedStage(project, why, strict) {
  const names = declaredTests(path.join(root, "test", project));
  const result = tally({
    skipped: names.map((name) => ({ name: `${project}: ${name}`, why: `${project}: ${why}` })),
  });
  process.stdout.write(`\n${project}: SKIPPED, ${names.length} tests: ${why}\n`);
  if (strict) result.failed.push({ name: project, why: `skipped, though root and apt are here: ${why}` });
  return result;
}

/** The names in it("...") and guestTest("...") calls: without running the files there is no better count. */
function declaredTests(folder) {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".ts"));
  return files.flatMap((name) => {
    const text = readFileSync(path.join(folder, name), "utf8");
    return [...text.matchAll(/^\s*(?:it|test|guestTest)(?:\.\w+)?\(\s*["'`](.+?)["'`],/gm)].map(
      (match) => match[1],
    );
  });
}

function tally({ passed = [], failed = [], skipped = [] }) {
  return { passed, failed, skipped };
}

/** Runs a command as a process group of its own and, at its time limit, ends all of the group. */
function runGroup(argv, { limitMs, env = {}, collect = false, folder = "" }) {
  return new Promise((resolve) => {
    const stdio = ["ignore", collect ? "pipe" : "inherit", collect ? "pipe" : "inherit"];
    const settings = { cwd: root, detached: true, stdio, env: { ...process.env, ...env } };
    const child = spawn(argv[0], argv.slice(1), settings);
    let output = "";
    let late = false;
    const keep = (chunk) => {
      if (output.length < MAX_OUTPUT) output += chunk;
    };
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    if (child.pid) groups.add(child.pid);
    const release = child.pid ? endWithUs(child.pid, folder) : () => {};
    const limit = setTimeout(async () => {
      late = true;
      signalGroup(child.pid, "SIGTERM");
      await pause(GRACE_MS);
      signalGroup(child.pid, "SIGKILL");
    }, limitMs);
    const end = (code) => {
      clearTimeout(limit);
      release();
      // Workers of a vitest that was killed would live on.
      if (child.pid) signalGroup(child.pid, "SIGKILL");
      groups.delete(child.pid);
      resolve({ code, output, late });
    };
    child.once("error", (error) => {
      keep(`${argv[0]} does not start: ${error.message}`);
      end(127);
    });
    child.once("close", (code) => end(code ?? 1));
  });
}

/** A group of its own does not hear of our end by SIGKILL; a shell on a pipe of ours does. */
function endWithUs(pid, folder) {
  const script = 'trap "" INT TERM HUP; read -r _ && exit; kill -9 "-$1"; [ -z "$2" ] || rm -rf "$2"';
  const stdio = ["pipe", "ignore", "ignore"];
  const watch = spawn("/bin/sh", ["-c", script, "sh", String(pid), folder], { detached: true, stdio });
  watch.stdin.on("error", () => {});
  watch.unref();
  return () => watch.stdin.end("done\n");
}

/** False when there is no such group any more. */
function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
