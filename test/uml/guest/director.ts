/**
 * One director before every kind of real server, on a real kernel:
 *
 *   front 10.1.0.0/24   client .2 .5   director .1, VIPs .100 (NAT) .110 (DR) .120 (TUN)   dr1 .11   dr2 .12   router .3
 *   back  10.2.0.0/24   director .1, VIP .254   nat1 .11   nat2 .12    (their default route: the VIP .254)
 *   far   10.3.0.0/24   router .1               tun1 .11
 */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { SCHEDULERS } from "../../../src/config/model.ts";
import { Lab, type Namespace } from "../../support/lab.ts";
import { Vipward } from "../../support/vipward.ts";
import { guestTest, runAll, sh, waitFor } from "./harness.ts";
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

const NAT = "10.1.0.100";
const DR = "10.1.0.110";
const TUN = "10.1.0.120";
const INNER = "10.2.0.254";
const [NAT1, NAT2] = ["10.2.0.11", "10.2.0.12"];
/** twos came after this kernel: see its own test. */
const OLD_SCHEDULERS = SCHEDULERS.filter((name) => name !== "twos");

const HTTP =
  "HTTP_GET: { url: [ { path: /, status_code: 200 } ], connect_timeout: 2, retry: 0, delay_before_retry: 1 }";
const schedulerService = (name: string, index: number) => `
  ${NAT} ${9000 + index}: { lb_algo: ${name}, real_server: { ${NAT1} 80: {} } }`;

/** Priority 255 is master at once: nothing but the wait for the table keeps the VIP away at start. */
const config = (extraServices = "", extraServers = "") => `
vrrp_instance:
  FRONT:
    version: 3
    state: BACKUP
    interface: eth0
    virtual_router_id: 51
    priority: 255
    advert_int: 0.5
    virtual_ipaddress: [ ${NAT}/24, ${DR}/24, ${TUN}/24 ]
  BACK:
    version: 3
    state: BACKUP
    interface: eth1
    virtual_router_id: 52
    priority: 100
    advert_int: 0.5
    virtual_ipaddress: [ ${INNER}/24 ]
virtual_server:
  ${NAT} 80:
    delay_loop: 2
    lb_algo: rr
    lb_kind: NAT
    real_server:
      ${NAT1} 8080: { ${HTTP} }
      ${NAT2} 8080: { ${HTTP} }${extraServers}
  ${DR} 80:
    delay_loop: 2
    lb_algo: rr
    lb_kind: DR
    real_server:
      10.1.0.11 80: { ${HTTP} }
      10.1.0.12 80: { ${HTTP} }
  ${TUN} 80:
    delay_loop: 2
    lb_kind: TUN
    real_server: { 10.3.0.11 80: { ${HTTP} } }
  ${NAT} 81:
    delay_loop: 1
    lb_algo: rr
    inhibit_on_failure: true
    real_server:
      ${NAT1} 8081: { ${HTTP} }
      ${NAT2} 8081: { ${HTTP} }
  ${NAT} 82:
    delay_loop: 1
    lb_algo: rr
    sorry_server: ${NAT2} 8090
    real_server:
      ${NAT1} 8082: { ${HTTP} }
      ${NAT2} 8082: { ${HTTP} }
  ${NAT} 83:
    lb_algo: rr
    persistence_timeout: 300
    real_server: { ${NAT1} 8080: {}, ${NAT2} 8080: {} }
  ${NAT} 84:
    lb_algo: wrr
    real_server: { ${NAT1} 8080: { weight: 3 }, ${NAT2} 8080: { weight: 1 } }${extraServices}
${OLD_SCHEDULERS.map(schedulerService).join("").slice(1)}
nodes: { director: }
`;

const lab = new Lab();
const front = await lab.lan("front");
const back = await lab.lan("back");
const far = await lab.lan("far");
const at = (lan: Namespace, ...addresses: string[]) => ({
  lan,
  addresses: addresses.map((address) => `${address}/24`),
});
const client = await lab.node("client", [at(front, "10.1.0.2", "10.1.0.5")]);
const director = await lab.node("director", [at(front, "10.1.0.1"), at(back, "10.2.0.1")]);
const dr1 = await lab.node("dr1", [at(front, "10.1.0.11")]);
const dr2 = await lab.node("dr2", [at(front, "10.1.0.12")]);
const nat1 = await lab.node("nat1", [at(back, NAT1)]);
const nat2 = await lab.node("nat2", [at(back, NAT2)]);
const router = await lab.node("router", [at(front, "10.1.0.3"), at(far, "10.3.0.1")]);
const tun1 = await lab.node("tun1", [at(far, "10.3.0.11")]);

for (const ns of [director, router]) await lab.exec(ns, ["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
await lab.exec(director, ["ip", "route", "add", "10.3.0.0/24", "via", "10.1.0.3"]);
for (const ns of [nat1, nat2]) await lab.exec(ns, ["ip", "route", "add", "default", "via", INNER]);
for (const ns of [dr1, dr2]) await holdVip(lab, ns, DR);
await lab.exec(tun1, ["ip", "route", "add", "default", "via", "10.3.0.1"]);
await lab.exec(tun1, ["ip", "link", "set", "dev", "tunl0", "up"]);
await holdVip(lab, tun1, TUN);
await lab.exec(tun1, ["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.tunl0.rp_filter=0"]);

for (const ns of [dr1, dr2, tun1]) await web(lab, ns);
for (const ns of [nat1, nat2]) await web(lab, ns, 8080);
const inhibited = await web(lab, nat1, 8081);
await web(lab, nat2, 8081);
const quorum = [await web(lab, nat1, 8082), await web(lab, nat2, 8082)];
await web(lab, nat2, 8090, "sorry");

const ipvsadm = (...args: string[]) => lab.exec(director, ["ipvsadm", ...args]);
const service = (endpoint: string, ...lines: string[]) => waitService(lab, director, endpoint, lines);
const get = (endpoint: string, count = 1, ...options: string[]) =>
  curl(lab, client, `http://${endpoint}/`, count, ...options);
const server = (endpoint: string, real: string, weight = 1, how = "-m") =>
  `-a -t ${endpoint} -r ${real} ${how} -w ${weight}`;

const FOREIGN = [
  "-A -t 10.1.0.1:7777 -s wlc",
  "-a -t 10.1.0.1:7777 -r 10.2.0.99:7777 -m -w 5",
  "-A -f 7 -s rr",
  "-a -f 7 -r 10.2.0.99:0 -g -w 1",
];
const addForeign = async () => {
  for (const line of FOREIGN) await ipvsadm(...line.split(" "));
};
const foreign = async () =>
  (await saved(lab, director))
    .split("\n")
    .filter((line) => / -t 10\.1\.0\.1:7777 | -f 7 /.test(line))
    .sort();
const assertForeign = async () => assert.deepEqual(await foreign(), FOREIGN.toSorted());

let daemon: Vipward;
const start = () => Vipward.start(lab, director, config());
const complete = () =>
  waitFor(async () => (await status(daemon)).lvs?.complete, { ...SOON, what: "a complete table" });
const repaired = async () => (await status(daemon)).lvs?.driftRepaired ?? 0;

/** The connections of a service and its servers, once the kernel's sums (made every 2 s) show `total`. */
async function counted(endpoint: string, total: number): Promise<Record<string, number>> {
  const settled = async () => {
    const now = await connections(lab, director, endpoint);
    return now[endpoint] === total && now;
  };
  return waitFor(settled, { ...SOON, what: `${total} connections to ${endpoint}` });
}

/** A connection through the director that stays open until its page is asked for. */
async function openConnection(name: string) {
  const go = path.join(lab.dir, name);
  const script = `exec 3<>/dev/tcp/${NAT}/84; echo open; while [ ! -e ${go} ]; do sleep 0.1; done
    printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
  const process = lab.spawn(client, ["bash", "-c", script]);
  await process.waitLine(/^open$/);
  return async () => {
    writeFileSync(go, "");
    return (await process.waitLine(/^nat[12]$/)).text;
  };
}

let startWatch: Watch;

guestTest("a start leaves foreign services (by address and by fwmark) as they are", async () => {
  await addForeign();
  startWatch = new Watch(director, `${NAT}:80`);
  daemon = await start();
  await Promise.all(["FRONT", "BACK"].map((name) => waitInstance(daemon, name, "MASTER")));
  await complete();
  await assertForeign();
  assert.equal(await repaired(), 0);
});

guestTest("spec lvs 2: the address owner too waits for the table before it adds the VIP", async () => {
  const samples = await startWatch.stop();
  assert.equal(startWatch.vipWithoutService, 0);
  assert.deepEqual(samples.at(0), { vip: false, weights: undefined });
  assert.deepEqual([samples.at(-1)?.vip, samples.at(-1)?.weights?.size], [true, 2]);
});

guestTest("NAT carries HTTP to another port; the servers' gateway is the director's inner VIP", async () => {
  assert.ok(hasAddress(director, INNER));
  await service(
    `${NAT}:80`,
    `-A -t ${NAT}:80 -s rr`,
    server(`${NAT}:80`, `${NAT1}:8080`),
    server(`${NAT}:80`, `${NAT2}:8080`),
  );
  assertAlternates(await get(NAT, 4), ["nat1", "nat2"]);
});

guestTest("DR carries HTTP; the answers bypass the director", async () => {
  await service(
    `${DR}:80`,
    `-A -t ${DR}:80 -s rr`,
    server(`${DR}:80`, "10.1.0.11:80", 1, "-g"),
    server(`${DR}:80`, "10.1.0.12:80", 1, "-g"),
  );
  assertAlternates(await get(DR, 4), ["dr1", "dr2"]);
  await counted(`${DR}:80`, 4);
  const { stdout } = await ipvsadm("-Ln", "--stats", "-t", `${DR}:80`);
  assert.match(stdout, /^TCP +10\.1\.0\.110:80 +4 +[1-9]\d* +0 /m, "packets in, none out");
});

guestTest("TUN (ipip) carries HTTP to a server in another subnet, behind a router", async () => {
  await service(
    `${TUN}:80`,
    `-A -t ${TUN}:80 -s wlc`,
    `${server(`${TUN}:80`, "10.3.0.11:80", 1, "-i")} --tun-type ipip`,
  );
  assert.deepEqual(await get(TUN, 2), ["tun1", "tun1"]);
  const { stdout } = await lab.exec(tun1, ["ip", "-s", "link", "show", "dev", "tunl0"]);
  assert.match(stdout, /RX:.*\n +\d+ +(?!0 )\d+ /);
});

guestTest("every scheduler of this kernel is taken by its name", async () => {
  const table = await saved(lab, director);
  for (const [index, name] of OLD_SCHEDULERS.entries()) {
    assert.match(table, new RegExp(`^-A -t ${NAT}:${9000 + index} -s ${name}( |$)`, "m"));
  }
});

guestTest("wrr with weights 3 and 1 serves in that ratio", async () => {
  const pages = await get(`${NAT}:84`, 12);
  assert.equal(pages.filter((page) => page === "nat1").length, 9, pages.join(" "));
  assert.equal(pages.filter((page) => page === "nat2").length, 3, pages.join(" "));
});

guestTest("persistence_timeout: one client stays with one server, though the scheduler is rr", async () => {
  assert.match(await saved(lab, director), new RegExp(`^-A -t ${NAT}:83 -s rr -p 300$`, "m"));
  const [one, other] = [
    await get(`${NAT}:83`, 4, "--interface", "10.1.0.2"),
    await get(`${NAT}:83`, 4, "--interface", "10.1.0.5"),
  ].map((pages) => [...new Set(pages)]);
  assert.equal(one?.length, 1, one?.join(" "));
  assert.equal(other?.length, 1, other?.join(" "));
  assert.notEqual(one?.[0], other?.[0], "the next client got the next server");
});

guestTest("inhibit_on_failure: a failed server stays at weight 0, and gets no connections", async () => {
  const key = `${NAT}:81`;
  const lines = (weight: number) => [
    `-A -t ${key} -s rr`,
    server(key, `${NAT1}:8081`, weight),
    server(key, `${NAT2}:8081`),
  ];
  await service(key, ...lines(1));
  await inhibited.stop();
  await service(key, ...lines(0));
  assert.deepEqual(await get(key, 3), ["nat2", "nat2", "nat2"]);
  await web(lab, nat1, 8081);
  await service(key, ...lines(1));
  assertAlternates(await get(key, 4), ["nat1", "nat2"]);
});

guestTest(
  "sorry_server: in when the last server fails, out when one is back; no look finds the table empty",
  async () => {
    const key = `${NAT}:82`;
    const head = `-A -t ${key} -s rr`;
    await service(key, head, server(key, `${NAT1}:8082`), server(key, `${NAT2}:8082`));
    const watch = new Watch(director, key);
    await Promise.all(quorum.map((process) => process.stop()));
    await service(key, head, server(key, `${NAT2}:8090`));
    assert.deepEqual(await get(key, 2), ["sorry", "sorry"]);
    await web(lab, nat1, 8082);
    await service(key, head, server(key, `${NAT1}:8082`));
    assert.deepEqual(await get(key, 2), ["nat1", "nat1"]);
    await web(lab, nat2, 8082);
    await service(key, head, server(key, `${NAT1}:8082`), server(key, `${NAT2}:8082`));
    for (const { weights } of await watch.stop()) assert.notEqual(weights?.size ?? 0, 0);
  },
);

let overReloads: { page: () => Promise<string>; connections: Record<string, number>; watch: Watch };
const kept = [`${NAT1}:8080`, `${NAT2}:8080`].map((real) => server(`${NAT}:80`, real));
const reload = (text: string) => {
  daemon.configure(text);
  process.kill(daemon.pid, "SIGHUP");
};

guestTest("a reload (SIGHUP) adds services and a server beside the others", async () => {
  const page = await openConnection("reload");
  const before = await counted(`${NAT}:84`, 13);
  overReloads = { page, connections: before, watch: new Watch(director, `${NAT}:84`) };
  const service85 = `\n  ${NAT} 85: { lb_algo: rr, real_server: { ${NAT1} 8080: {} } }`;
  reload(config(service85 + schedulerService("twos", 99), `\n      ${NAT1} 8081: { weight: 2 }`));
  await service(`${NAT}:85`, `-A -t ${NAT}:85 -s rr`, server(`${NAT}:85`, `${NAT1}:8080`));
  await service(`${NAT}:80`, `-A -t ${NAT}:80 -s rr`, ...kept, server(`${NAT}:80`, `${NAT1}:8081`, 2));
  assert.deepEqual(await get(`${NAT}:85`), ["nat1"]);
});

guestTest(
  "a scheduler this kernel lacks: that service is named with the remedy, the others serve",
  async () => {
    const failing = await waitFor(async () => (await status(daemon)).lvs?.failing[0], SOON);
    assert.match(failing.message, /modprobe ip_vs_twos/);
    assert.ok(failing.operation.includes(`${NAT}:9099`), failing.operation);
    assertAlternates(await get(DR, 2), ["dr1", "dr2"]);
  },
);

guestTest("a reload that removes them keeps the others' entries, counters and open connections", async () => {
  reload(config());
  await service(`${NAT}:85`);
  await service(`${NAT}:80`, `-A -t ${NAT}:80 -s rr`, ...kept);
  await complete();
  for (const { vip, weights } of await overReloads.watch.stop()) assert.ok(vip && weights?.size === 2);
  assert.deepEqual(await connections(lab, director, `${NAT}:84`), overReloads.connections);
  const servers = await connections(lab, director, `${NAT}:80`);
  assert.ok((servers[`${NAT2}:8080`] ?? 0) >= 2, "counters of a service that was edited");
  assert.match(await overReloads.page(), /^nat[12]$/);
  assert.deepEqual((await status(daemon)).lvs?.failing, []);
  await assertForeign();
});

guestTest("foreign edits of our services are repaired and counted: -D, -e, -E, -d", async () => {
  const key = `${NAT}:84`;
  const lines = [`-A -t ${key} -s wrr`, server(key, `${NAT1}:8080`, 3), server(key, `${NAT2}:8080`, 1)];
  const edits = [
    ["-D", "-t", key],
    ["-e", "-t", key, "-r", `${NAT1}:8080`, "-m", "-w", "77"],
    ["-E", "-t", key, "-s", "lc"],
    ["-d", "-t", key, "-r", `${NAT2}:8080`],
    ["-a", "-t", key, "-r", "10.2.0.99:80", "-m"],
  ];
  for (const edit of edits) {
    const count = await repaired();
    await ipvsadm(...edit);
    const started = performance.now();
    await service(key, ...lines);
    const took = Math.round(performance.now() - started);
    assert.ok(took < 6000, `${edit.join(" ")}: repaired after ${took} ms, three times the promise`);
    await waitFor(async () => (await repaired()) > count, {
      ...SOON,
      what: `${edit.join(" ")} to be counted`,
    });
  }
  await assertForeign();
});

guestTest("ipvsadm -C: all our services return, foreign ones are not invented", async () => {
  const before = (await saved(lab, director)).split("\n").filter((line) => !FOREIGN.includes(line));
  const count = await repaired();
  await ipvsadm("-C");
  const restored = async () => (await saved(lab, director)).split("\n");
  await waitFor(async () => (await restored()).length >= before.length, {
    ...SOON,
    what: "the table to return",
  });
  assert.deepEqual((await restored()).sort(), before.sort());
  await waitFor(async () => (await repaired()) > count, { ...SOON, what: "the repair to be counted" });
  await addForeign();
});

guestTest("kill -9 of everything and a restart: VIP, table and an open connection live on", async () => {
  const held = await openConnection("restart");
  const before = await counted(`${NAT}:84`, 1);
  const watch = new Watch(director, `${NAT}:84`);
  await daemon.killAll();
  assertAlternates(await get(NAT, 2), ["nat1", "nat2"]);
  daemon = await start();
  await Promise.all(["FRONT", "BACK"].map((name) => waitInstance(daemon, name, "MASTER")));
  await complete();
  const expected = new Map([
    [hexEndpoint(`${NAT1}:8080`), 3],
    [hexEndpoint(`${NAT2}:8080`), 1],
  ]);
  for (const { weights } of await watch.stop()) assert.deepEqual(weights, expected);
  assert.deepEqual(await connections(lab, director, `${NAT}:84`), before);
  assert.match(await held(), /^nat[12]$/);
  assert.equal(await repaired(), 0);
});

guestTest("a clean stop takes our services out and leaves foreign ones", async () => {
  const exit = await daemon.stop("SIGTERM", 20_000);
  assert.equal(exit.code, 0, daemon.process.text);
  assert.equal(hasAddress(director, NAT), false);
  assert.deepEqual((await saved(lab, director)).split("\n").filter(Boolean).sort(), FOREIGN.toSorted());
});

guestTest("no ip_vs: FAULT without VIP, the error names modprobe ip_vs; loaded, all recovers", async () => {
  const loader = sh("cat", "/proc/sys/kernel/modprobe").trim();
  const setLoader = (program: string) => writeFileSync("/proc/sys/kernel/modprobe", program);
  await ipvsadm("-C");
  const modules = sh("lsmod").match(/^ip_vs\S*/gm) ?? [];
  setLoader("/bin/false");
  for (const name of modules.toSorted((a, b) => b.length - a.length)) sh("rmmod", name);
  assert.ok(!existsSync("/sys/module/ip_vs"));

  daemon = await start();
  await waitInstance(daemon, "FRONT", "FAULT");
  const entry = await daemon.waitLog(/no dataplane/);
  assert.equal(entry.level, "error");
  assert.match(entry.msg, /the kernel has no ip_vs: modprobe ip_vs/);
  const { instances, lvs } = await status(daemon);
  assert.match(instances.find(({ name }) => name === "FRONT")?.reason ?? "", /modprobe ip_vs/);
  assert.equal(lvs?.dataplane, "unavailable");
  assert.equal(hasAddress(director, NAT), false);
  await waitInstance(daemon, "BACK", "MASTER");

  setLoader(loader);
  sh("/run/modprobe", "ip_vs");
  await waitInstance(daemon, "FRONT", "MASTER");
  await complete();
  assertAlternates(await get(NAT, 4), ["nat1", "nat2"]);
});

await runAll();
