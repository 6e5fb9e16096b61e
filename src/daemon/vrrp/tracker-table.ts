/** The last word of every tracker, and what it means for an instance that uses it. */
import type { Config, TrackRef } from "../../config/model.ts";
import type { TrackerState, TrackerStatus } from "../../vrrp/priority.ts";
import { countResult, type RiseFall, startRiseFall } from "../../vrrp/rise-fall.ts";
import type { TrackerUpdate } from "../trackers/types.ts";
import type { WatchedLink } from "./link-damping.ts";

type Definitions = Pick<Config, "trackScripts" | "trackGateways">;

interface Known {
  readonly riseFall: RiseFall;
  readonly value?: number;
  readonly detail: string;
}

const ONCE = { rise: 1, fall: 1 };

export class TrackerTable {
  readonly #known = new Map<string, Known>();
  #definitions: Definitions = {};

  configure(definitions: Definitions): void {
    this.#definitions = definitions;
  }

  /** Counts one observation; true when something an instance may care about has changed. */
  update({ kind, name, good, value, detail }: TrackerUpdate): boolean {
    const key = `${kind} ${name}`;
    const before = this.#known.get(key);
    const riseFall = countResult(
      before?.riseFall ?? this.#start(kind, name),
      good,
      this.#thresholds(kind, name),
    );
    this.#known.set(key, { riseFall, detail, ...(value === undefined ? {} : { value }) });
    return before?.riseFall.status !== riseFall.status || before.value !== value;
  }

  #definition(kind: string, name: string) {
    if (kind === "script") return this.#definitions.trackScripts?.find((entry) => entry.name === name);
    if (kind === "gateway") return this.#definitions.trackGateways?.find((entry) => entry.name === name);
    return undefined;
  }

  #thresholds(kind: string, name: string): { rise: number; fall: number } {
    return this.#definition(kind, name) ?? ONCE;
  }

  #start(kind: string, name: string): RiseFall {
    const script =
      kind === "script" ? this.#definitions.trackScripts?.find((entry) => entry.name === name) : undefined;
    return startRiseFall(script?.initFail ?? false);
  }

  /** As one instance uses them. Interfaces are judged by their links here. */
  states(refs: readonly TrackRef[], link: (name: string) => WatchedLink | undefined): TrackerState[] {
    return refs.map((ref) => {
      if (ref.kind === "interface") return interfaceState(ref, link(ref.name));
      const known = this.#known.get(`${ref.kind} ${ref.name}`);
      const status: TrackerStatus = known?.riseFall.status ?? this.#start(ref.kind, ref.name).status;
      return {
        ref,
        status,
        ...(known?.value === undefined ? {} : { value: known.value }),
        ...(known === undefined ? {} : { detail: known.detail }),
      };
    });
  }
}

function interfaceState(ref: TrackRef, link: WatchedLink | undefined): TrackerState {
  if (!link) return { ref, status: "bad", detail: "does not exist" };
  if (!link.up) return { ref, status: "bad", detail: "is down" };
  if (link.flapping) return { ref, status: "bad", detail: "is flapping" };
  return link.running ? { ref, status: "good" } : { ref, status: "bad", detail: "has no carrier" };
}
