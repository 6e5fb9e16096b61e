/**
 * promote_secondaries: without it, the end of a VIP that is the first address of its subnet takes every
 * other address of that subnet with it.
 */
import { readSysctl, writeSysctl } from "../../net/sysctl.ts";
import type { Logger } from "../messages.ts";

export interface SecondaryPromotion {
  enable(dev: string, log: Logger): void;
  /** Puts back what was there before us. */
  restore(log: Logger): void;
}

export function secondaryPromotion(): SecondaryPromotion {
  const changed = new Set<string>();
  const name = (dev: string) => ["net", "ipv4", "conf", dev, "promote_secondaries"];
  return {
    enable(dev, log) {
      try {
        // The kernel takes either.
        if (readSysctl(name("all")) === "1" || readSysctl(name(dev)) === "1") return;
        writeSysctl(name(dev), "1");
        changed.add(dev);
      } catch (error) {
        log(
          "warn",
          `cannot set promote_secondaries on ${dev}: an expiring VIP may take its subnet's other addresses`,
          {
            error: (error as Error).message,
          },
        );
      }
    },
    restore(log) {
      for (const dev of changed) {
        try {
          writeSysctl(name(dev), "0");
        } catch (error) {
          log("debug", `cannot restore promote_secondaries on ${dev}`, { error: (error as Error).message });
        }
      }
      changed.clear();
    },
  };
}
