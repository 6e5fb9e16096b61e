/**
 * Who holds a VIP, and when: `ip monitor address` on every node, each event with the time it was read.
 * Renewals of a lease are events too; only adds and deletions matter here.
 */
import type { Lab, Namespace, TestProcess } from "./lab.ts";
import { waitFor } from "./wait.ts";

/** Unix seconds; `to` is Infinity while it is still held. */
export interface Holding {
  readonly role: string;
  readonly from: number;
  readonly to: number;
}

export interface Overlap {
  readonly from: number;
  readonly seconds: number;
}

/** On loopback, never a VIP: shows that a monitor listens. */
const MARKER = "127.255.255.254/32";
const EVENT = /^\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})\] (Deleted )?\d+: (\S+) +inet (\S+)/;

interface AddressEvent {
  readonly time: number;
  readonly deleted: boolean;
  readonly address: string;
}

export class OwnerWatch {
  readonly #monitors = new Map<string, TestProcess>();

  static async start(lab: Lab, nodes: readonly Namespace[]): Promise<OwnerWatch> {
    const watch = new OwnerWatch();
    await Promise.all(nodes.map((node) => watch.#listen(lab, node)));
    return watch;
  }

  async #listen(lab: Lab, node: Namespace): Promise<void> {
    const monitor = lab.spawn(node, ["ip", "-4", "-ts", "-o", "monitor", "address"]);
    this.#monitors.set(node.role, monitor);
    const mark = (verb: string) => lab.exec(node, ["ip", "addr", verb, MARKER, "dev", "lo"]);
    await waitFor(
      async () => {
        await mark("add");
        await mark("del");
        return monitor.output.length > 0;
      },
      { what: `ip monitor of ${node.role} to listen` },
    );
  }

  /** Every stretch of time in which a node had `address`, by its start. */
  holdings(address: string): Holding[] {
    const all = [...this.#monitors].flatMap(([role, monitor]) =>
      holdingsOf(role, eventsOf(monitor, address)),
    );
    return all.sort((x, y) => x.from - y.from);
  }

  /** Roles that have it now. */
  owners(address: string): string[] {
    return this.holdings(address)
      .filter((holding) => holding.to === Number.POSITIVE_INFINITY)
      .map((holding) => holding.role);
  }

  /** The longest stretch of two owners between `since` and `until`; 0 seconds when there was none. */
  twoOwners(address: string, since = 0, until = Date.now() / 1000): Overlap {
    const held = clip(this.holdings(address), since, until);
    let longest: Overlap = { from: since, seconds: 0 };
    for (const [i, one] of held.entries()) {
      for (const other of held.slice(i + 1)) {
        const from = Math.max(one.from, other.from);
        const seconds = Math.min(one.to, other.to) - from;
        if (one.role !== other.role && seconds > longest.seconds) longest = { from, seconds };
      }
    }
    return longest;
  }

  /** The longest stretch without an owner. */
  noOwner(address: string, since: number, until = Date.now() / 1000): Overlap {
    let longest: Overlap = { from: since, seconds: 0 };
    let covered = since;
    const nobody = { role: "", from: until, to: until };
    for (const { from, to } of [...clip(this.holdings(address), since, until), nobody]) {
      if (from - covered > longest.seconds) longest = { from: covered, seconds: from - covered };
      covered = Math.max(covered, to);
    }
    return longest;
  }

  /** Adds and deletions in words, for a failed test. */
  events(address: string): { readonly time: number; readonly text: string }[] {
    return this.holdings(address).flatMap(({ role, from, to }) => [
      { time: from, text: `${role} has ${address}` },
      ...(to === Number.POSITIVE_INFINITY ? [] : [{ time: to, text: `${role} lost ${address}` }]),
    ]);
  }
}

function clip(holdings: readonly Holding[], since: number, until: number): Holding[] {
  return holdings
    .map(({ role, from, to }) => ({ role, from: Math.max(from, since), to: Math.min(to, until) }))
    .filter(({ from, to }) => to > from);
}

function eventsOf(monitor: TestProcess, address: string): AddressEvent[] {
  return monitor.output.flatMap(({ text }) => {
    const [, second = "", micros = "", deleted, , cidr = ""] = EVENT.exec(text) ?? [];
    if (cidr.split("/")[0] !== address) return [];
    return {
      time: Date.parse(second) / 1000 + Number(micros) / 1e6,
      deleted: deleted !== undefined,
      address,
    };
  });
}

function holdingsOf(role: string, events: readonly AddressEvent[]): Holding[] {
  const out: Holding[] = [];
  let from: number | undefined;
  for (const { time, deleted } of events) {
    if (!deleted) from ??= time;
    else if (from !== undefined) {
      out.push({ role, from, to: time });
      from = undefined;
    }
  }
  if (from !== undefined) out.push({ role, from, to: Number.POSITIVE_INFINITY });
  return out;
}
