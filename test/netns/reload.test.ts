/** SIGHUP: adverts never pause, states and VIPs of what did not change stay, a broken file changes nothing. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  confOf,
  type Directors,
  type InstanceSpec,
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

const FAST = { version: 3, advertInt: 0.1 } as const;
const MASTER: InstanceSpec = { ...FAST, priority: 150 };
const SECOND_VIP = "10.99.0.101";
/** Of the advertisement interval. */
const LARGEST_GAP = 1.5;

async function masterAt(pair: Directors, ...specs: InstanceSpec[]): Promise<Vipward> {
  const ours = await pair.vipward("a", yamlOf(...specs));
  await pair.master("a");
  await waitFor(() => pair.owners.owners(VIP).join() === "a");
  await sleep(500);
  return ours;
}

/** Sends SIGHUP and waits for the outcome in the log. */
async function hup(daemon: Vipward, config: string): Promise<string> {
  const before = daemon.log.length;
  daemon.configure(config);
  process.kill(daemon.pid, "SIGHUP");
  const outcome = () => daemon.log.slice(before).find((entry) => /^reload/.test(entry.msg));
  return (await waitFor(outcome, { what: "the outcome of the reload" })).msg;
}

/** The whole test is one stretch of mastership. */
function expectUnbroken(pair: Directors, since: number, vrid = 51): void {
  const sent = pair.sent("a", since).filter((advert) => advert.vrid === vrid);
  expect(sent.length).toBeGreaterThan(5);
  expect(sent.filter((advert) => advert.priority === 0)).toEqual([]);
  expect(largestGap(sent)).toBeLessThan(LARGEST_GAP * FAST.advertInt);
}

describe.concurrent("reload by SIGHUP", () => {
  it(
    "another priority: in the next advert, without a pause or transition",
    withDirectors(async (pair) => {
      await pair.keepalived("b", confOf({ ...FAST, priority: 50 }));
      const ours = await masterAt(pair, MASTER);
      const since = unixNow();
      const pid = await vrrpPid(ours);
      for (const priority of [120, 200, 90]) {
        expect(await hup(ours, yamlOf({ ...MASTER, priority }))).toContain("replaced by");
        await sleep(500);
        expect(pair.sent("a").at(-1)?.priority).toBe(priority);
      }
      expectUnbroken(pair, since);
      expect(pair.sent("b", since)).toEqual([]);
      expect(await vrrpPid(ours)).toBe(pid);
      expect((await instanceStatus(ours)).counters).toMatchObject({ becameMaster: 1, releasedMaster: 0 });
    }),
  );

  it(
    "a VIP added and removed: announced and advertised, the other one never away",
    withDirectors(async (pair) => {
      const ours = await masterAt(pair, MASTER);
      const since = unixNow();
      await hup(ours, yamlOf({ ...MASTER, vips: [`${VIP}/24`, `${SECOND_VIP}/24`] }));
      await waitFor(() => pair.owners.owners(SECOND_VIP).join() === "a", { what: "the new VIP to be there" });
      await sleep(300);
      expect(pair.sent("a").at(-1)?.addresses).toEqual([VIP, SECOND_VIP]);
      const announced = pair.capture.arps().filter((arp) => arp.gratuitous && arp.senderIp === SECOND_VIP);
      expect(announced.length).toBeGreaterThanOrEqual(1);
      await hup(ours, yamlOf(MASTER));
      await waitFor(() => pair.owners.owners(SECOND_VIP).length === 0, { what: "the removed VIP to go" });
      await sleep(300);
      expect(pair.sent("a").at(-1)?.addresses).toEqual([VIP]);
      expect(pair.owners.noOwner(VIP, since).seconds).toBe(0);
      expectUnbroken(pair, since);
    }),
  );

  it(
    "an instance added and removed: elected and released by itself, the other one undisturbed",
    withDirectors(async (pair) => {
      const other: InstanceSpec = {
        ...FAST,
        name: "VI_2",
        vrid: 52,
        priority: 140,
        vips: [`${SECOND_VIP}/24`],
      };
      const ours = await masterAt(pair, MASTER);
      const since = unixNow();
      await hup(ours, yamlOf(MASTER, other));
      await waitFor(() => pair.owners.owners(SECOND_VIP).join() === "a", { what: "VI_2 to be master" });
      expect((await instanceStatus(ours, "VI_2")).state).toBe("MASTER");
      await hup(ours, yamlOf(MASTER));
      await waitFor(() => pair.owners.owners(SECOND_VIP).length === 0, { what: "VI_2's VIP to go" });
      const goodbye = await pair.capture.waitAdvert((advert) => advert.vrid === 52 && advert.priority === 0);
      expect(goodbye.time).toBeGreaterThan(since);
      expectUnbroken(pair, since);
    }),
  );

  it(
    "a VIP moved from one instance to another: never away, and not taken for stolen",
    withDirectors(async (pair) => {
      const first: InstanceSpec = { ...MASTER, vips: [`${VIP}/24`, `${SECOND_VIP}/24`] };
      const second: InstanceSpec = {
        ...FAST,
        name: "VI_2",
        vrid: 52,
        priority: 140,
        vips: ["10.99.0.102/24"],
      };
      const ours = await masterAt(pair, second, first);
      await waitFor(() => pair.owners.owners("10.99.0.102").join() === "a");
      const since = unixNow();
      await hup(
        ours,
        yamlOf(
          { ...second, vips: ["10.99.0.102/24", `${SECOND_VIP}/24`] },
          { ...first, vips: [`${VIP}/24`] },
        ),
      );
      await sleep(1500);
      expect(pair.owners.owners(SECOND_VIP)).toEqual(["a"]);
      expect(pair.owners.noOwner(SECOND_VIP, since).seconds).toBeLessThan(0.1);
      for (const name of ["VI_1", "VI_2"])
        expect((await instanceStatus(ours, name)).counters.addressesRestored).toBe(0);
      expectUnbroken(pair, since);
    }),
  );

  it(
    "an instance added whose address the operator set before: not leased, not removed",
    withDirectors(async (pair) => {
      const ours = await masterAt(pair, MASTER);
      await pair.lab.exec(pair.a, ["ip", "addr", "add", `${SECOND_VIP}/24`, "dev", "eth0"]);
      const other: InstanceSpec = {
        ...FAST,
        name: "VI_2",
        vrid: 52,
        priority: 140,
        vips: [`${SECOND_VIP}/24`],
      };
      await hup(ours, yamlOf(MASTER, other));
      await waitFor(async () => (await instanceStatus(ours, "VI_2")).state === "MASTER");
      await sleep(1500);
      const { stdout } = await pair.lab.exec(pair.a, ["ip", "-j", "addr", "show", "dev", "eth0"]);
      const entry = JSON.parse(stdout)[0].addr_info.find(
        (address: { local: string }) => address.local === SECOND_VIP,
      );
      expect(entry.valid_life_time).toBe(4294967295);
      await ours.stop();
      expect(await pair.lab.addresses(pair.a, "eth0")).toContain(`${SECOND_VIP}/24`);
      expect(await pair.lab.addresses(pair.a, "eth0")).not.toContain(`${VIP}/24`);
    }),
  );

  it(
    "a broken file: nothing changes, the log says where and why, a good one is taken afterwards",
    withDirectors(async (pair) => {
      const ours = await masterAt(pair, MASTER);
      const since = unixNow();
      const good = yamlOf(MASTER);
      for (const [broken, why] of [
        [`${good}vrrp_instance: [`, /:\d+:\d+/],
        [good.replace("priority:", "prioritty:"), /prioritty.*priority/],
        [good.replace("priority: 150", "priority: 300"), /priority/],
        ["", /reload refused/],
      ] as const) {
        const outcome = await hup(ours, broken);
        expect(outcome).toContain("reload refused, the running configuration stays");
        expect(outcome).toMatch(why);
      }
      const { code, stderr } = await ours.cliWith({ check: false }, "reload");
      expect(code).toBe(1);
      expect(stderr).toContain("vipward-a.yaml");
      expect(await hup(ours, good)).toContain("nothing changed");
      expect(await hup(ours, yamlOf({ ...MASTER, priority: 151 }))).toContain("replaced by");
      expectUnbroken(pair, since);
      expect(pair.owners.noOwner(VIP, since).seconds).toBe(0);
    }),
  );

  it(
    "twenty in a row, faster than they can be applied: the last one counts",
    withDirectors(async (pair) => {
      const ours = await masterAt(pair, MASTER);
      const since = unixNow();
      for (let priority = 101; priority <= 120; priority++) {
        ours.configure(yamlOf({ ...MASTER, priority }));
        process.kill(ours.pid, "SIGHUP");
        await sleep(20);
      }
      await waitFor(() => pair.sent("a").at(-1)?.priority === 120, { timeout: 30_000, what: "priority 120" });
      await sleep(1000);
      expectUnbroken(pair, since);
    }),
  );
});
