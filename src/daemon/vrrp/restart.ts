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
  /** Its sync group: master together or not at all. */
  mates(instance: Instance): readonly Instance[];
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
  for (const instance of instances) {
    instance.vips.survey(ports.addresses, ours);
    if (!resuming.includes(instance)) instance.vips.reclaimRoutes();
  }
  return resuming;
}

/** Who goes on as master after a restart of this process; whoever may not, gives up openly. */
function decideResume(restart: Restart, now: Microseconds): Instance[] {
  // The dead process's unread packets decide first: a better master may be waiting in the queue.
  restart.ports.drain();
  const able = restart.instances.filter((instance) => mayResume(restart, instance, now));
  const resuming = able.filter((instance) => restart.mates(instance).every((mate) => able.includes(mate)));
  for (const instance of restart.instances) {
    if (!resuming.includes(instance) && awaited(restart, instance, now)) instance.release();
  }
  return resuming;
}

function mayResume(restart: Restart, instance: Instance, now: Microseconds): boolean {
  const resume = restart.message.resume[instance.config.name];
  if (!resume || restart.outranked.has(instance) || restart.blocked(instance)) return false;
  const { advertInterval: interval, downTimerAdverts } = instance.config;
  const age = now - resume.lastAdvertAt;
  return age + Math.min(100_000, interval / 2) < (downTimerAdverts - 1) * interval;
}

/** Peers still take us for the master; later they have long elected another, and it is not ours to disturb. */
function awaited(restart: Restart, instance: Instance, now: Microseconds): boolean {
  const resume = restart.message.resume[instance.config.name];
  if (!resume || restart.outranked.has(instance)) return false;
  const { advertInterval, downTimerAdverts } = instance.config;
  return now - resume.lastAdvertAt < downTimerAdverts * advertInterval;
}
