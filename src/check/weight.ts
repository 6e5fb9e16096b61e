/** Weights that checkers ask for (misc_dynamic, FILE_CHECK dynamic), put together for one real server. */
import type { CheckWeight } from "./types.ts";

/** IP_VS_DEST_ATTR_WEIGHT as IPVS and keepalived take it. */
const MAX_WEIGHT = 65_535;

/**
 * keepalived's sum: every checker moves the weight away from the configured one by its own difference, so that
 * a single misc_dynamic checker sets it and several add up. Kept within 0 to 65535.
 */
export function effectiveWeight(configured: number, wanted: Iterable<CheckWeight>): number {
  let weight = configured;
  for (const one of wanted) weight += "set" in one ? one.set - configured : one.add;
  return Math.min(Math.max(weight, 0), MAX_WEIGHT);
}

export const sameWeight = (a: CheckWeight | undefined, b: CheckWeight | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    ("set" in a ? "set" in b && a.set === b.set : "add" in b && a.add === b.add));
