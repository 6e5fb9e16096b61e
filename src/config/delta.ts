/**
 * What a reload changed, service by service: of thousands of services only those cross a process boundary,
 * and all others stay the very objects they were, so that "changed" downstream is a comparison of references.
 */
import { createHash } from "node:crypto";
import type { ServiceConfig } from "./model.ts";

type Services = readonly ServiceConfig[];

export interface ServicesDelta {
  /** `ServiceConfig.key` of every service there is now, in order. */
  readonly keys: readonly string[];
  /** Those that were not there before, or not like this. */
  readonly changed: Services;
}

const digests = new WeakMap<ServiceConfig, string>();

/** Names the content. Equal for equal content read from a file or received from another process. */
export function serviceDigest(service: ServiceConfig): string {
  let digest = digests.get(service);
  if (digest === undefined) {
    digest = createHash("sha256").update(JSON.stringify(service)).digest("base64");
    digests.set(service, digest);
  }
  return digest;
}

export function servicesDelta(services: Services, known: (service: ServiceConfig) => boolean): ServicesDelta {
  return {
    keys: services.map((service) => service.key),
    changed: services.filter((service) => !known(service)),
  };
}

/** Undoes servicesDelta. Throws when `before` is not what the delta was made against. */
export function applyDelta(before: Services, { keys, changed }: ServicesDelta): ServiceConfig[] {
  const byKey = new Map([...before, ...changed].map((service) => [service.key, service]));
  return keys.map((key) => {
    const service = byKey.get(key);
    if (!service) throw new Error(`a change of configuration says nothing about ${key}, which is new`);
    return service;
  });
}
