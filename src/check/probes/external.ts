/** EXTERNAL: results come from outside, through the engine's `external`; the only probe is that of their age. */
import type { ExternalCheckConfig } from "../../config/model.ts";
import { ms } from "../../units.ts";
import type { ProbeResult } from "../types.ts";
import type { ExternalResult } from "./engine-types.ts";

const MAX_DETAIL = 200;

export function postedResult({ ok, detail }: ExternalResult): ProbeResult {
  const text = printable(detail ?? "");
  return ok
    ? { ok, detail: text || "posted as up", duration: ms(0) }
    : { ok, reason: "external-down", detail: text || "posted as down", duration: ms(0) };
}

/** Due only when the last result has outlived its time. */
export const externalExpired = (cfg: ExternalCheckConfig): ProbeResult => ({
  ok: false,
  reason: "external-expired",
  detail: `no result was posted in time (ttl ${cfg.ttl / 1000} s)`,
  duration: ms(0),
});

/** It goes into logs and terminals. */
const printable = (text: string): string =>
  text
    .slice(0, MAX_DETAIL)
    .replace(/[^\x20-\x7e\u00a0-\u{10ffff}]/gu, "?")
    .trim();
