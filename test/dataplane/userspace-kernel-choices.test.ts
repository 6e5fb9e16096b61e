/**
 * The models against what the kernel's own ip_vs_* modules chose, recorded from Linux 6.1: tables
 * edited by ipvsadm between arrivals, every connection kept open. A step is one of
 *   add|edit SERVER WEIGHT UPPER LOWER, delete SERVER, from CLIENT PORT -> SERVER ("-": refused).
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { addressBytes } from "../../src/dataplane/userspace/address.ts";
import { Destination } from "../../src/dataplane/userspace/destination.ts";
import { createScheduler, type Scheduler } from "../../src/lvs/schedulers/index.ts";
import { destSpec } from "./userspace-support.ts";

interface Recording {
  readonly kernel: string;
  readonly service: string;
  readonly cases: readonly {
    readonly scheduler: string;
    readonly flags: number;
    readonly steps: readonly string[];
  }[];
}

const recording = JSON.parse(
  readFileSync(new URL("userspace-kernel-choices.json", import.meta.url), "utf8"),
) as Recording;

const serviceAddress = addressBytes(recording.service, 4)!;

class Replay {
  readonly #scheduler: Scheduler;
  #state: unknown;
  #dests: readonly Destination[] = [];
  /** Deleted ones come back with the connections they still have. */
  readonly #known = new Map<string, Destination>();

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
    this.#state = scheduler.start([]);
  }

  /** The step as the model has it: arrivals with the model's choice in place of the kernel's. */
  step(text: string): string {
    const [verb, subject = "", ...rest] = text.split(" ");
    if (verb === "from") return `from ${subject} ${rest[0]} -> ${this.#arrival(subject, Number(rest[0]))}`;
    if (verb === "delete") this.#setDests(this.#dests.filter((dest) => dest.key !== subject));
    else this.#put(subject, rest.map(Number) as [number, number, number]);
    return text;
  }

  #put(key: string, [weight, upperThreshold, lowerThreshold]: [number, number, number]): void {
    const spec = destSpec(8080, { weight, upperThreshold, lowerThreshold });
    const dest = this.#known.get(key) ?? new Destination(key, spec);
    this.#known.set(key, dest);
    dest.edit(spec);
    this.#setDests(this.#dests.includes(dest) ? this.#dests : [dest, ...this.#dests]);
  }

  #setDests(dests: readonly Destination[]): void {
    this.#dests = dests;
    this.#state = this.#scheduler.update(this.#state, dests);
  }

  #arrival(client: string, clientPort: number): string {
    const flow = { clientAddress: addressBytes(client, 4)!, clientPort, serviceAddress };
    const choice = this.#scheduler.choose(this.#state, this.#dests, flow);
    this.#state = choice.state;
    if (choice.dest === undefined) return "-";
    this.#known.get(choice.dest)!.opened();
    return choice.dest;
  }
}

describe(`choices recorded from ${recording.kernel}`, () => {
  it.each(recording.cases.map((each, i) => [i, each.scheduler, each] as const))(
    "case %i: %s",
    (_index, _name, { scheduler, flags, steps }) => {
      const created = createScheduler(scheduler, flags);
      if (!created.ok) throw new Error(created.error);
      const replay = new Replay(created.value);
      expect(steps.map((text) => replay.step(text))).toEqual(steps);
    },
  );
});
