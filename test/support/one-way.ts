/** One round of one-way loss between two directors: what is named when, and how long it takes to heal. */
import { setTimeout as sleep } from "node:timers/promises";
import type { DaemonStatus } from "../../src/cli/status.ts";
import { type Directors, type Role, unixNow, VIP } from "./directors.ts";
import { waitFor } from "./lab.ts";
import type { Vipward } from "./vipward.ts";
import { deafToAdverts, deafToAll } from "./vrrp-faults.ts";

export interface Loss {
  readonly deaf: Role;
  /** To advertisements only (a filter), or to every frame (a broken fibre). */
  readonly to: "adverts" | "everything";
}

/** The conflicts each daemon is to name. */
export type Names = Readonly<Partial<Record<Role, readonly string[]>>>;

/** Seconds. */
export interface LossRound {
  /** From the beginning of the loss to the deaf router's own first advertisement. */
  readonly secondMaster: number;
  /** From the beginning of the loss until the status of each names all it is to name. */
  readonly named: readonly number[];
  /** From the end of the loss until there is one owner. */
  readonly healed: number;
  /** From the end of the loss until no status names a conflict (when that is waited for). */
  readonly withdrawn: number;
}

export interface RoundOptions {
  /** False: don't wait until the conflicts are withdrawn. */
  readonly withdrawal?: boolean;
  /** Milliseconds that the loss goes on after it was named. */
  readonly hold?: number;
}

export async function oneWayRound(
  pair: Directors,
  loss: Loss,
  daemons: Readonly<Partial<Record<Role, Vipward>>>,
  names: Names,
  { withdrawal = true, hold = 0 }: RoundOptions = {},
): Promise<LossRound> {
  const began = unixNow();
  const mend = await lose(pair, loss);
  const named = Object.entries(names).map(async ([role, kinds]) => {
    const daemon = daemons[role as Role];
    if (!daemon) throw new Error(`no vipward on ${role}`);
    const all = async () => {
      const told = await conflictsOf(daemon);
      return kinds.every((kind) => told.includes(kind));
    };
    await waitFor(all, { timeout: 15_000, what: `${role} to name ${kinds.join(" and ")}` });
    return unixNow() - began;
  });
  const times = await Promise.all(named);
  const second = pair.sent(loss.deaf, began)[0];
  if (!second) throw new Error(`${loss.deaf} did not become master`);
  await sleep(hold);
  const ended = unixNow();
  await mend();
  const owner = loss.deaf === "a" ? "b" : "a";
  await waitFor(() => pair.owners.owners(VIP).join() === owner, { what: `${owner} to be the only owner` });
  const lost = pair.owners.holdings(VIP).findLast(({ role }) => role === loss.deaf)?.to ?? ended;
  const silent = async () =>
    (await Promise.all(Object.values(daemons).map(conflictsOf))).every((kinds) => kinds.length === 0);
  if (withdrawal) await waitFor(silent, { timeout: 20_000, what: "the conflicts to be withdrawn" });
  return {
    secondMaster: second.time - began,
    named: times,
    healed: lost - ended,
    withdrawn: unixNow() - ended,
  };
}

export function lose(pair: Directors, { deaf, to }: Loss): Promise<() => Promise<void>> {
  return to === "adverts" ? deafToAdverts(pair.lab, pair[deaf]) : deafToAll(pair.lab, pair.lan, deaf);
}

/** Kinds of the conflicts that stand. */
export async function conflictsOf(daemon: Vipward): Promise<string[]> {
  const { body } = await daemon.api("/api/v1/status");
  const { instances } = JSON.parse(body) as Pick<DaemonStatus, "instances">;
  return instances.flatMap(({ conflicts }) => conflicts.map(({ kind }) => kind));
}
