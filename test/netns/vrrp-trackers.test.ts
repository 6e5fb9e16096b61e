/** Trackers: what they do to the priority, to mastership beside keepalived, and what the status says of it. */
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  conf,
  type EdgeStatus,
  type Edges,
  edgeStatus,
  instance,
  unixNow,
  v4,
  waitState,
  withEdges,
} from "../support/edges.ts";
import { waitFor } from "../support/lab.ts";
import type { Vipward } from "../support/vipward.ts";

const GLOBAL = { script_user: "root" };

/** A file whose presence is what a script tests. */
function flag(edges: Edges, name: string): { script: string; raise: () => void; lower: () => void } {
  const file = path.join(edges.lab.dir, name);
  return {
    script: `/usr/bin/test -f ${file}`,
    raise: () => writeFileSync(file, ""),
    lower: () => rmSync(file, { force: true }),
  };
}

const part = (status: EdgeStatus, name: string) => status.trackers.find((entry) => entry.name === name);

async function waitPriority(daemon: Vipward, priority: number): Promise<EdgeStatus> {
  return waitFor(
    async () => {
      const status = await edgeStatus(daemon);
      return status.priority === priority && status;
    },
    { timeout: 15_000, what: `priority ${priority}` },
  );
}

/** The weight of a failing script hands mastership over, and a good one takes it back: the same on either side. */
const BASE = { high: 150, low: 100, weight: -60 };

describe.concurrent("script weights beside keepalived", () => {
  const theirs = (priority: number, script: string) =>
    conf(
      { priority, track_script: ["chk"] },
      `global_defs {\n  script_user root\n}\nvrrp_script chk {\n  script "${script}"\n  interval 1\n  weight ${BASE.weight}\n}`,
    );
  const ours = (priority: number, script: string) => ({
    global_defs: GLOBAL,
    vrrp_script: { chk: { script, interval: 1, weight: BASE.weight } },
    vrrp_instance: { VI_1: instance({ priority, track_script: ["chk"] }) },
  });

  it(
    "ours is the higher one: a failing script yields to keepalived's 100, a good one preempts",
    withEdges(["a", "b"], async (edges) => {
      const [mine, other] = [flag(edges, "mine"), flag(edges, "other")];
      mine.raise();
      other.raise();
      await edges.keepalived("b", theirs(BASE.low, other.script));
      const daemon = await edges.vipward("a", ours(BASE.high, mine.script));
      await edges.waitVip("a");
      const failed = unixNow();
      mine.lower();
      const theirFirst = await edges.master("b", { since: failed });
      expect(theirFirst.priority).toBe(BASE.low);
      const status = await waitState(daemon, "BACKUP");
      expect(status).toMatchObject({ priority: 90, basePriority: 150 });
      expect(part(status, "chk")).toMatchObject({ kind: "script", status: "bad", adds: -60, faults: false });
      // The master said so on the wire before it was beaten.
      expect(edges.sent("a", { since: failed }).at(-1)?.priority).toBe(90);
      const mended = unixNow();
      mine.raise();
      expect((await edges.master("a", { since: mended })).priority).toBe(150);
      await waitState(daemon, "MASTER");
      expect(part(await edgeStatus(daemon), "chk")).toMatchObject({ status: "good", adds: 0 });
    }),
  );

  it(
    "keepalived's is the higher one: the same, seen from our backup",
    withEdges(["a", "b"], async (edges) => {
      const [mine, other] = [flag(edges, "mine"), flag(edges, "other")];
      mine.raise();
      other.raise();
      const peer = await edges.keepalived("b", theirs(BASE.high, other.script));
      const daemon = await edges.vipward("a", ours(BASE.low, mine.script));
      await edges.waitVip("b");
      const failed = unixNow();
      other.lower();
      expect((await edges.master("a", { since: failed })).priority).toBe(BASE.low);
      await waitState(daemon, "MASTER");
      // Now both fail: 90 against 40, and it goes back.
      const both = unixNow();
      mine.lower();
      expect((await edges.master("b", { since: both })).priority).toBe(90);
      await waitPriority(daemon, 40);
      expect(peer.log).not.toMatch(/invalid|mismatch|ignoring|dropp/i);
    }),
  );
});

describe.concurrent("scripts", () => {
  it(
    "positive weight, rise and fall, reverse, two at once: the parts add up",
    withEdges(["a"], async (edges) => {
      const [up, slow, turned] = [flag(edges, "up"), flag(edges, "slow"), flag(edges, "turned")];
      up.raise();
      turned.raise();
      const daemon = await edges.vipward("a", {
        global_defs: GLOBAL,
        vrrp_script: {
          up: { script: up.script, interval: 0.1, weight: 20 },
          slow: { script: slow.script, interval: 0.1, weight: -30, rise: 5, fall: 2 },
          turned: { script: turned.script, interval: 0.1, weight: "10 reverse" },
        },
        vrrp_instance: { VI_1: instance({ priority: 100, track_script: ["up", "slow", "turned"] }) },
      });
      // up +20; slow bad -30 (the first failure counts at once); turned good, reversed: -10.
      const status = await waitPriority(daemon, 80);
      expect(Object.fromEntries(status.trackers.map(({ name, adds }) => [name, adds]))).toEqual({
        up: 20,
        slow: -30,
        turned: -10,
      });
      const raised = performance.now();
      slow.raise();
      await waitPriority(daemon, 110);
      // 5 successes, 0.1 s apart.
      expect(performance.now() - raised).toBeGreaterThan(390);
      up.lower();
      await waitPriority(daemon, 90);
      turned.lower();
      await waitPriority(daemon, 100);
      await waitFor(() => edges.sent("a").at(-1)?.priority === 100);
    }),
  );

  it(
    "without weight: FAULT until the first success, and again while it fails; priority 0 goes out",
    withEdges(["a", "b"], async (edges) => {
      const ok = flag(edges, "ok");
      const daemon = await edges.vipward("a", {
        global_defs: GLOBAL,
        vrrp_script: { ok: { script: ok.script, interval: 0.2 } },
        vrrp_instance: { VI_1: instance({ priority: 150, track_script: ["ok"] }) },
      });
      const faulty = await waitState(daemon, "FAULT");
      expect(faulty.faults[0]?.detail).toContain("ok");
      expect(part(faulty, "ok")).toMatchObject({ status: "bad", adds: 0, faults: true });
      ok.raise();
      await waitState(daemon, "MASTER");
      const failed = unixNow();
      ok.lower();
      await waitState(daemon, "FAULT");
      expect(edges.sent("a", { since: failed }).at(-1)?.priority).toBe(0);
      expect(await edges.addresses("a")).not.toContain("10.99.0.100");
    }),
  );

  it(
    "a script that hangs is killed with its children after its timeout and counts as failed; init_fail is bad from the start",
    withEdges(["a"], async (edges) => {
      const hang = path.join(edges.lab.dir, "hang.sh");
      writeFileSync(hang, "#!/bin/sh\nsleep 4711 &\nsleep 4712\n", { mode: 0o755 });
      const never = flag(edges, "never");
      never.raise();
      const daemon = await edges.vipward("a", {
        global_defs: GLOBAL,
        vrrp_script: {
          hang: { script: hang, interval: 60, timeout: 0.5, weight: -20 },
          later: { script: never.script, interval: 60, rise: 2, weight: -40, init_fail: true },
        },
        vrrp_instance: { VI_1: instance({ priority: 150, track_script: ["hang", "later"] }) },
      });
      const status = await waitPriority(daemon, 90);
      expect(part(status, "hang")).toMatchObject({ status: "bad", adds: -20 });
      expect(part(status, "later")).toMatchObject({ status: "bad", adds: -40 });
      const sleepers = async () => {
        const pids = await edges.lab.pids(edges.node("a"));
        const lines = await Promise.all(
          pids.map((pid) =>
            edges.lab.exec(edges.node("a"), ["cat", `/proc/${pid}/cmdline`], { check: false }),
          ),
        );
        return lines.filter(({ stdout }) => /471[12]/.test(stdout)).length;
      };
      await waitFor(async () => (await sleepers()) === 0, { what: "the script's children to be gone" });
    }),
  );
});

describe.concurrent("other trackers", () => {
  it(
    "interfaces: a weight moves mastership beside keepalived; without one it is FAULT; back when up",
    withEdges(["a", "b"], async (edges) => {
      await edges.addLink("a", "eth1");
      await edges.addLink("a", "eth2");
      await edges.keepalived("b", conf({ priority: 130 }));
      const daemon = await edges.vipward("a", {
        vrrp_instance: { VI_1: instance({ priority: 150, track_interface: ["eth1 weight -30", "eth2"] }) },
      });
      await edges.waitVip("a");
      const down = unixNow();
      await edges.ip("a", "link set dev eth1 down");
      await edges.master("b", { since: down });
      const status = await waitState(daemon, "BACKUP");
      expect(status).toMatchObject({ priority: 120, basePriority: 150 });
      expect(part(status, "eth1")).toMatchObject({
        kind: "interface",
        status: "bad",
        adds: -30,
        faults: false,
      });
      const up = unixNow();
      await edges.ip("a", "link set dev eth1 up");
      await edges.master("a", { since: up });
      const faulted = unixNow();
      await edges.ip("a", "link set dev eth2 down");
      await edges.master("b", { since: faulted });
      const fault = await waitState(daemon, "FAULT");
      expect(fault.faults).toMatchObject([{ kind: "tracker", detail: expect.stringContaining("eth2") }]);
      expect(edges.sent("a", { since: faulted }).at(-1)?.priority).toBe(0);
      // Gone altogether is as bad, and it may come back as another device.
      await edges.ip("a", "link del dev eth2");
      await sleep(300);
      expect((await edgeStatus(daemon)).state).toBe("FAULT");
      const again = unixNow();
      await edges.addLink("a", "eth2");
      await edges.master("a", { since: again });
    }),
  );

  it(
    "processes: quorum, parameters, a process that goes and comes",
    withEdges(["a"], async (edges) => {
      const number = `4${edges.lab.id.replace(/\D/g, "")}1`;
      const start = () => edges.lab.spawn(edges.node("a"), ["sleep", number]);
      const daemon = await edges.vipward("a", {
        vrrp_track_process: {
          one: { process: `sleep ${number}`, weight: -20 },
          two: { process: `sleep ${number}`, weight: -40, quorum: 2 },
          other: { process: `sleep ${number}5`, weight: 5 },
        },
        vrrp_instance: { VI_1: instance({ priority: 150, track_process: ["one", "two", "other"] }) },
      });
      await waitPriority(daemon, 90);
      const first = start();
      await waitPriority(daemon, 110);
      start();
      const status = await waitPriority(daemon, 150);
      expect(part(status, "two")).toMatchObject({ kind: "process", status: "good", adds: 0 });
      first.killGroup();
      await waitPriority(daemon, 110);
    }),
  );

  it(
    "files: the value times the weight, -254 or less is FAULT, an absent file is 0",
    withEdges(["a"], async (edges) => {
      const [file, heavy] = ["load", "heavy"].map((name) => path.join(edges.lab.dir, name)) as [
        string,
        string,
      ];
      const daemon = await edges.vipward("a", {
        vrrp_track_file: { load: { file, weight: 2 }, heavy: { file: heavy, weight: 1, init_file: 7 } },
        vrrp_instance: { VI_1: instance({ priority: 100, track_file: ["load", "heavy"] }) },
      });
      await waitPriority(daemon, 107);
      writeFileSync(file, "-15\n");
      const status = await waitPriority(daemon, 77);
      expect(part(status, "load")).toMatchObject({ kind: "file", value: -15, adds: -30, faults: false });
      writeFileSync(file, "1000");
      await waitPriority(daemon, 254);
      writeFileSync(file, "-127");
      const fault = await waitState(daemon, "FAULT");
      expect(part(fault, "load")).toMatchObject({ value: -127, adds: 0, faults: true });
      rmSync(file);
      await waitPriority(daemon, 107);
      await waitState(daemon, "MASTER");
    }),
  );

  it(
    "a gateway by ARP: an isolated master notices though its own link is up",
    withEdges(["a", "client"], async (edges) => {
      const daemon = await edges.vipward("a", {
        track_gateway: {
          near: { address: v4("client"), interface: "eth0", interval: 0.2, rise: 1, fall: 2, weight: -50 },
          hard: { address: v4("client"), interface: "eth0", interval: 0.2, rise: 2, fall: 6 },
        },
        vrrp_instance: { VI_1: instance({ priority: 150, track_gateway: ["near", "hard"] }) },
      });
      await waitState(daemon, "MASTER");
      await edges.lab.unplug(edges.node("client"), edges.lan);
      const status = await waitPriority(daemon, 100);
      expect(part(status, "near")).toMatchObject({ kind: "gateway", status: "bad", adds: -50 });
      const fault = await waitState(daemon, "FAULT");
      expect(fault.faults[0]?.detail).toContain(v4("client"));
      await edges.lab.plug(edges.node("client"), edges.lan);
      await waitState(daemon, "MASTER");
      await waitPriority(daemon, 150);
    }),
  );
});
