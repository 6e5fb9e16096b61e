/** MASTER: advertising, answering losers, yielding to better routers (RFC 5798 §6.4.3, RFC 9568 §6.4.3). */
import { type Microseconds, us } from "../units.ts";
import { compareAddresses } from "../wire/address.ts";
import type { Advert } from "./advert.ts";
import { lowerMaster } from "./backup.ts";
import { type Action, type MachineConfig, type Master, type Step, same } from "./state.ts";
import { masterDownInterval } from "./timing.ts";
import { announce, becomeBackup, becomeFaulty, refreshFrom } from "./transitions.ts";

/** A master silent for a whole down interval has been replaced by any living peer; how long, as text. */
export function sleptThroughMastership(
  state: Master,
  now: Microseconds,
  config: MachineConfig,
): string | undefined {
  // From the plan too: a reload with a shorter interval must not make the past look like sleep.
  const silent = now - Math.max(state.lastAdvertAt, state.advertAt - config.advertInterval);
  if (silent <= masterDownInterval(config, config.priority, config.advertInterval)) return undefined;
  return `${(silent / 1e6).toFixed(3)} s`;
}

export function masterTick(state: Master, now: Microseconds, config: MachineConfig): Step {
  const actions: Action[] = [];
  let next = state;
  if (now >= next.advertAt) {
    actions.push({ kind: "send-advert", priority: config.priority });
    next = { ...next, ...advertSent(next.advertAt, now, config) };
  }
  if (next.announceAt !== undefined && now >= next.announceAt) {
    actions.push(...announce(config.garpMasterRepeat, config));
    const { announceAt: _done, ...rest } = next;
    next = rest;
  }
  if (next.lowerAnnounceAt !== undefined && now >= next.lowerAnnounceAt) {
    actions.push(...announce(lowerRepeat(config), config));
    const { lowerAnnounceAt: _done, ...rest } = next;
    next = rest;
  }
  const refresh = refreshDue(next, now, config);
  return { state: refresh.state, actions: [...actions, ...refresh.actions] };
}

/** A reload may have switched refreshing on or off; a deadline left behind would fire at every tick. */
function refreshDue(state: Master, now: Microseconds, config: MachineConfig): Step {
  const { refreshAt, ...rest } = state;
  const enabled = config.garpMasterRefresh > 0;
  if (enabled && refreshAt !== undefined && now < refreshAt) return same(state);
  const due = enabled && refreshAt !== undefined;
  return {
    state: { ...rest, ...refreshFrom(now, config) },
    actions: due ? announce(config.garpMasterRefreshRepeat, config) : [],
  };
}

/** Keeps the rhythm of the planned time, so that lateness does not add up; starts anew when far behind. */
function advertSent(planned: Microseconds, now: Microseconds, config: MachineConfig) {
  const next = planned + config.advertInterval;
  return { advertAt: us(next > now ? next : now + config.advertInterval), lastAdvertAt: now };
}

export function masterHears(
  state: Master,
  advert: Advert,
  ownAddress: string,
  now: Microseconds,
  config: MachineConfig,
): Step {
  const own: Action = { kind: "send-advert", priority: config.priority };
  if (advert.priority === 0) return { state: { ...state, ...advertSent(now, now, config) }, actions: [own] };
  const order = rank(advert, ownAddress, config);
  if (order > 0) return yieldTo(state, advert, now, config, higherReason(advert, config));
  if (order === 0) {
    // Answering at once would start a storm between two routers that share an address.
    return { state, actions: [{ kind: "note", note: { what: "same-address", source: advert.source } }] };
  }
  const rogue = rogueOwner(state, advert, now, config);
  if (rogue && now - rogue.since >= masterDownInterval(config, config.priority, config.advertInterval)) {
    const reason = `${advert.source} goes on as address owner (priority 255) and does not give way to us`;
    return yieldTo(state, advert, now, config, reason);
  }
  return assertMastership({ ...state, ...(rogue ? { rogue } : {}) }, advert, now, config);
}

/**
 * A loser is heard: RFC 9568 §6.4.3 asserts mastership at once; keepalived also repeats the ARP, for a
 * switch that learned the other, and once more after garp_lower_prio_delay.
 */
function assertMastership(state: Master, advert: Advert, now: Microseconds, config: MachineConfig): Step {
  const silent = config.lowerPriorityNoAdvert === true;
  const delay = config.garpLowerPriorityDelay ?? config.garpMasterDelay;
  const later = delay > 0 && lowerRepeat(config) > 0 ? us(now + delay) : undefined;
  const lowerAnnounceAt = state.lowerAnnounceAt ?? later;
  return {
    state: {
      ...state,
      ...(silent ? {} : { lastAdvertAt: now }),
      ...(lowerAnnounceAt === undefined ? {} : { lowerAnnounceAt }),
    },
    actions: [
      ...(silent ? [] : [{ kind: "send-advert", priority: config.priority } as const]),
      ...announce(lowerRepeat(config), config),
      lowerMaster(advert),
    ],
  };
}

const lowerRepeat = (config: MachineConfig): number =>
  config.garpLowerPriorityRepeat ?? config.garpMasterRepeat;

/** Falls back without priority 0: the other is master already. */
function yieldTo(
  state: Master,
  advert: Advert,
  now: Microseconds,
  config: MachineConfig,
  reason: string,
): Step {
  const interval = config.version === 3 ? advert.interval : config.advertInterval;
  const step = becomeBackup(state, now, config, reason, interval);
  if (!config.higherPrioritySendAdvert) return step;
  // keepalived: makes the other repeat its ARP, in case ours was the last one heard.
  return { ...step, actions: [{ kind: "send-advert", priority: config.priority }, ...step.actions] };
}

function higherReason(advert: Advert, config: MachineConfig): string {
  const why = advert.priority === config.priority ? "equal priority, higher address" : "higher priority";
  return `${advert.source} advertises priority ${advert.priority} (${why})`;
}

/**
 * Two owners are a mistake in the configuration (erratum 8298). The higher address wins; but a real owner
 * never gives way, so when the other goes on for a master-down interval we do: keepalived falls to 254,
 * which comes to the same. As backup we are ready to be the owner again when it falls silent.
 */
function rogueOwner(
  state: Master,
  advert: Advert,
  now: Microseconds,
  config: MachineConfig,
): Master["rogue"] {
  if (config.priority !== 255 || advert.priority !== 255) return state.rogue;
  const { rogue } = state;
  const silence = masterDownInterval(config, config.priority, config.advertInterval);
  const goesOn = rogue?.source === advert.source && now - rogue.last < silence;
  return { source: advert.source, since: goesOn ? rogue.since : now, last: now };
}

/** > 0: the sender goes before us as master, by priority, then by address (RFC 5798 §6.4.3). */
export function rank(
  advert: Pick<Advert, "priority" | "source">,
  ownAddress: string,
  config: Pick<MachineConfig, "priority">,
): number {
  return advert.priority === config.priority
    ? compareAddresses(advert.source, ownAddress)
    : advert.priority - config.priority;
}

/** The rhythm goes on; a shorter interval counts at once. */
export function masterReconfigured(state: Master, now: Microseconds, config: MachineConfig): Step {
  return same({ ...state, advertAt: us(Math.min(state.advertAt, now + config.advertInterval)) });
}

const VIP_LOST_WINDOW = 10_000_000;
const VIP_LOST_LIMIT = 3;
/** Long enough for the operator or program that takes it to be noticed, short enough to come back by itself. */
export const VIP_LOST_HOLD = us(30_000_000);

/**
 * keepalived drops to backup at the first loss. We put the VIP back at once, and yield openly only when
 * somebody insists: without the address we would be a master in name only.
 */
export function vipLost(state: Master, address: string, now: Microseconds, config: MachineConfig): Step {
  const recent = [...(state.vipLostAt ?? []).filter((at) => now - at < VIP_LOST_WINDOW), now];
  if (recent.length >= VIP_LOST_LIMIT) {
    const detail = `${address} was taken away ${recent.length} times in ${VIP_LOST_WINDOW / 1e6} s by somebody else`;
    return becomeFaulty(state, [{ kind: "vip-lost", detail }], now, us(now + VIP_LOST_HOLD));
  }
  return {
    state: { ...state, vipLostAt: recent },
    actions: [{ kind: "add-addresses" }, ...announce(1, config)],
  };
}
