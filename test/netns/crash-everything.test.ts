/** The supervisor, or everything of ours, is killed or stopped: the kernel's lease ends what we cannot. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  confOf,
  type Directors,
  instanceStatus,
  unixNow,
  VIP,
  withDirectors,
  withoutVip,
  yamlOf,
} from "../support/directors.ts";
import { waitFor } from "../support/lab.ts";
import type { Vipward } from "../support/vipward.ts";

const HIGH = yamlOf({ priority: 150, pass: "secret12" });
const LOW = { priority: 100, pass: "secret12" };
const TWO_OWNERS_AT_MOST = 1.6;

async function onlyOwner(pair: Directors, role: "a" | "b"): Promise<void> {
  await waitFor(() => pair.owners.owners(VIP).join() === role, { what: `${role} alone to hold the VIP` });
}

async function masterOnA(pair: Directors): Promise<Vipward> {
  const ours = await pair.vipward("a", HIGH);
  await pair.master("a");
  await onlyOwner(pair, "a");
  await sleep(2000);
  return ours;
}

/** Every process of ours on a node, the supervisor first. */
const processes = (daemon: Vipward) => [daemon.pid, ...daemon.children().map((child) => child.pid)];

for (const peer of ["keepalived", "vipward"] as const) {
  const startBackup = (pair: Directors) =>
    peer === "keepalived" ? pair.keepalived("b", confOf(LOW)) : pair.vipward("b", yamlOf(LOW));

  describe.concurrent(`with ${peer} as the backup`, () => {
    it(
      "kill -9 of everything: the stale VIP goes by itself, two owners for 1.6 s at most; a start preempts again",
      withDirectors(async (pair) => {
        await startBackup(pair);
        const ours = await masterOnA(pair);
        const node = await withoutVip(pair.lab, pair.a);
        const killed = unixNow();
        await ours.killAll();
        await pair.master("b", killed);
        await onlyOwner(pair, "b");
        expect(pair.owners.twoOwners(VIP, killed).seconds).toBeLessThan(TWO_OWNERS_AT_MOST);
        expect(pair.owners.noOwner(VIP, killed).seconds).toBe(0);
        expect(await withoutVip(pair.lab, pair.a)).toEqual(node);
        const returned = unixNow();
        await pair.vipward("a", HIGH);
        await pair.master("a", returned);
        await onlyOwner(pair, "a");
        expect(await withoutVip(pair.lab, pair.a)).toEqual(node);
      }),
    );

    it(
      "SIGSTOP of everything for 10 s: two owners for 1.6 s at most, and none of them again when it goes on",
      withDirectors(async (pair) => {
        await startBackup(pair);
        const ours = await masterOnA(pair);
        const pids = processes(ours);
        const stopped = unixNow();
        for (const pid of pids) process.kill(pid, "SIGSTOP");
        await sleep(10_000);
        await onlyOwner(pair, "b");
        expect(pair.owners.twoOwners(VIP, stopped).seconds).toBeLessThan(TWO_OWNERS_AT_MOST);
        const continued = unixNow();
        for (const pid of pids) process.kill(pid, "SIGCONT");
        await sleep(1000);
        // It listens first: what it believed is 10 s old.
        expect(pair.sent("a", continued).filter((advert) => advert.time < continued + 1)).toEqual([]);
        await pair.master("a", continued);
        await onlyOwner(pair, "a");
        expect(pair.owners.twoOwners(VIP, continued).seconds).toBeLessThan(0.2);
      }),
    );
  });
}

describe.concurrent("everything of ours is killed", () => {
  it(
    "and started at once: it goes on as master before the peer notices",
    withDirectors(async (pair) => {
      await pair.keepalived("b", confOf(LOW));
      const ours = await masterOnA(pair);
      const killed = unixNow();
      await ours.killAll();
      const again = await pair.vipward("a", HIGH);
      await sleep(4000);
      expect(pair.sent("b", killed)).toEqual([]);
      expect(pair.owners.noOwner(VIP, killed).seconds).toBe(0);
      expect(await instanceStatus(again)).toMatchObject({
        state: "MASTER",
        reason: expect.stringContaining("resumed"),
      });
    }),
  );

  it(
    "while a VIP is its subnet's first address: the node's own address of that subnet stays",
    withDirectors(async (pair) => {
      const vip = "192.0.2.100";
      const ours = await pair.vipward("a", yamlOf({ priority: 150, vips: [`${vip}/24`] }));
      await pair.master("a");
      await waitFor(() => pair.owners.owners(vip).join() === "a");
      for (const own of ["192.0.2.11/24", "192.0.2.12/24"])
        await pair.lab.exec(pair.a, ["ip", "addr", "add", own, "dev", "eth0"]);
      await ours.killAll();
      await waitFor(() => pair.owners.owners(vip).length === 0, { what: "the lease to end" });
      const left = await pair.lab.addresses(pair.a, "eth0");
      expect(left).toContain("192.0.2.11/24");
      expect(left).toContain("192.0.2.12/24");
    }),
  );
});

describe.concurrent("everything of ours is stopped, and only the supervisor goes on", () => {
  it(
    "it does not advertise for a vrrp process whose state is 10 s old",
    withDirectors(async (pair) => {
      await pair.vipward("b", yamlOf(LOW));
      const ours = await masterOnA(pair);
      const stopped = unixNow();
      for (const pid of processes(ours)) process.kill(pid, "SIGSTOP");
      await sleep(8_000);
      await onlyOwner(pair, "b");
      const continued = unixNow();
      process.kill(ours.pid, "SIGCONT");
      const first = await pair.master("a", continued);
      // The hung process is noticed, killed and replaced; the new one listens for a master-down interval.
      expect(first.time - continued).toBeGreaterThan(3);
      expect(pair.owners.twoOwners(VIP, stopped).seconds).toBeLessThan(TWO_OWNERS_AT_MOST);
      expect(pair.sent("a", continued).every((advert) => advert.priority > 0)).toBe(true);
      await onlyOwner(pair, "a");
    }),
  );
});

describe.concurrent("the supervisor alone is killed", () => {
  it(
    "its vrrp process gives up with priority 0, removes the VIP and ends; a start begins cleanly",
    withDirectors(async (pair) => {
      await pair.keepalived("b", confOf(LOW));
      const ours = await masterOnA(pair);
      const node = await withoutVip(pair.lab, pair.a);
      const [, ...children] = processes(ours);
      expect(children.length).toBeGreaterThan(0);
      const killed = unixNow();
      process.kill(ours.pid, "SIGKILL");
      const takeover = await pair.master("b", killed);
      const goodbye = pair.sent("a", killed).at(-1);
      expect(goodbye?.priority).toBe(0);
      expect(takeover.time - (goodbye?.time ?? 0)).toBeLessThan(1);
      await onlyOwner(pair, "b");
      expect(pair.owners.twoOwners(VIP, killed).seconds).toBe(0);
      const left = await pair.lab.pids(pair.a);
      expect(left.filter((pid) => children.includes(pid))).toEqual([]);
      expect(await withoutVip(pair.lab, pair.a)).toEqual(node);
      const returned = unixNow();
      await pair.vipward("a", HIGH);
      // Preempted after listening for a master-down interval, not resumed.
      expect((await pair.master("a", returned)).time - returned).toBeGreaterThan(3);
      await onlyOwner(pair, "a");
    }),
  );
});
