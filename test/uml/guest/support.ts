/** What the guest programs of this folder share: web servers, clients and views of a namespace's table. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DaemonStatus } from "../../../src/cli/status.ts";
import type { Lab, Namespace } from "../../support/lab.ts";
import type { TestProcess } from "../../support/process.ts";
import type { Vipward } from "../../support/vipward.ts";
import { waitFor } from "../../support/wait.ts";

/** Twice the promised 2 s and more: one emulated CPU is shared by every process of the lab. */
export const SOON = { timeout: 20_000, every: 100 };

/** busybox httpd, whose page says `text`; returns when it listens. */
export async function web(lab: Lab, ns: Namespace, port = 80, text = ns.role): Promise<TestProcess> {
  const root = path.join(lab.dir, `www-${ns.role}-${port}`);
  mkdirSync(root, { recursive: true });
  writeFileSync(path.join(root, "index.html"), `${text}\n`);
  const server = lab.spawn(ns, ["busybox", "httpd", "-f", "-p", `0.0.0.0:${port}`, "-h", root]);
  const socket = new RegExp(`:${hex(port, 4)} 00000000:0000 0A`);
  await waitFor(() => socket.test(procNet(ns, "tcp")), { what: `a web server on port ${port}` });
  return server;
}

/** Direct routing and tunnels: packets for the VIP are taken, but no ARP request for it is answered. */
export async function holdVip(lab: Lab, ns: Namespace, vip: string): Promise<void> {
  const settings = ["all", "lo"].flatMap((dev) => [
    `net.ipv4.conf.${dev}.arp_ignore=1`,
    `net.ipv4.conf.${dev}.arp_announce=2`,
  ]);
  await lab.exec(ns, ["sysctl", "-qw", ...settings]);
  await lab.exec(ns, ["ip", "addr", "add", `${vip}/32`, "dev", "lo"]);
}

/** The pages got by `count` requests one after the other, each over a connection of its own. */
export async function curl(
  lab: Lab,
  client: Namespace,
  url: string,
  count = 1,
  ...options: string[]
): Promise<string[]> {
  const argv = ["curl", "-sS", "-m", "5", "-H", "Connection: close", ...options, `${url}?[1-${count}]`];
  const { stdout } = await lab.exec(client, argv);
  return stdout.trimEnd().split("\n");
}

/** `ipvsadm -S -n`. */
export async function saved(lab: Lab, ns: Namespace): Promise<string> {
  return (await lab.exec(ns, ["ipvsadm", "-S", "-n"])).stdout;
}

/** Connections seen so far by each service and destination: `ipvsadm -Ln --stats`, by "ADDR:PORT". */
export async function connections(lab: Lab, ns: Namespace, service: string): Promise<Record<string, number>> {
  const { stdout } = await lab.exec(ns, ["ipvsadm", "-Ln", "--stats", "--exact", "-t", service]);
  const rows = stdout.matchAll(/^(?:TCP| +->) +(\S+:\d+) +(\d+)/gm);
  return Object.fromEntries([...rows].map(([, key, count]) => [key, Number(count)]));
}

export async function status(daemon: Vipward): Promise<DaemonStatus> {
  const { status: code, body } = await daemon.api("/api/v1/status");
  assert.equal(code, 200, body);
  return JSON.parse(body) as DaemonStatus;
}

export async function waitInstance(daemon: Vipward, name: string, state: string): Promise<void> {
  const inState = async () =>
    (await status(daemon)).instances.some((instance) => instance.name === name && instance.state === state);
  await waitFor(inState, { ...SOON, what: `${name} to be ${state}` }).catch((error) => {
    throw new Error(`${error.message}\n${daemon.process.text}`);
  });
}

/** Waits until the table as ipvsadm would save it holds each of `lines`, in whatever order, and no other line of `service`. */
export async function waitService(
  lab: Lab,
  ns: Namespace,
  service: string,
  lines: readonly string[],
): Promise<void> {
  let seen: string[] = [];
  const wanted = [...lines].sort().join("\n");
  const fits = async () => {
    seen = (await saved(lab, ns)).split("\n").filter((line) => line.includes(` -t ${service} `));
    return seen.sort().join("\n") === wanted;
  };
  await waitFor(fits, { ...SOON, what: `the table of ${ns.role} to be\n${wanted}\n` }).catch((error) => {
    throw new Error(`${error.message}; it is\n${seen.join("\n")}`);
  });
}

/** True when the namespace has the address, by its table of local routes. */
export function hasAddress(ns: Namespace, address: string): boolean {
  const [, after = ""] = procNet(ns, "fib_trie").split(`|-- ${address}\n`);
  return /^ +\/32 host LOCAL/.test(after);
}

/** A file of the namespace's /proc/net, read without entering it: a hundredth of a process's cost. "" when there is none. */
export function procNet(ns: Namespace, file: string): string {
  const place = `/proc/${ns.holder}/net/${file}`;
  return existsSync(place) ? readFileSync(place, "latin1") : "";
}

export function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}

/** "ADDR:PORT" as /proc/net/ip_vs writes it. */
export function hexEndpoint(endpoint: string): string {
  const [address = "", port] = endpoint.split(":");
  const bytes = address.split(".").map((byte) => hex(Number(byte), 2));
  return `${bytes.join("")}:${hex(Number(port), 4)}`;
}

export interface Sample {
  readonly vip: boolean;
  /** Destinations in the service's table by "ADDR:PORT" in hex, with their weight; undefined: no service. */
  readonly weights: ReadonlyMap<string, number> | undefined;
}

/** Looks at one service and its VIP every few milliseconds, and keeps what it saw whenever that changed. */
export class Watch {
  readonly samples: Sample[] = [];
  /** Looks at which the VIP was there before and after reading a table that had no such service. */
  vipWithoutService = 0;
  readonly #ns: Namespace;
  readonly #vip: string;
  readonly #service: string;
  #running = true;
  readonly #ended: Promise<void>;

  constructor(ns: Namespace, service: string) {
    this.#ns = ns;
    this.#vip = service.split(":")[0] ?? "";
    this.#service = hexEndpoint(service);
    this.#ended = this.#run();
  }

  /** Ends the watch and returns what it saw. */
  async stop(): Promise<readonly Sample[]> {
    this.#running = false;
    await this.#ended;
    return this.samples;
  }

  async #run(): Promise<void> {
    let last = "";
    while (this.#running) {
      const before = hasAddress(this.#ns, this.#vip);
      const weights = readWeights(procNet(this.#ns, "ip_vs"), this.#service);
      if (before && weights === undefined && hasAddress(this.#ns, this.#vip)) this.vipWithoutService += 1;
      const seen = `${before} ${weights && [...weights].join()}`;
      if (seen !== last) this.samples.push({ vip: before, weights });
      last = seen;
      await sleep(8);
    }
  }
}

function readWeights(table: string, service: string): Map<string, number> | undefined {
  let weights: Map<string, number> | undefined;
  let inside = false;
  for (const line of table.split("\n")) {
    const [first, second, , weight] = line.trim().split(/ +/);
    if (first !== "->") inside = first === "TCP" && second === service;
    if (inside) weights ??= new Map();
    if (inside && first === "->" && second) weights?.set(second, Number(weight));
  }
  return weights;
}

/** "[a, b, a, b]" and its like: every page differs from the one before, and there are two of them. */
export function assertAlternates(pages: readonly string[], names: readonly [string, string]): void {
  assert.deepEqual(new Set(pages), new Set(names));
  for (const [index, page] of pages.entries()) {
    if (index > 0) assert.notEqual(page, pages[index - 1], pages.join(" "));
  }
}
