/**
 * Reads the configuration again for a reload, on a thread of its own: a long parse in the supervisor would
 * look like a hang of its children.
 *
 *   reader --digests of the services known--> config-worker --what changed--> reader --> Config
 */
import { Worker } from "node:worker_threads";
import { applyDelta, type ServicesDelta, serviceDigest } from "../../config/delta.ts";
import type { Config } from "../../config/model.ts";

export interface ConfigReaderOptions {
  /** The bundled config-worker.js. */
  readonly entry: URL;
  readonly file: string;
  readonly node?: string;
  /** What was read at the start. */
  readonly config: Config;
}

/** workerData of the thread. */
export interface ReadRequest {
  readonly file: string;
  readonly node?: string;
  /** [ServiceConfig.key, serviceDigest] */
  readonly known: readonly (readonly [string, string])[];
}

export type ReadAnswer =
  | { readonly config: Omit<Config, "services">; readonly services: ServicesDelta }
  /** As `vipward check` prints them. */
  | { readonly problems: string };

const LIMIT_MS = 60_000;

export class ConfigReader {
  readonly #options: ConfigReaderOptions;
  #last: Config;

  constructor(options: ConfigReaderOptions) {
    this.#options = options;
    this.#last = options.config;
  }

  /** Services that did not change are the same objects as before. Rejects with the problems as text. */
  async read(): Promise<Config> {
    const { services } = this.#last;
    const { file, node } = this.#options;
    const known = services.map((service) => [service.key, serviceDigest(service)] as const);
    const answer = await this.#ask({ file, ...(node === undefined ? {} : { node }), known });
    if ("problems" in answer) throw new Error(answer.problems);
    this.#last = { ...answer.config, services: applyDelta(services, answer.services) };
    return this.#last;
  }

  #ask(request: ReadRequest): Promise<ReadAnswer> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(this.#options.entry, { workerData: request });
      const limit = setTimeout(() => {
        reject(new Error(`the configuration was not read within ${LIMIT_MS / 1_000} s`));
        void worker.terminate();
      }, LIMIT_MS);
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", (code) => {
        clearTimeout(limit);
        reject(new Error(`the config reader ended (${code}) without an answer`));
      });
    });
  }
}
