/** One run of a probe: a total deadline, an abort signal, one result, everything opened closed again. */
import type { CheckWeight, ProbeResult } from "../types.ts";
import { CANCELLED, type Failure, failed, passed, socketFailure } from "./outcome.ts";

export class ProbeRun {
  readonly started = performance.now();
  /** Never rejects. */
  readonly result: Promise<ProbeResult>;
  readonly #resolve: (result: ProbeResult) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #cleanups: ((passed: boolean) => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(signal?: AbortSignal) {
    let resolve: (result: ProbeResult) => void = () => undefined;
    this.result = new Promise((settle) => {
      resolve = settle;
    });
    this.#resolve = resolve;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#cancel);
    if (signal?.aborted) this.#cancel();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Does `work`, whose throw is the run's failure; nothing when the run has ended. */
  attempt(work: () => void): this {
    if (this.#ended) return this;
    try {
      work();
    } catch (error) {
      this.fail(socketFailure(error));
    }
    return this;
  }

  /** From now on `timeout` ms; replaces an earlier deadline. */
  deadline(timeout: number, late: () => Failure): void {
    clearTimeout(this.#timer);
    if (!this.#ended) this.#timer = setTimeout(() => this.fail(late()), timeout);
  }

  /**
   * Runs when the run ends, at once when it has; the last one added is the first to run. What lies on top is then
   * closed before what it lies on: a TCP socket destroyed under its TLS socket, from a callback of TLS, makes
   * Node 20 crash (segmentation fault).
   */
  onEnd(cleanup: (passed: boolean) => void): void {
    if (this.#ended) cleanup(false);
    else this.#cleanups.push(cleanup);
  }

  pass(detail: string, weight?: CheckWeight): void {
    const result = passed(detail, this.started);
    this.#end(weight === undefined || !result.ok ? result : { ...result, weight });
  }

  fail(failure: Failure): void {
    this.#end(failed(failure, this.started));
  }

  readonly #cancel = (): void => this.fail(CANCELLED);

  #end(result: ProbeResult): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#cancel);
    for (const cleanup of this.#cleanups.reverse()) cleanup(result.ok);
    this.#resolve(result);
  }
}
