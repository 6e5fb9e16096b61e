import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { loadConfig, parseConfig } from "../../src/config/load.ts";
import { schemas } from "../../src/config/schema.ts";

const dir = new URL("../../config/", import.meta.url);
const examples = readdirSync(dir).filter((name) => name.endsWith(".yaml"));

/** The examples name keys of the environment, and scripts that every machine has elsewhere. */
const env = { VRRP_KEY_1: "k".repeat(32), VRRP_KEY_2: `hex:${"0f".repeat(64)}` };
const inspectFile = (file: string) =>
  ({ kind: file.startsWith("/usr/bin/") ? "file" : "directory", uid: 0, gid: 0, mode: 0o755 }) as const;

describe("config/: what is shipped works", () => {
  it.each(examples)("%s loads for each of its nodes, without warnings but for the password", (name) => {
    const path = new URL(name, dir).pathname;
    const nodes = [...readFileSync(path, "utf8").matchAll(/^ {2}(l\w*\d+):/gm)].map((match) => match[1]!);
    expect(nodes).toHaveLength(2);
    const hashes = nodes.map((node) => {
      const result = loadConfig(path, { hostname: "elsewhere", node, env, inspectFile });
      const unexpected = result.problems.filter(
        (problem) => !/auth_pass travels|no sorry_server/.test(problem.message),
      );
      expect(unexpected).toEqual([]);
      return result.ok ? result.config.hash : "refused";
    });
    expect(hashes[0]).toMatch(/^[0-9a-f]{12}$/);
    expect(hashes[1]).toMatch(/^[0-9a-f]{12}$/);
    expect(hashes[0]).not.toBe(hashes[1]);
  });

  it("README names every key of every block", () => {
    const readme = readFileSync(new URL("README.md", dir), "utf8");
    const missing = Object.values(schemas()).flatMap((block) =>
      block.keys.filter((key) => !readme.includes(`| \`${key}\` |`)).map((key) => `${block.name}.${key}`),
    );
    expect(missing).toEqual([]);
  });

  it("README names no key that does not exist", () => {
    const readme = readFileSync(new URL("README.md", dir), "utf8");
    const keys = new Set(Object.values(schemas()).flatMap((block) => block.keys));
    const named = [...readme.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1]!);
    expect(named.filter((key) => !keys.has(key))).toEqual([]);
  });

  it("spec pair: the YAML of a classic keepalived pair", () => {
    const text = `
global_defs: { router_id: loadbalance01 }
vrrp_instance:
  VI_1:
    state: BACKUP
    interface: enp0s8
    virtual_router_id: 200
    priority: 100
    nopreempt: true
    advert_int: 1
    authentication: { auth_type: PASS, auth_pass: "1111" }
    virtual_ipaddress: [ 192.168.56.200/24 dev enp0s8 label enp0s8:1 ]
virtual_server:
  192.168.56.200 80:
    delay_loop: 6
    lb_algo: rr
    lb_kind: DR
    persistence_timeout: 0
    protocol: TCP
    real_server:
      192.168.56.102 80: &web
        weight: 1
        HTTP_GET: { url: [ { path: /, status_code: 200 } ], connect_timeout: 3, retry: 3, delay_before_retry: 3 }
      192.168.56.103 80: *web
`;
    const result = parseConfig(text, "pair.yaml", { hostname: "x" });
    expect(result.ok && result.config.instances).toEqual([
      {
        name: "VI_1",
        family: 4,
        version: 2,
        interface: "enp0s8",
        vrid: 200,
        initialState: "BACKUP",
        priority: 100,
        advertInterval: 1_000_000,
        preempt: false,
        preemptDelay: 0,
        auth: { type: "PASS", pass: "1111" },
        vips: [
          {
            address: "192.168.56.200",
            family: 4,
            prefixLength: 24,
            dev: "enp0s8",
            label: "enp0s8:1",
            scope: 0,
          },
        ],
        downTimerAdverts: 3,
        garpMasterDelay: 5_000_000,
        garpMasterRepeat: 5,
        garpMasterRefresh: 0,
        garpMasterRefreshRepeat: 1,
        strict: false,
      },
    ]);
    const service = result.ok ? result.config.services[0] : undefined;
    expect(service).toMatchObject({
      key: "tcp 192.168.56.200:80",
      scheduler: "rr",
      forwarding: "DR",
      quorum: 1,
    });
    expect(service?.realServers.map((server) => server.key)).toEqual([
      "192.168.56.102:80",
      "192.168.56.103:80",
    ]);
    expect(service?.realServers[1]?.checkers[0]).toEqual({
      type: "HTTP_GET",
      id: "tcp 192.168.56.200:80 -> 192.168.56.103:80 HTTP_GET #1",
      serviceKey: "tcp 192.168.56.200:80",
      serverKey: "192.168.56.103:80",
      connectIp: "192.168.56.103",
      connectPort: 80,
      connectTimeout: 3000,
      delayLoop: 6000,
      warmup: 6000,
      retry: 3,
      delayBeforeRetry: 3000,
      alpha: false,
      urls: [{ path: "/", statusCodes: [[200, 200]] }],
      httpProtocol: "1.0",
    });
  });
});
