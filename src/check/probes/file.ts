/**
 * FILE_CHECK: the number in a file, times `weight`. A product of -65536 or less is down; with `dynamic` any other is
 * added to the real server's weight. A weight of 0 makes every number but 0 a failure (`reverse`: 0 itself).
 * As keepalived takes them, an absent or empty file and rubbish are 0.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import type { FileCheckConfig } from "../../config/model.ts";
import type { ProbeResult } from "../types.ts";
import { failed, passed } from "./outcome.ts";

/** No weight (0 to 65535) is left of it. */
const DOWN_AT = -65_536;
const MAX_BYTES = 64;

export function probeFile(cfg: FileCheckConfig): ProbeResult {
  const started = performance.now();
  const text = readStart(cfg.path);
  const value = /^[+-]?\d{1,9}$/.test(text?.trim() ?? "") ? Number(text) : 0;
  const found = text === undefined ? "no file, 0" : String(value);
  if (cfg.weight === 0) {
    if ((value !== 0) !== cfg.reverse) return failed({ reason: "file-value", detail: found }, started);
    return passed(found, started);
  }
  const product = value * cfg.weight;
  const shown = cfg.weight === 1 ? found : `${found}, times ${cfg.weight} is ${product}`;
  if (product <= DOWN_AT) return failed({ reason: "file-value", detail: shown }, started);
  const result = passed(shown, started);
  return cfg.dynamic && result.ok ? { ...result, weight: { add: product === 0 ? 0 : product } } : result;
}

/** The first bytes only, and never a FIFO or device, which would block or never end. */
function readStart(path: string): string | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!fstatSync(fd).isFile()) return undefined;
    const buffer = Buffer.alloc(MAX_BYTES);
    return buffer.toString("latin1", 0, readSync(fd, buffer, 0, MAX_BYTES, 0));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
