import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import type { Config, InstanceConfig, ServiceConfig } from "../../src/config/model.ts";

function load(text: string, options: Partial<Parameters<typeof parseConfig>[2]> = {}): Config {
  const result = parseConfig(text, "t.yaml", { hostname: "host1", env: {}, ...options });
  if (!result.ok)
    throw new Error(result.problems.map((p) => `${p.line}:${p.column} ${p.message}`).join("\n"));
  return result.config;
}
const instance = (keys: string): InstanceConfig =>
  load(`vrrp_instance: { A: { interface: eth0, virtual_router_id: 1, ${keys} } }`).instances[0]!;
const service = (keys: string): ServiceConfig =>
  load(`virtual_server: { 192.0.2.1 80: { ${keys} } }`).services[0]!;

describe("spec vrrp 3: defaults of an instance", () => {
  it("priority 100, advert_int 1 s, version 2, preempt, no authentication", () => {
    expect(instance("")).toMatchObject({
      version: 2,
      initialState: "BACKUP",
      priority: 100,
      advertInterval: 1_000_000,
      preempt: true,
      preemptDelay: 0,
      auth: { type: "none" },
      vips: [],
    });
  });
  it("priority 255 when state MASTER and priority unset", () => {
    expect(instance("state: MASTER").priority).toBe(255);
    expect(instance("state: MASTER, priority: 150").priority).toBe(150);
  });
  it("a bare keyword is true; off, no and false are false", () => {
    expect(instance("nopreempt: ").preempt).toBe(false);
    expect(instance("nopreempt: off").preempt).toBe(true);
    expect(instance("preempt: no").preempt).toBe(false);
  });
  it("global defaults come down, the instance's own value wins", () => {
    const config = load(`
global_defs: { vrrp_version: 3, vrrp_garp_master_delay: 2, vrrp_strict: true, vrrp_down_timer_adverts: 4, vrrp_garp_master_refresh: 1m }
vrrp_instance:
  A: { interface: eth0, virtual_router_id: 1 }
  B: { interface: eth0, virtual_router_id: 2, version: 2, garp_master_delay: 100ms, strict_mode: false, down_timer_adverts: 5 }
`);
    expect(config.instances[0]).toMatchObject({
      version: 3,
      garpMasterDelay: 2_000_000,
      garpMasterRefresh: 60_000_000,
      strict: true,
      downTimerAdverts: 4,
    });
    expect(config.instances[1]).toMatchObject({
      version: 2,
      garpMasterDelay: 100_000,
      strict: false,
      downTimerAdverts: 5,
    });
  });
  it.each([
    ["version: 3, advert_int: 0.01", 10_000],
    ["version: 3, advert_int: 10cs", 100_000],
    ["version: 3, advert_int: 500ms", 500_000],
    ["version: 3, advert_int: 40.95", 40_950_000],
    ["advert_int: 255", 255_000_000],
    ["advert_int: 2s", 2_000_000],
    ["advert_int: 2m", 120_000_000],
    ["advert_int: 1000ms", 1_000_000],
  ])("%s is %i us", (keys, expected) => {
    expect(instance(keys).advertInterval).toBe(expected);
  });
});

describe("spec config 1: the YAML", () => {
  it("auth_pass: 0123 stays text, from a file or the environment too", () => {
    const text = (pass: string) =>
      `vrrp_instance: { A: { interface: eth0, virtual_router_id: 1, authentication: { auth_type: PASS, auth_pass: ${pass} } } }`;
    const options = {
      env: { VRRP_PASS: "0x10" },
      readSecretFile: (path: string) => (path === "/run/pass" ? "00\n" : ""),
    };
    expect(load(text("0123")).instances[0]!.auth).toEqual({ type: "PASS", pass: "0123" });
    expect(load(text("{ env: VRRP_PASS }"), options).instances[0]!.auth).toEqual({
      type: "PASS",
      pass: "0x10",
    });
    expect(load(text("{ file: /run/pass }"), options).instances[0]!.auth).toEqual({
      type: "PASS",
      pass: "00",
    });
  });
  it("router_id defaults to the host name", () => {
    expect(load("vrrp_instance: {}").global.routerId).toBe("host1");
    expect(load("global_defs: { router_id: lb }").global.routerId).toBe("lb");
  });
  it("merges keep the block's own keys and the first source's", () => {
    const config = load(`
vrrp_instance:
  A: &a { interface: eth0, virtual_router_id: 1, priority: 50, advert_int: 2 }
  B: &b { interface: eth1, virtual_router_id: 2, priority: 60, advert_int: 3 }
  C: { priority: 70, <<: [*a, *b], virtual_router_id: 3 }
`);
    expect(config.instances[2]).toMatchObject({
      interface: "eth0",
      vrid: 3,
      priority: 70,
      advertInterval: 2_000_000,
    });
  });
  it("nodes: overrides are merged key by key, chosen by host name, short host name, or --node", () => {
    const text = `
vrrp_instance: { A: { interface: eth0, virtual_router_id: 1, priority: 100 } }
nodes: { lb01: , lb02: { global_defs: { router_id: two }, vrrp_instance: { A: { priority: 90 } } } }
`;
    expect(load(text, { hostname: "lb01" }).instances[0]!.priority).toBe(100);
    const second = load(text, { hostname: "lb02.example.com" });
    expect(second.instances[0]).toMatchObject({ priority: 90, interface: "eth0" });
    expect(second.global.routerId).toBe("two");
    expect(load(text, { hostname: "lb01", node: "lb02" }).instances[0]!.priority).toBe(90);
    expect(parseConfig(text, "t.yaml", { hostname: "lb01", node: "lb03" }).ok).toBe(false);
  });
  it("one address and port twice, per protocol; a repeated block as a list", () => {
    const config = load(`
virtual_server:
  - 192.0.2.1 53 udp: { delay_loop: 6 }
  - 192.0.2.1 53 tcp: { delay_loop: 6 }
  - 192.0.2.1:54: { delay_loop: 6, protocol: SCTP }
`);
    expect(config.services.map((s) => s.key)).toEqual([
      "udp 192.0.2.1:53",
      "tcp 192.0.2.1:53",
      "sctp 192.0.2.1:54",
    ]);
  });
  it("virtual_ipaddress: text and block say the same; brd + and - as ip(8)", () => {
    const vips = instance(`virtual_ipaddress: [
      192.0.2.1/24 dev eth1 label eth1:1 brd + scope link,
      { address: 192.0.2.2/24, dev: eth1, label: "eth1:1", brd: "+", scope: link },
      192.0.2.3, 192.0.2.4/16 brd -, 192.0.2.5/30 brd 192.0.2.255 ]`).vips;
    const full = {
      family: 4,
      prefixLength: 24,
      dev: "eth1",
      label: "eth1:1",
      broadcast: "192.0.2.255",
      scope: 253,
    };
    expect(vips[0]).toEqual({ address: "192.0.2.1", ...full });
    expect(vips[1]).toEqual({ address: "192.0.2.2", ...full });
    expect(vips[2]).toEqual({ address: "192.0.2.3", family: 4, prefixLength: 32, dev: "eth0", scope: 0 });
    expect(vips[3]).toEqual({ address: "192.0.2.4", family: 4, prefixLength: 16, dev: "eth0", scope: 0 });
    expect(vips[4]).toMatchObject({ broadcast: "192.0.2.255" });
  });
  it("the hash names the content: equal for equal content, whatever the spelling", () => {
    const a = load("vrrp_instance: { A: { interface: eth0, virtual_router_id: 1, advert_int: 1 } }");
    const b = load(
      'vrrp_instance:\n  A:\n    "virtual_router_id": 1\n    advert_int: 1s # spelt otherwise\n    interface: eth0\n',
    );
    const c = load("vrrp_instance: { A: { interface: eth0, virtual_router_id: 2 } }");
    expect(a.hash).toBe(b.hash);
    expect(a.hash).not.toBe(c.hash);
  });
  it("the config is frozen to its leaves", () => {
    const config = load(
      "virtual_server: { 192.0.2.1 80: { real_server: { 192.0.2.2 80: { TCP_CHECK: } } } }",
    );
    expect(() => Object.assign(config.services[0]!.realServers[0]!.checkers[0]!, { retry: 9 })).toThrow(
      TypeError,
    );
    expect(() => (config.services as unknown[]).push(1)).toThrow(TypeError);
  });
});

describe("spec lvs 1: services", () => {
  it("defaults: NAT, wlc, TCP, quorum 1, no persistence, weight 1", () => {
    const s = service("real_server: { 192.0.2.11: }");
    expect(s).toMatchObject({
      protocol: "tcp",
      scheduler: "wlc",
      forwarding: "NAT",
      persistenceTimeout: 0,
      quorum: 1,
      hysteresis: 0,
    });
    expect(s.persistencePrefix).toBeUndefined();
    expect(s.realServers[0]).toEqual({
      key: "192.0.2.11:80",
      address: "192.0.2.11",
      family: 4,
      port: 80,
      weight: 1,
      forwarding: "NAT",
      upperThreshold: 0,
      lowerThreshold: 0,
      inhibitOnFailure: false,
      alpha: false,
      checkers: [],
    });
  });
  it("persistence_timeout bare is 360 s; granularity as netmask or prefix length", () => {
    expect(service("persistence_timeout: ").persistenceTimeout).toBe(360);
    expect(service("persistence_timeout: 5m, persistence_granularity: 255.255.255.0")).toMatchObject({
      persistenceTimeout: 300,
      persistencePrefix: 24,
    });
    expect(service("persistence_granularity: 16").persistencePrefix).toBe(16);
    expect(service("persistence_granularity: 255.255.255.255").persistencePrefix).toBe(32);
  });
  it("lvs_sched and lvs_method are lb_algo and lb_kind; a real server overrides lb_kind", () => {
    const s = service(
      "lvs_sched: sed, lvs_method: TUN, real_server: { 192.0.2.11 80: , 192.0.2.12 8080: { lb_kind: NAT } }",
    );
    expect(s).toMatchObject({ scheduler: "sed", forwarding: "TUN" });
    expect(s.realServers.map((r) => [r.forwarding, r.port])).toEqual([
      ["TUN", 80],
      ["NAT", 8080],
    ]);
  });
  it("sorry_server takes the service's forwarding, or its own", () => {
    expect(service("lb_kind: DR, sorry_server: 192.0.2.9 80").sorryServer).toMatchObject({
      forwarding: "DR",
      port: 80,
    });
    expect(
      service("lb_kind: DR, sorry_server: 192.0.2.9:81, sorry_server_lvs_method: NAT").sorryServer,
    ).toMatchObject({
      forwarding: "NAT",
      port: 81,
      weight: 1,
    });
  });
  it("weight, thresholds and inhibit_on_failure come down from the service", () => {
    const s = service(
      "weight: 5, uthreshold: 10, lthreshold: 3, inhibit_on_failure: , real_server: { 192.0.2.11 80: , 192.0.2.12 80: { weight: 7, inhibit_on_failure: false } }",
    );
    expect(
      s.realServers.map((r) => [r.weight, r.inhibitOnFailure, r.upperThreshold, r.lowerThreshold]),
    ).toEqual([
      [5, true, 10, 3],
      [7, false, 10, 3],
    ]);
  });
});

describe("spec checks 1: defaults and inheritance", () => {
  const checkers = (keys: string) => service(keys).realServers.flatMap((server) => server.checkers);
  it("TCP_CHECK: connect_timeout 5 s, delay_loop 60 s, retry 1, delay_before_retry 1 s, warmup = delay_loop", () => {
    expect(checkers("real_server: { 192.0.2.11 8080: { TCP_CHECK: } }")[0]).toEqual({
      type: "TCP_CHECK",
      id: "tcp 192.0.2.1:80 -> 192.0.2.11:8080 TCP_CHECK #1",
      serviceKey: "tcp 192.0.2.1:80",
      serverKey: "192.0.2.11:8080",
      connectIp: "192.0.2.11",
      connectPort: 8080,
      connectTimeout: 5000,
      delayLoop: 60_000,
      warmup: 60_000,
      retry: 1,
      delayBeforeRetry: 1000,
      alpha: false,
    });
  });
  it("HTTP_GET: delay_before_retry 3 s, status 200-299, HTTP/1.0", () => {
    expect(
      checkers("delay_loop: 6, real_server: { 192.0.2.11 80: { HTTP_GET: { url: { path: / } } } }")[0],
    ).toMatchObject({
      retry: 1,
      delayBeforeRetry: 3000,
      delayLoop: 6000,
      warmup: 6000,
      urls: [{ path: "/", statusCodes: [[200, 299]] }],
      httpProtocol: "1.0",
    });
  });
  it.each(["connect_timeout", "delay_loop", "warmup", "retry", "delay_before_retry"])(
    "%s: VS -> RS -> checker",
    (key) => {
      const field = key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()) as "retry";
      const unit = key === "retry" ? 1 : 1000;
      const found = checkers(`${key}: 11, real_server: {
      192.0.2.11 80: { TCP_CHECK: },
      192.0.2.12 80: { ${key}: 12, TCP_CHECK: {} },
      192.0.2.13 80: { ${key}: 12, TCP_CHECK: { ${key}: 13 } } }`);
      expect(found.map((checker) => checker[field])).toEqual([11 * unit, 12 * unit, 13 * unit]);
    },
  );
  it("alpha: VS -> RS -> checker; a server without checkers is never held down by it", () => {
    const s = service(`alpha: , real_server: {
      192.0.2.11 80: { TCP_CHECK: },
      192.0.2.12 80: { alpha: false, TCP_CHECK: },
      192.0.2.13 80: { TCP_CHECK: { alpha: false } },
      192.0.2.14 80: { alpha: false, TCP_CHECK: [ { alpha: true }, {} ] },
      192.0.2.15 80: }`);
    expect(s.realServers.map((server) => server.alpha)).toEqual([true, false, false, true, false]);
    expect(s.realServers[3]!.checkers.map((checker) => checker.alpha)).toEqual([true, false]);
  });
  it("virtualhost: VS -> RS -> checker -> url", () => {
    const found = checkers(`virtualhost: a, real_server: {
      192.0.2.11 80: { HTTP_GET: { url: [ { path: / }, { path: /d, virtualhost: d } ] } },
      192.0.2.12 80: { virtualhost: b, HTTP_GET: { url: { path: / } } },
      192.0.2.13 80: { virtualhost: b, HTTP_GET: { virtualhost: c, url: { path: / } } } }`);
    const hosts = found.map((checker) =>
      checker.type === "HTTP_GET" ? checker.urls.map((url) => url.virtualhost) : [],
    );
    expect(hosts).toEqual([["a", "d"], ["b"], ["c"]]);
  });
  it("connect_ip, connect_port and bindto are the checker's own; several checkers are numbered by type", () => {
    const found = checkers(`real_server: { 192.0.2.11 80: {
      TCP_CHECK: [ { connect_ip: 192.0.2.99, connect_port: 22, bindto: 192.0.2.1 }, ],
      HTTP_GET: [ { url: { path: /a, status_code: [ 200-204, 301 ] } }, { url: { path: /b, status_code: 200 302-303 } } ] } }`);
    expect(found.map((checker) => checker.id.split("-> ")[1])).toEqual([
      "192.0.2.11:80 TCP_CHECK #1",
      "192.0.2.11:80 HTTP_GET #1",
      "192.0.2.11:80 HTTP_GET #2",
    ]);
    expect(found[0]).toMatchObject({ connectIp: "192.0.2.99", connectPort: 22, bindTo: "192.0.2.1" });
    expect(found.map((c) => (c.type === "HTTP_GET" ? c.urls[0]!.statusCodes : []))).toEqual([
      [],
      [
        [200, 204],
        [301, 301],
      ],
      [
        [200, 200],
        [302, 303],
      ],
    ]);
  });
});
