/**
 * Sync groups (keepalived vrrp_sync_group): the members are MASTER together or not at all.
 *
 * - One member in FAULT, or an unweighted tracker of the group that is bad, faults all.
 * - One member that falls back to BACKUP pulls all back.
 * - They become MASTER when all of them want to, each with its advertisement and its GARP.
 *
 * settleGroup() looks at what is, not at what happened, so running it once more does no harm. The runtime
 *
 * 1. gives every member's machine the config `{ ...config, grouped: true }`;
 * 2. collects each member's own faults (interface, address, services, its trackers) and does NOT feed them to
 *    the machine itself: settleGroup feeds the combined set;
 * 3. starts members with a "startup" event that carries combinedFaults()[name] (and resumes either all
 *    members of a group or none);
 * 4. calls settleGroup() after anything that may have changed a member's state, its own faults or the
 *    group's trackers: after each batch of events is enough, as long as it is before the next wait;
 * 5. feeds the returned events to their members in the order given, and calls settleGroup() again with the
 *    new states until no events are returned (at most a few times: every round moves all members one way);
 * 6. keeps the returned `group`, and reports `transition` (notify scripts of the group) when there is one.
 *
 * An operator's failover goes to one member as "release"; the others follow by settleGroup().
 * Members of one director should have one priority, another than the other directors': where routers of equal
 * rank are ordered differently on different links, two groups that start in the same instant can push each
 * other back more than once (keepalived's too).
 * A member added to a group that is MASTER (reload) joins it when its own timer is over; until it has heard a
 * master elsewhere it does not pull the others back.
 */
import { type Microseconds, us } from "../units.ts";
import type { Event, Fault, InstanceState, VrrpState } from "./state.ts";

export interface GroupMember {
  readonly name: string;
  readonly state: InstanceState;
  /** Its own: interface, address, services, trackers; not those of the group. */
  readonly faults: readonly Fault[];
}

export interface GroupState {
  readonly state: VrrpState;
  readonly since: Microseconds;
  readonly reason: string;
  /** Members that took part in the present mastership; others are joining. */
  readonly masters: readonly string[];
}

export interface GroupInput {
  readonly name: string;
  /** In the order of the configuration; at least one. */
  readonly members: readonly GroupMember[];
  /** FAULTs of the group's own trackers, see effectivePriority(). */
  readonly faults: readonly Fault[];
}

export interface MemberEvent {
  readonly member: string;
  readonly event: Event;
}

export interface Settled {
  readonly group: GroupState;
  /** In the order they are to be fed; empty when the group is settled. */
  readonly events: readonly MemberEvent[];
  readonly transition?: { readonly from: VrrpState; readonly to: VrrpState; readonly reason: string };
}

export const initialGroup = (now: Microseconds): GroupState => ({
  state: "INIT",
  since: now,
  reason: "not started",
  masters: [],
});

export function settleGroup(group: GroupState, input: GroupInput, now: Microseconds): Settled {
  const events =
    faultEvents(input) ?? pullBack(group, input) ?? promotions(input) ?? ([] as readonly MemberEvent[]);
  if (events.length > 0) return { group, events };
  return { ...describeGroup(group, input, now), events };
}

/** Every member's complete set of faults: its own, the group's, and one for each other member in trouble. */
export function combinedFaults({
  name,
  members,
  faults,
}: GroupInput): Readonly<Record<string, readonly Fault[]>> {
  const troubled = members.flatMap((member) => {
    const all = [...member.faults, ...raisedByMachine(member.state)];
    return all.length === 0
      ? []
      : [{ member: member.name, detail: all.map((fault) => fault.detail).join("; ") }];
  });
  return Object.fromEntries(
    members.map((member) => {
      const others = troubled
        .filter((entry) => entry.member !== member.name)
        .map(
          (entry): Fault => ({
            kind: "sync-group",
            detail: `${entry.member} of sync group ${name} is in FAULT: ${entry.detail}`,
          }),
        );
      return [member.name, [...member.faults, ...faults, ...others]];
    }),
  );
}

const raisedByMachine = (state: InstanceState): readonly Fault[] =>
  state.state === "FAULT" ? state.faults.filter((fault) => fault.kind === "vip-lost") : [];

/** For members whose machine does not have its combined faults yet. */
function faultEvents(input: GroupInput): readonly MemberEvent[] | undefined {
  const wanted = combinedFaults(input);
  const events = input.members.flatMap(({ name, state }): MemberEvent[] => {
    const faults = wanted[name] ?? [];
    if (state.state === "INIT" || sameFaults(faults, fromOutside(state))) return [];
    return [{ member: name, event: { kind: "faults", faults } }];
  });
  return events.length > 0 ? events : undefined;
}

const fromOutside = (state: InstanceState): readonly Fault[] =>
  state.state === "FAULT" ? state.faults.filter((fault) => fault.kind !== "vip-lost") : [];

const sameFaults = (a: readonly Fault[], b: readonly Fault[]): boolean =>
  a.length === b.length && a.every(({ kind, detail }, i) => kind === b[i]?.kind && detail === b[i]?.detail);

type In<S extends VrrpState> = GroupMember & { readonly state: InstanceState & { readonly state: S } };
const membersIn = <S extends VrrpState>({ members }: GroupInput, state: S): In<S>[] =>
  members.filter((member): member is In<S> => member.state.state === state);

/** A member of the present mastership is backup, while others are master. */
function pullBack(group: GroupState, input: GroupInput): readonly MemberEvent[] | undefined {
  const masters = membersIn(input, "MASTER");
  const fallen = membersIn(input, "BACKUP").find((member) => !member.state.wish && !isJoining(group, member));
  if (masters.length === 0 || !fallen) return undefined;
  const reason = `${fallen.name} of sync group ${input.name} is backup: ${fallen.state.reason}`;
  // Given up on purpose: the peers of every member may take over at once.
  const event: Event = { kind: fallen.state.steppedAside ? "release" : "group-backup", reason };
  return masters.map((member) => ({ member: member.name, event }));
}

/** New in a group that is master already, and no master heard elsewhere: its own timer will tell. */
function isJoining(group: GroupState, { name, state }: GroupMember): boolean {
  return group.state === "MASTER" && !group.masters.includes(name) && state.peer === undefined;
}

/** All want it (or have it): those that do not have it yet get it. */
function promotions(input: GroupInput): readonly MemberEvent[] | undefined {
  const wishing = membersIn(input, "BACKUP").filter((member) => member.state.wish);
  const masters = membersIn(input, "MASTER").length;
  // Beside members that are master already, those still starting or joining are not waited for.
  if (wishing.length === 0 || (masters === 0 && wishing.length < input.members.length)) return undefined;
  return wishing.map((member) => ({
    member: member.name,
    event: { kind: "group-master", group: input.name },
  }));
}

function describeGroup(
  group: GroupState,
  input: GroupInput,
  now: Microseconds,
): Pick<Settled, "group" | "transition"> {
  const masters = membersIn(input, "MASTER").map((member) => member.name);
  const { state, reason } = summary(input);
  if (state === group.state) return { group: { ...group, masters } };
  return {
    group: { state, since: us(now), reason, masters },
    transition: { from: group.state, to: state, reason },
  };
}

function summary(input: GroupInput): { readonly state: VrrpState; readonly reason: string } {
  for (const state of ["FAULT", "MASTER", "BACKUP", "INIT"] as const) {
    const [first] = membersIn(input, state);
    if (first) return { state, reason: `${first.name}: ${first.state.reason}` };
  }
  return { state: "INIT", reason: "it has no members" };
}
