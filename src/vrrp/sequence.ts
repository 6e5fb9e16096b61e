/**
 * Sequence numbers of auth_hmac: the one place where VRRP looks at the real-time clock. They grow with every
 * advertisement, also over a restart; a receiver takes none twice.
 */
import type { HmacConfig } from "../config/model.ts";
import { type Microseconds, us } from "../units.ts";
import type { Sequence } from "../wire/hmac.ts";

type ReplayConfig = Pick<HmacConfig, "antiReplay" | "timeWindow">;

/** Order as unsigned 64-bit numbers: negative, 0 or positive. */
export function compareSequences(a: Sequence, b: Sequence): number {
  return a.seconds - b.seconds || a.rest - b.rest;
}

/** The moment a sequence stands for, microseconds since 1970. */
export function sequenceTime({ seconds, rest }: Sequence): Microseconds {
  return us(seconds * 1_000_000 + Math.floor(((rest >>> 16) * 1_000_000) / 0x1_0000));
}

/** What was sent last, with what jumps of the clock have left behind. JSON data. */
export type SentSequence = Sequence & {
  /** Sent before a jump of our clock, highest first. */
  readonly earlier?: readonly Sequence[];
};

/**
 * The next number to send: the clock's (`realTime`: UTC microseconds since 1970), or the one after the highest
 * sent when the clock stands still or went back. `last` survives restarts: whoever sends next passes it in.
 *
 * One exception, with anti_replay time only: what lies further ahead of the clock than time_window was sent
 * while our clock was wrong. Receivers refuse it by its time, and would refuse its successors until the
 * clock has caught up with them; so it does not count until it is in reach again. What was sent before each
 * jump is remembered, for receivers may have taken that.
 */
export function nextSequence(
  last: SentSequence | undefined,
  realTime: Microseconds,
  replay: ReplayConfig,
): SentSequence {
  const clock = fromClock(realTime);
  if (last === undefined) return clock;
  const { earlier = [], ...latest } = last;
  const reach = replay.timeWindow + TRAVEL;
  const floor = [latest, ...earlier]
    .filter((one) => replay.antiReplay === "monotonic" || sequenceTime(one) - realTime <= reach)
    .sort(compareSequences)
    .at(-1);
  const next = floor && compareSequences(clock, floor) <= 0 ? successor(floor) : clock;
  // time_window is three advertisement intervals at least: no more than one lies between two adverts.
  const jumped =
    compareSequences(next, latest) < 0 || sequenceTime(next) - sequenceTime(latest) > replay.timeWindow / 3;
  const kept = jumped ? [latest, ...earlier].sort((a, b) => compareSequences(b, a)) : earlier;
  return kept.length > 0 ? { ...next, earlier: kept.slice(0, MAX_EARLIER) } : next;
}

const MAX_EARLIER = 4;

/** While a packet travels the receiver's clock moves on; it must agree on what is beyond the window. */
const TRAVEL = 250_000;

const successor = ({ seconds, rest }: Sequence): Sequence =>
  rest < 0xffff_ffff ? { seconds, rest: rest + 1 } : { seconds: (seconds + 1) >>> 0, rest: 0 };

function fromClock(realTime: Microseconds): Sequence {
  const seconds = Math.floor(realTime / 1_000_000);
  const fraction = Math.floor(((realTime - seconds * 1_000_000) * 0x1_0000) / 1_000_000);
  return { seconds: seconds >>> 0, rest: fraction * 0x1_0000 };
}

/** The highest sequence accepted from each sender; see `senderKey`. JSON data. */
export type SequenceMemory = Readonly<Record<string, Sequence>>;

/** Each key and each path has its own count: the same advert comes once over every heartbeat interface. */
export const senderKey = (source: string, vrid: number, keyId: number): string =>
  `${source} ${vrid} ${keyId}`;

/** Why a sequence may not be accepted; its MAC has been verified. */
export function refuseSequence(
  sequence: Sequence,
  highest: Sequence | undefined,
  realTime: Microseconds,
  replay: ReplayConfig,
): "hmac-time" | "hmac-replay" | undefined {
  if (replay.antiReplay === "time" && Math.abs(sequenceTime(sequence) - realTime) > replay.timeWindow)
    return "hmac-time";
  if (highest === undefined || compareSequences(sequence, highest) > 0) return undefined;
  // Accepted while our own clock was wrong: its owner can never again be that far ahead of the time.
  if (replay.antiReplay === "time" && sequenceTime(highest) - realTime > replay.timeWindow) return undefined;
  return "hmac-replay";
}

/** Senders are authenticated before they get here, so this bound is only a precaution. */
const MAX_SENDERS = 256;

export function rememberSequence(memory: SequenceMemory, key: string, sequence: Sequence): SequenceMemory {
  if (!Object.hasOwn(memory, key) && Object.keys(memory).length >= MAX_SENDERS) {
    const [oldest] = Object.keys(memory).sort((a, b) => compareSequences(memory[a]!, memory[b]!));
    const { [oldest!]: _gone, ...rest } = memory;
    return { ...rest, [key]: sequence };
  }
  return { ...memory, [key]: sequence };
}
