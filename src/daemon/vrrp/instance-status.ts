/** An instance as `vipward status` shows it. */
import type { InstanceConfig } from "../../config/model.ts";
import { type Microseconds, usToSeconds } from "../../units.ts";
import type { InstanceState } from "../../vrrp/machine.ts";
import type { EffectivePriority } from "../../vrrp/priority.ts";
import { masterDownInterval } from "../../vrrp/timing.ts";
import type { InstanceStatus, VrrpCounters } from "../messages.ts";
import type { VipSet } from "./vip-set.ts";

export interface InstanceView {
  readonly config: InstanceConfig;
  readonly state: InstanceState;
  readonly effective: EffectivePriority;
  readonly vips: VipSet;
  readonly counters: VrrpCounters;
  readonly conflicts: InstanceStatus["conflicts"];
}

export function instanceStatus(
  { config, state, effective, vips, counters, conflicts }: InstanceView,
  now: Microseconds,
): InstanceStatus {
  const interval = state.state === "BACKUP" ? state.masterInterval : config.advertInterval;
  const { lease } = vips;
  return {
    name: config.name,
    interface: config.interface,
    vrid: config.vrid,
    version: config.version,
    state: state.state,
    age: usToSeconds((now - state.since) as Microseconds),
    reason: state.reason,
    priority: effective.priority,
    basePriority: config.priority,
    trackers: effective.parts,
    advertInterval: usToSeconds(config.advertInterval),
    masterDownInterval: usToSeconds(masterDownInterval(config, effective.priority, interval)),
    preempt: config.preempt,
    faults: state.state === "FAULT" ? state.faults : [],
    conflicts,
    vips: vips.status(),
    counters,
    ...peerStatus(state, now),
    ...(lease === undefined
      ? {}
      : { lease: { seconds: lease, twoOwnersAtMost: twoOwnersAtMost(config, lease) } }),
  };
}

function peerStatus({ peer }: InstanceState, now: Microseconds): Pick<InstanceStatus, "peer"> {
  if (!peer) return {};
  const { at, ...rest } = peer;
  return { peer: { ...rest, ago: (now - at) / 1e6 } };
}

/** spec: lease + 1.2 s (the kernel's own lateness) - a backup of priority 100's master-down interval. */
function twoOwnersAtMost(config: InstanceConfig, lease: number): number {
  const down = masterDownInterval(config, 100, config.advertInterval);
  return Math.round((lease + 1.2 - down / 1e6) * 10) / 10;
}
