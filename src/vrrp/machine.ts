/**
 * The VRRP state machine of one instance: step(state, event, config) -> { state, actions }.
 * RFC 5798 §6.4 and RFC 3768 §6.4, with keepalived's FAULT state and preempt_delay.
 *
 * Timers are deadlines inside the state, so a stale expiry cannot exist: a tick only fires what is due.
 * Times are microseconds of the monotonic clock.
 */
import type { InstanceConfig } from "../config/model.ts";
import { unreachable } from "../result.ts";
import { type Microseconds, us } from "../units.ts";
import { compareAddresses } from "../wire/ip.ts";
import type { ChecksumKind } from "../wire/types.ts";
import type { Advert, AdvertNote } from "./advert.ts";
import type { Note } from "./notes.ts";
import { masterDownInterval, skewTime } from "./timing.ts";

export type VrrpState = "INIT" | "BACKUP" | "MASTER" | "FAULT";

/** Something local that forbids taking part; `detail` is for people. */
export interface Fault {
  readonly kind:
    | "interface-down"
    | "interface-missing"
    | "no-address"
    | "services-unavailable"
    | "send-failed"
    | "tracker"
    | "sync-group"
    | "vip-lost";
  readonly detail: string;
}

export interface PeerSeen {
  readonly source: string;
  readonly priority: number;
  readonly interval: Microseconds;
  readonly checksumKind: ChecksumKind;
  readonly notes: readonly AdvertNote[];
  readonly at: Microseconds;
}

interface Common {
  readonly since: Microseconds;
  /** Why the last transition happened, for status and events. */
  readonly reason: string;
  readonly peer?: PeerSeen;
}
export type InstanceState =
  | (Common & { readonly state: "INIT" })
  | (Common & {
      readonly state: "BACKUP";
      readonly downAt: Microseconds;
      /** Adopted from the master (v3), else our own. */
      readonly masterInterval: Microseconds;
      /** End of preempt_delay; undefined while no lower master has been heard. */
      readonly preemptAt?: Microseconds;
    })
  | (Common & {
      readonly state: "MASTER";
      readonly advertAt: Microseconds;
      readonly lastAdvertAt: Microseconds;
      /** Second round of gratuitous ARP, garp_master_delay after the transition. */
      readonly announceAt?: Microseconds;
      readonly refreshAt?: Microseconds;
    })
  | (Common & { readonly state: "FAULT"; readonly faults: readonly Fault[] });

export type Event =
  /** `resume` goes on as master with what this node owned a moment ago, after a quick restart. */
  | { readonly kind: "startup"; readonly faults: readonly Fault[]; readonly resume?: boolean }
  | { readonly kind: "advert"; readonly advert: Advert; readonly ownAddress: string }
  | { readonly kind: "tick" }
  /** The complete current set; empty = healthy. */
  | { readonly kind: "faults"; readonly faults: readonly Fault[] }
  /** The process or machine slept: nothing it believes is current. */
  | { readonly kind: "paused"; readonly detail: string }
  | { readonly kind: "shutdown"; readonly reason: string };

export type Action =
  | { readonly kind: "send-advert"; readonly priority: number }
  | { readonly kind: "add-addresses" }
  | { readonly kind: "remove-addresses" }
  /** `count` gratuitous ARPs for every VIP. */
  | { readonly kind: "announce"; readonly count: number }
  | {
      readonly kind: "transition";
      readonly from: VrrpState;
      readonly to: VrrpState;
      readonly reason: string;
    }
  | { readonly kind: "note"; readonly note: Note };

export interface Step {
  readonly state: InstanceState;
  readonly actions: readonly Action[];
}

export function initialState(now: Microseconds): InstanceState {
  return { state: "INIT", since: now, reason: "not started" };
}

/** When the next tick is due; undefined while no timer runs. */
export function nextDeadline(state: InstanceState): Microseconds | undefined {
  switch (state.state) {
    case "BACKUP":
      return state.downAt;
    case "MASTER":
      return us(
        Math.min(
          state.advertAt,
          state.announceAt ?? Number.POSITIVE_INFINITY,
          state.refreshAt ?? Number.POSITIVE_INFINITY,
        ),
      );
    case "INIT":
    case "FAULT":
      return undefined;
    default:
      return unreachable(state);
  }
}

export function step(state: InstanceState, event: Event, now: Microseconds, config: InstanceConfig): Step {
  const asleep = sleptThroughMastership(state, now, config);
  if (asleep !== undefined && event.kind !== "shutdown" && event.kind !== "paused") {
    // Act on the event only after leaving the stale mastership: a queued advert of a lower router
    // would otherwise be answered as if we had been master all along.
    const left = becomeBackup(state, now, config, `asleep for ${asleep}`, config.advertInterval);
    return chain(left, event, now, config);
  }
  switch (event.kind) {
    case "startup":
      return state.state === "INIT" ? onStartup(state, event, now, config) : same(state);
    case "advert":
      return onAdvert(state, event.advert, event.ownAddress, now, config);
    case "tick":
      return onTick(state, now, config);
    case "faults":
      return onFaults(state, event.faults, now, config);
    case "paused":
      return onPaused(state, event.detail, now, config);
    case "shutdown":
      return onShutdown(state, event.reason, now);
    default:
      return unreachable(event);
  }
}

const same = (state: InstanceState): Step => ({ state, actions: [] });

function chain(first: Step, event: Event, now: Microseconds, config: InstanceConfig): Step {
  const second = step(first.state, event, now, config);
  return { state: second.state, actions: [...first.actions, ...second.actions] };
}

/** A master silent for a whole down interval has been replaced by any living peer. */
function sleptThroughMastership(
  state: InstanceState,
  now: Microseconds,
  config: InstanceConfig,
): string | undefined {
  if (state.state !== "MASTER") return undefined;
  // From the plan too: a reload with a shorter interval must not make the past look like sleep.
  const silent = now - Math.max(state.lastAdvertAt, state.advertAt - config.advertInterval);
  if (silent <= masterDownInterval(config, config.priority, config.advertInterval)) return undefined;
  return `${(silent / 1e6).toFixed(3)} s`;
}

// ---- transitions ------------------------------------------------------------------------------

function becomeMaster(state: InstanceState, now: Microseconds, config: InstanceConfig, reason: string): Step {
  const next: InstanceState = {
    state: "MASTER",
    since: now,
    reason,
    ...keepPeer(state),
    advertAt: us(now + config.advertInterval),
    lastAdvertAt: now,
    // keepalived: garp_master_delay 0 means no second round.
    ...(config.garpMasterDelay > 0 ? { announceAt: us(now + config.garpMasterDelay) } : {}),
    ...refreshFrom(now, config),
  };
  return {
    state: next,
    // Advert first: it stops other backups. Then the addresses, because only then may ARP claim them.
    actions: [
      { kind: "send-advert", priority: config.priority },
      { kind: "add-addresses" },
      { kind: "announce", count: config.garpMasterRepeat },
      { kind: "transition", from: state.state, to: "MASTER", reason },
    ],
  };
}

function becomeBackup(
  state: InstanceState,
  now: Microseconds,
  config: InstanceConfig,
  reason: string,
  masterInterval: Microseconds,
): Step {
  const next: InstanceState = {
    state: "BACKUP",
    since: now,
    reason,
    ...keepPeer(state),
    masterInterval,
    downAt: us(now + masterDownInterval(config, config.priority, masterInterval)),
  };
  const actions: Action[] = [{ kind: "transition", from: state.state, to: "BACKUP", reason }];
  // Addresses go before anything else is done or said: two owners are worse than none.
  if (state.state === "MASTER") actions.unshift({ kind: "remove-addresses" });
  return { state: next, actions };
}

function becomeFaulty(state: InstanceState, faults: readonly Fault[], now: Microseconds): Step {
  const reason = faultText(faults);
  return {
    state: { state: "FAULT", since: now, reason, ...keepPeer(state), faults },
    actions: [...leaveMastership(state), { kind: "transition", from: state.state, to: "FAULT", reason }],
  };
}

const faultText = (faults: readonly Fault[]): string => faults.map((fault) => fault.detail).join("; ");

/** Giving up on purpose: priority 0 lets any backup take over in its skew time (RFC 5798 §6.4.3). */
function leaveMastership(state: InstanceState): Action[] {
  return state.state === "MASTER" ? [{ kind: "send-advert", priority: 0 }, { kind: "remove-addresses" }] : [];
}

// ---- events -----------------------------------------------------------------------------------

function onStartup(
  state: InstanceState,
  event: Event & { kind: "startup" },
  now: Microseconds,
  config: InstanceConfig,
): Step {
  if (event.faults.length > 0) return becomeFaulty(state, event.faults, now);
  if (event.resume) {
    return becomeMaster(state, now, config, "resumed after a restart of the vrrp process");
  }
  if (config.priority === 255) return becomeMaster(state, now, config, "address owner (priority 255)");
  // keepalived does so even for `state MASTER`: a living master must be heard first.
  return becomeBackup(state, now, config, "started", config.advertInterval);
}

function onShutdown(state: InstanceState, reason: string, now: Microseconds): Step {
  if (state.state === "INIT") return same(state);
  return {
    state: { state: "INIT", since: now, reason },
    actions: [...leaveMastership(state), { kind: "transition", from: state.state, to: "INIT", reason }],
  };
}

function onFaults(
  state: InstanceState,
  faults: readonly Fault[],
  now: Microseconds,
  config: InstanceConfig,
): Step {
  if (state.state === "INIT") return same(state);
  if (faults.length === 0) {
    if (state.state !== "FAULT") return same(state);
    const reason = `recovered: ${state.faults.map((fault) => fault.kind).join(", ")} gone`;
    return config.priority === 255
      ? becomeMaster(state, now, config, reason)
      : becomeBackup(state, now, config, reason, config.advertInterval);
  }
  if (state.state === "FAULT") return same({ ...state, faults, reason: faultText(faults) });
  return becomeFaulty(state, faults, now);
}

function onPaused(state: InstanceState, detail: string, now: Microseconds, config: InstanceConfig): Step {
  // With the adopted interval: our own may be far shorter than the living master's.
  if (state.state === "BACKUP") return rearmDown(state, now, config, state.masterInterval);
  if (state.state !== "MASTER") return same(state);
  // No priority 0: somebody else may be master by now, and it would be theirs to keep.
  return becomeBackup(state, now, config, `paused: ${detail}`, config.advertInterval);
}

function onTick(state: InstanceState, now: Microseconds, config: InstanceConfig): Step {
  if (state.state === "BACKUP") {
    if (now < state.downAt) return same(state);
    const late = now - state.downAt;
    const down = masterDownInterval(config, config.priority, state.masterInterval);
    // Later than a whole down interval: we slept, and must listen again before claiming anything.
    if (late > down) return rearmDown(state, now, config, state.masterInterval);
    return becomeMaster(state, now, config, takeoverReason(state, now, down));
  }
  if (state.state === "MASTER") return onMasterTick(state, now, config);
  return same(state);
}

function onMasterTick(
  state: InstanceState & { state: "MASTER" },
  now: Microseconds,
  config: InstanceConfig,
): Step {
  const actions: Action[] = [];
  let next = state;
  if (now >= next.advertAt) {
    actions.push({ kind: "send-advert", priority: config.priority });
    next = { ...next, ...advertSent(next.advertAt, now, config) };
  }
  if (next.announceAt !== undefined && now >= next.announceAt) {
    actions.push({ kind: "announce", count: config.garpMasterRepeat });
    const { announceAt: _done, ...rest } = next;
    next = rest;
  }
  const refresh = refreshDue(next, now, config);
  return { state: refresh.state, actions: [...actions, ...refresh.actions] };
}

/** A reload may have switched refreshing on or off; a deadline left behind would fire at every tick. */
function refreshDue(
  state: InstanceState & { state: "MASTER" },
  now: Microseconds,
  config: InstanceConfig,
): Step {
  const { refreshAt, ...rest } = state;
  const enabled = config.garpMasterRefresh > 0;
  if (enabled && refreshAt !== undefined && now < refreshAt) return same(state);
  const due = enabled && refreshAt !== undefined;
  return {
    state: { ...rest, ...refreshFrom(now, config) },
    actions: due ? [{ kind: "announce", count: config.garpMasterRefreshRepeat }] : [],
  };
}

/** Keeps the rhythm of the planned time, so that lateness does not add up; starts anew when far behind. */
function advertSent(planned: Microseconds, now: Microseconds, config: InstanceConfig) {
  const next = planned + config.advertInterval;
  return { advertAt: us(next > now ? next : now + config.advertInterval), lastAdvertAt: now };
}

function onAdvert(
  state: InstanceState,
  advert: Advert,
  ownAddress: string,
  now: Microseconds,
  config: InstanceConfig,
): Step {
  // FAULT and INIT hear nothing (RFC 5798 §6.4.1; keepalived ignores adverts in FAULT).
  if (state.state === "INIT" || state.state === "FAULT") return same(state);
  const { source, priority, interval, checksumKind, notes } = advert;
  const heard = { ...state, peer: { source, priority, interval, checksumKind, notes, at: now } };
  const noted: Action[] = notes.map((what) => ({ kind: "note", note: { what, source } }));
  const after =
    heard.state === "BACKUP"
      ? backupHears(heard, advert, now, config)
      : masterHears(heard, advert, ownAddress, now, config);
  return { state: after.state, actions: [...noted, ...after.actions] };
}

function backupHears(
  state: InstanceState & { state: "BACKUP" },
  advert: Advert,
  now: Microseconds,
  config: InstanceConfig,
): Step {
  if (advert.priority === 0) {
    const skew = skewTime(config.version, config.priority, state.masterInterval);
    return same({ ...state, downAt: us(now + skew) });
  }
  const interval = config.version === 3 ? advert.interval : config.advertInterval;
  if (!config.preempt || advert.priority >= config.priority) {
    // A master at least as good ends a running preempt_delay; the next lower one starts it anew.
    const { preemptAt: _ended, ...rest } = state;
    return rearmDown(rest, now, config, interval);
  }
  if (config.preemptDelay === 0) {
    return { state, actions: [lowerMaster(advert)] };
  }
  const preemptAt = state.preemptAt ?? us(now + config.preemptDelay);
  if (now < preemptAt) return rearmDown({ ...state, preemptAt }, now, config, interval);
  return { state: { ...state, preemptAt }, actions: [lowerMaster(advert)] };
}

const lowerMaster = (advert: Advert): Action => ({
  kind: "note",
  note: { what: "lower-master", source: advert.source, priority: advert.priority },
});

function masterHears(
  state: InstanceState & { state: "MASTER" },
  advert: Advert,
  ownAddress: string,
  now: Microseconds,
  config: InstanceConfig,
): Step {
  if (advert.priority === 0) {
    return {
      state: { ...state, ...advertSent(now, now, config) },
      actions: [{ kind: "send-advert", priority: config.priority }],
    };
  }
  const order = rank(advert, ownAddress, config);
  if (order > 0) {
    const why = advert.priority === config.priority ? "equal priority, higher address" : "higher priority";
    const reason = `${advert.source} advertises priority ${advert.priority} (${why})`;
    return becomeBackup(
      state,
      now,
      config,
      reason,
      config.version === 3 ? advert.interval : config.advertInterval,
    );
  }
  if (order === 0) {
    // Answering at once would start a storm between two routers that share an address.
    return { state, actions: [{ kind: "note", note: { what: "same-address", source: advert.source } }] };
  }
  return {
    state: { ...state, lastAdvertAt: now },
    // RFC 9568 §6.4.3 asserts mastership at once; keepalived repeats the ARP, for a switch that learned the other.
    actions: [
      { kind: "send-advert", priority: config.priority },
      { kind: "announce", count: config.garpMasterRepeat },
      lowerMaster(advert),
    ],
  };
}

/** > 0: the sender goes before us as master, by priority, then by address (RFC 5798 §6.4.3). */
export function rank(advert: Advert, ownAddress: string, config: InstanceConfig): number {
  return advert.priority === config.priority
    ? compareAddresses(advert.source, ownAddress)
    : advert.priority - config.priority;
}

// ---- helpers ----------------------------------------------------------------------------------

function rearmDown(
  state: InstanceState & { state: "BACKUP" },
  now: Microseconds,
  config: InstanceConfig,
  masterInterval: Microseconds,
): Step {
  const down = masterDownInterval(config, config.priority, masterInterval);
  return same({ ...state, masterInterval, downAt: us(now + down) });
}

function takeoverReason(
  state: InstanceState & { state: "BACKUP" },
  now: Microseconds,
  down: Microseconds,
): string {
  if (!state.peer) return "no master heard since start";
  const { source, priority, at } = state.peer;
  const ago = `${((now - at) / 1e6).toFixed(3)} s ago`;
  if (priority === 0) return `${source} gave up mastership (priority 0) ${ago}`;
  // Heard since the timer was set, and not good enough to reset it.
  if (now - at < down) return `preempting ${source} (priority ${priority})`;
  return `last advertisement of ${source} (priority ${priority}) heard ${ago}`;
}

const keepPeer = (state: InstanceState): { peer?: PeerSeen } => (state.peer ? { peer: state.peer } : {});

const refreshFrom = (now: Microseconds, config: InstanceConfig): { refreshAt?: Microseconds } =>
  config.garpMasterRefresh > 0 ? { refreshAt: us(now + config.garpMasterRefresh) } : {};
