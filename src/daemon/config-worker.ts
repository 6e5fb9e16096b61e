/** Reads and validates the configuration for a reload, outside the supervisor's loop: a worker thread. */
import { hostname } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { serviceDigest, servicesDelta } from "../config/delta.ts";
import { formatProblems } from "../config/format.ts";
import { loadConfig } from "../config/load.ts";
import type { ReadAnswer, ReadRequest } from "./supervisor/config-reader.ts";

parentPort?.postMessage(answer(workerData as ReadRequest));

function answer({ file, node, known }: ReadRequest): ReadAnswer {
  const loaded = loadConfig(file, { hostname: hostname(), ...(node === undefined ? {} : { node }) });
  if (!loaded.ok) return { problems: formatProblems(loaded.problems, { color: false }) };
  const { services, ...config } = loaded.config;
  const digests = new Map(known);
  const same = (service: (typeof services)[number]) => digests.get(service.key) === serviceDigest(service);
  return { config, services: servicesDelta(services, same) };
}
