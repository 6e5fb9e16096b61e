/**
 * Matches bodies against configured expressions in a worker thread, so that one that backtracks without end
 * ("catastrophic") costs its own check and not the process: JavaScript can't interrupt a match, but a thread can
 * be ended. Refusing suspect expressions instead would refuse many harmless ones and miss some bad ones.
 * One worker, started when first needed; a match has MATCH_MS, then the worker is replaced.
 */
import { Worker } from "node:worker_threads";
import type { BodyRegex } from "../../config/model.ts";
import type { Failure } from "./outcome.ts";

/** A sane expression needs about a millisecond for the largest body. */
const MATCH_MS = 150;
/** Loading the worker; not counted against the match. */
const START_MS = 10_000;
const MAX_WAITING = 4_096;

/** Runs in the worker, as text: it then needs no file of its own beside the bundle. */
const WORKER = `
const { parentPort } = require("node:worker_threads");
const compiled = new Map();
const decoder = new TextDecoder();
function expression(source, flags) {
  const key = flags + "/" + source;
  let regex = compiled.get(key);
  if (regex === undefined) {
    if (compiled.size > 500) compiled.clear();
    regex = new RegExp(source, flags);
    compiled.set(key, regex);
  }
  return regex;
}
function search({ source, flags, utf, body, min, max }) {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (min > bytes.length) return false;
  const text = utf ? decoder.decode(bytes) : bytes.latin1Slice();
  const regex = expression(source, flags);
  regex.lastIndex = utf && min > 0 ? decoder.decode(bytes.subarray(0, min)).length : min;
  const match = regex.exec(text);
  if (match === null) return false;
  if (max === undefined) return true;
  return (utf ? Buffer.byteLength(text.slice(0, match.index)) : match.index) <= max;
}
parentPort.on("message", (job) => {
  try { parentPort.postMessage(search(job)); } catch (error) { parentPort.postMessage(String(error)); }
});
parentPort.postMessage("ready");
`;

interface Job {
  readonly regex: BodyRegex;
  readonly body: Uint8Array;
  readonly settle: (outcome: boolean | Failure) => void;
}

const waiting: Job[] = [];
let worker: Worker | undefined;
let ready = false;
let current: Job | undefined;
let timer: NodeJS.Timeout | undefined;

/** True when the expression is found in the body; a Failure when that could not be told. Never rejects. */
export function matchBounded(regex: BodyRegex, body: Uint8Array): Promise<boolean | Failure> {
  return new Promise((settle) => {
    if (waiting.length >= MAX_WAITING)
      return settle({ reason: "local-error", detail: "too many bodies wait for their regex match" });
    waiting.push({ regex, body, settle });
    return next();
  });
}

function next(): void {
  if (current !== undefined || waiting.length === 0) return;
  if (worker === undefined) return start();
  if (!ready) return;
  current = waiting.shift()!;
  const { regex, body } = current;
  timer = setTimeout(() => give({ reason: "regex-timeout", detail: tooSlow(regex) }, true), MATCH_MS);
  worker.ref();
  worker.postMessage({
    source: regex.source,
    flags: `${regex.flags}g`,
    utf: regex.utf,
    body,
    min: regex.minOffset ?? 0,
    max: regex.maxOffset,
  });
}

const tooSlow = (regex: BodyRegex): string =>
  `regex ${regex.text.slice(0, 100)} took longer than ${MATCH_MS} ms on this body: simplify it`;

function start(): void {
  try {
    const started = new Worker(WORKER, {
      eval: true,
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 },
    });
    worker = started;
    ready = false;
    timer = setTimeout(() => failed(started, "the regex worker did not start"), START_MS);
    started.on("message", (message: unknown) => onMessage(started, message));
    started.on("error", (error) => failed(started, error.message));
    started.on("exit", () => failed(started, "the regex worker ended"));
  } catch (error) {
    for (const job of waiting.splice(0)) job.settle({ reason: "local-error", detail: String(error) });
  }
}

function onMessage(from: Worker, message: unknown): void {
  if (from !== worker) return;
  if (!ready) {
    clearTimeout(timer);
    ready = true;
    // An idle worker does not keep the process alive.
    from.unref();
    next();
  } else if (typeof message === "boolean") give(message, false);
  else give({ reason: "local-error", detail: `regex: ${String(message).slice(0, 200)}` }, false);
}

function give(outcome: boolean | Failure, replace: boolean): void {
  clearTimeout(timer);
  const job = current;
  current = undefined;
  if (replace) drop();
  else worker?.unref();
  job?.settle(outcome);
  next();
}

function drop(): void {
  const old = worker;
  worker = undefined;
  ready = false;
  void old?.terminate();
}

/** The worker broke (out of memory, for one): its job failed; without a job it could not start. */
function failed(from: Worker, why: string): void {
  if (from !== worker) return;
  if (!ready) current = waiting.shift();
  give({ reason: "local-error", detail: `regex: ${why}` }, true);
}
