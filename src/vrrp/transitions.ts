/** Every way from one VRRP state into another; the order of the actions is part of the protocol. */
import { type Microseconds, us } from "../units.ts";
import type { Action, Backup, Fault, InstanceState, MachineConfig, Step } from "./state.ts";
import { masterDownInterval } from "./timing.ts";

export function becomeMaster(
  state: InstanceState,
  now: Microseconds,
  config: MachineConfig,
  reason: string,
): Step {
  return {
    state: {
      state: "MASTER",
      since: now,
      reason,
      ...kept(state, now),
      advertAt: us(now + config.advertInterval),
      lastAdvertAt: now,
      // keepalived: garp_master_delay 0 means no second round.
      ...(config.garpMasterDelay > 0 ? { announceAt: us(now + config.garpMasterDelay) } : {}),
      ...refreshFrom(now, config),
    },
    // Advert first: it stops other backups. Then the addresses, because only then may ARP claim them.
    actions: [
      { kind: "send-advert", priority: config.priority },
      { kind: "add-addresses" },
      ...announce(config.garpMasterRepeat, config),
      { kind: "transition", from: state.state, to: "MASTER", reason },
    ],
  };
}

export function becomeBackup(
  state: InstanceState,
  now: Microseconds,
  config: MachineConfig,
  reason: string,
  masterInterval: Microseconds = config.advertInterval,
): Step {
  const carried = kept(state, now);
  const next: Backup = {
    state: "BACKUP",
    since: now,
    reason,
    ...carried,
    masterInterval,
    downAt: armed(carried, now, masterDownInterval(config, config.priority, masterInterval)),
  };
  const actions: Action[] = [{ kind: "transition", from: state.state, to: "BACKUP", reason }];
  // Addresses go before anything else is done or said: two owners are worse than none.
  if (state.state === "MASTER") actions.unshift({ kind: "remove-addresses" });
  return { state: next, actions };
}

export function becomeFaulty(
  state: InstanceState,
  faults: readonly Fault[],
  now: Microseconds,
  holdUntil?: Microseconds,
): Step {
  const reason = faultText(faults);
  const hold = holdUntil === undefined ? {} : { holdUntil };
  return {
    state: { state: "FAULT", since: now, reason, ...kept(state, now), faults, ...hold },
    actions: [...leaveMastership(state), { kind: "transition", from: state.state, to: "FAULT", reason }],
  };
}

/**
 * Into the election: the owner is master at once (RFC 5798 §6.4.1), anybody else listens first; keepalived
 * does so even for `state MASTER`: a living master must be heard.
 */
export function enter(
  state: InstanceState,
  now: Microseconds,
  config: MachineConfig,
  reason: string,
  ownerReason: string = reason,
): Step {
  if (config.priority !== 255) return becomeBackup(state, now, config, reason);
  const { notBefore } = kept(state, now);
  if (notBefore === undefined && !config.grouped) return becomeMaster(state, now, config, ownerReason);
  const waiting = becomeBackup(state, now, config, reason);
  // No listening first: it waits for the start-up delay, or only for its sync group.
  const claim =
    notBefore === undefined ? { wish: { since: now, reason: ownerReason } } : { downAt: notBefore };
  return { ...waiting, state: { ...(waiting.state as Backup), ...claim } };
}

/** An operator's failover. Priority 0 as in a shutdown, but we listen, to take back what nobody takes. */
export function stepAside(
  state: InstanceState,
  now: Microseconds,
  config: MachineConfig,
  reason: string,
): Step {
  const { state: next, actions } = becomeBackup(state, now, config, reason);
  return {
    state: { ...(next as Backup), steppedAside: true },
    actions: [{ kind: "send-advert", priority: 0 }, ...actions],
  };
}

/** Giving up on purpose: priority 0 lets any backup take over in its skew time (RFC 5798 §6.4.3). */
export function leaveMastership(state: InstanceState): Action[] {
  return state.state === "MASTER" ? [{ kind: "send-advert", priority: 0 }, { kind: "remove-addresses" }] : [];
}

export const faultText = (faults: readonly Fault[]): string => faults.map((fault) => fault.detail).join("; ");

/** A full down interval from now. */
export function rearmDown(
  state: Backup,
  now: Microseconds,
  config: MachineConfig,
  masterInterval: Microseconds,
): Step {
  const { wish: _cleared, ...rest } = state;
  const down = masterDownInterval(config, config.priority, masterInterval);
  return { state: { ...rest, masterInterval, downAt: armed(state, now, down) }, actions: [] };
}

/** A backup's timer never ends before the start-up delay. */
export function armed(
  { notBefore }: { readonly notBefore?: Microseconds },
  now: Microseconds,
  interval: Microseconds,
): Microseconds {
  return us(Math.max(now + interval, notBefore ?? 0));
}

export function announce(count: number, config: MachineConfig): Action[] {
  const gap = (config.family === 4 ? config.garpInterval : config.gnaInterval) ?? us(0);
  return count > 0 ? [{ kind: "announce", count, gap }] : [];
}

export const refreshFrom = (
  now: Microseconds,
  config: MachineConfig,
): { readonly refreshAt?: Microseconds } =>
  config.garpMasterRefresh > 0 ? { refreshAt: us(now + config.garpMasterRefresh) } : {};

/** What outlives a transition. */
function kept(
  { peer, notBefore }: InstanceState,
  now: Microseconds,
): Pick<InstanceState, "peer" | "notBefore"> {
  return {
    ...(peer ? { peer } : {}),
    ...(notBefore !== undefined && notBefore > now ? { notBefore } : {}),
  };
}
