/**
 * Faults that VRRP cannot prevent and must show and survive: loss in one direction, a flapping link, hogged
 * processors. One round each; the full counts are in test/drills/vrrp-loss.ts and its neighbours.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  confOf,
  type Directors,
  instanceStatus,
  largestGap,
  unixNow,
  VIP,
  vrrpPid,
  withDirectors,
  yamlOf,
} from "../support/directors.ts";
import { waitFor } from "../support/lab.ts";
import { conflictsOf, lose, oneWayRound } from "../support/one-way.ts";
import { Flapping, hogs } from "../support/vrrp-faults.ts";

const HIGH = { priority: 150, pass: "secret12" };
const LOW = { priority: 100, pass: "secret12" };
const QUICK = { version: 3, advertInt: 0.2 } as const;
const BRIEF = { withdrawal: false };
const INTERVAL = 1;
/** Master-down of 100 after the last advert, and two sightings at one interval. */
const NAMED_WITHIN = 5;
/** Timers of a busy machine. */
const LATE = 1;

async function settled(pair: Directors, owner: "a" | "b" = "a"): Promise<void> {
  await pair.master(owner);
  await waitFor(() => pair.owners.owners(VIP).join() === owner);
  await sleep(1500);
}

describe.concurrent("loss", () => {
  it(
    "a backup deaf to advertisements: named by both sides within 5 s, healed within one interval",
    withDirectors(async (pair) => {
      const a = await pair.vipward("a", yamlOf(HIGH));
      const b = await pair.vipward("b", yamlOf(LOW));
      await settled(pair);
      const names = { a: ["two-masters"], b: ["duplicate-address"] };
      const round = await oneWayRound(pair, { deaf: "b", to: "adverts" }, { a, b }, names);
      for (const time of round.named) expect(time).toBeLessThan(NAMED_WITHIN + LATE);
      expect(round.healed).toBeLessThan(INTERVAL + LATE);
      expect(a.process.text).toMatch(/CONFLICT two-masters: 10\.99\.0\.12 is master beside us/);
      expect(b.process.text).toMatch(/CONFLICT duplicate-address: 10\.99\.0\.100 is answered by/);
      expect(a.process.text).toContain("CONFLICT over: two-masters");
      expect((await instanceStatus(a)).state).toBe("MASTER");
      expect((await instanceStatus(b)).state).toBe("BACKUP");
    }),
  );

  it(
    "a keepalived that receives nothing at all: named by us as master",
    withDirectors(async (pair) => {
      const a = await pair.vipward("a", yamlOf(HIGH));
      await pair.keepalived("b", confOf(LOW));
      await settled(pair);
      const loss = { deaf: "b", to: "everything" } as const;
      const round = await oneWayRound(pair, loss, { a }, { a: ["two-masters"] }, BRIEF);
      for (const time of round.named) expect(time).toBeLessThan(NAMED_WITHIN + LATE);
      expect(round.healed).toBeLessThan(INTERVAL + LATE);
    }),
  );

  it(
    "deaf to a keepalived that is master: named by us, who should not be",
    withDirectors(async (pair) => {
      await pair.keepalived("a", confOf(HIGH));
      const b = await pair.vipward("b", yamlOf(LOW));
      await settled(pair);
      const loss = { deaf: "b", to: "adverts" } as const;
      const round = await oneWayRound(pair, loss, { b }, { b: ["duplicate-address"] }, BRIEF);
      for (const time of round.named) expect(time).toBeLessThan(NAMED_WITHIN + LATE);
      expect(round.healed).toBeLessThan(INTERVAL + LATE);
    }),
  );

  it(
    "a deaf master changes nothing; a deaf router of higher priority takes over from one that yields at once",
    withDirectors(async (pair) => {
      const a = await pair.vipward("a", yamlOf({ priority: 150, ...QUICK }));
      const b = await pair.vipward("b", yamlOf({ priority: 100, ...QUICK }));
      await settled(pair);
      const since = unixNow();
      const mend = await lose(pair, { deaf: "a", to: "adverts" });
      await sleep(3000);
      expect(pair.sent("b", since)).toEqual([]);
      expect([...(await conflictsOf(a)), ...(await conflictsOf(b))]).toEqual([]);
      // The lower one alone on the link, then the higher one back, still deaf to it.
      await a.stop();
      await pair.master("b", since);
      const again = await pair.vipward("a", yamlOf({ priority: 150, ...QUICK }));
      const { time } = await pair.master("a", unixNow());
      await waitFor(() => pair.owners.owners(VIP).join() === "a");
      await sleep(2500);
      expect(pair.owners.twoOwners(VIP, time - 1).seconds).toBeLessThan(0.3);
      expect([...(await conflictsOf(again)), ...(await conflictsOf(b))]).toEqual([]);
      await mend();
      expect((await instanceStatus(b)).state).toBe("BACKUP");
    }),
  );

  it(
    "a link flapping 100 times a second: one failover, few log lines, back by itself",
    withDirectors(async (pair) => {
      const a = await pair.vipward("a", yamlOf({ priority: 150, ...QUICK }));
      await pair.vipward("b", yamlOf({ priority: 100, ...QUICK }));
      await settled(pair);
      const pid = await vrrpPid(a);
      const lines = a.log.length;
      const since = unixNow();
      const flapping = new Flapping(pair.lab, pair.a, "eth0", 100);
      await pair.master("b", since);
      await sleep(1500);
      expect((await instanceStatus(a)).faults[0]?.detail).toMatch(/eth0 is flapping|is down|no carrier/);
      await flapping.stop();
      const stopped = unixNow();
      // Believed after a second, then a master-down interval of priority 150.
      const back = await pair.master("a", stopped);
      expect(back.time - stopped).toBeGreaterThan(1 + 0.6);
      await waitFor(() => pair.owners.owners(VIP).join() === "a");
      expect(pair.owners.twoOwners(VIP, since).seconds).toBeLessThan(0.3);
      expect(a.log.length - lines).toBeLessThan(60);
      expect(await vrrpPid(a)).toBe(pid);
      const takeovers = pair.owners.holdings(VIP).filter(({ role, from }) => role === "b" && from > since);
      expect(takeovers).toHaveLength(1);
    }),
  );
});

describe("hogged processors", () => {
  it(
    "real-time scheduling: adverts every 0.1 s stay in time beside four busy loops",
    withDirectors(async (pair) => {
      const spec = { version: 3, advertInt: 0.1 } as const;
      const a = await pair.vipward("a", yamlOf({ priority: 150, ...spec }));
      const b = await pair.vipward("b", yamlOf({ priority: 100, ...spec }));
      await settled(pair);
      const since = unixNow();
      const end = hogs(pair.lab, pair.a, 4);
      await sleep(4000);
      await end();
      const sent = pair.sent("a", since);
      expect(sent.length).toBeGreaterThan(30);
      // Master-down of priority 100 is 0.361 s.
      expect(largestGap(sent)).toBeLessThan(0.25);
      expect(pair.sent("b", since)).toEqual([]);
      expect((await instanceStatus(a)).state).toBe("MASTER");
      expect((await instanceStatus(b)).state).toBe("BACKUP");
    }),
  );
});
