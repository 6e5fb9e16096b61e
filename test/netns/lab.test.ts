import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bundleProgram } from "../support/bundle.ts";
import { Keepalived } from "../support/keepalived.ts";
import { Lab, TAKEOVER_FILTER, waitFor } from "../support/lab.ts";
import { TestProcess } from "../support/process.ts";
import { startTime } from "../support/reaper.ts";

const conf = (priority: number) => `
global_defs {
  router_id node${priority}
}
vrrp_instance VI_1 {
  interface eth0
  state BACKUP
  virtual_router_id 51
  priority ${priority}
  advert_int 1
  virtual_ipaddress {
    10.99.0.100/24
  }
}
`;

function sendUdp(type: "udp4" | "udp6", address: string): string[] {
  const script = `const s = require("node:dgram").createSocket("${type}");
    s.bind(0, () => {
      if ("${address}".startsWith("224.")) s.setMulticastInterface("10.99.0.1");
      s.send("x", 9999, "${address}", () => s.close());
    });`;
  return [process.execPath, "-e", script];
}

function alive(pid: number): boolean {
  return startTime(pid) !== undefined;
}

function namespacesOf(id: string): string[] {
  return readdirSync("/run/netns").filter((name) => name.startsWith(`vw-${id}`));
}

describe("the namespace lab", () => {
  let lab: Lab;
  beforeEach(() => {
    lab = new Lab();
  });
  afterEach(() => lab.close());

  async function pair() {
    const lan = await lab.lan();
    const a = await lab.node("a", [{ lan, addresses: ["10.99.0.1/24", "fd99::1/64"] }]);
    const b = await lab.node("b", [{ lan, addresses: ["10.99.0.2/24", "fd99::2/64"] }]);
    return { lan, a, b };
  }

  it("carries unicast, IPv6 and multicast between hosts, at once after it is made", async () => {
    const { lan, a, b } = await pair();
    const capture = await lab.capture(b, "eth0", "udp dst port 9999");
    const arrived = async (count: number) => {
      await waitFor(() => capture.packets.length === count, { what: `datagram ${count} at host b` });
    };
    await lab.exec(a, sendUdp("udp4", "10.99.0.2"));
    await arrived(1);
    await lab.exec(a, sendUdp("udp6", "fd99::2"));
    await arrived(2);
    await lab.exec(a, sendUdp("udp4", "224.0.0.18"));
    await arrived(3);
    await lab.unplug(a, lan);
    const carrier = await lab.exec(a, ["cat", "/sys/class/net/eth0/carrier"]);
    expect(carrier.stdout).toBe("0\n");
    await lab.plug(a, lan);
    await lab.exec(a, sendUdp("udp4", "10.99.0.2"));
    await arrived(4);
  });

  it("gives each host a /run of its own that its processes share", async () => {
    const { a, b } = await pair();
    const name = `vw-${lab.id}-here`;
    await lab.exec(a, ["touch", `/run/${name}`]);
    await lab.exec(a, ["test", "-e", `/run/${name}`]);
    expect((await lab.exec(b, ["test", "-e", `/run/${name}`], { check: false })).code).toBe(1);
    expect(readdirSync("/run")).not.toContain(name);
  });

  it("two keepaliveds elect one master, whose adverts and gratuitous ARP the capture decodes", async () => {
    const { lan, a, b } = await pair();
    const capture = await lab.capture(lan, "br0", TAKEOVER_FILTER);
    const [high] = await Promise.all([
      Keepalived.start(lab, a, conf(150)),
      Keepalived.start(lab, b, conf(100)),
    ]);
    await high.waitState("VI_1", "MASTER");
    const first = await capture.waitAdvert((advert) => advert.priority === 150);
    await sleep(5000);
    const adverts = capture.adverts({ vrid: 51 });
    expect(adverts.length).toBeGreaterThanOrEqual(5);
    expect(new Set(adverts.map((advert) => advert.source))).toEqual(new Set(["10.99.0.1"]));
    expect(first).toMatchObject({ version: 2, ttl: 255, intervalText: "1s", addresses: ["10.99.0.100"] });
    const arp = capture.arps().find((packet) => packet.gratuitous);
    expect(arp).toMatchObject({ senderIp: "10.99.0.100", senderMac: first.sourceMac });
    expect(await lab.addresses(a, "eth0")).toContain("10.99.0.100/24");
    await high.stop("SIGTERM");
    await capture.waitAdvert((advert) => advert.source === "10.99.0.1" && advert.priority === 0);
    await capture.waitAdvert((advert) => advert.source === "10.99.0.2");
  });

  it("close() leaves no namespace, process or folder", async () => {
    const { a } = await pair();
    // A group and session of its own, as a daemon's: only its namespace tells that it is the lab's.
    const escaped = lab.spawn(a, ["setsid", "sh", "-c", "sleep 1000 & echo $!; wait"]);
    const pid = Number((await escaped.waitLine(/^\d+$/)).text);
    await lab.close();
    expect(namespacesOf(lab.id)).toEqual([]);
    await waitFor(() => !alive(pid), { what: `process ${pid} to go` });
    expect(readdirSync(path.dirname(lab.dir))).not.toContain(path.basename(lab.dir));
  });
});

describe("clean-up of a killed test", () => {
  it("SIGKILL of the test's process group leaves no namespace, process or folder", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "vw-victim-"));
    const program = path.join(folder, "victim.mjs");
    await bundleProgram("test/support/lab-victim.ts", program);
    const child = new TestProcess([process.execPath, program]);
    const ready = await child.waitLine(/^ready /, 30_000);
    const [, id = "", dir = "", pid = ""] = ready.text.split(" ");
    expect(namespacesOf(id)).toHaveLength(2);
    rmSync(folder, { recursive: true });
    child.killGroup();
    await child.exited;
    await waitFor(() => namespacesOf(id).length === 0, { what: "the namespaces of the killed test to go" });
    await waitFor(() => !readdirSync(path.dirname(dir)).includes(path.basename(dir)));
    await waitFor(() => !alive(Number(pid)), { what: `process ${pid} to go` });
  });
});
