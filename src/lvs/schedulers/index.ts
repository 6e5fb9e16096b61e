/** Models of the kernel's schedulers: the userspace dataplane runs them. */
import { fail, ok, type Result } from "../../result.ts";
import { dh, sh } from "./hash.ts";
import { lc, nq, sed, wlc } from "./least.ts";
import { rr } from "./rr.ts";
import type { Scheduler } from "./types.ts";
import { wrr } from "./wrr.ts";

export type { Choice, Flow, SchedDest, Scheduler } from "./types.ts";

/** IP_VS_SVC_F_SCHED_SH_FALLBACK and _SH_PORT (include/uapi/linux/ip_vs.h). */
const SH_FALLBACK = 0x8;
const SH_PORT = 0x10;

export const MODELLED_SCHEDULERS = ["rr", "wrr", "lc", "wlc", "sh", "dh", "sed", "nq"] as const;

/**
 * The model of one scheduler.
 * @param name lb_algo, as in ServiceSpec.scheduler
 * @param flags ServiceSpec.flags; only sh reads any
 * @returns the scheduler, or a sentence naming the supported ones
 */
export function createScheduler(name: string, flags = 0): Result<Scheduler, string> {
  switch (name) {
    case "rr":
      return ok(rr);
    case "wrr":
      return ok(wrr);
    case "lc":
      return ok(lc);
    case "wlc":
      return ok(wlc);
    case "sed":
      return ok(sed);
    case "nq":
      return ok(nq);
    case "dh":
      return ok(dh);
    case "sh":
      return ok(sh({ fallback: (flags & SH_FALLBACK) !== 0, port: (flags & SH_PORT) !== 0 }));
    default:
      return fail(
        `scheduler "${name}" is not available in the userspace dataplane: use one of ${MODELLED_SCHEDULERS.join(" ")}`,
      );
  }
}
