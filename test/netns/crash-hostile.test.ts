/** Packets of protocol 112 that no router may accept, by the thousand, at a master and a backup. */
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { bundleProgram } from "../support/bundle.ts";
import {
  instanceStatus,
  largestGap,
  unixNow,
  VIP,
  vrrpPid,
  withDirectors,
  yamlOf,
} from "../support/directors.ts";
import { waitFor } from "../support/lab.ts";

const REASONS = ["ttl", "version", "type", "length", "checksum", "auth-password", "auth-type", "interval"];

describe.concurrent("hostile packets", () => {
  it(
    "no crash, no transition, no late advert; every drop has its reason counted",
    withDirectors(async (pair) => {
      const pass = "secret12";
      const master = await pair.vipward("a", yamlOf({ priority: 150, pass }));
      const backup = await pair.vipward("b", yamlOf({ priority: 100, pass }));
      await pair.master("a");
      await waitFor(() => pair.owners.owners(VIP).join() === "a");
      await sleep(1500);
      const before = await Promise.all([master, backup].map((daemon) => instanceStatus(daemon)));
      const pids = await Promise.all([master, backup].map(vrrpPid));
      const stranger = await pair.lab.node("c", [{ lan: pair.lan, addresses: ["10.99.0.13/24"] }]);
      const program = path.join(pair.lab.dir, "hostile-sender.mjs");
      await bundleProgram("test/support/hostile-sender.ts", program);

      const since = unixNow();
      const { stdout } = await pair.lab.exec(stranger, [process.execPath, program, "eth0", "6"]);
      await sleep(1500);
      const sent = JSON.parse(stdout) as Record<string, number>;
      for (const count of Object.values(sent)) expect(count).toBeGreaterThan(100);

      const after = await Promise.all([master, backup].map((daemon) => instanceStatus(daemon)));
      expect(await Promise.all([master, backup].map(vrrpPid))).toEqual(pids);
      for (const [i, now] of after.entries()) {
        expect(now.state).toBe(i === 0 ? "MASTER" : "BACKUP");
        expect(now.counters.becameMaster).toBe(before[i]?.counters.becameMaster);
        const { drops } = now.counters;
        for (const reason of REASONS) expect([reason, (drops[reason] ?? 0) > 0]).toEqual([reason, true]);
      }
      const own = pair.sent("a", since);
      expect(own.every((advert) => advert.priority === 150)).toBe(true);
      expect(largestGap(own)).toBeLessThan(1.5);
      expect(pair.sent("b", since)).toEqual([]);
      expect(pair.owners.noOwner(VIP, since).seconds).toBe(0);
      // A flood must not become a flood in the log.
      expect(master.log.length).toBeLessThan(200);
    }),
  );
});
