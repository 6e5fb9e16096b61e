/** notify_master, notify_backup, notify_fault, notify_stop, notify of an instance or group. */
import type { Context } from "../context.ts";
import type { NotifyConfig } from "../model.ts";
import { child, type MapNode, type Ref } from "../nodes.ts";
import { readArgv } from "./argv.ts";
import { checkScript, type Execution } from "./script-security.ts";

const KEYS = {
  notify_master: "master",
  notify_backup: "backup",
  notify_fault: "fault",
  notify_stop: "stop",
  notify: "any",
} as const satisfies Readonly<Record<string, keyof NotifyConfig>>;

/** Empty when nothing is to be told. */
export function readNotify(ref: Ref<MapNode>, execution: Execution, context: Context): NotifyConfig {
  const out: Partial<Record<keyof NotifyConfig, readonly string[]>> = {};
  for (const [key, field] of Object.entries(KEYS)) {
    const value = child(ref, key);
    const argv = value && readArgv(value, key, context);
    if (argv === undefined) continue;
    out[field] = argv;
    checkScript(argv[0]!, key, execution, { offset: value!.node.offset, via: value!.via }, context);
  }
  return out;
}
