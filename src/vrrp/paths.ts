/**
 * Several ways to hear one router (heartbeat_interfaces): the same advertisement arrives once over each. All
 * feed one machine, so a peer is lost only when it is lost on all paths; this part keeps copies from counting
 * as further masters, and makes one path decide where addresses are compared.
 *
 * For each admitted advertisement the runtime calls hearOnPath(), keeps `paths`, and feeds the machine (with
 * the own address of that path) only when `deliver` is true. Everything else about the advertisement (notes,
 * conflicts) is for delivered ones, under `identity`. Adverts are sent on every path, from each one's own
 * address, with one auth_hmac sequence for all.
 *
 * Routers of equal priority whose addresses are ordered differently on different paths can disagree while
 * the primary path works in one direction only; configurations with heartbeat paths should give every router
 * a priority of its own.
 */
import { type Microseconds, us } from "../units.ts";
import type { Advert } from "./advert.ts";
import { rank } from "./master.ts";
import type { InstanceState, MachineConfig } from "./state.ts";
import { masterDownInterval } from "./timing.ts";

interface HeardRouter {
  readonly path: string;
  readonly source: string;
  readonly priority: number;
  /** Heard without a longer pause from `since` to `at`, with this priority. */
  readonly since: Microseconds;
  readonly at: Microseconds;
  /** Whether the machine had it: only then is another one a copy. */
  readonly delivered: boolean;
  /** What it is called on the primary path, once both were heard together. */
  readonly alias?: string;
}

/** JSON data, bounded. */
export interface Paths {
  readonly routers: readonly HeardRouter[];
}

export const noPaths: Paths = { routers: [] };

const MAX_ROUTERS = 32;

export interface OnPath {
  /** Interface it came in on. */
  readonly path: string;
  /** The instance's own interface. */
  readonly primary: string;
  readonly advert: Advert;
  /** Our address on that path. */
  readonly ownAddress: string;
}

export interface HeardOnPath {
  readonly paths: Paths;
  readonly deliver: boolean;
  /** One name for the router, whichever path it was heard on. */
  readonly identity: string;
}

export function hearOnPath(
  paths: Paths,
  heard: OnPath,
  now: Microseconds,
  state: InstanceState,
  config: MachineConfig,
): HeardOnPath {
  const { path, primary, advert } = heard;
  const { source, priority } = advert;
  const copies = paths.routers.filter((router) => router.path !== path && isCopy(router, advert, now));
  const before = paths.routers.find((router) => router.path === path && router.source === source);
  // On the primary path a router has its own name; elsewhere that of the copy heard there.
  const original = copies.find((router) => router.path === primary)?.source;
  const alias = path === primary ? undefined : (original ?? before?.alias);
  const goesOn = before?.priority === priority && now - before.at < silence(advert, config);
  const since = goesOn ? before.since : now;
  const copy = copies.some((router) => router.delivered);
  const deliver = matters(paths, heard, { copy, since }, now, state, config);
  const named = alias === undefined ? {} : { alias };
  const entry = { path, source, priority, since, at: now, delivered: deliver, ...named };
  const others = paths.routers
    .filter((router) => router !== before)
    // The copy came first: from now on it is known by its name here.
    .map((router) => (path === primary && copies.includes(router) ? { ...router, alias: source } : router));
  return {
    paths: { routers: [...others.slice(-(MAX_ROUTERS - 1)), entry] },
    identity: alias ?? source,
    deliver,
  };
}

/** The same priority on another path within half an interval: one router, one advertisement. */
function isCopy(router: HeardRouter, advert: Advert, now: Microseconds): boolean {
  return router.priority === advert.priority && now - router.at < advert.interval / 2;
}

const silence = (advert: Advert, config: MachineConfig): Microseconds =>
  masterDownInterval(config, config.priority, advert.interval);

function matters(
  paths: Paths,
  { path, primary, advert, ownAddress }: OnPath,
  { copy, since }: { readonly copy: boolean; readonly since: Microseconds },
  now: Microseconds,
  state: InstanceState,
  config: MachineConfig,
): boolean {
  // A backup's timer is set anew by each copy, which does no harm and keeps it right when one path is late.
  if (state.state !== "MASTER") return true;
  if (path !== primary && advert.priority === config.priority) {
    const decided = paths.routers.some(
      (router) =>
        router.path === primary &&
        router.priority === advert.priority &&
        now - router.at < silence(advert, config),
    );
    // Addresses are compared on one path only: two answers could differ. The copy on the primary path may
    // be just behind, so this one counts only when none has come by the next advertisement.
    if (decided || now - since < advert.interval / 2) return false;
  }
  // A copy of a loser would be answered twice, one of priority 0 too; a better router must be heard.
  return !copy || (advert.priority > 0 && rank(advert, ownAddress, config) > 0);
}

/** Paths on which nobody is heard though somebody is on another one: broken links of the heartbeat. */
export function silentPaths(
  paths: Paths,
  all: readonly string[],
  now: Microseconds,
  silentFor: Microseconds,
): string[] {
  const alive = new Set(paths.routers.filter(({ at }) => now - at < silentFor).map(({ path }) => path));
  return alive.size === 0 ? [] : all.filter((path) => !alive.has(path));
}

/** When a path was last heard on; undefined if never. */
export function lastHeardOn(paths: Paths, path: string): Microseconds | undefined {
  const times = paths.routers.filter((router) => router.path === path).map((router) => router.at);
  return times.length > 0 ? us(Math.max(...times)) : undefined;
}
