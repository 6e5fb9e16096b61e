/**
 * All tests, with their set-up: `npm test`, `npm test -- unit netns`, `npm run drills`, `npm run bench`.
 *
 *   set-up -> lint, types, build -> unit -> netns -> uml -> "N passed, N failed, N skipped"
 *
 * Words that name no stage go to vitest: `npm test -- unit test/wire -t checksum`.
 */
import { constants } from "node:os";
import * as setup from "../deploy/setup.mjs";

setup.ensureNodeVersion();

const MINUTE_MS = 60_000;
const NETNS_PACKAGES = [
  "iproute2",
  "mount",
  "procps",
  "util-linux",
  "tcpdump",
  "keepalived",
  "iptables",
  "curl",
  "kmod",
  "dnsmasq-base",
  "nftables",
];
const UML_PACKAGES = [...NETNS_PACKAGES, "busybox-static", "ipvsadm", "user-mode-linux"];
/** The packages make a stage one that needs root. `aimMs` is what the project promises; beyond it, a word. */
const STAGES = {
  lint: { limitMs: 2 * MINUTE_MS },
  types: { limitMs: 4 * MINUTE_MS },
  build: { limitMs: MINUTE_MS },
  unit: { limitMs: 4 * MINUTE_MS, aimMs: MINUTE_MS },
  netns: { limitMs: 9 * MINUTE_MS, aimMs: 6 * MINUTE_MS, packages: NETNS_PACKAGES },
  uml: { limitMs: 9 * MINUTE_MS, aimMs: 6 * MINUTE_MS, packages: UML_PACKAGES },
};
/** Full counts, long runs, no part of `npm test`. */
const LONG_STAGES = {
  drills: { limitMs: 90 * MINUTE_MS, packages: UML_PACKAGES },
  bench: { limitMs: 90 * MINUTE_MS, packages: UML_PACKAGES },
};

const words = process.argv.slice(2);
const known = { ...STAGES, ...LONG_STAGES };
const asked = words.filter((word) => Object.hasOwn(known, word));
const chosen = asked.length > 0 ? [...new Set(asked)] : Object.keys(STAGES);
const vitestArgs = words.filter((word) => !Object.hasOwn(known, word));

extendPath();
try {
  await setup.ensureDependencies();
} catch (error) {
  process.stdout.write(`${error instanceof setup.SetupError ? error.message : error.stack}\n`);
  finish([
    {
      stage: "set-up",
      passed: [],
      failed: [{ name: "set-up", why: error.message.split("\n")[0] }],
      skipped: [],
    },
  ]);
}
let interrupted = false;
const stages = await import("./support/stages.mjs");
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, async () => {
    process.stdout.write(`\n${signal}: ending the tests\n`);
    interrupted = true;
    await stages.endGroups();
    process.exit(128 + constants.signals[signal]);
  });
}

const missing = await prepareSystem();
const results = [];
await Promise.all(chosen.filter((stage) => !isVitest(stage)).map(runStage));
// A daemon from dist/ is part of most suites, whatever was asked for.
if (!chosen.includes("build")) await runStage("build");
for (const stage of chosen.filter(isVitest)) await runStage(stage);
finish(results);

function isVitest(stage) {
  return !["lint", "types", "build"].includes(stage);
}

async function runStage(stage) {
  const started = Date.now();
  if (isVitest(stage)) process.stdout.write(`\n=== ${stage}\n`);
  const result = await outcome(stage);
  // The signal's handler ends the program; a sum of half a run would mislead.
  if (interrupted) await new Promise(() => {});
  const seconds = Math.round((Date.now() - started) / 100) / 10;
  const counts = ["passed", "failed", "skipped"].map((key) => `${result[key].length} ${key}`).join(", ");
  process.stdout.write(`${stage}: ${counts} (${seconds} s)\n`);
  const { aimMs } = known[stage];
  if (aimMs && Date.now() - started > aimMs) {
    process.stdout.write(`${stage}: slower than its aim of ${aimMs / 1000} s\n`);
  }
  results.push({ stage, ...result });
}

async function outcome(stage) {
  const { limitMs, packages } = known[stage];
  const bin = (name) => `${setup.root}/node_modules/.bin/${name}`;
  if (stage === "lint") return stages.toolStage("lint and format", [bin("biome"), "check", "."], limitMs);
  if (stage === "types") return stages.toolStage("types", [bin("tsc"), "--noEmit"], limitMs);
  if (stage === "build") return stages.buildStage();
  const strict = packages !== undefined && setup.isRoot && setup.hasApt;
  const obstacle = packages && whyNot(packages);
  if (obstacle) return stages.skippedStage(stage, obstacle, strict);
  // A filter of the user's own skips the rest by intention.
  return stages.vitestStage({
    project: stage,
    args: vitestArgs,
    limitMs,
    strict: strict && vitestArgs.length === 0,
  });
}

/** Installs what the chosen stages need; returns what could not be had. */
async function prepareSystem() {
  const wanted = new Set(chosen.flatMap((stage) => known[stage].packages ?? []));
  return (await setup.ensureSystemPackages([...wanted])).missing;
}

function whyNot(packages) {
  const namespaces = setup.whyNoNamespaces();
  if (namespaces) return namespaces;
  const absent = missing.filter(({ name }) => packages.includes(name));
  if (absent.length === 0) return undefined;
  return absent.map(({ name, command, why }) => `${command} is missing (package ${name}): ${why}`).join("; ");
}

/** A root shell made by plain `su` has no sbin folders in its PATH. */
function extendPath() {
  const folders = (process.env.PATH || "").split(":");
  const sbin = ["/usr/local/sbin", "/usr/sbin", "/sbin"].filter((folder) => !folders.includes(folder));
  process.env.PATH = [...folders, ...sbin].join(":");
}

/** The last line is the sum, alone; the exit status is 1 when anything failed. */
function finish(done) {
  const all = (key) => done.flatMap((result) => result[key]);
  const [passed, failed, skipped] = [all("passed"), all("failed"), all("skipped")];
  const reasons = new Map();
  for (const { why } of skipped) reasons.set(why, (reasons.get(why) ?? 0) + 1);
  for (const [why, count] of reasons) process.stdout.write(`\nskipped ${count}: ${why}`);
  if (reasons.size > 0) process.stdout.write("\n");
  for (const { name, why } of failed) {
    process.stdout.write(`\nFAILED ${name}\n  ${String(why).trim().replaceAll("\n", "\n  ")}\n`);
  }
  process.stdout.write(`\n${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped\n`);
  process.exit(failed.length > 0 ? 1 : 0);
}
