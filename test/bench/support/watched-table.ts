/** Cheap questions to the kernel's table, so that asking doesn't slow what is measured. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Exchange, NetlinkFailure, type Write } from "../../../src/dataplane/kernel-ipvs/exchange.ts";
import { openTransport } from "../../../src/dataplane/kernel-ipvs/transport.ts";
import type { DestSpec, ServiceId } from "../../../src/lvs/table.ts";
import { decodeFamily, writeGetFamily } from "../../../src/wire/genl.ts";
import { decodeDest, IPVS_GENL_NAME, writeFlush, writeGetDests } from "../../../src/wire/ipvs.ts";
import { SERVICE_PORT, serviceAddress } from "./large-config.ts";

const POLL_MS = 5;

export class WatchedTable {
  readonly #exchange = new Exchange(openTransport());
  readonly #familyId: number;

  constructor() {
    const [answer] = this.#exchange.get((w, seq) => writeGetFamily(w, seq, IPVS_GENL_NAME));
    const family = answer && decodeFamily(answer);
    if (!family) throw new Error("this kernel has no IPVS");
    this.#familyId = family.id;
  }

  flush(): void {
    const flush: Write = (w, seq, flags) => writeFlush(w, this.#familyId, seq, flags);
    this.#exchange.batch([flush]);
  }

  /** Destinations of the n-th service; undefined while it does not exist. One question, one answer. */
  destinations(n: number): DestSpec[] | undefined {
    const address = serviceAddress(n);
    const id: ServiceId = { kind: "address", protocol: "tcp", family: 4, address, port: SERVICE_PORT };
    try {
      const answers = this.#exchange.get((w, seq) => writeGetDests(w, this.#familyId, seq, id));
      return answers.flatMap((answer) => decodeDest(answer, 4)?.spec ?? []);
    } catch (error) {
      // No such service, in the kernel's words.
      if (error instanceof NetlinkFailure && (error.code === "ESRCH" || error.code === "ENOENT"))
        return undefined;
      throw error;
    }
  }

  /** Waits until the n-th service has `count` destinations and `test` holds; returns when (performance.now()). */
  async reaches(
    n: number,
    count: number,
    limitMs: number,
    test: (destinations: readonly DestSpec[]) => boolean = () => true,
  ): Promise<number> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const found = this.destinations(n);
      if (found !== undefined && found.length >= count && test(found)) return performance.now();
      if (performance.now() > deadline) throw new Error(`service ${n} is not as wanted within ${limitMs} ms`);
      await sleep(POLL_MS);
    }
  }
}

/** The dear question: services and destinations in the whole table. */
export function countTable(): { services: number; destinations: number } {
  const text = readFileSync("/proc/net/ip_vs", "latin1");
  return {
    services: text.match(/^TCP /gm)?.length ?? 0,
    destinations: (text.match(/^ +-> /gm)?.length ?? 1) - 1,
  };
}
