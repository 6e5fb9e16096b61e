/** Small JSON files that are either whole or not there: written beside and renamed. */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
// Only this form leaves out what is not used: half a megabyte of other languages' messages.
import * as z from "zod";
import type { CheckerSnapshot } from "../../check/types.ts";
import type { Microseconds } from "../../units.ts";
import type { InstancePulse } from "../messages.ts";

export interface VrrpState {
  readonly bootId: string;
  readonly configHash: string;
  readonly instances: readonly InstancePulse[];
}
export interface LvsState {
  readonly checks: readonly CheckerSnapshot[];
  readonly owned: readonly string[];
}

const vrrpState = z.object({
  bootId: z.string(),
  configHash: z.string(),
  instances: z.array(
    z.object({
      name: z.string(),
      state: z.enum(["INIT", "BACKUP", "MASTER", "FAULT"]),
      lastAdvertAt: z
        .number()
        .transform((value) => value as Microseconds)
        .optional(),
      source: z.string().optional(),
      priority: z.number(),
      added: z.array(z.string()),
    }),
  ),
});
const lvsState = z.object({
  checks: z.array(
    z.looseObject({
      id: z.string(),
      verdict: z.enum(["unknown", "up", "down"]),
      since: z.number(),
      consecutiveFailures: z.number(),
      checksRun: z.number(),
      history: z.array(z.object({ at: z.number(), result: z.looseObject({ ok: z.boolean() }) })),
    }),
  ),
  owned: z.array(z.string()),
});

/** Undefined when there is none or it is not ours to trust (torn, foreign, of an older version). */
function read<T>(file: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return undefined;
  }
}

export const readVrrpState = (file: string): VrrpState | undefined =>
  read(file, vrrpState) as VrrpState | undefined;
export const readLvsState = (file: string): LvsState | undefined =>
  read(file, lvsState) as LvsState | undefined;

export function writeState(file: string, value: VrrpState | LvsState): void {
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify(value), { mode: 0o600 });
  renameSync(temporary, file);
}

export function removeState(file: string): void {
  rmSync(file, { force: true });
}
