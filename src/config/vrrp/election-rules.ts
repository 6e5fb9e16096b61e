/** Rules of one instance about timers, priority and preemption. */
import type { Context } from "../context.ts";
import type { InstanceConfig } from "../model.ts";
import type { MapNode, Ref } from "../nodes.ts";
import { at, atKey } from "../place.ts";
import { showDuration } from "../scalar.ts";
import type { InstanceKeys } from "./instance-keys.ts";

const S = 1_000_000;
const CS = 10_000;
/** Twelve bits of centiseconds in a version 3 packet (RFC 5798 5.2.7). */
const MAX_V3_INTERVAL = 4095 * CS;
const MANY_VIPS = 20;

export function checkElection(
  config: InstanceConfig,
  keys: InstanceKeys,
  ref: Ref<MapNode>,
  context: Context,
): void {
  checkInterval(config, ref, context);
  checkPreemption(config, keys, ref, context);
  lint(config, keys, ref, context);
}

function checkInterval(
  { version, advertInterval }: InstanceConfig,
  ref: Ref<MapNode>,
  { problems }: Context,
): void {
  const shown = showDuration(advertInterval);
  const place = at(ref, "advert_int");
  if (version === 2 && advertInterval % S !== 0)
    problems.error({
      ...place,
      message: `advert_int ${shown}: VRRP version 2 sends whole seconds`,
      hint: "use a whole number of seconds, or version: 3 on every router of this virtual_router_id",
    });
  else if (version === 2 && (advertInterval < S || advertInterval > 255 * S))
    problems.error({
      ...place,
      message: `advert_int ${shown} is out of range`,
      hint: "VRRP version 2: 1 s to 255 s",
    });
  else if (version === 3 && (advertInterval < CS || advertInterval > MAX_V3_INTERVAL))
    problems.error({
      ...place,
      message: `advert_int ${shown} is out of range`,
      hint: "VRRP version 3: 0.01 s to 40.95 s",
    });
  else if (version === 3 && advertInterval % CS !== 0)
    problems.error({
      ...place,
      message: `advert_int ${shown}: VRRP version 3 sends hundredths of a second`,
      hint: "use a multiple of 0.01 s",
    });
}

function checkPreemption(
  config: InstanceConfig,
  keys: InstanceKeys,
  ref: Ref<MapNode>,
  { problems }: Context,
): void {
  const master = config.initialState === "MASTER";
  if (keys.nopreempt === true && keys.preempt === true)
    problems.error({
      ...atKey(ref, "nopreempt"),
      message: "both preempt and nopreempt",
      hint: "keep one of them",
    });
  if (master && !config.preempt)
    problems.error({
      ...atKey(ref, keys.nopreempt === true ? "nopreempt" : "preempt"),
      message: "nopreempt needs state BACKUP",
      hint: "set state: BACKUP on every director; the higher priority wins the first election",
    });
  if (master && config.preemptDelay > 0)
    problems.error({
      ...atKey(ref, "preempt_delay"),
      message: "preempt_delay needs state BACKUP",
      hint: "set state: BACKUP; the priority decides who is master",
    });
  if (!config.preempt && config.preemptDelay > 0)
    problems.warn("preempt_delay", {
      ...atKey(ref, "preempt_delay"),
      message: "preempt_delay has no effect with nopreempt",
    });
}

function lint(config: InstanceConfig, keys: InstanceKeys, ref: Ref<MapNode>, { problems }: Context): void {
  if (config.priority === 255)
    problems.warn("owner", {
      ...(keys.priority === undefined ? at(ref, "state") : at(ref, "priority")),
      message:
        keys.priority === undefined
          ? "state MASTER without priority means priority 255, the address owner"
          : "priority 255 means the address owner: it takes over at once, without election",
      hint: "right only where this node holds the addresses for itself; otherwise give a priority of 1 to 254",
    });
  if (config.preempt && config.preemptDelay === 0 && config.vips.length >= MANY_VIPS)
    problems.warn("preempt", {
      ...atKey(ref, "virtual_ipaddress"),
      message: `${config.vips.length} addresses move at once when this node returns`,
      hint: "nopreempt, or a preempt_delay, spares the clients one of the two moves",
    });
  if (config.strict && config.auth.type === "PASS")
    problems.warn("strict-auth", {
      ...atKey(ref, "authentication"),
      message: "strict mode with a password",
      hint: "keepalived drops the password in strict mode: both routers must be set alike",
    });
}
