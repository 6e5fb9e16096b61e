/** What one sighting says about conflicts; conflict.ts counts, tells and withdraws them. */
import { type Microseconds, us } from "../units.ts";
import { type Advert, sentChecksum } from "./advert.ts";
import type { Conflict, ConflictContext, ConflictKind, Sighting } from "./conflict.ts";
import { DROP_TEXT, type DropReason } from "./drop.ts";
import type { InstanceState, MachineConfig } from "./state.ts";
import { masterDownInterval } from "./timing.ts";

export interface Finding {
  readonly kind: ConflictKind;
  readonly subject: string;
  readonly text: string;
  readonly lasts: Microseconds;
  /** Sightings it takes, at least `apart` between the first and the last of them. */
  readonly needs: 1 | 2;
  readonly apart: number;
}

export interface Judgement {
  readonly findings: readonly Finding[];
  /** Conflicts that this sighting shows to be over. */
  refuted(conflict: Conflict): boolean;
}

export function judge(
  sighting: Sighting,
  conflicts: readonly Conflict[],
  now: Microseconds,
  context: ConflictContext,
): Judgement {
  switch (sighting.kind) {
    case "advert":
      return judgeAdvert(sighting, context);
    case "drop":
      return judgeDrop(sighting, conflicts, now, context);
    case "probe":
      return judgeProbe(sighting, conflicts, context);
    case "tick":
      return NOTHING;
  }
}

const NOTHING: Judgement = { findings: [], refuted: () => false };

function judgeAdvert(
  { advert, identity, ownAddress }: Sighting & { kind: "advert" },
  { state, config }: ConflictContext,
): Judgement {
  const subject = identity ?? advert.source;
  const lasts = silence(config, advert.interval);
  const apart = advert.interval / 2;
  const findings: Finding[] = [];
  const find = (kind: ConflictKind, text: string, needs: 1 | 2, forLong: Microseconds = lasts) =>
    findings.push({ kind, subject, text, needs, apart, lasts: forLong });

  if (advert.notes.includes("owner-conflict"))
    find("two-owners", `${subject} is address owner (priority 255) too: only one router may be`, 1);
  if (advert.notes.includes("foreign-addresses"))
    find(
      "foreign-router",
      `${subject} advertises our virtual_router_id ${config.vrid} with addresses that are none of ours: another virtual router; give one of them another virtual_router_id`,
      1,
    );
  if (state.state === "MASTER" && advert.priority > 0) {
    if (advert.source === ownAddress)
      find(
        "same-address",
        `${subject} advertises with our own address and priority ${advert.priority}: two routers share one address`,
        2,
      );
    else
      find(
        "two-masters",
        `${subject} is master beside us with priority ${advert.priority}, and does not yield to our advertisements: it probably does not receive or accept them`,
        2,
      );
  }
  const differs = difference(advert, config);
  if (differs)
    find("peer-may-ignore-us", `${subject} ${differs}: it may be ignoring our advertisements`, 1, LONG);
  return {
    findings,
    // Heard and accepted: we are not deaf to it, and whatever differed before does so no longer.
    refuted: (conflict) =>
      conflict.subject === subject &&
      (conflict.kind === "one-way" || (conflict.kind === "peer-may-ignore-us" && !differs)),
  };
}

/** The peer falls silent as soon as we are master; that does not make its configuration right. */
const LONG = us(3_600_000_000);

function difference(advert: Advert, config: MachineConfig): string | undefined {
  const differences: string[] = [];
  if (config.version === 3 && advert.checksumKind !== sentChecksum(config))
    differences.push(
      advert.checksumKind === "message-only"
        ? "computes the VRRPv3 checksum without pseudo-header (v3_checksum_as_v2)"
        : "computes the VRRPv3 checksum with the pseudo-header (no v3_checksum_as_v2)",
    );
  if (advert.notes.includes("vip-list-differs")) differences.push("advertises another list of addresses");
  return differences.length > 0 ? differences.join(" and ") : undefined;
}

function judgeDrop(
  { source, reason }: Sighting & { kind: "drop" },
  conflicts: readonly Conflict[],
  now: Microseconds,
  { state, config }: ConflictContext,
): Judgement {
  if (NOT_A_ROUTER.has(reason)) return NOTHING;
  const lasts = silence(config, config.advertInterval);
  if (reason === "unicast-source") {
    const text = `${source} advertises our virtual_router_id ${config.vrid} to us, but is not among unicast_peer`;
    return finding({ kind: "foreign-router", subject: source, text, needs: 1, apart: 0, lasts });
  }
  const { peer } = state;
  // Also heard well: a stray or replayed packet, or one of a known foreign router; not deafness.
  const heard = peer?.source === source && now - peer.at <= lasts;
  const foreign = conflicts.some(
    (conflict) => conflict.kind === "foreign-router" && conflict.subject === source && conflict.raised,
  );
  if (heard || foreign) return NOTHING;
  const where = state.state === "MASTER" ? "we are master, and" : "we may become master beside it:";
  const text = `${where} the advertisements of ${source} for virtual_router_id ${config.vrid} are refused: ${DROP_TEXT[reason]}`;
  const apart = config.advertInterval / 2;
  return finding({ kind: "one-way", subject: source, text, needs: 2, apart, lasts });
}

const finding = (one: Finding): Judgement => ({ findings: [one], refuted: () => false });

/** Rubbish that no router sends, or that says nothing about its sender. */
const NOT_A_ROUTER: ReadonlySet<DropReason> = new Set([
  "ip-malformed",
  "ip-fragment",
  "not-vrrp",
  "vrid-unknown",
]);

function judgeProbe(
  { address, macs, own }: Sighting & { kind: "probe" },
  conflicts: readonly Conflict[],
  { state, config }: ConflictContext,
): Judgement {
  const wrong = wrongAnswers(macs, own, state);
  if (wrong.length === 0) {
    return {
      findings: [],
      refuted: (conflict) => conflict.kind === "duplicate-address" && conflict.subject === address,
    };
  }
  const who = state.state === "MASTER" ? `${wrong.join(", ")}, not only by us` : wrong.join(" and ");
  const text = `${address} is answered by ${who}: an owner that did not give it up or whose advertisements do not reach us, or a stranger`;
  const lasts = us(Math.max(PROBE_LASTS, silence(config, config.advertInterval)));
  // Twice, because the routers of a handover may both answer for a moment.
  const duplicate: Finding = { kind: "duplicate-address", subject: address, text, needs: 2, apart: 1, lasts };
  const again = conflicts.some(
    ({ kind, subject, count }) => kind === "duplicate-address" && subject === address && count > 0,
  );
  return { findings: [duplicate, ...(again ? confirmed(conflicts) : [])], refuted: () => false };
}

/**
 * A router that was refused once and holds the VIP is no stray packet. keepalived 2.2.7 advertises just once
 * beside a master whose advertisements it refuses too: each of these sets its own timer anew.
 */
const confirmed = (conflicts: readonly Conflict[]): Finding[] =>
  conflicts
    .filter(({ kind, count }) => kind === "one-way" && count > 0)
    .map(({ subject, text, lasts }) => ({ kind: "one-way", subject, text, lasts, needs: 2, apart: 0 }));

/** MACs that answered for a VIP though they should not: another's while we are master, else any beside the master's. */
export function wrongAnswers(
  macs: readonly string[],
  own: readonly string[],
  { state }: InstanceState,
): readonly string[] {
  const answers = [...new Set(macs.map((mac) => mac.toLowerCase()))];
  if (state !== "MASTER") return answers.length > 1 ? answers : [];
  const mine = new Set(own.map((mac) => mac.toLowerCase()));
  return answers.filter((mac) => !mine.has(mac));
}

const PROBE_LASTS = 30_000_000;

/** How long a router may be silent and still be there. */
const silence = (config: MachineConfig, interval: Microseconds): Microseconds =>
  us(masterDownInterval(config, 1, interval) + 1_000_000);

/** Only a master has these. */
export const isMoot = ({ kind }: Conflict, state: InstanceState): boolean =>
  state.state !== "MASTER" && (kind === "two-masters" || kind === "same-address");
