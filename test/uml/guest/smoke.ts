import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { Lab } from "../../support/lab.ts";
import { guestTest, runAll, sh } from "./harness.ts";

const SCHEDULERS = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf"];

guestTest("the kernel has IPVS", () => {
  assert.match(readFileSync("/proc/net/ip_vs", "utf8"), /^IP Virtual Server version 1\.2\.\d+/);
});

guestTest("every scheduler loads and is accepted", () => {
  for (const [index, scheduler] of SCHEDULERS.entries()) {
    sh("ipvsadm", "-A", "-t", `192.0.2.1:${8000 + index}`, "-s", scheduler);
  }
  const table = sh("ipvsadm", "-Sn");
  for (const [index, scheduler] of SCHEDULERS.entries()) {
    assert.ok(table.includes(`-A -t 192.0.2.1:${8000 + index} -s ${scheduler}`), table);
  }
  sh("ipvsadm", "-C");
});

guestTest("modules load on demand, as on a real machine", () => {
  assert.ok(!existsSync("/sys/module/ip_gre"));
  sh("ip", "link", "add", "name", "tunnel0", "type", "gre", "local", "192.0.2.1", "remote", "192.0.2.2");
  assert.ok(existsSync("/sys/module/ip_gre"));
});

guestTest(
  "a namespace has its own IPVS table, and its NAT carries traffic from a client to a server",
  async () => {
    const lab = new Lab();
    try {
      const front = await lab.lan("front");
      const back = await lab.lan("back");
      const client = await lab.node("client", [{ lan: front, addresses: ["10.1.0.2/24"] }]);
      const director = await lab.node("director", [
        { lan: front, addresses: ["10.1.0.1/24"] },
        { lan: back, addresses: ["10.2.0.1/24"] },
      ]);
      const server = await lab.node("server", [{ lan: back, addresses: ["10.2.0.2/24"] }]);
      await lab.exec(server, ["ip", "route", "add", "default", "via", "10.2.0.1"]);
      await lab.exec(director, ["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
      await lab.exec(director, ["ipvsadm", "-A", "-t", "10.1.0.1:80", "-s", "rr"]);
      await lab.exec(director, ["ipvsadm", "-a", "-t", "10.1.0.1:80", "-r", "10.2.0.2:8080", "-m"]);
      const serve = `require("node:http").createServer((_, reply) => reply.end("served"))
      .listen(8080, () => console.log("listening"))`;
      await lab.spawn(server, [process.execPath, "-e", serve]).waitLine(/listening/, 20_000);
      const { stdout } = await lab.exec(client, ["curl", "-s", "-m5", "http://10.1.0.1/"]);
      assert.equal(stdout, "served");
      assert.equal(sh("ipvsadm", "-Sn"), "", "the guest's first namespace has a table of its own");
    } finally {
      await lab.close();
    }
  },
);

await runAll();
