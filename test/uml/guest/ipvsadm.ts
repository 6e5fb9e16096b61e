/**
 * `vipward ipvs` beside the packaged ipvsadm, on one kernel: the same words in two network namespaces, or the
 * same question about one table. What is compared is standard output, exit status and the table after it.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import path from "node:path";
import { projectRoot } from "../../support/root.ts";
import { guestTest, runAll, waitFor } from "./harness.ts";
import {
  assertSame,
  assertSameLines,
  assertSameLists,
  clear,
  line,
  lines,
  ours,
  realAnswer,
} from "./ipvsadm-pair.ts";
import { WordSource } from "./ipvsadm-words.ts";

const COUNT = Number(process.env.VIPWARD_IPVS_COUNT ?? 150);
const SPAWNS = Number(process.env.VIPWARD_IPVS_SPAWNS ?? 4);
const SEED = Number(process.env.VIPWARD_IPVS_SEED ?? 1);
/** Every option with every command, not a sixth of them. */
const FULL = COUNT > 300;

guestTest("the words of the examples' sessions, one after the other", async () => {
  await assertSameLines(
    lines(`
-Ln
-A -t 192.168.188.100:80
-Ln
-L
-a -t 192.168.188.100:80 -r 192.168.188.81:80
-Ln
-a -t 192.168.188.100:80 -r 192.168.188.82:80
-A -t 192.168.188.200:80 -s wrr
-a -t 192.168.188.200:80 -r 192.168.188.101:8080 -m -w 3
-a -t 192.168.188.200:80 -r 192.168.188.102:6060 -m -w 6
-Ln
-d -t 192.168.188.200:80 -r 192.168.188.102:6060
-Ln
-D -t 192.168.188.200:80
-Ln
-C
-Ln
-A -t 192.168.10.100:80 -s rr
-a -t 192.168.10.100 -r 192.168.188.82:80 -m
-a -t 192.168.10.100:80 -r 192.168.188.82:80 -m
-a -t 192.168.10.100:80 -r 192.168.188.83:80 -m
-Ln --stats
-Sn
-A -t 192.168.10.100:6379
-a -t 192.168.10.100:6379 -r 192.168.188.82:6379 -m
-a -t 192.168.10.100:6379 -r 192.168.188.83:6379 -m
-Ln
-C
-A -t 192.168.188.100:80 -s rr
-a -t 192.168.188.100:80 -r 192.168.188.81:80 -g
-Ln
-A -t 172.16.253.63:80 -s rr
-a -t 172.16.253.63:80 -r 192.168.166.129 -m
-a -t 172.16.253.63:80 -r 192.168.166.131 -m
-E -t 172.16.253.63:80 -s wrr
-e -t 172.16.253.63:80 -r 192.168.166.129 -m -w 2
-Ln
-C`),
  );
});

/** What -S prints is what -R takes, but for marks above 2^31 and flags without a name (as with ipvsadm). */
async function restoresItself(): Promise<void> {
  for (const text of ["-D -f 4294967295", "-D -f 2147483648", "-D -t 200.0.0.1:80"])
    assert.equal((await ours(line(text))).status, 0, text);
  const saved = (await ours(line("-Sn"))).out;
  await ours(line("-C"));
  const restored = await ours({ words: ["--restore"], input: saved });
  assert.deepEqual(restored, { status: 0, out: "", err: "" });
  assert.deepEqual((await ours(line("-Sn"))).out.split("\n").sort(), saved.split("\n").sort());
}

guestTest("every list of a table that has everything, with and without names", async () => {
  await clear();
  const rules = `
-A -t 10.0.0.1:80 -s rr -p 50 -M 255.255.255.0
-a -t 10.0.0.1:80 -r 200.1.1.1
-a -t 10.0.0.1:80 -r 100.1.1.1 -w 65535
-a -t 10.0.0.1:80 -r 2.2.2.2 -m -x 2147483647 -y 2147483647 -w 2147483647
-a -t 10.0.0.1:80 -r 100.1.1.1:79 -m
-a -t 10.0.0.1:80 -r 127.0.0.1
-a -t 10.0.0.1:80 -r [2001:db8::11]:80 -i
-a -t 10.0.0.1:80 -r [2001:db8:1234:5678:9abc:def0:1234:5678]:80 -i
-a -t 10.0.0.1:80 -r 92.0.2.4 -i --tun-type gue --tun-port 6080 --tun-remcsum
-a -t 10.0.0.1:80 -r 92.0.2.5 -i --tun-type gue --tun-port 6080 --tun-csum
-a -t 10.0.0.1:80 -r 92.0.2.6 -i --tun-type gre
-A -t 10.0.0.1:21 -s sh -b sh-port,sh-fallback -p --pe sip
-A -t 10.0.0.3:80 -s mh -b mh-port
-A -t 200.0.0.1:80 -s mh -b flag-3
-A -t 1.0.0.1:80 -s rr -b flag-1,flag-2,flag-3
-A -t 127.0.0.2:80
-A -t 129.0.0.2:80
-A -t 255.255.255.255:80
-A -u 10.0.0.1:53 -o -p 7
-A -u 10.0.0.1:80
-A --sctp-service 10.0.0.1:80
-A -t 10.0.0.9:0 -p
-A -t [2001:db8:1234:5678:9abc:def0:1234:5678]:65535 -p 99 -M 64
-a -t [2001:db8:1234:5678:9abc:def0:1234:5678]:65535 -r [2001:db8::11]:1 -m
-a -t [2001:db8:1234:5678:9abc:def0:1234:5678]:65535 -r 200.9.8.7 -i
-a -t [2001:db8:1234:5678:9abc:def0:1234:5678]:65535 -r 10.0.0.3 -i
-A -t [2001:db8::1]:443
-A -t [::1]:80
-A -t [::ffff:10.0.0.1]:80
-A -t [::1.2.3.4]:80
-A -t [8000::1]:80
-A -t [7fff::1]:80
-A -t [ffff::1]:80
-A -f 77
-a -f 77 -r 10.0.0.1:80
-a -f 77 -r 10.0.0.1
-A -f 77 -6 -p --pe sip -o
-a -f 77 -6 -r [2001:db8::11]:80
-A -f 4294967295
-A -f 2147483648`;
  const restored = await ours({ words: ["-R"], input: rules });
  assert.deepEqual({ ...restored, out: "" }, { status: 0, out: "", err: "" });
  const columns = ["", "--stats", "--rate", "--thresholds", "--persistent-conn", "--tun-info"];
  await assertSameLists([
    ...columns.flatMap((option) => [`-Ln ${option}`, `-L ${option}`]),
    ...[
      "-Ln --nosort",
      "-L --nosort --exact --stats",
      "-S",
      "-Sn",
      "-L -f 77 -6",
      "-Ln -t 10.0.0.1:http --stats",
    ],
    ...[
      "-Ln -t [2001:db8::1]:443",
      "-L -t 10.0.0.3:80",
      "-L --timeout",
      "-L --daemon",
      "-Lc",
      "-L -t 1.1.1.1:1",
    ],
  ]);
  await restoresItself();
  await ours(line("-C"));
});

guestTest("lines of -R: which ends it, and with which status", async () => {
  const inputs = [
    "",
    "\n \n",
    "-A -f 1\n-A -f 1\n-A -f 2\n",
    "-A -f 1\n-D -f 9",
    "-D -f 9\n\n",
    "-D -f 9\nipvsadm\n",
    "-A -f 1\n-A --nosuch\n-A -f 2\n",
    "-A -f 1\n-A -f\n",
    "-A -f 1\n-A -t bad:99999\n-A -f 2\n",
    "-A -f 1\nfoo\n-A -f 2\n",
    "-A -f 1\nfoo -A -f 3\n-A -f 2\n",
    "-A -f 1\n-R\n-A -f 2\n",
    "-A -f 1\n-h\n-A -f 2\n",
    "-A -f 1\n-v\n-A -f 2\n",
    "-A -f 1\n-L -f 9\n-A -f 2\n",
    "-A -f 1\n-L -n\n-S\n-A -f 2\n",
    "-A -f 1\n-a -f 1\n-A -f 2\n",
    "# rules\n-A -f 1\n",
    "-A -f 1 # one\n",
    '-A -t "10.0.0.1:80"\n',
    "\t-A\t-f\t1 \t\r\n  ipvsadm -A -f 2\n",
    "/sbin/ipvsadm -A -f 1\n",
    "-A -f 1 -s sh -b sh-port -p 9\n-A -f 2\n-a -f 1 -r 10.0.0.1 -m -w 5\n-a -f 2 -r 10.0.0.1\n",
    "--set 1 2 3\n-L --timeout\n--set 900 120 300\n",
  ];
  await clear();
  await assertSameLines(inputs.flatMap((input) => [{ words: ["-R"], input }, line("-Sn"), line("-C")]));
  await assertSameLines([
    { words: ["-R", "-n"], input: "" },
    { words: ["-R", "foo"], input: "" },
  ]);
});

guestTest(
  "every option with every command: which go together",
  async () => {
    await clear();
    const options = [
      ...[
        "-t 10.9.9.9:80",
        "-f 1",
        "-s rr",
        "-p 30",
        "-M 255.0.0.0",
        "-r 10.6.7.8:80",
        "-g",
        "-i",
        "-m",
        "-w 2",
      ],
      ...[
        "--tun-type gre",
        "--tun-port 9",
        "--tun-csum",
        "-x 10",
        "--mcast-interface lo",
        "--timeout",
        "--daemon",
      ],
      ...[
        "--stats",
        "--thresholds",
        "--persistent-conn",
        "--nosort",
        "--sort",
        "--syncid 3",
        "--exact",
        "-6",
      ],
      ...["-o", "--pe sip", "-b flag-1", "-c", "-n", "--sync-maxlen 1000", "--mcast-ttl 3", "--tun-info"],
    ];
    const commands = ["-A -u 10.0.0.1:80", "-D -u 10.0.0.1:80", "-C", "-S", "-L", "-Z", "--set 1 2 3"];
    const full = [
      ...commands,
      ...["-E -u 10.0.0.1:80", "-a -u 10.0.0.1:80 -r 10.0.0.2", "-e -u 10.0.0.1:80 -r 10.0.0.2", "-R"],
      ...[
        "-d -u 10.0.0.1:80 -r 10.0.0.2",
        "--start-daemon master",
        "--stop-daemon master",
        "-Lc",
        "-L --daemon",
      ],
    ];
    // The reduced run takes every command with a part of the options.
    const all = full.flatMap((command, row) =>
      options
        .filter((_, column) => FULL || (row + column) % 6 === 0)
        .map((option) => line(`${command} ${option}`)),
    );
    await assertSameLines(all);
    await assertSameLines(lines("--stop-daemon master\n-C\n--set 900 120 300"));
  },
  600_000,
);

guestTest(
  `${COUNT} generated command lines, right and wrong (seed ${SEED})`,
  async () => {
    await clear();
    const source = new WordSource(SEED);
    await assertSameLines(Array.from({ length: COUNT }, () => source.next()));
    await clear();
  },
  3_000_000,
);

const MAIN = path.join(projectRoot, "dist", "main.js");

guestTest(`the program itself, started ${SPAWNS} times`, () => {
  assert.ok(existsSync(MAIN), `${MAIN} is missing: npm run build`);
  const spawned = [
    ...[
      "-A -t 10.0.0.1:80 -s rr",
      "-Ln",
      "-A -t 10.0.0.1:80",
      "-L --nosuch",
      "-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m",
    ],
    ...[
      "-L",
      "-Sn",
      "-S",
      "-Z",
      "-L -t 9.9.9.9:9",
      "-Lnc",
      "-L --timeout",
      "-L --daemon",
      "--set 1 2",
      "-E",
      "foo",
    ],
    ...["--start-daemon x", "-R", "-D -t 10.0.0.1:80", "-C"],
  ];
  for (const text of spawned.slice(0, SPAWNS)) {
    const { words } = line(text);
    const mine = spawnSync(process.execPath, [MAIN, "ipvs", ...words], { encoding: "utf8", input: "" });
    const theirs = realAnswer(words);
    assertSame({ words }, { status: mine.status ?? -1, out: mine.stdout, err: mine.stderr }, theirs);
  }
});

guestTest("without the right to use IPVS: ipvsadm's status, and what to do", () => {
  const drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const [program = "", ...args] = [...drop, process.execPath, MAIN, "ipvs", "-Ln"];
  const mine = spawnSync(program, args, { encoding: "utf8" });
  const theirs = spawnSync("setpriv", [...drop.slice(1), "ipvsadm", "-Ln"], { encoding: "utf8" });
  assert.equal(mine.status, theirs.status, mine.stderr);
  assert.equal(mine.stdout, theirs.stdout);
  assert.match(mine.stderr, /not permitted.*root/);
});

/** Connections through the services from here to here; the end of each stays open until the caller is done. */
async function traffic(): Promise<() => void> {
  const servers = ["127.0.0.1", "::1"].map((host) => createServer(() => {}).listen(9090, host));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const clients = ["127.0.0.1", "127.0.0.1", "::1"].map((host) => connect({ host, port: 8080 }));
  for (const client of clients) client.on("error", () => {});
  const phone = createSocket("udp4");
  const invite = "INVITE sip:x SIP/2.0\r\nCall-ID: abcdef@host\r\n\r\n";
  await new Promise((sent) => phone.send(invite, 5060, "127.0.0.1", sent));
  await waitFor(() => readFileSync("/proc/net/ip_vs_conn", "utf8").split("\n").length > 7, {
    what: "connections",
  });
  return () => {
    phone.close();
    for (const client of clients) client.destroy();
    for (const server of servers) server.close();
  };
}

guestTest("connections and counters of real traffic", async () => {
  await clear();
  for (const text of [
    "-A -t 127.0.0.1:8080 -s rr -p 300",
    "-a -t 127.0.0.1:8080 -r 127.0.0.1:9090 -m",
    "-A -t [::1]:8080 -s rr -p 100",
    "-a -t [::1]:8080 -r [::1]:9090 -m",
    "-A -u 127.0.0.1:5060 -s rr -p 300 --pe sip",
    "-a -u 127.0.0.1:5060 -r 127.0.0.1:9060 -m",
  ])
    assert.equal((await ours(line(text))).status, 0, text);
  const done = await traffic();
  const listed = (await ours(line("-Lnc --persistent-conn"))).out;
  assert.match(listed, /^TCP \d\d:\d\d {2}[A-Z_]+ +127\.0\.0\.1:\d+ +127\.0\.0\.1:8080 +127\.0\.0\.1:9090$/m);
  assert.match(listed, /^UDP .* sip {16}abcdef@host$/m);
  await assertSameLists([
    ...["-Lnc", "-Lc", "-Lc --persistent-conn", "-Lnc --persistent-conn --exact"],
    ...["-Ln", "-Ln --persistent-conn", "-Ln --stats", "-L --stats --exact -t 127.0.0.1:8080"],
  ]);
  assert.equal((await ours(line("-Z"))).status, 0);
  await assertSameLists(["-Ln --stats"]);
  done();
  await ours(line("-C"));
});

await runAll();
