/**
 * Effective priority and tracker faults of one instance: keepalived's track_interface, track_script,
 * track_process, track_file, track_bfd, and our track_gateway and track_virtual_server.
 */
import type { TrackRef } from "../config/model.ts";
import type { Fault } from "./machine.ts";

/** `unknown`: no result yet. */
export type TrackerStatus = "good" | "bad" | "unknown";

/** One tracked thing as one instance (or its sync group) uses it; defaults are already in `ref`. */
export interface TrackerState {
  readonly ref: TrackRef;
  readonly status: TrackerStatus;
  /** Files: the number read; undefined while it could not be. */
  readonly value?: number;
  /** For people: why it is bad. */
  readonly detail?: string;
}

/** One tracker's part in the priority, for status. */
export interface PriorityPart {
  readonly kind: TrackRef["kind"];
  readonly name: string;
  readonly status: TrackerStatus;
  readonly value?: number;
  /** What it adds to the priority; 0 for one that faults instead. */
  readonly adds: number;
  /** Whether it holds the instance in FAULT. */
  readonly faults: boolean;
}

export interface EffectivePriority {
  /** As configured. */
  readonly base: number;
  /** 1..254, or 255 for an address owner. */
  readonly priority: number;
  readonly parts: readonly PriorityPart[];
  readonly faults: readonly Fault[];
}

/** keepalived: a sum at or below this is no priority but a FAULT (track_file). */
const FILE_FAULT = -254;

/** Base plus weights, clamped to 1..254; the owner's 255 is not touched by weights (but FAULT is). */
export function effectivePriority(base: number, trackers: readonly TrackerState[]): EffectivePriority {
  const judged = trackers.map((tracker) => ({ tracker, ...judge(tracker) }));
  const sum = judged.reduce((total, { adds }) => total + adds, base);
  return {
    base,
    priority: base === 255 ? 255 : Math.max(1, Math.min(254, sum)),
    parts: judged.map(({ tracker, adds, fault }) => ({
      kind: tracker.ref.kind,
      name: tracker.ref.name,
      status: tracker.status,
      ...(tracker.value === undefined ? {} : { value: tracker.value }),
      adds,
      faults: fault !== undefined,
    })),
    faults: judged.flatMap(({ fault }) => fault ?? []),
  };
}

interface Judged {
  readonly adds: number;
  readonly fault?: Fault;
}

function judge(tracker: TrackerState): Judged {
  if (tracker.ref.kind === "file") return judgeFile(tracker);
  const { status } = tracker;
  const { weight = 0, reverse } = tracker.ref;
  if (weight === 0) {
    if (status === "unknown") return HOLDS_UNTIL_KNOWN.has(tracker.ref.kind) ? faulty(tracker) : NOTHING;
    // Reversed, an unweighted tracker faults when good.
    return (status === "bad") !== reverse ? faulty(tracker) : NOTHING;
  }
  // keepalived: `reverse` reverses the direction of the adjustment, not the moment it applies.
  const direction = reverse ? -1 : 1;
  const applies = weight > 0 ? status === "good" : status === "bad";
  return applies ? { adds: direction * weight } : NOTHING;
}

/** The value times the weight (1 unless given). Weight 0, as keepalived has it: anything but 0 in the file is a FAULT. */
function judgeFile(tracker: TrackerState): Judged {
  const { value } = tracker;
  if (value === undefined) return NOTHING;
  const { weight = 1, reverse } = tracker.ref;
  if (weight === 0) return (value !== 0) !== reverse ? faulty(tracker) : NOTHING;
  const product = value * weight * (reverse ? -1 : 1);
  return product <= FILE_FAULT ? faulty(tracker) : { adds: product };
}

const NOTHING: Judged = { adds: 0 };

/** Being master without knowing whether one can serve is worse than waiting one interval for the first result. */
const HOLDS_UNTIL_KNOWN: ReadonlySet<TrackRef["kind"]> = new Set(["script", "gateway", "bfd"]);

function faulty(tracker: TrackerState): Judged {
  return { adds: 0, fault: { kind: "tracker", detail: faultText(tracker) } };
}

function faultText({ ref, status, value, detail }: TrackerState): string {
  const what = `${KIND_TEXT[ref.kind]} ${ref.name}`;
  if (status === "unknown" && ref.kind !== "file") return `${what} has no result yet`;
  if (detail !== undefined) return `${what}: ${detail}`;
  if (ref.kind === "file") return `${what} says ${value}`;
  return `${what} is ${status === "good" ? "up (reverse)" : "down"}`;
}

const KIND_TEXT: Record<TrackRef["kind"], string> = {
  interface: "tracked interface",
  script: "tracked script",
  process: "tracked process",
  file: "tracked file",
  bfd: "BFD session",
  virtual_server: "virtual server",
  gateway: "gateway",
};
