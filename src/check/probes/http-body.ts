/** What a URL demands of the body: its digest, computed as it comes, and a regular expression. */
import { createHash, type Hash } from "node:crypto";
import type { BodyRegex, HttpUrlConfig } from "../../config/model.ts";
import type { Failure } from "./outcome.ts";
import { matchBounded } from "./regex-runner.ts";

export class BodyCheck {
  readonly #digest: HttpUrlConfig["digest"];
  readonly #regex: BodyRegex | undefined;
  readonly #hash: Hash | undefined;
  readonly #chunks: Uint8Array[] = [];

  constructor({ digest, regex }: HttpUrlConfig) {
    this.#digest = digest;
    this.#regex = regex;
    this.#hash = digest && createHash(digest.algorithm);
  }

  /** Undefined when nothing of the body matters. */
  get onBody(): ((chunk: Uint8Array) => void) | undefined {
    if (this.#hash === undefined && this.#regex === undefined) return undefined;
    return (chunk) => {
      this.#hash?.update(chunk);
      // A view into a buffer that is used again.
      if (this.#regex !== undefined) this.#chunks.push(chunk.slice());
    };
  }

  /** Undefined when the body is as it must be. `cut`: there was more than was read. */
  async problem(cut: boolean): Promise<Failure | undefined> {
    const found = this.#hash?.digest("hex");
    if (this.#digest !== undefined && found !== undefined) {
      const { algorithm, hex } = this.#digest;
      if (cut) return { reason: "body-too-large", detail: `no ${algorithm} digest of a body that was cut` };
      if (found !== hex) return { reason: "digest-differs", detail: `${algorithm} of the body is ${found}` };
    }
    return this.#regex === undefined ? undefined : this.#match(this.#regex, cut);
  }

  async #match(regex: BodyRegex, cut: boolean): Promise<Failure | undefined> {
    const outcome = await matchBounded(regex, Buffer.concat(this.#chunks));
    if (typeof outcome !== "boolean") return outcome;
    if (outcome !== regex.noMatch) return undefined;
    const where = cut ? "the part of the body that was read" : "the body";
    const detail = `${where} ${outcome ? "matches" : "does not match"} ${regex.text.slice(0, 100)}`;
    return { reason: "regex-mismatch", detail };
  }
}
