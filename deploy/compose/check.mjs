/**
 * Proves the compose demo on a Docker engine: `node deploy/compose/check.mjs [--keep]`.
 *
 * Builds the image, starts everything, stops and kills things, and holds what the client saw against the
 * configuration's own times. Exit status 0 when every step met its bound. Removes what it started (not with
 * --keep), also when it is interrupted. Not part of `npm test`: it needs an engine and the base image.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Compose, EngineError, findCompose } from "./engine.mjs";

// vipward.yaml's times, ms. What a step may cost beyond the protocol's own time: 0.5 s, and the client's period.
const SKEW = ((256 - 90) / 256) * 1000;
const MASTER_DOWN = 3 * 1000 + SKEW;
const DETECTION = 1000 + 1000 + 500 + 1000;
const SLACK = 500 + 100;

const STEADY_LIMIT_MS = 60_000;
const STEP_LIMIT_MS = 30_000;
const WATCH_MS = 5_000;

/** What the client printed: "12:00:01.234  web1 web2 -", "12:00:02.345  OUTAGE over: 700 ms, 7 requests lost". */
class Client {
  answers = [];
  outages = [];
  /** A request was lost, and its outage is not over yet. */
  losing = false;

  read(line) {
    const over = /OUTAGE over: (\d+) ms, (\d+) requests lost/.exec(line);
    if (over) {
      this.outages.push({ ms: Number(over[1]), lost: Number(over[2]) });
      this.losing = false;
      return;
    }
    const words = line.split(/\s+/).slice(1);
    // Before the first answer the directors are still starting, and the client counts no outage either.
    if (words.includes("-") && this.answers.some((answer) => answer !== "-")) this.losing = true;
    this.answers.push(...words);
  }
}

class StepFailed extends Error {}

async function until(what, limit, condition) {
  const deadline = performance.now() + limit;
  while (!condition()) {
    if (performance.now() > deadline) throw new StepFailed(`not within ${limit / 1000} s: ${what}`);
    await sleep(200);
  }
}

/** How often a director's log has a phrase; a container that is started again keeps its log. */
const count = (compose, service, phrase) => compose.logs(service).split(phrase).length - 1;

async function steady(compose, client) {
  const said = (name) => client.answers.includes(name);
  await until("web1 and web2 answer through the VIP", STEADY_LIMIT_MS, () => said("web1") && said("web2"));
  await until(
    "lb01 is master",
    STEP_LIMIT_MS,
    () => count(compose, "lb01", "(VI_1) Entering MASTER STATE") > 0,
  );
  await until("no request lost any more", STEP_LIMIT_MS, () => !client.losing);
  const from = client.answers.length;
  await sleep(WATCH_MS);
  const seen = client.answers.slice(from);
  const share = (name) => seen.filter((answer) => answer === name).length;
  const [web1, web2, lost] = [share("web1"), share("web2"), share("-")];
  if (lost > 0) throw new StepFailed(`${lost} of ${seen.length} requests lost`);
  if (Math.abs(web1 - web2) > 2) throw new StepFailed(`not balanced: web1 ${web1}, web2 ${web2}`);
  return `web1 ${web1}, web2 ${web2} of ${seen.length} requests`;
}

/**
 * Acts, waits for `phrase` in the log of `service` and for the client to be served again.
 * Returns what was seen; throws StepFailed when the outage was longer than `bound` ms.
 */
async function step(compose, client, { act, service, phrase, bound, after }) {
  const [phrases, outages, answers] = [
    count(compose, service, phrase),
    client.outages.length,
    client.answers.length,
  ];
  act();
  await until(
    `"${phrase}" in the log of ${service}`,
    STEP_LIMIT_MS,
    () => count(compose, service, phrase) > phrases,
  );
  // Long enough for a loss that is still under way to be printed.
  await sleep(2_000);
  const served = () => !client.losing && client.answers.length > answers + 10;
  await until("the client is served again", STEP_LIMIT_MS, served);
  const seen = client.outages.slice(outages);
  const ms = seen.reduce((sum, outage) => sum + outage.ms, 0);
  const lost = seen.reduce((sum, outage) => sum + outage.lost, 0);
  const text = `outage ${ms} ms (bound ${Math.round(bound)}), ${lost} of ${client.answers.length - answers} lost`;
  if (ms > bound) throw new StepFailed(`${text}: too long`);
  const problem = after?.();
  if (problem) throw new StepFailed(problem);
  return text;
}

function steps(compose) {
  const master = "(VI_1) Entering MASTER STATE";
  const exitCode = (service) => compose.inspect(service, "{{.State.ExitCode}}");
  const back = { act: () => compose.start("lb01"), service: "lb01", phrase: master, bound: SLACK };
  const removing = "Removing service [10.91.0.21]:tcp:80";
  return [
    [
      "lb01 is stopped (SIGTERM)",
      {
        act: () => compose.stop("lb01"),
        service: "lb02",
        phrase: master,
        bound: SKEW + SLACK,
        after: () =>
          exitCode("lb01") === "0" ? undefined : `lb01 ended with status ${exitCode("lb01")}, not 0`,
      },
    ],
    ["lb01 is started, takes over", back],
    [
      "lb01 is killed (SIGKILL)",
      { act: () => compose.kill("lb01"), service: "lb02", phrase: master, bound: MASTER_DOWN + SLACK },
    ],
    ["lb01 is started, takes over", back],
    [
      "web1 is killed (SIGKILL)",
      { act: () => compose.kill("web1"), service: "lb01", phrase: removing, bound: DETECTION + SLACK },
    ],
    [
      "web1 is started",
      {
        act: () => compose.start("web1"),
        service: "lb01",
        phrase: "Adding service [10.91.0.21]:tcp:80",
        bound: SLACK,
      },
    ],
  ];
}

async function healthy(compose) {
  for (const service of ["lb01", "lb02", "web1", "web2"]) {
    const health = () => compose.inspect(service, "{{.State.Health.Status}}");
    await until(`${service} is healthy`, STEP_LIMIT_MS, () => health() === "healthy");
  }
  return "lb01, lb02, web1, web2";
}

async function main() {
  const keep = process.argv.includes("--keep");
  const { words, version, engine } = findCompose();
  console.log(`Docker engine ${engine}, ${words.join(" ")} ${version}`);
  const compose = new Compose(words);
  const clean = () => {
    compose.unfollow();
    if (keep) console.log(`left running: ${compose.command} ps`);
    else compose.down();
  };
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.on(signal, () => {
      clean();
      process.exit(130);
    });
  }
  compose.build();
  try {
    compose.up();
    const client = new Client();
    compose.follow("client", (line) => client.read(line));
    console.log(`ok    ${"steady state".padEnd(30)} ${await steady(compose, client)}`);
    console.log(
      `      dataplane: ${JSON.parse(compose.exec("lb01", "vipward", "status", "-o", "json")).lvs.dataplane}`,
    );
    for (const [name, what] of steps(compose)) {
      console.log(`ok    ${name.padEnd(30)} ${await step(compose, client, what)}`);
    }
    console.log(`ok    ${"healthchecks".padEnd(30)} ${await healthy(compose)}`);
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    console.log(`FAIL  ${error.message}`);
    for (const service of ["lb01", "lb02", "client"]) {
      console.log(`--- end of ${service}'s log\n${compose.logs(service).split("\n").slice(-25).join("\n")}`);
    }
    process.exitCode = 1;
  } finally {
    clean();
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof EngineError)) throw error;
  console.error(`check: ${error.message}`);
  process.exitCode = 1;
}
