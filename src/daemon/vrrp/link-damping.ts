/**
 * A link that goes up and down many times a second counts as down until it has been up for a while: each
 * change would otherwise be a transition with its log lines and notify scripts.
 */
import type { LinkInfo } from "../../net/rtnetlink.ts";
import { type Microseconds, us } from "../../units.ts";

export interface WatchedLink extends LinkInfo {
  /** Up at the moment, and not believed; `running` is false. How often it went down within `FLAPPING_WITHIN_S`. */
  readonly flapping?: number;
}

export const FLAPPING_WITHIN_S = 10;
const WINDOW_US = FLAPPING_WITHIN_S * 1_000_000;
/** A cable put in by hand bounces less often. */
const LIMIT = 5;
const STEADY_US = 1_000_000;
/** Downs kept of one link. */
const MAX_KEPT = 1_000;

interface History {
  working: boolean;
  /** Since when it has been up without a break, as far as was seen. */
  since: Microseconds;
  downs: readonly Microseconds[];
  held: boolean;
}

export class LinkDamping {
  #known = new Map<number, History>();

  /** When a held link may be believed again; undefined when none is held. */
  get deadline(): Microseconds | undefined {
    const held = [...this.#known.values()].filter((history) => history.held && history.working);
    return held.length > 0 ? us(Math.min(...held.map(({ since }) => since + STEADY_US))) : undefined;
  }

  /** The links as the kernel tells them at `now`, those that flap marked. */
  apply(links: readonly LinkInfo[], now: Microseconds): readonly WatchedLink[] {
    const before = this.#known;
    this.#known = new Map();
    return links.map((link) => {
      const history = follow(before.get(link.index), link.up && link.running, now);
      this.#known.set(link.index, history);
      return history.held && history.working
        ? { ...link, running: false, flapping: history.downs.length }
        : link;
    });
  }
}

function follow(before: History | undefined, working: boolean, now: Microseconds): History {
  if (!before) return { working, since: now, downs: [], held: false };
  const recent = before.downs.filter((at) => now - at < WINDOW_US);
  const downs = before.working && !working ? [...recent, now].slice(-MAX_KEPT) : recent;
  const since = working && before.working ? before.since : now;
  const steady = working && now - since >= STEADY_US;
  const held = !steady && (before.held || downs.length >= LIMIT);
  return { working, since, downs, held };
}
