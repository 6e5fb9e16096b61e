/** vipward beside the packaged keepalived: VRRPv2 with a password at 1 s, VRRPv3 at 0.1 s. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  ADDRESS,
  confOf,
  type Directors,
  type InstanceSpec,
  instanceStatus,
  largestGap,
  masterDown,
  skew,
  unixNow,
  VIP,
  withDirectors,
  yamlOf,
} from "../support/directors.ts";
import { waitFor } from "../support/lab.ts";

/** What a busy machine may add to a timer that is right, in seconds. */
const LATE = 0.35;

const PROTOCOLS = [
  { title: "VRRPv2 PASS, advert_int 1", version: 2, advertInt: 1, pass: "secret12" },
  { title: "VRRPv3, advert_int 0.1", version: 3, advertInt: 0.1 },
] as const;

/** The last advert before `time`, from which a backup counts. */
function lastAdvertBefore(pair: Directors, role: "a" | "b", time: number): number {
  return pair.sent(role, 0, time).at(-1)?.time ?? Number.NaN;
}

function goodbyeTime(pair: Directors, role: "a" | "b", since: number): number {
  return pair.sent(role, since).find((advert) => advert.priority === 0)?.time ?? Number.NaN;
}

async function onlyOwner(pair: Directors, role: "a" | "b"): Promise<void> {
  await waitFor(() => pair.owners.owners(VIP).join() === role, { what: `${role} alone to hold the VIP` });
}

describe.concurrent.each(PROTOCOLS)("beside keepalived, $title", ({ title: _, ...protocol }) => {
  const { version, advertInt } = protocol;
  const low: InstanceSpec = { ...protocol, priority: 100 };
  const high: InstanceSpec = { ...protocol, priority: 150 };
  const expectMasterDown = (seconds: number) => {
    const exact = masterDown(version, 100, advertInt);
    expect(seconds).toBeGreaterThan(exact - 0.01);
    expect(seconds).toBeLessThan(exact + LATE);
  };
  const expectSkew = (seconds: number) => {
    const exact = skew(version, 100, advertInt);
    expect(seconds).toBeGreaterThan(exact - 0.01);
    expect(seconds).toBeLessThan(exact + LATE);
  };

  it(
    "our master: VIP as configured, adverts accepted, 5 gratuitous ARPs at once and 5 after garp_master_delay",
    withDirectors(async (pair) => {
      const vips = [`${VIP}/24 dev eth0 label eth0:vip brd 10.99.0.255 scope global`];
      const peer = await pair.keepalived("b", confOf({ ...low, vips }));
      await pair.master("b");
      // keepalived's default, written out in one of the two runs only.
      const extra = version === 2 ? [] : ([["garp_master_delay", "5"]] as const);
      await pair.vipward("a", yamlOf({ ...high, vips, extra }));
      const first = await pair.master("a");
      await onlyOwner(pair, "a");
      const { stdout } = await pair.lab.exec(pair.a, ["ip", "-j", "addr", "show", "dev", "eth0"]);
      const held = JSON.parse(stdout)[0].addr_info.find((entry: { local: string }) => entry.local === VIP);
      expect(held).toMatchObject({
        prefixlen: 24,
        label: "eth0:vip",
        broadcast: "10.99.0.255",
        scope: "global",
      });
      expect(held.valid_life_time).toBeLessThanOrEqual(4);
      const authType = version === 2 ? 1 : 0;
      expect(first).toMatchObject({ version, ttl: 255, authType, vrid: 51, addresses: [VIP] });
      await sleep(6000);
      const announced = pair.capture
        .arps()
        .filter((arp) => arp.gratuitous && arp.senderIp === VIP && arp.frameSource === first.sourceMac);
      const after = announced.map((arp) => arp.time - first.time);
      expect(after.filter((seconds) => seconds < 0.5)).toHaveLength(5);
      expect(after.filter((seconds) => seconds > 4.9 && seconds < 5.5)).toHaveLength(5);
      expect(announced[0]).toMatchObject({
        operation: 1,
        frameDestination: "ff:ff:ff:ff:ff:ff",
        targetIp: VIP,
        targetMac: "ff:ff:ff:ff:ff:ff",
      });
      // It went back for our higher priority and complained of nothing.
      expect(pair.sent("b", first.time + 0.5)).toEqual([]);
      expect(peer.log).not.toMatch(/invalid|mismatch|ignoring|dropp/i);
    }),
  );

  it(
    "our master killed outright: keepalived takes over after its master-down interval and the stale VIP goes; our return preempts; our clean stop hands over in skew time",
    withDirectors(async (pair) => {
      const ours = await pair.vipward("a", yamlOf(high));
      await pair.keepalived("b", confOf(low));
      await pair.master("a");
      await onlyOwner(pair, "a");
      await sleep(1500);
      const killed = unixNow();
      await ours.killAll();
      const takeover = await pair.master("b", killed);
      expectMasterDown(takeover.time - lastAdvertBefore(pair, "a", killed));
      await onlyOwner(pair, "b");
      // spec/vrrp.md 4: the lease ends by itself.
      expect(pair.owners.twoOwners(VIP, killed).seconds).toBeLessThan(version === 2 ? 1.6 : 2.9);

      const returned = unixNow();
      const again = await pair.vipward("a", yamlOf(high));
      await pair.master("a", returned);
      await onlyOwner(pair, "a");
      expect((await instanceStatus(again)).state).toBe("MASTER");

      const stopped = unixNow();
      expect(await again.stop()).toEqual({ code: 0, signal: null });
      expectSkew((await pair.master("b", stopped)).time - goodbyeTime(pair, "a", stopped));
      await onlyOwner(pair, "b");
      expect(pair.owners.twoOwners(VIP, stopped).seconds).toBe(0);
    }),
  );

  it(
    "our backup: takes over from a killed keepalived after its master-down interval; gives way to its return; takes over in skew time from its clean stop",
    withDirectors(async (pair) => {
      const theirs = await pair.keepalived("b", confOf(high));
      const ours = await pair.vipward("a", yamlOf(low));
      await pair.master("b");
      await sleep(2500);
      expect(await instanceStatus(ours)).toMatchObject({ state: "BACKUP" });
      const killed = unixNow();
      await theirs.stop("SIGKILL");
      const takeover = await pair.master("a", killed);
      expectMasterDown(takeover.time - lastAdvertBefore(pair, "b", killed));
      expect((await instanceStatus(ours)).reason).toContain(ADDRESS.b);

      const returned = unixNow();
      const again = await pair.keepalived("b", confOf(high));
      await pair.master("b", returned);
      await onlyOwner(pair, "b");
      expect(await instanceStatus(ours)).toMatchObject({
        state: "BACKUP",
        reason: expect.stringContaining("150"),
      });
      // A keepalived that answers a fight with its own ARP storm is not what is tested here.
      await sleep(500);

      const stopped = unixNow();
      await again.stop();
      expectSkew((await pair.master("a", stopped)).time - goodbyeTime(pair, "b", stopped));
      await onlyOwner(pair, "a");
    }),
  );

  it(
    "nopreempt: our higher priority waits while keepalived is master, and keepalived's while we are",
    withDirectors(async (pair) => {
      const watch = 1000 + 4000 * advertInt;
      const theirs = await pair.keepalived("b", confOf({ ...low, nopreempt: true }));
      await pair.master("b");
      await pair.vipward("a", yamlOf({ ...high, nopreempt: true }));
      await sleep(watch);
      expect(pair.sent("a")).toEqual([]);
      const stopped = unixNow();
      await theirs.stop();
      await pair.master("a", stopped);
      const returned = unixNow();
      await pair.keepalived("b", confOf({ ...low, priority: 200, nopreempt: true }));
      await sleep(watch);
      expect(pair.sent("b", returned)).toEqual([]);
      expect(largestGap(pair.sent("a", returned))).toBeLessThan(1.5 * advertInt);
      expect(pair.owners.owners(VIP)).toEqual(["a"]);
    }),
  );
});

describe.concurrent("a peer with another password", () => {
  it(
    "is refused with the reason counted, so that both are master; neither password is logged",
    withDirectors(async (pair) => {
      await pair.keepalived("b", confOf({ priority: 150, pass: "another1" }));
      const ours = await pair.vipward("a", yamlOf({ priority: 100, pass: "secret12" }));
      await Promise.all([pair.master("a"), pair.master("b")]);
      await sleep(2500);
      const { state, counters } = await instanceStatus(ours);
      expect(state).toBe("MASTER");
      // Not one a second: keepalived 2.2.7 puts its own advert off whenever it refuses one of ours.
      expect(counters.drops["auth-password"]).toBeGreaterThanOrEqual(1);
      expect(pair.owners.owners(VIP)).toEqual(["b", "a"]);
      const { msg } = await ours.waitLog(/ignored an advertisement/);
      expect(msg).toContain(ADDRESS.b);
      expect(msg).toContain("auth_pass");
      expect(ours.process.text).not.toMatch(/another1|secret12/);
    }),
  );
});
