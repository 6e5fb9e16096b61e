/** What a newly started vrrp process does with what an earlier one left: resume, release or clear away. */
import { type AddressInfo, VIPWARD_IFA_PROTO } from "../../net/rtnetlink.ts";
import type { Microseconds } from "../../units.ts";
import type { Logger, ToVrrp } from "../messages.ts";
import type { Instance } from "./instance.ts";
import type { Ports } from "./ports.ts";
import { heldVips } from "./vip-set.ts";

type Configure = ToVrrp & { type: "configure" };

export interface Restart {
  readonly message: Configure;
  readonly instances: readonly Instance[];
  readonly ports: Ports;
  readonly log: Logger;
  /** Heard of a better master while deciding. */
  readonly outranked: ReadonlySet<Instance>;
  /** Whether anything local forbids it to be master. */
  blocked(instance: Instance): boolean;
}

/** Returns the instances that go on as master; everything else of an earlier run is gone afterwards. */
export function takeStock(restart: Restart, now: Microseconds): Instance[] {
  const { message, instances, ports, log } = restart;
  const resuming = decideResume(restart, now);
  const before = new Set(message.oursBefore);
  const ours = (entry: AddressInfo) => entry.protocol === VIPWARD_IFA_PROTO || before.has(entry.address);
  const keep = new Set(resuming.flatMap((instance) => heldVips(instance.config).map((vip) => vip.address)));
  for (const entry of ports.addresses) {
    if (!ours(entry) || keep.has(entry.address)) continue;
    try {
      const { index, family, address, prefixLength, scope } = entry;
      ports.rtnetlink.deleteAddress({ index, family, address, prefixLength, scope });
      log("warn", `removed ${entry.address}/${entry.prefixLength}, left behind by an earlier run`);
    } catch (error) {
      log("error", `cannot remove the left-over ${entry.address}: ${(error as Error).message}`);
    }
  }
  ports.read();
  for (const instance of instances) instance.vips.survey(ports.addresses, ours);
  return resuming;
}

/** Who goes on as master after a restart of this process; whoever may not, gives up openly. */
function decideResume(restart: Restart, now: Microseconds): Instance[] {
  // The dead process's unread packets decide first: a better master may be waiting in the queue.
  restart.ports.drain();
  return restart.instances.filter((instance) => {
    const resume = restart.message.resume[instance.config.name];
    if (!resume) return false;
    const { advertInterval: interval, downTimerAdverts } = instance.config;
    const age = now - resume.lastAdvertAt;
    const outranked = restart.outranked.has(instance);
    const inTime = age + Math.min(100_000, interval / 2) < (downTimerAdverts - 1) * interval;
    if (inTime && !outranked && !restart.blocked(instance)) return true;
    // Peers still wait for us; later they have long elected another, and it is not ours to disturb.
    if (age < downTimerAdverts * interval && !outranked) instance.release();
    return false;
  });
}
