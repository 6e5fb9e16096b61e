/**
 * The VRRP state machine of one instance: step(state, event, config) -> { state, actions }.
 * RFC 5798 §6.4 and RFC 3768 §6.4, with keepalived's FAULT state, preempt_delay and sync groups.
 *
 * Timers are deadlines inside the state, so a stale expiry cannot exist: a tick only fires what is due.
 * Times are microseconds of the monotonic clock.
 *
 *   state.ts       states, events, actions
 *   transitions.ts ways from one state to another
 *   backup.ts      what a backup does with timer and adverts
 *   master.ts      what a master does with them
 */
import { unreachable } from "../result.ts";
import { type Microseconds, us } from "../units.ts";
import type { Advert } from "./advert.ts";
import { backupHears, backupReconfigured, backupTick, OWNER } from "./backup.ts";
import { masterHears, masterReconfigured, masterTick, sleptThroughMastership, vipLost } from "./master.ts";
import {
  type Action,
  type Event,
  type Fault,
  type Faulty,
  type InstanceState,
  type MachineConfig,
  type Step,
  same,
} from "./state.ts";
import {
  becomeBackup,
  becomeFaulty,
  becomeMaster,
  enter,
  faultText,
  leaveMastership,
  rearmDown,
  stepAside,
} from "./transitions.ts";

export { rank } from "./master.ts";
export type * from "./state.ts";

export function initialState(now: Microseconds): InstanceState {
  return { state: "INIT", since: now, reason: "not started" };
}

/** When the next tick is due; undefined while no timer runs. */
export function nextDeadline(state: InstanceState): Microseconds | undefined {
  switch (state.state) {
    case "BACKUP":
      return state.wish ? undefined : state.downAt;
    case "MASTER":
      return us(
        Math.min(
          state.advertAt,
          state.announceAt ?? Number.POSITIVE_INFINITY,
          state.lowerAnnounceAt ?? Number.POSITIVE_INFINITY,
          state.refreshAt ?? Number.POSITIVE_INFINITY,
        ),
      );
    case "FAULT":
      return state.holdUntil;
    case "INIT":
      return undefined;
    default:
      return unreachable(state);
  }
}

export function step(state: InstanceState, event: Event, now: Microseconds, config: MachineConfig): Step {
  if (state.state === "MASTER" && event.kind !== "shutdown" && event.kind !== "paused") {
    const asleep = sleptThroughMastership(state, now, config);
    // Act on the event only after leaving the stale mastership: a queued advert of a lower router
    // would otherwise be answered as if we had been master all along.
    if (asleep !== undefined) {
      const left = becomeBackup(state, now, config, `asleep for ${asleep}`);
      const after = step(left.state, event, now, config);
      return { state: after.state, actions: [...left.actions, ...after.actions] };
    }
  }
  return dispatch(state, event, now, config);
}

function dispatch(state: InstanceState, event: Event, now: Microseconds, config: MachineConfig): Step {
  switch (event.kind) {
    case "startup":
      return state.state === "INIT" ? onStartup(state, event, now, config) : same(state);
    case "advert":
      return onAdvert(state, event.advert, event.ownAddress, now, config);
    case "tick":
      return onTick(state, now, config);
    case "faults":
      return onFaults(state, event.faults, now, config);
    case "reconfigured":
      if (state.state === "BACKUP") return backupReconfigured(state, event.before, now, config);
      return state.state === "MASTER" ? masterReconfigured(state, now, config) : same(state);
    case "paused":
      return onPaused(state, event.detail, now, config);
    case "vip-lost":
      return state.state === "MASTER" ? vipLost(state, event.address, now, config) : same(state);
    case "release":
      return state.state === "MASTER" ? stepAside(state, now, config, event.reason) : same(state);
    case "contend":
      return onContend(state);
    case "group-master":
      return onGroupMaster(state, event.group, now, config);
    case "group-backup":
      return state.state === "MASTER" ? becomeBackup(state, now, config, event.reason) : same(state);
    case "shutdown":
      return onShutdown(state, event.reason, now);
    default:
      return unreachable(event);
  }
}

function onStartup(
  state: InstanceState,
  event: Event & { kind: "startup" },
  now: Microseconds,
  config: MachineConfig,
): Step {
  if (event.resume && event.faults.length === 0)
    return becomeMaster(state, now, config, "resumed after a restart of the vrrp process");
  const waiting: InstanceState = event.delay ? { ...state, notBefore: us(now + event.delay) } : state;
  if (event.faults.length > 0) return becomeFaulty(waiting, event.faults, now);
  return enter(waiting, now, config, "started", OWNER);
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
  outside: readonly Fault[],
  now: Microseconds,
  config: MachineConfig,
): Step {
  if (state.state === "INIT") return same(state);
  if (state.state !== "FAULT") return outside.length === 0 ? same(state) : becomeFaulty(state, outside, now);
  return refault(state, [...outside, ...state.faults.filter(isOwn)], now, config);
}

const isOwn = (fault: Fault): boolean => fault.kind === "vip-lost";

/** FAULT with another set of faults; none ends it. */
function refault(state: Faulty, faults: readonly Fault[], now: Microseconds, config: MachineConfig): Step {
  if (faults.length > 0) return same({ ...state, faults, reason: faultText(faults) });
  return enter(
    state,
    now,
    config,
    `recovered: ${[...new Set(state.faults.map((fault) => fault.kind))].join(", ")} gone`,
  );
}

function onPaused(state: InstanceState, detail: string, now: Microseconds, config: MachineConfig): Step {
  // With the adopted interval: our own may be far shorter than the living master's.
  if (state.state === "BACKUP") return rearmDown(state, now, config, state.masterInterval);
  if (state.state !== "MASTER") return same(state);
  // No priority 0: somebody else may be master by now, and it would be theirs to keep.
  return becomeBackup(state, now, config, `paused: ${detail}`);
}

function onTick(state: InstanceState, now: Microseconds, config: MachineConfig): Step {
  if (state.state === "BACKUP") return backupTick(state, now, config);
  if (state.state === "MASTER") return masterTick(state, now, config);
  if (state.state !== "FAULT" || state.holdUntil === undefined || now < state.holdUntil) return same(state);
  const { holdUntil: _over, ...rest } = state;
  const outside = state.faults.filter((fault) => !isOwn(fault));
  // The old set still names the fault that is gone: it is the reason of the recovery.
  return refault(rest, outside, now, config);
}

function onContend(state: InstanceState): Step {
  if (state.state !== "BACKUP" || !state.steppedAside) return same(state);
  const { steppedAside: _over, ...rest } = state;
  return same(rest);
}

function onGroupMaster(state: InstanceState, group: string, now: Microseconds, config: MachineConfig): Step {
  if (state.state !== "BACKUP" || !state.wish) return same(state);
  const { wish, ...rest } = state;
  return becomeMaster(rest, now, config, `${wish.reason}; sync group ${group} is ready`);
}

function onAdvert(
  state: InstanceState,
  advert: Advert,
  ownAddress: string,
  now: Microseconds,
  config: MachineConfig,
): Step {
  // FAULT and INIT hear nothing (RFC 5798 §6.4.1; keepalived ignores adverts in FAULT).
  if (state.state === "INIT" || state.state === "FAULT") return same(state);
  const { source, priority, interval, checksumKind, notes } = advert;
  const peer = { source, priority, interval, checksumKind, notes, at: now };
  const noted: Action[] = notes.map((what) => ({ kind: "note", note: { what, source } }));
  const after =
    state.state === "BACKUP"
      ? backupHears({ ...state, peer }, advert, now, config)
      : masterHears({ ...state, peer }, advert, ownAddress, now, config);
  return { state: after.state, actions: [...noted, ...after.actions] };
}
