/** The interface under an instance goes down, comes back, flaps, or loses its addresses. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  ADDRESS,
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
import type { Vipward } from "../support/vipward.ts";

const V3 = { version: 3, advertInt: 0.1 } as const;

async function masterBesideKeepalived(pair: Directors): Promise<Vipward> {
  const ours = await pair.vipward("a", yamlOf({ ...V3, priority: 150 }));
  await pair.keepalived("b", confOf({ ...V3, priority: 100 }));
  await pair.master("a");
  await onlyOwner(pair, "a");
  await sleep(1000);
  return ours;
}

async function onlyOwner(pair: Directors, role: "a" | "b"): Promise<void> {
  await waitFor(() => pair.owners.owners(VIP).join() === role, { what: `${role} alone to hold the VIP` });
}

const ip = (pair: Directors, ...args: string[]) => pair.lab.exec(pair.a, ["ip", ...args]);

async function inState(daemon: Vipward, state: string): Promise<void> {
  await waitFor(async () => (await instanceStatus(daemon)).state === state, { what: `state ${state}` });
}

describe.concurrent("an interface", () => {
  it(
    "set down: FAULT with the reason, VIP gone, the peer takes over; up again: it preempts",
    withDirectors(async (pair) => {
      const ours = await masterBesideKeepalived(pair);
      const down = unixNow();
      await ip(pair, "link", "set", "eth0", "down");
      await inState(ours, "FAULT");
      const faulty = await instanceStatus(ours);
      expect(faulty.reason).toContain("interface eth0 is down");
      expect(faulty.faults).toEqual([{ kind: "interface-down", detail: "interface eth0 is down" }]);
      expect(faulty.vips[0]?.present).toBe(false);
      await pair.master("b", down);
      await onlyOwner(pair, "b");
      expect(await pair.lab.addresses(pair.a, "eth0")).not.toContain(`${VIP}/24`);
      const up = unixNow();
      await ip(pair, "link", "set", "eth0", "up");
      const back = await pair.master("a", up);
      // A full master-down interval of listening: 3 A + (256 - 150) / 256 A.
      expect(back.time - up).toBeGreaterThan(0.33);
      await onlyOwner(pair, "a");
    }),
  );

  it(
    "without carrier: FAULT with the reason; plugged in again: it preempts",
    withDirectors(async (pair) => {
      const ours = await masterBesideKeepalived(pair);
      const pulled = unixNow();
      await pair.lab.unplug(pair.a, pair.lan);
      await inState(ours, "FAULT");
      expect((await instanceStatus(ours)).reason).toContain("no carrier");
      await pair.master("b", pulled);
      await onlyOwner(pair, "b");
      const plugged = unixNow();
      await pair.lab.plug(pair.a, pair.lan);
      await pair.master("a", plugged);
      await onlyOwner(pair, "a");
    }),
  );

  it(
    "that flaps 20 times: the same process goes on, and is master at the end",
    withDirectors(async (pair) => {
      const ours = await masterBesideKeepalived(pair);
      const pid = await vrrpPid(ours);
      for (let round = 0; round < 20; round++) {
        await ip(pair, "link", "set", "eth0", "down");
        await sleep(round * 5);
        await ip(pair, "link", "set", "eth0", "up");
        await sleep(round * 5);
      }
      const steady = unixNow();
      await pair.master("a", steady);
      await onlyOwner(pair, "a");
      expect(await vrrpPid(ours)).toBe(pid);
      await sleep(1000);
      expect(largestGap(pair.sent("a", steady))).toBeLessThan(0.2);
    }),
  );

  it(
    "deleted and made again under its name: FAULT, then master on the new one",
    withDirectors(async (pair) => {
      const ours = await masterBesideKeepalived(pair);
      const removed = unixNow();
      await ip(pair, "link", "del", "eth0");
      await inState(ours, "FAULT");
      expect((await instanceStatus(ours)).reason).toContain("does not exist");
      await pair.master("b", removed);
      const again = unixNow();
      await pair.lab.attach(pair.a, { lan: pair.lan, addresses: [`${ADDRESS.a}/24`] });
      await pair.master("a", again);
      await waitFor(async () => (await pair.lab.addresses(pair.a, "eth0")).includes(`${VIP}/24`));
      expect((await instanceStatus(ours)).vips[0]?.present).toBe(true);
    }),
  );

  it(
    "that loses every address of its own: FAULT with the reason, until it has one again",
    withDirectors(async (pair) => {
      const ours = await masterBesideKeepalived(pair);
      const { stdout } = await ip(pair, "-j", "-4", "addr", "show", "dev", "eth0");
      const all = JSON.parse(stdout)[0].addr_info as { local: string; prefixlen: number }[];
      const own = all.filter((address) => address.local !== VIP);
      const removed = unixNow();
      for (const { local, prefixlen } of own)
        await ip(pair, "addr", "del", `${local}/${prefixlen}`, "dev", "eth0");
      await inState(ours, "FAULT");
      expect((await instanceStatus(ours)).faults[0]?.kind).toBe("no-address");
      await pair.master("b", removed);
      const again = unixNow();
      await ip(pair, "addr", "add", `${ADDRESS.a}/24`, "dev", "eth0");
      await pair.master("a", again);
      await onlyOwner(pair, "a");
    }),
  );
});
