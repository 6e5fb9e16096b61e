/**
 * The keepalived pair of the documents, on a real kernel:
 *
 *   client .10    lb01 .11 (priority 100, nopreempt)    lb02 .12 (priority 90)    web1 .102    web2 .103
 *      |             |                                     |                         |            |
 *   ===+=============+=====================================+=========================+============+===  192.168.56.0/24
 *                            VIP .200, direct routing: the web servers hold it on lo
 */
import assert from "node:assert/strict";
import { Lab } from "../../support/lab.ts";
import { Vipward } from "../../support/vipward.ts";
import { guestTest, runAll, waitFor } from "./harness.ts";
import {
  assertAlternates,
  connections,
  curl,
  hasAddress,
  hexEndpoint,
  holdVip,
  SOON,
  saved,
  status,
  Watch,
  waitInstance,
  waitService,
  web,
} from "./support.ts";

const VIP = "192.168.56.200";
const SERVICE = `${VIP}:80`;
const URL = `http://${VIP}/`;

/** Only the times of the checks are shortened. */
const config = (node: string, instance: string) => `
global_defs: { router_id: ${node} }
vrrp_instance:
  VI_1:
    state: BACKUP
    interface: enp0s8
    virtual_router_id: 200
    ${instance}
    advert_int: 1
    authentication: { auth_type: PASS, auth_pass: "1111" }
    virtual_ipaddress: [ 192.168.56.200/24 dev enp0s8 label enp0s8:1 ]
virtual_server:
  192.168.56.200 80:
    delay_loop: 1
    lb_algo: rr
    lb_kind: DR
    persistence_timeout: 0
    protocol: TCP
    real_server:
      192.168.56.102 80: &web
        weight: 1
        HTTP_GET: { url: [ { path: /, status_code: 200 } ], connect_timeout: 3, retry: 1, delay_before_retry: 1 }
      192.168.56.103 80: *web
nodes:
  ${node}:
`;
const CONFIGS = {
  lb01: config("loadbalance01", "priority: 100\n    nopreempt: true"),
  lb02: config("loadbalance02", "priority: 90"),
};

const HEAD = `-A -t ${SERVICE} -s rr`;
const WEB1 = `-a -t ${SERVICE} -r 192.168.56.102:80 -g -w 1`;
const WEB2 = `-a -t ${SERVICE} -r 192.168.56.103:80 -g -w 1`;

const lab = new Lab();
const lan = await lab.lan();
const host = (role: string, address: string) =>
  lab.node(role, [{ lan, dev: "enp0s8", addresses: [`${address}/24`] }]);
const client = await host("client", "192.168.56.10");
const lb01 = await host("lb01", "192.168.56.11");
const lb02 = await host("lb02", "192.168.56.12");
const web1 = await host("web1", "192.168.56.102");
const web2 = await host("web2", "192.168.56.103");

const start = (ns: typeof lb01) =>
  Vipward.start(lab, ns, CONFIGS[ns.role as keyof typeof CONFIGS], {
    node: ns.role === "lb01" ? "loadbalance01" : "loadbalance02",
  });
const onBoth = (lines: readonly string[]) =>
  Promise.all([lb01, lb02].map((ns) => waitService(lab, ns, SERVICE, lines)));
const ownersOf = () => [lb01, lb02].filter((ns) => hasAddress(ns, VIP)).map((ns) => ns.role);

let httpd1 = await web(lab, web1);
await web(lab, web2);
for (const server of [web1, web2]) await holdVip(lab, server, VIP);

let first: Vipward;
let second: Vipward;
let startOfFirst: Watch;

guestTest("the pair of the documents: lb01 holds the VIP under its label, both hold the table", async () => {
  startOfFirst = new Watch(lb01, SERVICE);
  first = await start(lb01);
  [second] = await Promise.all([start(lb02), waitInstance(first, "VI_1", "MASTER")]);
  await waitInstance(second, "VI_1", "BACKUP");
  await onBoth([HEAD, WEB1, WEB2]);
  const { stdout } = await lab.exec(lb01, ["ip", "-o", "addr", "show", "dev", "enp0s8"]);
  assert.match(stdout, /inet 192\.168\.56\.200\/24 .*enp0s8:1\\/);
  assert.deepEqual(ownersOf(), ["lb01"]);
});

guestTest("spec lvs 2: at start the services are in the table before the VIP appears", async () => {
  const samples = await startOfFirst.stop();
  assert.equal(startOfFirst.vipWithoutService, 0);
  assert.deepEqual(
    samples
      .filter(({ weights }) => weights === undefined || weights.size === 2)
      .map(({ vip, weights }) => [vip, weights?.size]),
    [
      [false, undefined],
      [false, 2],
      [true, 2],
    ],
  );
});

guestTest("curl to the VIP alternates web1, web2, web1, web2", async () => {
  assertAlternates(await curl(lab, client, URL, 6), ["web1", "web2"]);
});

guestTest("stopping httpd on 192.168.56.102 leaves only 103's line on BOTH directors", async () => {
  await httpd1.stop();
  await onBoth([HEAD, WEB2]);
  for (const ns of [lb01, lb02]) assert.equal(await saved(lab, ns), `${HEAD}\n${WEB2}\n`);
  assert.deepEqual(await curl(lab, client, URL, 3), ["web2", "web2", "web2"]);
});

guestTest("starting it again brings the line back on both, and the client sees both again", async () => {
  httpd1 = await web(lab, web1);
  await onBoth([HEAD, WEB1, WEB2]);
  assertAlternates(await curl(lab, client, URL, 4), ["web1", "web2"]);
});

guestTest("SIGTERM moves the VIP; our services leave the table, and only after the VIP", async () => {
  const watch = new Watch(lb01, SERVICE);
  const [exit] = await Promise.all([first.stop("SIGTERM"), waitInstance(second, "VI_1", "MASTER")]);
  const samples = await watch.stop();
  assert.equal(exit.code, 0, first.process.text);
  assert.deepEqual(ownersOf(), ["lb02"]);
  assert.equal(await saved(lab, lb01), "");
  assert.equal(watch.vipWithoutService, 0);
  assert.deepEqual(
    samples.map(({ vip, weights }) => [vip, weights?.size]),
    [
      [true, 2],
      [false, 2],
      [false, undefined],
    ],
  );
  assertAlternates(await curl(lab, client, URL, 4), ["web1", "web2"]);
});

guestTest("nopreempt: lb01 returns as backup, with the whole table", async () => {
  first = await start(lb01);
  await waitInstance(first, "VI_1", "BACKUP");
  await waitService(lab, lb01, SERVICE, [HEAD, WEB1, WEB2]);
  assert.deepEqual(ownersOf(), ["lb02"]);
});

let counted: Record<string, number>;
let afterKill: Watch;

guestTest("kill -9 of everything on the master: the VIP moves, the dead one's table stays", async () => {
  counted = await connections(lab, lb02, SERVICE);
  assert.ok((counted[SERVICE] ?? 0) >= 4, JSON.stringify(counted));
  afterKill = new Watch(lb02, SERVICE);
  await second.killAll();
  await waitInstance(first, "VI_1", "MASTER");
  assertAlternates(await curl(lab, client, URL, 4), ["web1", "web2"]);
  assert.equal(await saved(lab, lb02), [HEAD, WEB1, WEB2, ""].join("\n"));
});

guestTest(
  "restarted, it adopts the table: nothing removed and added again, connections still counted",
  async () => {
    second = await start(lb02);
    await waitFor(async () => (await status(second)).lvs?.complete, SOON);
    await waitInstance(second, "VI_1", "BACKUP");
    await waitFor(() => ownersOf().join() === "lb01", { ...SOON, what: "the dead run's VIP to go" });
    const expected = new Map([
      [hexEndpoint("192.168.56.102:80"), 1],
      [hexEndpoint("192.168.56.103:80"), 1],
    ]);
    for (const { weights } of await afterKill.stop()) assert.deepEqual(weights, expected);
    assert.deepEqual(await connections(lab, lb02, SERVICE), counted);
    assert.equal(await saved(lab, lb02), [HEAD, WEB1, WEB2, ""].join("\n"));
  },
);

await runAll();
