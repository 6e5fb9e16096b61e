/** BACKUP: waiting for the master-down timer (RFC 5798 §6.4.2), with keepalived's preempt_delay. */
import { type Microseconds, us } from "../units.ts";
import type { Advert } from "./advert.ts";
import { type Action, type Backup, type MachineConfig, type Step, same } from "./state.ts";
import { masterDownInterval, skewTime } from "./timing.ts";
import { armed, becomeMaster, rearmDown } from "./transitions.ts";

export function backupTick(state: Backup, now: Microseconds, config: MachineConfig): Step {
  if (state.wish || now < state.downAt) return same(state);
  const late = now - state.downAt;
  const down = masterDownInterval(config, config.priority, state.masterInterval);
  // Later than a whole down interval: we slept, and must listen again before claiming anything.
  if (late > down) return rearmDown(state, now, config, state.masterInterval);
  const reason = claimReason(state, now, config, down);
  // Alone it may not become master: it keeps wanting until its sync group is ready or a master is heard.
  if (config.grouped) return same({ ...state, wish: { since: now, reason } });
  return becomeMaster(state, now, config, reason);
}

export function backupHears(state: Backup, advert: Advert, now: Microseconds, config: MachineConfig): Step {
  if (advert.priority === 0) {
    if (state.wish) return same(state);
    const skew = skewTime(config.version, config.priority, state.masterInterval);
    return same({ ...state, downAt: armed(state, now, skew) });
  }
  const interval = config.version === 3 ? advert.interval : config.advertInterval;
  const yields = !config.preempt || state.steppedAside === true || advert.priority >= config.priority;
  if (yields) {
    // A master at least as good ends a running preempt_delay; the next lower one starts it anew.
    const { preemptAt: _ended, ...rest } = state;
    return rearmDown(rest, now, config, interval);
  }
  if (config.preemptDelay === 0) return { state, actions: [lowerMaster(advert)] };
  const preemptAt = state.preemptAt ?? us(now + config.preemptDelay);
  if (now < preemptAt) return rearmDown({ ...state, preemptAt }, now, config, interval);
  return { state: { ...state, preemptAt }, actions: [lowerMaster(advert)] };
}

export const lowerMaster = (advert: Advert): Action => ({
  kind: "note",
  note: { what: "lower-master", source: advert.source, priority: advert.priority },
});

/** As keepalived: a running timer moves by as much as the master-down interval changed. */
export function backupReconfigured(
  state: Backup,
  before: MachineConfig,
  now: Microseconds,
  config: MachineConfig,
): Step {
  if (state.wish && !config.grouped) {
    // Left its sync group: the claim is its own now, and due.
    const { wish: _own, ...rest } = state;
    return same({ ...rest, downAt: now });
  }
  const follows = config.version === 3 && before.version === 3;
  const masterInterval = follows ? state.masterInterval : config.advertInterval;
  const [old, down] = [
    masterDownInterval(before, before.priority, state.masterInterval),
    masterDownInterval(config, config.priority, masterInterval),
  ];
  const latest = armed(state, now, down);
  return same({ ...state, masterInterval, downAt: us(Math.min(state.downAt + down - old, latest)) });
}

function claimReason(state: Backup, now: Microseconds, config: MachineConfig, down: Microseconds): string {
  if (state.steppedAside && (state.peer?.at ?? 0) <= state.since) return "nobody took over";
  if (!state.peer) return config.priority === 255 ? OWNER : "no master heard since start";
  const { source, priority, at } = state.peer;
  const ago = `${((now - at) / 1e6).toFixed(3)} s ago`;
  if (priority === 0) return `${source} gave up mastership (priority 0) ${ago}`;
  // Heard since the timer was set, and not good enough to reset it.
  if (now - at < down) return `preempting ${source} (priority ${priority})`;
  return `last advertisement of ${source} (priority ${priority}) heard ${ago}`;
}

export const OWNER = "address owner (priority 255)";
