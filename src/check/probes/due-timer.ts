/** The engine's one timer: wakes it when the earliest checker is due. */
import type { SetTimer } from "./engine-types.ts";

/** setTimeout fires at once for anything longer. */
const MAX_TIMER_MS = 2_147_483_647;

export class DueTimer {
  readonly #setTimer: SetTimer;
  readonly #onDue: () => void;
  #timer: { cancel(): void } | undefined;
  #due = Number.POSITIVE_INFINITY;

  constructor(setTimer: SetTimer, onDue: () => void) {
    this.#setTimer = setTimer;
    this.#onDue = onDue;
  }

  /** `due` and `now` in ms of the engine's clock; undefined: nothing is due. */
  arm(due: number | undefined, now: number): void {
    // An earlier timer only wakes once in vain; setting it anew at every result would cost more.
    if (this.#timer !== undefined && this.#due <= (due ?? Number.POSITIVE_INFINITY)) return;
    this.cancel();
    if (due === undefined) return;
    this.#due = due;
    this.#timer = this.#setTimer(
      () => {
        this.#timer = undefined;
        this.#onDue();
      },
      Math.min(Math.max(0, Math.ceil(due - now)), MAX_TIMER_MS),
    );
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

export const systemTimer: SetTimer = (callback, delayMs) => {
  const timer = setTimeout(callback, delayMs);
  return { cancel: () => clearTimeout(timer) };
};
