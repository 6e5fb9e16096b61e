/**
 * The vrrp process crashes or hangs while the supervisor lives: no peer may notice, and whatever happens,
 * two owners never last longer than the lease allows (spec: 1.6 s at 1 s adverts).
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
  withoutVip,
  yamlOf,
} from "../support/directors.ts";
import type { Keepalived } from "../support/keepalived.ts";
import { waitFor } from "../support/lab.ts";
import type { Vipward } from "../support/vipward.ts";

const MASTER = yamlOf({ priority: 150, pass: "secret12" });
const BACKUP = confOf({ priority: 100, pass: "secret12" });
const TWO_OWNERS_AT_MOST = 1.6;

async function masterBesideKeepalived(pair: Directors): Promise<{ ours: Vipward; peer: Keepalived }> {
  const ours = await pair.vipward("a", MASTER);
  const peer = await pair.keepalived("b", BACKUP);
  await pair.master("a");
  await waitFor(() => pair.owners.owners(VIP).join() === "a");
  await sleep(2000);
  return { ours, peer };
}

const transitions = (peer: Keepalived) => peer.log.match(/Entering \w+ STATE/g)?.length ?? 0;

describe.concurrent("the vrrp process alone fails", () => {
  it(
    "kill -9: adverts go on, the VIP stays, the peer sees nothing",
    withDirectors(async (pair) => {
      const { ours, peer } = await masterBesideKeepalived(pair);
      const before = { seen: transitions(peer), node: await withoutVip(pair.lab, pair.a) };
      const since = unixNow();
      process.kill(await vrrpPid(ours), "SIGKILL");
      await sleep(6000);
      const sent = pair.sent("a", since - 1.1);
      expect(largestGap(sent)).toBeLessThan(1.5);
      expect(sent.length).toBeGreaterThanOrEqual(6);
      expect(sent.every((advert) => advert.priority === 150)).toBe(true);
      expect(pair.sent("b", since)).toEqual([]);
      expect(transitions(peer)).toBe(before.seen);
      expect(pair.owners.noOwner(VIP, since).seconds).toBe(0);
      expect(await instanceStatus(ours)).toMatchObject({
        state: "MASTER",
        reason: expect.stringContaining("resumed"),
      });
      expect(await withoutVip(pair.lab, pair.a)).toEqual(before.node);
    }),
  );

  it(
    "SIGSTOP: noticed, killed and replaced before the peer's master-down interval ends",
    withDirectors(async (pair) => {
      const { ours, peer } = await masterBesideKeepalived(pair);
      const before = { seen: transitions(peer), node: await withoutVip(pair.lab, pair.a) };
      const since = unixNow();
      const stopped = await vrrpPid(ours);
      process.kill(stopped, "SIGSTOP");
      await sleep(10_000);
      expect(pair.owners.twoOwners(VIP, since).seconds).toBeLessThan(TWO_OWNERS_AT_MOST);
      expect(largestGap(pair.sent("a", since - 1.1))).toBeLessThan(3);
      expect(pair.owners.noOwner(VIP, since).seconds).toBe(0);
      expect(pair.sent("b", since)).toEqual([]);
      expect(transitions(peer)).toBe(before.seen);
      expect(await vrrpPid(ours)).not.toBe(stopped);
      expect((await instanceStatus(ours)).state).toBe("MASTER");
      expect(await withoutVip(pair.lab, pair.a)).toEqual(before.node);
    }),
  );

  it(
    "a second crash within 60 s: mastership is given up with priority 0, held off, and taken again later",
    withDirectors(async (pair) => {
      const { ours } = await masterBesideKeepalived(pair);
      const node = await withoutVip(pair.lab, pair.a);
      process.kill(await vrrpPid(ours), "SIGKILL");
      await sleep(2500);
      const second = unixNow();
      process.kill(await vrrpPid(ours), "SIGKILL");
      const takeover = await pair.master("b", second);
      const goodbye = pair.sent("a", second).at(-1);
      expect(goodbye?.priority).toBe(0);
      // Skew of priority 100.
      expect(takeover.time - (goodbye?.time ?? 0)).toBeLessThan(1);
      await waitFor(() => pair.owners.owners(VIP).join() === "b");
      expect(pair.owners.twoOwners(VIP, second).seconds).toBe(0);
      await sleep(4000);
      expect(pair.sent("a", takeover.time)).toEqual([]);
      expect(await withoutVip(pair.lab, pair.a)).toEqual(node);
      // The hold-off of 10 s, then a master-down interval of listening.
      await pair.master("a", takeover.time, 20_000);
    }),
  );

  it(
    "kill -9 of a backup: its master is not disturbed",
    withDirectors(async (pair) => {
      await pair.keepalived("b", confOf({ priority: 200, pass: "secret12" }));
      const ours = await pair.vipward("a", MASTER);
      await pair.master("b");
      await sleep(1500);
      process.kill(await vrrpPid(ours), "SIGKILL");
      await sleep(5000);
      expect(pair.sent("a")).toEqual([]);
      expect(largestGap(pair.sent("b"))).toBeLessThan(1.5);
      expect((await instanceStatus(ours)).state).toBe("BACKUP");
    }),
  );
});

describe.concurrent("a VIP taken away", () => {
  it(
    "by hand: it is back at once, announced and counted, and the peer sees nothing",
    withDirectors(async (pair) => {
      const { ours } = await masterBesideKeepalived(pair);
      const node = await withoutVip(pair.lab, pair.a);
      const since = unixNow();
      await pair.lab.exec(pair.a, ["ip", "addr", "del", `${VIP}/24`, "dev", "eth0"]);
      await sleep(3000);
      const gone = pair.owners.noOwner(VIP, since);
      expect(gone.seconds).toBeGreaterThan(0);
      expect(gone.seconds).toBeLessThan(0.2);
      expect((await instanceStatus(ours)).counters.addressesRestored).toBe(1);
      const { msg } = await ours.waitLog(/removed from eth0/);
      expect(msg).toContain(VIP);
      const arps = pair.capture.arps().filter((arp) => arp.gratuitous && arp.time > since);
      expect(arps.length).toBeGreaterThanOrEqual(1);
      expect(pair.sent("b", since)).toEqual([]);
      expect(await withoutVip(pair.lab, pair.a)).toEqual(node);
    }),
  );
});
