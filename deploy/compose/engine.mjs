/** The Docker engine and compose, whichever of its two commands is installed. Used by check.mjs. */
import { spawn, spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const FILE = path.join(path.dirname(fileURLToPath(import.meta.url)), "docker-compose.yml");
const PROJECT = "vipward-check";
const BUILD_LIMIT_MS = 15 * 60_000;
const COMMAND_LIMIT_MS = 2 * 60_000;

/** A problem the user can act on: shown without a stack. */
export class EngineError extends Error {}

function run(argv, timeout = COMMAND_LIMIT_MS) {
  const [command, ...words] = argv;
  const result = spawnSync(command, words, { encoding: "utf8", timeout, maxBuffer: 64 * 1024 * 1024 });
  const output = `${result.stdout ?? ""}${result.stderr ?? ""}`.trim();
  return { ok: result.status === 0, missing: result.error?.code === "ENOENT", stdout: result.stdout, output };
}

/** Returns the compose command's words; throws EngineError saying what is missing. */
export function findCompose() {
  const engine = run(["docker", "version", "--format", "{{.Server.Version}}"]);
  if (engine.missing)
    throw new EngineError("there is no docker command here: install Docker (Debian: docker.io)");
  if (!engine.ok) {
    throw new EngineError(
      `no Docker engine answers: ${engine.output.split("\n").at(-1)}\n` +
        "  start one (systemctl start docker), set DOCKER_HOST if it listens elsewhere, or use sudo",
    );
  }
  for (const words of [["docker", "compose"], ["docker-compose"]]) {
    const { ok, stdout } = run([...words, "version", "--short"]);
    if (ok) return { words, version: stdout.trim(), engine: engine.stdout.trim() };
  }
  throw new EngineError(
    'neither "docker compose" nor docker-compose works: install docker-compose-plugin or docker-compose',
  );
}

export class Compose {
  #words;
  #followers = [];

  constructor(words) {
    this.#words = [...words, "-p", PROJECT, "-f", FILE];
  }

  /** For people. */
  get command() {
    return this.#words.join(" ");
  }

  #do(words, timeout) {
    const { ok, stdout, output } = run([...this.#words, ...words], timeout);
    if (ok) return stdout;
    const hint = /overlaps/.test(output)
      ? "\n  10.91.0.0/24 is taken: is the demo up already? (docker compose down), or change it in both files"
      : "";
    throw new EngineError(`${this.#words[0]} ${words.join(" ")} failed:\n${output.slice(-3000)}${hint}`);
  }

  build = () => this.#do(["build"], BUILD_LIMIT_MS);
  up = () => this.#do(["up", "-d"]);
  down = () => this.#do(["down", "-v", "-t", "5"]);
  stop = (service) => this.#do(["stop", service]);
  start = (service) => this.#do(["start", service]);
  kill = (service) => this.#do(["kill", "-s", "SIGKILL", service]);
  exec = (service, ...argv) => this.#do(["exec", "-T", service, ...argv]);

  id(service) {
    // "ps -q" leaves stopped ones out in Compose v2; a label finds both.
    const label = (key, value) => ["--filter", `label=com.docker.compose.${key}=${value}`];
    const { stdout } = run([
      "docker",
      "ps",
      "-aq",
      ...label("project", PROJECT),
      ...label("service", service),
    ]);
    const id = stdout?.trim().split("\n")[0];
    if (!id) throw new EngineError(`there is no container for ${service}`);
    return id;
  }

  logs = (service) => run(["docker", "logs", this.id(service)]).output;

  inspect(service, format) {
    return run(["docker", "inspect", "--format", format, this.id(service)]).stdout.trim();
  }

  /** Calls `line` with each new line of a container's log until it ends. */
  follow(service, line) {
    const child = spawn("docker", ["logs", "-f", this.id(service)], { stdio: ["ignore", "pipe", "ignore"] });
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      for (const one of lines) line(one);
    });
    this.#followers.push(child);
  }

  unfollow() {
    for (const child of this.#followers) child.kill();
  }
}
