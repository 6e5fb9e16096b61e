/** "N", "N reverse", "reverse": what a tracked thing adds to the priority. */

export interface Weight {
  /** Undefined: FAULT when bad. keepalived writes that as 0, too. */
  readonly weight?: number;
  readonly reverse: boolean;
}

/** A priority has 254 steps (keepalived: -253 to 253). */
export const MAX_WEIGHT = 253;
export const WEIGHT_HINT = `a whole number from -${MAX_WEIGHT} to ${MAX_WEIGHT}, "reverse" after it to turn it round`;

/** undefined when it is none. A written 0 stays 0: it overrides another default. */
export function parseWeight(text: string): Weight | undefined {
  const match = /^(?:weight\s+)?([+-]?\d{1,4})(\s+(?:no)?reverse)?$|^reverse$/.exec(text.trim());
  if (match === null) return undefined;
  if (match[1] === undefined) return { reverse: true };
  const weight = Number(match[1]);
  if (Math.abs(weight) > MAX_WEIGHT) return undefined;
  return { weight: weight === 0 ? 0 : weight, reverse: match[2]?.trim() === "reverse" };
}
