/** VRRP timer arithmetic, in microseconds. RFC 5798 §6.1, RFC 3768 §6.1; keepalived `down_timer_adverts`. */
import type { InstanceConfig } from "../config/model.ts";
import { type Microseconds, us } from "../units.ts";

type TimingConfig = Pick<InstanceConfig, "version" | "advertInterval" | "downTimerAdverts">;

/** v2: (256 - priority) / 256 s whatever the interval; v3: (256 - priority) * A_master / 256. */
export function skewTime(version: 2 | 3, priority: number, masterInterval: Microseconds): Microseconds {
  const base = version === 2 ? 1_000_000 : masterInterval;
  return us(Math.floor(((256 - priority) * base) / 256));
}

/** down_timer_adverts * A_master + skew. In v2 the interval is our own (a differing one is refused). */
export function masterDownInterval(
  config: TimingConfig,
  priority: number,
  masterInterval: Microseconds,
): Microseconds {
  return us(config.downTimerAdverts * masterInterval + skewTime(config.version, priority, masterInterval));
}

/**
 * Valid lifetime of a leased VIP in whole seconds: longer than any backup of any priority waits,
 * so that a living master never loses it, and as short as that allows.
 */
export function leaseSeconds(config: TimingConfig): number {
  const down = masterDownInterval(config, 1, config.advertInterval);
  return Math.max(2, Math.floor(down / 1_000_000) + 1);
}
