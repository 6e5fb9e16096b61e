/** Faults of links, clocks and processors, put on a running pair of directors from outside. */
import type { Lab, Namespace, TestProcess } from "./lab.ts";

/** The node does not receive protocol 112 any more (all else arrives); the returned function ends that. */
export async function deafToAdverts(lab: Lab, node: Namespace): Promise<() => Promise<void>> {
  const rule = (verb: string) =>
    lab.exec(node, ["iptables-legacy", "-w", verb, "INPUT", "-p", "112", "-j", "DROP"]);
  await rule("-A");
  return async () => {
    await rule("-D");
  };
}

/** Nothing reaches the node any more, though what it sends arrives: a broken fibre. `port` is the bridge's. */
export async function deafToAll(lab: Lab, lan: Namespace, port: string): Promise<() => Promise<void>> {
  const flooding = (to: string) =>
    ["flood", "mcast_flood", "bcast_flood", "learning"].flatMap((option) => [option, to]);
  const slave = (...options: string[]) =>
    lab.exec(lan, ["ip", "link", "set", "dev", port, "type", "bridge_slave", ...options]);
  // Without learning the bridge knows no address behind the port, and what is unknown is not flooded there.
  await slave(...flooding("off"), "fdb_flush");
  return async () => {
    await slave(...flooding("on"));
  };
}

/** Takes a device down and up again so many times a second until stop(), which leaves it up. */
export class Flapping {
  readonly #lab: Lab;
  readonly #ns: Namespace;
  readonly #dev: string;
  readonly #process: TestProcess;

  constructor(lab: Lab, ns: Namespace, dev: string, perSecond: number) {
    this.#lab = lab;
    this.#ns = ns;
    this.#dev = dev;
    const half = (1 / perSecond / 2).toFixed(4);
    // read with a timeout: a sleep that costs no process.
    const script = `
      exec {never}<> <(:)
      while :; do
        for way in down up; do
          echo "link set dev ${dev} $way"
          read -r -t ${half} -u $never
        done
      done | ip -batch -`;
    this.#process = lab.spawn(ns, ["bash", "-c", script]);
  }

  async stop(): Promise<void> {
    this.#process.killGroup();
    await this.#process.exited;
    await this.#lab.exec(this.#ns, ["ip", "link", "set", "dev", this.#dev, "up"]);
  }
}

/** Processes that do nothing but compute, `count` of them at normal priority. */
export function hogs(lab: Lab, ns: Namespace, count: number): () => Promise<void> {
  const processes = Array.from({ length: count }, () => lab.spawn(ns, ["sh", "-c", "while :; do :; done"]));
  return async () => {
    for (const process of processes) process.killGroup();
    await Promise.all(processes.map((process) => process.exited));
  };
}
