/**
 * A scenario is a text file: what happens above the line `---`, what came of it below.
 *
 *   # what this shows
 *   router NAME ADDRESS [priority=N] [version=2|3] [advert_int=S] [nopreempt] [preempt_delay=S] [auth_pass=P]
 *                       [vip=ADDRESS] [v3_checksum_as_v2]
 *   SECONDS start|resume|stop|kill|power-off|suspend|continue|unplug|plug|deafen|cure|fault|recover NAME
 *   SECONDS failover|contend|steal NAME        (steal: somebody deletes its VIP)
 *   SECONDS end
 */
import type { InstanceConfig } from "../../src/config/model.ts";
import { us } from "../../src/units.ts";
import { LINK_DOWN, vip } from "../vrrp/support.ts";
import { Lan, type LanRouter } from "./lan.ts";

const SEPARATOR = "---";

export interface Scenario {
  readonly script: string;
  readonly expected: string;
}

export function splitScenario(text: string): Scenario {
  const [script = "", expected = ""] = text.split(`\n${SEPARATOR}\n`);
  return { script: script.trimEnd(), expected: expected.trimEnd() };
}

export const joinScenario = ({ script, expected }: Scenario): string =>
  `${script}\n${SEPARATOR}\n${expected}\n`;

/** Runs a script; returns its transcript. Throws on a line it does not understand. */
export function runScript(script: string): string {
  const lan = new Lan();
  let end = 0;
  for (const line of script.split("\n")) {
    const [first = "", verb = "", ...rest] = line.trim().split(/\s+/);
    if (first === "" || first.startsWith("#")) continue;
    if (first === "router") lan.add(verb, rest[0] ?? "", readOptions(rest.slice(1)));
    else if (verb === "end") end = readSeconds(first);
    else scheduleCommand(lan, readSeconds(first), verb, rest[0] ?? "");
  }
  lan.run(end);
  const { nobody, several } = lan.spent;
  const masters = lan.routers.filter((router) => router.running && router.state.state === "MASTER");
  return [
    ...lan.log,
    `master: ${masters.map((router) => router.name).join(" and ") || "nobody"}`,
    `without owner ${(nobody / 1e6).toFixed(6)} s, with two owners ${(several / 1e6).toFixed(6)} s`,
  ].join("\n");
}

function scheduleCommand(lan: Lan, at: number, verb: string, name: string): void {
  const router = lan.routers.find((entry) => entry.name === name);
  if (!router) throw new Error(`no router named "${name}"; declare it with a router line first`);
  const run = COMMANDS[verb];
  if (!run) throw new Error(`unknown command "${verb}"; known: ${Object.keys(COMMANDS).join(", ")}, end`);
  lan.at(at, () => run(lan, router));
}

const COMMANDS: Record<string, (lan: Lan, router: LanRouter) => void> = {
  start: (lan, router) => lan.start(router),
  resume: (lan, router) => lan.start(router, true),
  stop: (lan, router) => lan.stop(router),
  kill: (lan, router) => lan.kill(router),
  "power-off": (lan, router) => lan.powerOff(router),
  suspend: (lan, router) => lan.suspend(router),
  continue: (lan, router) => lan.wake(router),
  unplug: (lan, router) => lan.cable(router, false),
  plug: (lan, router) => lan.cable(router, true),
  deafen: (_lan, router) => {
    router.deaf = true;
  },
  cure: (_lan, router) => {
    router.deaf = false;
  },
  fault: (lan, router) => lan.feed(router, { kind: "faults", faults: [LINK_DOWN] }),
  recover: (lan, router) => lan.feed(router, { kind: "faults", faults: [] }),
  failover: (lan, router) => lan.feed(router, { kind: "release", reason: "failover asked for" }),
  contend: (lan, router) => lan.feed(router, { kind: "contend" }),
  steal: (lan, router) => lan.feed(router, { kind: "vip-lost", address: "192.0.2.100" }),
};

function readSeconds(text: string): number {
  const value = Number(text) * 1e6;
  if (!Number.isFinite(value) || value < 0) throw new Error(`"${text}" is not a time in seconds`);
  return Math.round(value);
}

function readOptions(words: readonly string[]): Partial<InstanceConfig> {
  return Object.assign({}, ...words.map(readOption)) as Partial<InstanceConfig>;
}

function readOption(word: string): Partial<InstanceConfig> {
  const [key, value = ""] = word.split("=");
  switch (key) {
    case "priority":
      return { priority: Number(value) };
    case "version":
      return { version: value === "3" ? 3 : 2 };
    case "advert_int":
      return { advertInterval: us(readSeconds(value)) };
    case "nopreempt":
      return { preempt: false };
    case "preempt_delay":
      return { preemptDelay: us(readSeconds(value)) };
    case "auth_pass":
      return { auth: { type: "PASS", pass: value } };
    case "vip":
      return { vips: [vip(value)] };
    case "v3_checksum_as_v2":
      return { checksumMessageOnly: true };
    default:
      throw new Error(`unknown router option "${word}"`);
  }
}
