/** The sync groups of the running configuration: drives the pure settleGroup() over live instances. */
import type { SyncGroupConfig } from "../../config/model.ts";
import type { Microseconds } from "../../units.ts";
import type { Fault } from "../../vrrp/machine.ts";
import { effectivePriority, type TrackerState } from "../../vrrp/priority.ts";
import {
  combinedFaults,
  type GroupInput,
  type GroupState,
  initialGroup,
  settleGroup,
} from "../../vrrp/sync-group.ts";
import type { FromVrrp, GroupStatus, Logger } from "../messages.ts";
import type { Instance } from "./instance.ts";

interface Group {
  readonly config: SyncGroupConfig;
  readonly members: readonly Instance[];
  state: GroupState;
}

export interface GroupsContext {
  readonly log: Logger;
  send(message: FromVrrp): void;
  /** Everything local that forbids an instance to be master, the group left aside. */
  blocking(instance: Instance): readonly Fault[];
  trackers(config: SyncGroupConfig): readonly TrackerState[];
}

/** Every round moves all members one way, so few are enough; a bound, in case that is ever not so. */
const MAX_ROUNDS = 8;

export class Groups {
  readonly #context: GroupsContext;
  #groups: Group[] = [];

  constructor(context: GroupsContext) {
    this.#context = context;
  }

  configure(configs: readonly SyncGroupConfig[], instances: readonly Instance[], now: Microseconds): void {
    const before = new Map(this.#groups.map((group) => [group.config.name, group.state]));
    this.#groups = configs.map((config) => ({
      config,
      members: config.members.flatMap(
        (name) => instances.find((instance) => instance.config.name === name) ?? [],
      ),
      state: before.get(config.name) ?? initialGroup(now),
    }));
    const grouped = new Set(this.#groups.flatMap((group) => group.members));
    for (const instance of instances) instance.grouped = grouped.has(instance);
  }

  /** Members of the same group, the instance among them; just itself without one. */
  withMates(instance: Instance): readonly Instance[] {
    return this.#groups.find((group) => group.members.includes(instance))?.members ?? [instance];
  }

  /** What a member is to be started with; undefined for an instance without a group. */
  startFaults(instance: Instance): readonly Fault[] | undefined {
    const group = this.#groups.find((entry) => entry.members.includes(instance));
    return group && combinedFaults(this.#input(group))[instance.config.name];
  }

  #input({ config, members }: Group): GroupInput {
    return {
      name: config.name,
      members: members.map((instance) => ({
        name: instance.config.name,
        state: instance.machine,
        faults: this.#context.blocking(instance),
      })),
      faults: effectivePriority(100, this.#context.trackers(config)).faults,
    };
  }

  /** Brings every group to rest after whatever has happened. */
  settle(now: Microseconds): void {
    for (const group of this.#groups) {
      for (let round = 0; round < MAX_ROUNDS && this.#settleOnce(group, now); round++);
    }
  }

  /** True when members were told something. */
  #settleOnce(group: Group, now: Microseconds): boolean {
    const settled = settleGroup(group.state, this.#input(group), now);
    for (const { member, event } of settled.events) {
      group.members.find((instance) => instance.config.name === member)?.handle(event, now);
    }
    group.state = settled.group;
    if (settled.transition) this.#tell(group, settled.transition);
    return settled.events.length > 0;
  }

  #tell(
    { config }: Group,
    { from, to, reason }: { from: string; to: GroupState["state"]; reason: string },
  ): void {
    this.#context.log("info", `VRRP_Group(${config.name}) Syncing instances to ${to} state (${reason})`, {
      group: config.name,
      from,
      to,
    });
    this.#context.send({ type: "group-transition", group: config.name, to, reason });
  }

  status(now: Microseconds): GroupStatus[] {
    return this.#groups.map(({ config, state }) => ({
      name: config.name,
      members: config.members,
      state: state.state,
      age: (now - state.since) / 1e6,
      reason: state.reason,
    }));
  }
}
