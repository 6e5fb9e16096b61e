/** One director before every kind of real server, on a real kernel: see director-network.ts. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { Vipward } from "../../support/vipward.ts";
import {
  addForeign,
  assertForeign,
  config,
  counted,
  DR,
  director,
  FOREIGN,
  get,
  INNER,
  inhibited,
  ipvsadm,
  lab,
  NAT,
  NAT1,
  NAT2,
  nat1,
  nat2,
  OLD_SCHEDULERS,
  openConnection,
  quorum,
  schedulerService,
  server,
  service,
  TUN,
  tun1,
} from "./director-network.ts";
import { guestTest, runAll, sh, waitFor } from "./harness.ts";
import {
  assertAlternates,
  connections,
  hasAddress,
  hexEndpoint,
  SOON,
  saved,
  status,
  Watch,
  waitInstance,
  web,
} from "./support.ts";

let daemon: Vipward;
const start = () => Vipward.start(lab, director, config());
const complete = () =>
  waitFor(async () => (await status(daemon)).lvs?.complete, { ...SOON, what: "a complete table" });
const repaired = async () => (await status(daemon)).lvs?.driftRepaired ?? 0;

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

guestTest(
  "kill -9 of everything and a restart: entries, counters and an open connection live on",
  async () => {
    const held = await openConnection("restart");
    const before = await counted(`${NAT}:84`, 1);
    const watch = new Watch(director, `${NAT}:84`);
    await daemon.killAll();
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
  },
);

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
