/**
 * Units as types, and the only place that converts between them.
 * Durations and monotonic instants are plain numbers branded with their unit;
 * microseconds since boot stay below 2^53 for 285 years.
 */
declare const unit: unique symbol;
type In<U extends string> = number & { readonly [unit]: U };

export type Microseconds = In<"us">;
export type Milliseconds = In<"ms">;
export type Centiseconds = In<"cs">;
export type Seconds = In<"s">;

export const us = (n: number): Microseconds => n as Microseconds;
export const ms = (n: number): Milliseconds => n as Milliseconds;
export const cs = (n: number): Centiseconds => n as Centiseconds;
export const seconds = (n: number): Seconds => n as Seconds;

export const secondsToUs = (n: Seconds): Microseconds => us(Math.round(n * 1_000_000));
export const secondsToMs = (n: Seconds): Milliseconds => ms(Math.round(n * 1_000));
export const centisecondsToUs = (n: Centiseconds): Microseconds => us(n * 10_000);
export const msToUs = (n: Milliseconds): Microseconds => us(Math.round(n * 1_000));
export const usToMs = (n: Microseconds): Milliseconds => ms(n / 1_000);
export const usToSeconds = (n: Microseconds): Seconds => seconds(n / 1_000_000);
export const usToCentiseconds = (n: Microseconds): Centiseconds => cs(Math.round(n / 10_000));
