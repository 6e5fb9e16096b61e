/** The demo itself: steady state, a web server dies and returns, a director is stopped, killed, returns. */
import type { ChildProcess } from "node:child_process";
import pc from "picocolors";
import { color } from "../cli/terminal.ts";
import { now } from "./client.ts";
import { Director } from "./director.ts";
import { type Measured, measure, type Outcome } from "./measure.ts";
import { build, emulated, HOSTS, spawnOn, timing, VIP } from "./topology.ts";

const paint = pc.createColors(color(process.stdout));
/** An emulated machine gets three times the bounds. */
const FACTOR = emulated ? 3 : 1;
/** After a step: this long without a lost request before it is over. */
const QUIET_MS = emulated ? 4_000 : 1_000;
const LIMIT_MS = emulated ? 90_000 : 30_000;

interface StepOptions {
  readonly title: string;
  /** ms of outage allowed, before the emulator's factor. */
  readonly bound: number;
  readonly act: () => Promise<void> | void;
  /** What must be seen before the step counts as done; its text is shown. */
  readonly until: () => Promise<string | undefined>;
}

export class Story {
  readonly #main: string;
  readonly #directors: readonly [Director, Director];
  readonly #webs = new Map<"web1" | "web2", ChildProcess>();
  #client: ChildProcess | undefined;
  #outcomes: Outcome[] = [];
  #failed = 0;
  #steps = 0;
  #view: NodeJS.Timeout | undefined;

  constructor(main: string, dataplane: string) {
    this.#main = main;
    this.#directors = [new Director("lb01", main, dataplane), new Director("lb02", main, dataplane)];
  }

  async tell(): Promise<number> {
    say(
      paint.bold(
        "vipward demo: two directors, two web servers and a client, each in a network namespace of its own",
      ),
    );
    build();
    this.#startWeb("web1");
    this.#startWeb("web2");
    for (const director of this.#directors) director.start();
    const dataplane = await this.#ready();
    if (dataplane === undefined) return this.#giveUp("the directors did not get ready");
    say(
      dataplane === "kernel"
        ? "dataplane: the kernel's IPVS (direct routing)"
        : "dataplane: USERSPACE RELAY, because this kernel has no ip_vs (load it with: modprobe ip_vs)",
    );
    say(
      `virtual IP ${VIP}, VRRPv3 every ${timing.advert} s, HTTP checks every ${timing.checkEvery} s, a new request every ${timing.requestEvery} ms\n`,
    );
    this.#startClient();
    this.#startView();
    const [lb01, lb02] = this.#directors;
    const { advert, checkEvery, retryAfter } = timing;
    const skew = (advert * 1_000 * (256 - 90)) / 256;
    const detection = (checkEvery + retryAfter) * 1_000;

    await this.#step({
      title: "steady state",
      bound: 0,
      act: () => sleep(emulated ? 6_000 : 2_000),
      until: () => this.#bothServe(),
    });
    await this.#step({
      title: "web1 dies (kill -9)",
      bound: detection + 500,
      act: () => this.#killWeb("web1"),
      until: () => this.#tables(1),
    });
    await this.#step({
      title: "web1 comes back",
      bound: 500,
      act: () => this.#startWeb("web1"),
      until: () => this.#tables(2),
    });
    await this.#step({
      title: "lb01 is stopped (SIGTERM)",
      bound: skew + 500,
      act: () => lb01.stop(),
      until: () => this.#master(lb02),
    });
    await this.#step({
      title: "lb01 returns, takes over",
      bound: 500,
      act: () => lb01.start(),
      until: () => this.#master(lb01),
    });
    await this.#step({
      title: "lb01 dies (kill -9 of all)",
      bound: 3 * advert * 1_000 + skew + 500,
      act: () => lb01.killEverything(),
      until: () => this.#master(lb02),
    });
    await this.#step({
      title: "lb01 returns, takes over",
      bound: 500,
      act: () => lb01.start(),
      until: () => this.#master(lb01),
    });
    clearInterval(this.#view);
    await this.#end();
    say("");
    if (this.#failed > 0) return this.#giveUp(`${this.#failed} of ${this.#steps} steps missed their bound`);
    say(
      paint.green(
        `all ${this.#steps} steps within their bounds${emulated ? " (three times the native ones: this kernel is emulated)" : ""}; everything the demo made is gone with it`,
      ),
    );
    return 0;
  }

  // ---- actors ---------------------------------------------------------------------------------

  #startWeb(name: "web1" | "web2"): void {
    this.#webs.set(
      name,
      spawnOn(name, [process.execPath, this.#main, "demo", "--web", name], {
        stdio: ["ignore", "ignore", "inherit"],
      }),
    );
  }

  #killWeb(name: "web1" | "web2"): void {
    this.#webs.get(name)?.kill("SIGKILL");
  }

  #startClient(): void {
    const words = [process.execPath, this.#main, "demo", "--client", `http://${VIP}/`];
    words.push("--every", String(timing.requestEvery), "--timeout", String(timing.requestTimeout));
    this.#client = spawnOn("client", words, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.#client.on("message", (outcome) => this.#outcomes.push(outcome as Outcome));
  }

  async #end(): Promise<void> {
    this.#client?.kill("SIGKILL");
    await Promise.all(this.#directors.map((director) => director.stop()));
    for (const web of this.#webs.values()) web.kill("SIGKILL");
  }

  // ---- conditions -----------------------------------------------------------------------------

  async #ready(): Promise<string | undefined> {
    const limit = now() + 2 * LIMIT_MS;
    while (now() < limit) {
      const [one, two] = await Promise.all(this.#directors.map((director) => director.status()));
      const serving = [one, two].every((status) => status?.lvs?.complete === true);
      if (serving && one?.instances[0]?.state === "MASTER" && two?.instances[0]?.state === "BACKUP") {
        return one.lvs?.dataplane;
      }
      await sleep(200);
    }
    return undefined;
  }

  async #master(director: Director): Promise<string | undefined> {
    return (await director.state()) === "MASTER" ? `${director.name} is master` : undefined;
  }

  /** Both directors keep exactly `count` web servers in their tables. */
  async #tables(count: number): Promise<string | undefined> {
    for (const director of this.#directors) {
      const servers = (await director.status())?.lvs?.services[0]?.realServers ?? [];
      if (servers.filter((server) => server.up).length !== count) return undefined;
    }
    return count === 2 ? "both web servers in both tables" : "out of both tables";
  }

  #bothServe(): Promise<string | undefined> {
    const { perServer } = measure(this.#outcomes, timing.requestEvery);
    const text = Object.keys(HOSTS)
      .filter((host) => host.startsWith("web"))
      .map((host) => `${host} ${perServer[host] ?? 0}`);
    return Promise.resolve(
      Object.keys(perServer).length === 2 ? `requests answered: ${text.join(", ")}` : undefined,
    );
  }

  // ---- steps ----------------------------------------------------------------------------------

  async #step({ title, bound, act, until }: StepOptions): Promise<void> {
    this.#steps++;
    this.#outcomes = this.#outcomes.filter((outcome) => outcome.started > now() - 1);
    const started = now();
    await act();
    let seen: string | undefined;
    let seenAfter = 0;
    while (now() - started < LIMIT_MS) {
      if (seen === undefined) {
        seen = await until();
        seenAfter = now() - started;
      }
      if (seen !== undefined && this.#quietFor() >= QUIET_MS && now() - started - seenAfter >= QUIET_MS)
        break;
      await sleep(50);
    }
    const allowed = bound * FACTOR;
    const measured = measure(
      this.#outcomes.filter((outcome) => outcome.started >= started),
      timing.requestEvery,
    );
    const ok = seen !== undefined && measured.requests > 0 && measured.outage <= allowed;
    if (!ok) this.#failed++;
    this.#report(title, seen, seenAfter, measured, allowed, ok);
  }

  /** ms since the last lost request was sent (for ever when none was). */
  #quietFor(): number {
    const lost = this.#outcomes.filter((outcome) => outcome.server === undefined);
    return lost.length === 0
      ? Number.POSITIVE_INFINITY
      : now() - Math.max(...lost.map((outcome) => outcome.started));
  }

  #report(
    title: string,
    seen: string | undefined,
    after: number,
    measured: Measured,
    bound: number,
    ok: boolean,
  ): void {
    const what = seen === undefined ? "did not happen in time" : `${seen} (${(after / 1_000).toFixed(1)} s)`;
    const outage = `lost ${measured.lost} of ${measured.requests}, outage ${Math.round(measured.outage)} ms (bound ${Math.round(bound)})`;
    clearLine();
    say(
      `${ok ? paint.green("ok  ") : paint.red("FAIL")} ${`${this.#steps}. ${title}`.padEnd(31)} ${outage.padEnd(52)} ${what}`,
    );
  }

  #giveUp(why: string): number {
    clearLine();
    say(paint.red(`vipward demo: ${why}`));
    for (const director of this.#directors) say(`--- last lines of ${director.name}:\n${director.logTail()}`);
    return 1;
  }

  /** On a terminal, one line that lives. */
  #startView(): void {
    if (!process.stdout.isTTY) return;
    this.#view = setInterval(() => {
      void Promise.all(
        this.#directors.map(async (director) => `${director.name} ${await director.state()}`),
      ).then((states) => {
        const recent = this.#outcomes
          .slice(-12)
          .map((outcome) => (outcome.server === undefined ? paint.red("x") : outcome.server.slice(-1)));
        clearLine();
        process.stdout.write(`     ${states.join("   ")}   ${recent.join("")}`);
      });
    }, 250);
  }
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const clearLine = (): void => {
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
};
const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
