/** lb_kind / lvs_method of services and real servers. */
import type { Context } from "./context.ts";
import type { Forwarding } from "./model.ts";
import { findEntry, type MapNode, type Ref } from "./nodes.ts";

/** lb_kind (or lvs_method, the same); undefined when absent or wrong. */
export function readForwarding(
  keys: {
    readonly lb_kind?: Forwarding | "FULLNAT" | undefined;
    readonly lvs_method?: Forwarding | "FULLNAT" | undefined;
  },
  ref: Ref<MapNode>,
  context: Context,
): Forwarding | undefined {
  const used = keys.lb_kind === undefined ? "lvs_method" : "lb_kind";
  const value = keys.lb_kind ?? keys.lvs_method;
  const entry = findEntry(ref.node, used);
  if (entry === undefined || value === undefined) return undefined;
  const place = { offset: entry.value.offset, via: entry.via ?? ref.via };
  if (keys.lb_kind !== undefined && keys.lvs_method !== undefined)
    context.problems.error({
      ...place,
      message: "both lb_kind and lvs_method: they are one setting",
      hint: "keep lb_kind",
    });
  return fullnatRefused(value, place, context);
}

/** Passes what this version can forward with. */
export function fullnatRefused(
  value: Forwarding | "FULLNAT",
  place: { offset: number; via?: number | undefined },
  context: Context,
): Forwarding | undefined {
  if (value !== "FULLNAT") return value;
  context.problems.error({
    ...place,
    message: "lb_kind FULLNAT is not supported by this version of vipward yet",
    hint: "use NAT, DR or TUN",
  });
  return undefined;
}
