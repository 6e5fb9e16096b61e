/**
 * Pure state machine of one health checker: probe results in, verdict changes out, with keepalived's timing.
 *
 *   start/reconfigure -> due -> probe -> result -> (delay_loop | delay_before_retry) -> due -> ...
 *
 * Every delay runs from the end of a probe to the start of the next, as keepalived's does.
 * The next instant is part of the state (`due`), so there is no timer that could be stale.
 */
import type { CheckerConfig } from "../config/model.ts";
import { unreachable } from "../result.ts";
import { firstDue } from "./schedule.ts";
import type { CheckerSnapshot, CheckRecord, CheckVerdict, CheckWeight, ProbeResult } from "./types.ts";
import { sameWeight } from "./weight.ts";

const HISTORY_LIMIT = 20;

export interface CheckState {
  /** `idle` until started; `probing` between the probe action and its result. */
  readonly phase: "idle" | "waiting" | "probing";
  /** Monotonic ms of the next probe; meaningful while waiting. */
  readonly due: number;
  readonly verdict: CheckVerdict;
  /** Wall clock ms of the last verdict change; 0 = none yet. */
  readonly since: number;
  /** A conclusive result was seen: from then on failures are retried. */
  readonly hasRun: boolean;
  readonly consecutiveFailures: number;
  readonly checksRun: number;
  /** URL of the running or next probe; always 0 where there are no URLs. */
  readonly urlIndex: number;
  /** HTTP_GET while down: the URL that failed and has not passed since. */
  readonly failedUrl: number | undefined;
  /** With `rise`, while down: rounds over all URLs passed in a row. */
  readonly passedRounds: number;
  /** The last word on the weight; a result without one changes nothing. */
  readonly weight: CheckWeight | undefined;
  readonly history: readonly CheckRecord[];
}

export type CheckEvent =
  /** `random` in [0, 1) places the first probe within warmup. */
  | { readonly kind: "start"; readonly now: number; readonly random: number }
  /** The caller's clock reached `due`. */
  | { readonly kind: "due"; readonly now: number }
  /** `at`: wall clock ms, for records only. */
  | { readonly kind: "result"; readonly now: number; readonly at: number; readonly result: ProbeResult }
  /** EXTERNAL: a result that nobody probed for; it stands for `ttl` ms. */
  | {
      readonly kind: "posted";
      readonly now: number;
      readonly at: number;
      readonly result: ProbeResult;
      readonly ttl: number;
    }
  /** FILE_CHECK: what is watched changed, so that the next probe is due at once. */
  | { readonly kind: "hurry"; readonly now: number }
  /** The checker's parameters changed (reload); a probe in flight under the old ones is void. */
  | { readonly kind: "reconfigure"; readonly now: number };

export type CheckAction =
  | { readonly kind: "probe"; readonly urlIndex: number }
  | {
      readonly kind: "verdict";
      readonly verdict: "up" | "down";
      readonly previous: CheckVerdict;
      readonly result: ProbeResult;
    }
  | { readonly kind: "weight"; readonly weight: CheckWeight; readonly result: ProbeResult };

export interface CheckStep {
  readonly state: CheckState;
  readonly actions: readonly CheckAction[];
}

const NO_ACTIONS: readonly CheckAction[] = [];

/** State before `start`; with `saved`, verdict, counters and history go on where they were. */
export function initialCheckState(cfg: CheckerConfig, saved?: CheckerSnapshot): CheckState {
  const failedUrl = saved?.failedUrl;
  return {
    phase: "idle",
    due: 0,
    verdict: saved?.verdict ?? "unknown",
    since: saved?.since ?? 0,
    // A restored verdict is not to be thrown over by one failure: the no-retry rule is for the very first check.
    hasRun: saved !== undefined && (saved.verdict !== "unknown" || saved.checksRun > 0),
    consecutiveFailures: saved?.consecutiveFailures ?? 0,
    checksRun: saved?.checksRun ?? 0,
    urlIndex: validUrl(cfg, saved?.urlIndex ?? 0),
    failedUrl: failedUrl !== undefined && failedUrl < urlCount(cfg) ? failedUrl : undefined,
    passedRounds: saved?.passedRounds ?? 0,
    weight: saved?.weight,
    history: saved?.history.slice(-HISTORY_LIMIT) ?? [],
  };
}

/** Serializable view, to be fed to {@link initialCheckState} after a restart. */
export function snapshotOf(state: CheckState, cfg: CheckerConfig): CheckerSnapshot {
  return {
    id: cfg.id,
    verdict: state.verdict,
    since: state.since,
    consecutiveFailures: state.consecutiveFailures,
    checksRun: state.checksRun,
    history: state.history,
    urlIndex: state.urlIndex,
    ...(state.failedUrl === undefined ? {} : { failedUrl: state.failedUrl }),
    ...(state.passedRounds === 0 ? {} : { passedRounds: state.passedRounds }),
    ...(state.weight === undefined ? {} : { weight: state.weight }),
  };
}

/** Without `alpha` a server counts as up until a check says otherwise; with it, as down (keepalived `alpha`). */
export const countsAsUp = (verdict: CheckVerdict, alpha: boolean): boolean =>
  verdict === "up" || (verdict === "unknown" && !alpha);

export function step(state: CheckState, event: CheckEvent, cfg: CheckerConfig): CheckStep {
  switch (event.kind) {
    case "start":
      if (state.phase !== "idle") return { state, actions: NO_ACTIONS };
      // A result from outside is missed only when its time is over; nothing is gained by spreading that.
      return wait(
        state,
        event.now + (cfg.type === "EXTERNAL" ? cfg.ttl : firstDue(0, cfg.warmup, event.random)),
      );
    case "due":
      if (state.phase !== "waiting" || event.now < state.due) return { state, actions: NO_ACTIONS };
      return {
        state: { ...state, phase: "probing" },
        actions: [{ kind: "probe", urlIndex: state.urlIndex }],
      };
    case "result":
      if (state.phase !== "probing") return { state, actions: NO_ACTIONS };
      return onResult(state, event, cfg);
    case "posted": {
      if (state.phase === "idle") return { state, actions: NO_ACTIONS };
      const { state: next, actions } = onResult(state, event, cfg);
      return { state: { ...next, due: event.now + event.ttl }, actions };
    }
    case "hurry":
      if (state.phase !== "waiting" || state.due <= event.now) return { state, actions: NO_ACTIONS };
      return wait(state, event.now);
    case "reconfigure":
      return onReconfigure(state, event.now, cfg);
    default:
      return unreachable(event);
  }
}

type ResultEvent = Extract<CheckEvent, { kind: "result" | "posted" }>;

function onResult(before: CheckState, event: ResultEvent, cfg: CheckerConfig): CheckStep {
  const record: CheckRecord = { at: event.at, result: event.result };
  const state: CheckState = {
    ...before,
    checksRun: before.checksRun + 1,
    history: [...before.history.slice(1 - HISTORY_LIMIT), record],
  };
  if (event.result.ok) return withWeight(onPass(state, event, cfg), event.result);
  // Our own fault (no descriptors, no free port, bindto address absent) says nothing of the real server:
  // taking every server down for it would turn a local shortage into an outage. keepalived reschedules too.
  if (event.result.reason === "local-error") return wait(state, event.now + cfg.delayLoop);
  return onFailure({ ...state, hasRun: true }, event, cfg, before.hasRun);
}

function withWeight(step: CheckStep, result: ProbeResult): CheckStep {
  const weight = result.ok ? result.weight : undefined;
  if (weight === undefined || sameWeight(weight, step.state.weight)) return step;
  return {
    state: { ...step.state, weight },
    // Before the verdict: a server that comes up does so with its new weight.
    actions: [{ kind: "weight", weight, result }, ...step.actions],
  };
}

function onPass(state: CheckState, event: ResultEvent, cfg: CheckerConfig): CheckStep {
  const passed: CheckState = { ...state, hasRun: true, consecutiveFailures: 0 };
  const due = event.now + cfg.delayLoop;
  if (state.failedUrl !== undefined && cfg.rise === undefined) {
    // The URL that took the server down is fine again; now a whole round must pass, from the first URL on,
    // still one URL per delay_loop. With a single URL this makes two successes.
    return wait({ ...passed, failedUrl: undefined, urlIndex: 0 }, due);
  }
  const last = state.urlIndex + 1 >= urlCount(cfg);
  const next: CheckState = { ...passed, urlIndex: last ? 0 : state.urlIndex + 1 };
  if (!last) return wait(next, state.verdict === "unknown" && isFast(cfg) ? event.now : due);
  if (state.verdict === "down" && state.passedRounds + 1 < (cfg.rise ?? 1)) {
    return wait({ ...next, passedRounds: state.passedRounds + 1 }, due);
  }
  return change({ ...next, failedUrl: undefined, passedRounds: 0 }, "up", event, due);
}

const isFast = (cfg: CheckerConfig): boolean => "urls" in cfg && cfg.fastRecovery === true;

function onFailure(before: CheckState, event: ResultEvent, cfg: CheckerConfig, hadRun: boolean): CheckStep {
  const failures = before.consecutiveFailures + 1;
  const state: CheckState = { ...before, consecutiveFailures: failures, passedRounds: 0 };
  if (isRetried(state, cfg, hadRun)) return wait(state, event.now + cfg.delayBeforeRetry);
  // Down, or down still: one probe every delay_loop, of the URL that failed.
  if (!("urls" in cfg)) return change(state, "down", event, event.now + cfg.delayLoop);
  // With `rise` every pass counts the same: its rounds begin with the first URL, not with the one that failed.
  const place = cfg.rise === undefined ? { failedUrl: state.urlIndex } : { urlIndex: 0 };
  return change({ ...state, ...place }, "down", event, event.now + cfg.delayLoop);
}

/** `hadRun`: an earlier check had a result; keepalived's very first check is not retried, but for SMTP_CHECK's. */
function isRetried(state: CheckState, cfg: CheckerConfig, hadRun: boolean): boolean {
  const failures = state.consecutiveFailures;
  if (cfg.fall !== undefined) return state.verdict !== "down" && failures < cfg.fall;
  if (state.verdict !== "down") return (hadRun || cfg.type === "SMTP_CHECK") && failures <= cfg.retry;
  // SMTP_CHECK goes on in rounds of retry + 1 probes while down.
  return cfg.type === "SMTP_CHECK" && failures % (cfg.retry + 1) !== 0;
}

function change(state: CheckState, verdict: "up" | "down", event: ResultEvent, due: number): CheckStep {
  if (state.verdict === verdict) return wait(state, due);
  return {
    state: { ...state, phase: "waiting", due, verdict, since: event.at },
    actions: [{ kind: "verdict", verdict, previous: state.verdict, result: event.result }],
  };
}

/** Keeps verdict and counters; never makes the server wait longer than the new parameters would. */
function onReconfigure(state: CheckState, now: number, cfg: CheckerConfig): CheckStep {
  const urlIndex = validUrl(cfg, state.urlIndex);
  const kept: CheckState = {
    ...state,
    urlIndex,
    // Failures of a URL that is gone don't count against another.
    consecutiveFailures: urlIndex === state.urlIndex ? state.consecutiveFailures : 0,
    failedUrl: state.failedUrl === undefined || state.failedUrl < urlCount(cfg) ? state.failedUrl : undefined,
  };
  switch (state.phase) {
    case "idle":
      return { state: kept, actions: NO_ACTIONS };
    case "probing":
      return wait(kept, now);
    case "waiting": {
      if (cfg.type === "EXTERNAL") return wait(kept, state.due);
      const retrying = state.verdict !== "down" && state.consecutiveFailures > 0;
      return wait(kept, Math.min(state.due, now + (retrying ? cfg.delayBeforeRetry : cfg.delayLoop)));
    }
    default:
      return unreachable(state.phase);
  }
}

const wait = (state: CheckState, due: number): CheckStep => ({
  state: { ...state, phase: "waiting", due },
  actions: NO_ACTIONS,
});

const urlCount = (cfg: CheckerConfig): number => ("urls" in cfg ? cfg.urls.length : 1);

/** A reload may have left fewer URLs: begin a round anew then. */
const validUrl = (cfg: CheckerConfig, index: number): number => (index < urlCount(cfg) ? index : 0);
