/**
 * The real-time clock is set forward and back by hours, under both routers of two pairs: VRRPv3 signed with
 * auth_hmac (whose sequence is made of that clock) between vipwards, and VRRPv2 beside keepalived.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Keepalived } from "../../support/keepalived.ts";
import { type Capture, Lab, type Namespace, VRRP_FILTER } from "../../support/lab.ts";
import { Vipward } from "../../support/vipward.ts";
import { guestTest, runAll, sh } from "./harness.ts";
import { status, waitInstance } from "./support.ts";

const HOUR_MS = 3_600_000;
const ROUNDS = Number(process.env.VIPWARD_CLOCK_ROUNDS ?? 1);
const STEPS_MS = [5 * HOUR_MS, -10 * HOUR_MS, 5 * HOUR_MS];
const WATCH_MS = 3000;
/** A second between adverts, and one emulated CPU. */
const GAP_MS = 1900;
const KEY = `hex:${"0123456789abcdef".repeat(4)}`;

const lab = new Lab();
const HMAC = `version: 3
    auth_hmac: { key: [ "7 ${KEY}" ], active_key: 7 }`;
const PASS = `version: 2
    authentication: { auth_type: PASS, auth_pass: "secret12" }`;

async function openPair(letter: string, network: number) {
  const lan = await lab.lan(`lan${network}`);
  const node = (side: string, last: number) =>
    lab.node(`${letter}${side}`, [{ lan, addresses: [`10.99.${network}.${last}/24`] }]);
  const nodes = { a: await node("a", 11), b: await node("b", 12) };
  return { ...nodes, network, capture: await lab.capture(lan, "br0", VRRP_FILTER) };
}
const yaml = (network: number, priority: number, auth: string) => `
vrrp_instance:
  VI_1:
    interface: eth0
    virtual_router_id: 51
    priority: ${priority}
    advert_int: 1
    ${auth}
    virtual_ipaddress: [ 10.99.${network}.100/24 ]
`;
const conf = (network: number, priority: number) => `
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  priority ${priority}
  advert_int 1
  authentication {
    auth_type PASS
    auth_pass secret12
  }
  virtual_ipaddress {
    10.99.${network}.100/24
  }
}
`;

const signed = await openPair("h", 1);
const mixed = await openPair("k", 2);
const start = (ns: Namespace, text: string) => Vipward.start(lab, ns, text);
const daemons: Vipward[] = [];
let peer: Keepalived;

/** Between the real-time clock and the monotonic one, after each step: a packet's time fits one of them. */
const offsets: number[] = [];
const offset = () => Date.now() - performance.now();

guestTest("two pairs, the better router master", async () => {
  const high = await start(signed.a, yaml(1, 150, HMAC));
  const low = await start(signed.b, yaml(1, 100, HMAC));
  const ours = await start(mixed.a, yaml(2, 150, PASS));
  peer = await Keepalived.start(lab, mixed.b, conf(2, 100));
  await waitInstance(high, "VI_1", "MASTER");
  await waitInstance(ours, "VI_1", "MASTER");
  await waitInstance(low, "VI_1", "BACKUP");
  daemons.push(high, low, ours);
  await sleep(2000);
});

guestTest(
  `the clock set forward by 5 h, back by 10 and forward by 5 (${ROUNDS} times): nobody notices`,
  async () => {
    const counts = () =>
      Promise.all(daemons.map(async (daemon) => (await status(daemon)).instances[0]?.counters));
    const before = await counts();
    const transitions = () => peer.log.match(/Entering \w+ STATE/g)?.length;
    const peerBefore = transitions();
    const began = performance.now();
    offsets.push(offset());
    for (const step of Array.from({ length: ROUNDS }, () => STEPS_MS).flat()) {
      await sleep(WATCH_MS);
      sh("date", "-s", `@${((Date.now() + step) / 1000).toFixed(3)}`);
      offsets.push(offset());
    }
    await sleep(WATCH_MS);
    const after = await counts();
    for (const [i, counters] of after.entries()) {
      assert.equal(counters?.becameMaster, before[i]?.becameMaster);
      assert.equal(counters?.releasedMaster, before[i]?.releasedMaster);
      // The sequence of auth_hmac starts again from the clock that went back, and is accepted.
      assert.deepEqual(counters?.drops, before[i]?.drops);
    }
    assert.equal(transitions(), peerBefore);
    for (const { capture, network } of [signed, mixed]) {
      const times = advertTimes(capture, `10.99.${network}.11`).filter((time) => time > began);
      const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
      assert.ok(times.length > (WATCH_MS / 1000) * STEPS_MS.length * ROUNDS, String(times.length));
      assert.ok(Math.max(...gaps) < GAP_MS, `${Math.max(...gaps)} ms without an advert`);
      assert.deepEqual(
        capture.adverts({ source: `10.99.${network}.12` }).filter(({ time }) => monotonic(time) > began),
        [],
      );
    }
  },
  (WATCH_MS / 1000) * (STEPS_MS.length * ROUNDS + 30) * 1000,
);

const advertTimes = (capture: Capture, source: string) =>
  capture.adverts({ source }).map(({ time }) => monotonic(time));

/** performance.now() at a captured time: of the offsets that were in force, the one that puts it into this run. */
function monotonic(time: number): number {
  const ages = offsets.map((known) => performance.now() - (time * 1000 - known));
  // Steps are hours apart, a run is minutes long.
  const age = ages.find((candidate) => candidate > -1000 && candidate < HOUR_MS);
  assert.ok(age !== undefined, `no clock fits ${time}`);
  return performance.now() - age;
}

await runAll();
