/** What the readers of all checkers share: inheritance and defaults. */
import { type Milliseconds, ms } from "../units.ts";
import type { Ip } from "./ip.ts";
import type { CheckerCommon, ProbeSource, ProbeTls } from "./model.ts";
import { defined } from "./optional.ts";

/** Options that services, real servers and checkers all take. Times in microseconds. */
export interface CheckOptions {
  readonly delay_loop?: number | undefined;
  readonly connect_timeout?: number | undefined;
  readonly retry?: number | undefined;
  readonly delay_before_retry?: number | undefined;
  readonly warmup?: number | undefined;
  readonly alpha?: boolean | undefined;
  readonly virtualhost?: string | undefined;
}

/** The real server a checker belongs to. */
export interface Target {
  readonly serviceKey: string;
  readonly serverKey: string;
  readonly address: string;
  readonly port: number;
  /** delay_loop of the virtual server itself, in microseconds: MISC_CHECK's time limit. */
  readonly serviceDelayLoop?: number | undefined;
}

export interface SourceKeys {
  readonly bindto?: Ip | undefined;
  readonly bind_port?: number | undefined;
  readonly bind_if?: string | undefined;
  readonly fwmark?: number | undefined;
}
export interface ConnectKeys extends SourceKeys {
  readonly connect_ip?: Ip | undefined;
  readonly connect_port?: number | undefined;
}
export interface CheckerKeys extends CheckOptions, ConnectKeys {
  readonly rise?: number | undefined;
  readonly fall?: number | undefined;
  readonly log_all_failures?: boolean | undefined;
}

/** Nearest first wins. */
export function inherit(outer: CheckOptions, inner: CheckOptions): CheckOptions {
  return {
    delay_loop: inner.delay_loop ?? outer.delay_loop,
    connect_timeout: inner.connect_timeout ?? outer.connect_timeout,
    retry: inner.retry ?? outer.retry,
    delay_before_retry: inner.delay_before_retry ?? outer.delay_before_retry,
    warmup: inner.warmup ?? outer.warmup,
    alpha: inner.alpha ?? outer.alpha,
    virtualhost: inner.virtualhost ?? outer.virtualhost,
  };
}

export const toMs = (micros: number): Milliseconds => ms(micros / 1000);

/** Where a type's defaults differ from the common ones: retry 1, delay_before_retry 1 s, warmup delay_loop. */
export interface TypeDefaults {
  readonly retry?: number;
  /** Microseconds. */
  readonly delayBeforeRetry?: number | "delay_loop";
  readonly warmup?: number;
  /** It connects to no port. */
  readonly portless?: boolean;
}

export function common(
  id: string,
  keys: CheckerKeys,
  options: CheckOptions,
  target: Target,
  { retry = 1, delayBeforeRetry = 1_000_000, warmup, portless = false }: TypeDefaults = {},
): CheckerCommon {
  const delayLoop = options.delay_loop ?? 60_000_000;
  const retryDelay = delayBeforeRetry === "delay_loop" ? delayLoop : delayBeforeRetry;
  return defined({
    id,
    serviceKey: target.serviceKey,
    serverKey: target.serverKey,
    connectIp: keys.connect_ip?.address ?? target.address,
    connectPort: portless ? 0 : (keys.connect_port ?? target.port),
    ...sourceOf(keys),
    connectTimeout: toMs(options.connect_timeout ?? 5_000_000),
    delayLoop: toMs(delayLoop),
    warmup: toMs(options.warmup ?? warmup ?? delayLoop),
    retry: options.retry ?? retry,
    delayBeforeRetry: toMs(options.delay_before_retry ?? retryDelay),
    alpha: options.alpha ?? false,
    rise: keys.rise,
    fall: keys.fall,
    logAllFailures: keys.log_all_failures,
  });
}

export const sourceOf = (keys: SourceKeys): ProbeSource =>
  defined({
    bindTo: keys.bindto?.address,
    bindPort: keys.bind_port,
    bindIf: keys.bind_if,
    fwmark: keys.fwmark,
  });

export interface TlsKeys {
  readonly sni_name?: string | undefined;
  readonly verify?: boolean | undefined;
  readonly ca?: string | undefined;
}

/** `name`: what the certificate is held to when sni_name does not say. */
export const tlsOf = (keys: TlsKeys, name?: string): ProbeTls =>
  defined({
    serverName: keys.sni_name,
    verify: keys.verify ?? false,
    verifyName: keys.sni_name ?? name,
    ca: keys.ca,
  });
