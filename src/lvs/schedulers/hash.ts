/**
 * Source and destination hashing, as net/netfilter/ipvs/ip_vs_sh.c and ip_vs_dh.c behave since
 * Linux 4.18 (hash_32 of include/linux/hash.h; older kernels used another constant and the low bits).
 */
import { type Choice, canTake, type Flow, type SchedDest, type Scheduler } from "./types.ts";

const TABLE_BITS = 8;
const BUCKETS = 1 << TABLE_BITS;
/** GOLDEN_RATIO_32, include/linux/hash.h. */
const GOLDEN_RATIO = 0x61c88647;

/** Index into the destination list per bucket; empty when there are no destinations. */
type Buckets = readonly number[];

/** Multiplicative hash: the top bits of the product. */
const bucketOf = (value: number): number => Math.imul(value, GOLDEN_RATIO) >>> (32 - TABLE_BITS);

/** An IPv4 address as a number; an IPv6 address folded to 32 bits by exclusive or of its four words. */
function fold(address: Uint8Array): number {
  const view = new DataView(address.buffer, address.byteOffset, address.byteLength);
  let folded = 0;
  for (let at = 0; at + 4 <= address.byteLength; at += 4) folded ^= view.getUint32(at);
  return folded >>> 0;
}

/** Buckets in list order, each destination taking `run` in a row, round and round until all are filled. */
function fill(dests: readonly SchedDest[], run: (dest: SchedDest) => number): Buckets {
  if (dests.length === 0) return [];
  const buckets: number[] = [];
  for (let i = 0; buckets.length < BUCKETS; i = (i + 1) % dests.length) {
    const count = Math.min(run(dests[i]!), BUCKETS - buckets.length);
    for (let n = 0; n < count; n++) buckets.push(i);
  }
  return buckets;
}

const at = (buckets: Buckets, dests: readonly SchedDest[], bucket: number): SchedDest | undefined =>
  dests[buckets[bucket] ?? -1];

const chosen = (state: Buckets, dest: SchedDest | undefined): Choice<Buckets> =>
  dest && canTake(dest) ? { state, dest: dest.key } : { state };

/** Destination hashing: by the service's own address, so one address always has one destination. */
export const dh: Scheduler<Buckets> = {
  name: "dh",
  start: (dests) => fill(dests, () => 1),
  update: (_state, dests) => fill(dests, () => 1),
  choose: (state, dests, flow) => chosen(state, at(state, dests, bucketOf(fold(flow.serviceAddress)))),
};

export interface SourceHashOptions {
  /** sh-fallback: when the bucket's destination cannot take it, the next bucket whose can. */
  readonly fallback: boolean;
  /** sh-port: the client's port counts too. */
  readonly port: boolean;
}

/** A destination at weight 0 keeps one bucket: its clients are refused, the others stay where they are. */
const fillByWeight = (dests: readonly SchedDest[]): Buckets =>
  fill(dests, (dest) => Math.max(1, dest.weight));

function chooseBySource(state: Buckets, dests: readonly SchedDest[], flow: Flow, options: SourceHashOptions) {
  const port = options.port ? flow.clientPort : 0;
  const home = bucketOf((fold(flow.clientAddress) + port) >>> 0);
  const first = at(state, dests, home);
  if (!options.fallback || !first || canTake(first)) return chosen(state, first);
  // The kernel's walk starts at twice the home bucket: the hash of the offset home, plus home.
  for (let step = 0; step < BUCKETS; step++) {
    const dest = at(state, dests, (2 * home + step) % BUCKETS);
    if (dest && canTake(dest)) return chosen(state, dest);
  }
  return { state };
}

/** Source hashing: by the client's address. */
export const sh = (options: SourceHashOptions): Scheduler<Buckets> => ({
  name: "sh",
  start: fillByWeight,
  update: (_state, dests) => fillByWeight(dests),
  choose: (state, dests, flow) => chooseBySource(state, dests, flow, options),
});
