/** What keeps a hostile file from costing more than a refusal. */

/** Thrown inside the reader only; becomes one error at the place where it happened. */
export class LimitReached extends Error {
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

export const MAX_FILE_BYTES = 32 * 1024 * 1024;
export const MAX_FILES = 5_000;
export const MAX_INCLUDE_DEPTH = 64;
/** Statements after all repetitions; 65,024 instances of 20 lines are the manual's own example of many. */
export const MAX_LINES = 2_000_000;
export const MAX_EXPANDED = 128 * 1024 * 1024;
export const MAX_LINE = 1024 * 1024;
/** Parameters inside parameters. */
export const MAX_NESTING = 100;
export const MAX_SUBSTITUTIONS = 10_000;
export const MAX_BLOCK_DEPTH = 64;
