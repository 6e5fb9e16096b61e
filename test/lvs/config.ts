/** ServiceConfig values for the LVS tests, as config/ would deliver them. */
import type { CheckVerdict } from "../../src/check/types.ts";
import type { CheckerConfig, RealServerConfig, ServiceConfig } from "../../src/config/model.ts";
import { ms, seconds } from "../../src/units.ts";

export const SERVICE_KEY = "tcp 10.0.0.1:80";

export const checker = (serverKey: string, n: number, alpha: boolean): CheckerConfig => ({
  type: "TCP_CHECK",
  id: `${SERVICE_KEY} -> ${serverKey} TCP_CHECK #${n}`,
  serviceKey: SERVICE_KEY,
  serverKey,
  connectIp: serverKey.split(":")[0] ?? "",
  connectPort: 80,
  connectTimeout: ms(5_000),
  delayLoop: ms(60_000),
  warmup: ms(60_000),
  retry: 1,
  delayBeforeRetry: ms(1_000),
  alpha,
});

/** 10.0.1.`last`:80 with `checkers` TCP checks. */
export const server = (
  last: number,
  changes: Partial<RealServerConfig> = {},
  checkers = 1,
): RealServerConfig => {
  const key = `10.0.1.${last}:80`;
  return {
    key,
    address: `10.0.1.${last}`,
    family: 4,
    port: 80,
    weight: 1,
    forwarding: "NAT",
    upperThreshold: 0,
    lowerThreshold: 0,
    inhibitOnFailure: false,
    alpha: false,
    checkers: Array.from({ length: checkers }, (_, n) => checker(key, n + 1, changes.alpha ?? false)),
    ...changes,
  };
};

export const sorryServer = {
  address: "10.0.9.9",
  family: 4,
  port: 80,
  weight: 1,
  forwarding: "NAT",
  upperThreshold: 0,
  lowerThreshold: 0,
} as const;

export const service = (
  realServers: readonly RealServerConfig[],
  changes: Partial<ServiceConfig> = {},
): ServiceConfig => ({
  key: SERVICE_KEY,
  protocol: "tcp",
  family: 4,
  address: "10.0.0.1",
  port: 80,
  scheduler: "wlc",
  forwarding: "NAT",
  persistenceTimeout: seconds(0),
  quorum: 1,
  hysteresis: 0,
  realServers,
  ...changes,
});

/** Verdicts by server: { 1: "down" } says so of every checker of 10.0.1.1:80. */
export const verdicts = (
  config: ServiceConfig,
  words: Readonly<Record<number, CheckVerdict>>,
): ReadonlyMap<string, CheckVerdict> =>
  new Map(
    config.realServers.flatMap(({ address, checkers }) => {
      const word = words[Number(address.split(".")[3])];
      return word ? checkers.map(({ id }) => [id, word] as const) : [];
    }),
  );
