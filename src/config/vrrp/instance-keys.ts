/** The keys of an instance as read, and what it inherits from global_defs. */
import { readBlock } from "../block.ts";
import type { Context } from "../context.ts";
import type { MapNode, Ref } from "../nodes.ts";
import { schemas } from "../schema.ts";

export const readInstanceKeys = (ref: Ref<MapNode>, context: Context) =>
  readBlock(ref, schemas().instance, context.problems);

export type InstanceKeys = NonNullable<ReturnType<typeof readInstanceKeys>>;

/** Global defaults that instances inherit. Times in microseconds. */
export interface InstanceDefaults {
  readonly version: number;
  readonly strict: boolean;
  readonly garpMasterDelay: number;
  readonly garpMasterRepeat: number;
  readonly garpMasterRefresh: number;
  readonly garpMasterRefreshRepeat: number;
  readonly downTimerAdverts: number;
  readonly garpLowerPriorityDelay: number | undefined;
  readonly garpLowerPriorityRepeat: number | undefined;
  readonly garpInterval: number | undefined;
  readonly gnaInterval: number | undefined;
  readonly lowerPriorityNoAdvert: boolean | undefined;
  readonly higherPrioritySendAdvert: boolean | undefined;
  readonly checkUnicastSource: boolean | undefined;
  readonly skipCheckAddresses: boolean | undefined;
  readonly multicastGroup4: string | undefined;
  readonly multicastGroup6: string | undefined;
}
