/** What test/uml/guest/loss.ts measures, for the drill that prints it. Seconds. */
export interface LossFigures {
  readonly seconds: number;
  readonly percent: number;
  readonly pairs: readonly PairFigures[];
}

export interface PairFigures {
  readonly name: string;
  /** How often the backup became master though the master lived. */
  readonly takeovers: number;
  /** The longest time with two owners, and the sum of all. */
  readonly twoOwners: number;
  readonly twoOwnersTotal: number;
  readonly noOwner: number;
  /** With two owners after the loss had ended. */
  readonly healed: number;
}
