import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import type { Config, InstanceConfig } from "../../src/config/model.ts";
import { parseArgv } from "../../src/config/vrrp/argv.ts";

function load(text: string, options: Partial<Parameters<typeof parseConfig>[2]> = {}): Config {
  const result = parseConfig(text, "t.yaml", { hostname: "host1", env: {}, ...options });
  if (!result.ok)
    throw new Error(result.problems.map((p) => `${p.line}:${p.column} ${p.message}`).join("\n"));
  return result.config;
}
const instance = (keys: string, rest = ""): InstanceConfig =>
  load(`vrrp_instance: { A: { interface: eth0, virtual_router_id: 51, ${keys} } }\n${rest}`).instances[0]!;

describe("model: absent means keepalived's default", () => {
  it("an instance without further keys has none of the further fields", () => {
    expect(Object.keys(instance("")).sort()).toEqual(
      [
        "name family version interface vrid initialState priority advertInterval preempt preemptDelay auth vips",
        "downTimerAdverts garpMasterDelay garpMasterRepeat garpMasterRefresh garpMasterRefreshRepeat strict",
      ]
        .join(" ")
        .split(" ")
        .sort(),
    );
    expect(Object.keys(load("global_defs: {}")).sort()).toEqual([
      "files",
      "global",
      "hash",
      "instances",
      "services",
    ]);
  });
  it("every flag and time arrives; the instance's own beats global_defs", () => {
    const config = load(`
global_defs:
  vrrp_garp_lower_prio_delay: 1
  vrrp_garp_lower_prio_repeat: 2
  vrrp_garp_interval: 1ms
  vrrp_gna_interval: 500us
  vrrp_lower_prio_no_advert: true
  vrrp_higher_prio_send_advert: true
  vrrp_skip_check_adv_addr: true
  vrrp_mcast_group4: 239.1.2.3
  vrrp_mcast_group6: FF02:0::99
  vrrp_startup_delay: 2.5
  enable_script_security:
  script_user: nobody nogroup
vrrp_instance:
  A: { interface: eth0, virtual_router_id: 1 }
  B: { interface: eth0, virtual_router_id: 2, native_ipv6: true, garp_lower_prio_delay: 3, garp_lower_prio_repeat: 4, garp_interval: 0,
       gna_interval: 0, lower_prio_no_advert: no, higher_prio_send_advert: no, skip_check_adv_addr: no,
       dont_track_primary: , promote_secondaries: , no_accept: }
  C: { interface: eth0, virtual_router_id: 3, version: 3, mcast_dst_ip: 224.0.0.99, v3_checksum_as_v2: true }
`);
    expect(config.global).toMatchObject({
      startupDelay: 2_500_000,
      scriptSecurity: true,
      scriptUser: "nobody nogroup",
    });
    expect(config.instances[0]).toMatchObject({
      garpLowerPriorityDelay: 1_000_000,
      garpLowerPriorityRepeat: 2,
      garpInterval: 1000,
      gnaInterval: 500,
      lowerPriorityNoAdvert: true,
      higherPrioritySendAdvert: true,
      skipCheckAddresses: true,
      multicastGroup: "239.1.2.3",
    });
    expect(config.instances[1]).toMatchObject({
      family: 6,
      version: 3,
      garpLowerPriorityDelay: 3_000_000,
      garpLowerPriorityRepeat: 4,
      garpInterval: 0,
      gnaInterval: 0,
      lowerPriorityNoAdvert: false,
      higherPrioritySendAdvert: false,
      skipCheckAddresses: false,
      multicastGroup: "ff02::99",
      dontTrackPrimary: true,
      promoteSecondaries: true,
      accept: false,
    });
    expect(config.instances[2]).toMatchObject({ multicastGroup: "224.0.0.99", checksumMessageOnly: true });
  });
  it("accept: off by no_accept or in strict mode, on by accept", () => {
    expect(instance("no_accept: true").accept).toBe(false);
    expect(instance("accept: false").accept).toBe(false);
    expect(instance("strict_mode: true").accept).toBe(false);
    expect(instance("strict_mode: true, accept: true").accept).toBeUndefined();
  });
});

describe("spec vrrp 3: IPv6 and addresses", () => {
  it("the first address decides the family, IPv6 means version 3; /128 is deprecated from the start", () => {
    const six = instance(
      "virtual_ipaddress: [FE80::0100/64, 2001:DB8:0::1, 2001:db8::2/64 preferred_lft 60 nodad no_track, 2001:db8::3 preferred_lft forever scope site]",
    );
    expect(six).toMatchObject({ family: 6, version: 3 });
    expect(six.vips).toEqual([
      { address: "fe80::100", family: 6, prefixLength: 64, dev: "eth0", scope: 0 },
      { address: "2001:db8::1", family: 6, prefixLength: 128, dev: "eth0", scope: 0, preferredLifetime: 0 },
      {
        address: "2001:db8::2",
        family: 6,
        prefixLength: 64,
        dev: "eth0",
        scope: 0,
        preferredLifetime: 60,
        noTrack: true,
      },
      { address: "2001:db8::3", family: 6, prefixLength: 128, dev: "eth0", scope: 200 },
    ]);
  });
  it("without addresses: native_ipv6, the source or the peers decide", () => {
    expect(instance("native_ipv6: true")).toMatchObject({ family: 6, version: 3 });
    expect(instance("mcast_src_ip: fe80::1").family).toBe(6);
    expect(instance("unicast_peer: [2001:db8::2]").family).toBe(6);
    expect(instance("unicast_peer: [{ address: 192.0.2.2 }]").family).toBe(4);
  });
  it("peer: its prefix length is the address's; excluded ones may be of the other family", () => {
    const found = instance(
      "virtual_ipaddress: [192.0.2.1 peer 192.0.2.9/30], virtual_ipaddress_excluded: [2001:db8::1/64 dev eth1, { address: 192.0.2.2/24, no_track: true }]",
    );
    expect(found.vips[0]).toMatchObject({ address: "192.0.2.1", peer: "192.0.2.9", prefixLength: 30 });
    expect(found.excludedVips).toEqual([
      { address: "2001:db8::1", family: 6, prefixLength: 64, dev: "eth1", scope: 0 },
      { address: "192.0.2.2", family: 4, prefixLength: 24, dev: "eth0", scope: 0, noTrack: true },
    ]);
  });
  it("use_vmac: bare, a flag or a name; addresses go there unless they say otherwise", () => {
    expect(instance("use_vmac:").vmac).toEqual({ name: "vrrp.51", xmitBase: false });
    expect(instance("native_ipv6: true, use_vmac: yes, vmac_xmit_base:").vmac).toEqual({
      name: "vrrp6.51",
      xmitBase: true,
    });
    expect(instance("use_vmac: false").vmac).toBeUndefined();
    const named = instance("use_vmac: web0, virtual_ipaddress: [192.0.2.1, 192.0.2.2 dev eth0]");
    expect(named.vmac?.name).toBe("web0");
    expect(named.vips.map(({ dev }) => dev)).toEqual(["web0", "eth0"]);
  });
  it("one link-local address may be on several links", () => {
    const config = load(`vrrp_instance:
  A: { interface: eth0, virtual_router_id: 1, virtual_ipaddress: [fe80::1] }
  B: { interface: eth1, virtual_router_id: 1, virtual_ipaddress: [fe80::1] }`);
    expect(config.instances).toHaveLength(2);
  });
});

describe("spec vrrp 3: routes and rules", () => {
  const route = (text: string) => instance(`virtual_routes: [ ${text} ]`).virtualRoutes![0]!;
  const plain = { family: 4, table: 254, type: "unicast", onlink: false };
  it.each([
    [
      "default via 192.0.2.1 dev eth1 table 100",
      { destination: "default", via: "192.0.2.1", dev: "eth1", table: 100 },
    ],
    [
      "192.0.2.0/24 gw 198.51.100.1 metric 5 onlink no_track",
      { destination: "192.0.2.0/24", via: "198.51.100.1", metric: 5, onlink: true },
    ],
    [
      "src 192.0.2.5 to 192.0.2.0/24 scope link",
      { destination: "192.0.2.0/24", source: "192.0.2.5", scope: 253, dev: "eth0" },
    ],
    ["blackhole 192.0.2.0/24", { destination: "192.0.2.0/24", type: "blackhole" }],
    ["unreachable default table local", { destination: "default", type: "unreachable", table: 255 }],
    ["192.0.2.9", { destination: "192.0.2.9/32", dev: "eth0" }],
    ["0.0.0.0/0 via 192.0.2.1", { destination: "default", via: "192.0.2.1" }],
    ["::/0 via FE80::1", { family: 6, destination: "default", via: "fe80::1", dev: "eth0" }],
    ["2001:db8::/32 via 2001:db8::1", { family: 6, destination: "2001:db8::/32", via: "2001:db8::1" }],
    [
      "{ to: 192.0.2.0/24, type: prohibit, table: 7 }",
      { destination: "192.0.2.0/24", type: "prohibit", table: 7 },
    ],
    [
      "{ to: default, via: 192.0.2.1, dev: eth1, src: 192.0.2.2, metric: 1, onlink: }",
      { destination: "default", via: "192.0.2.1", dev: "eth1", source: "192.0.2.2", metric: 1, onlink: true },
    ],
  ])("%s", (text, expected) => {
    expect(route(text)).toEqual({ ...plain, ...expected });
  });
  it("rules: text and block; 'from all' is every packet", () => {
    const rules =
      instance(`virtual_rules: [ from 192.0.2.0/24 table 100 priority 50, to 2001:db8::/32 lookup main,
      from all fwmark 0x10 iif eth0 oif eth1 table 7, { from: 192.0.2.1, table: 8, priority: 9 } ]`).virtualRules;
    expect(rules).toEqual([
      { family: 4, from: "192.0.2.0/24", table: 100, priority: 50 },
      { family: 6, to: "2001:db8::/32", table: 254 },
      { family: 4, fwmark: 16, iif: "eth0", oif: "eth1", table: 7 },
      { family: 4, from: "192.0.2.1/32", table: 8, priority: 9 },
    ]);
  });
  it("static_*", () => {
    const config = load(
      "static_ipaddress: 192.0.2.1/24 dev eth0\nstatic_routes: [default via 192.0.2.254]\nstatic_rules: [from 2001:db8::/32 table 6]",
    );
    expect(config.staticAddresses).toMatchObject([{ address: "192.0.2.1", dev: "eth0" }]);
    expect(config.staticRoutes).toMatchObject([{ destination: "default", via: "192.0.2.254" }]);
    expect(config.staticRules).toEqual([{ family: 6, from: "2001:db8::/32", table: 6 }]);
  });
});

describe("spec vrrp 3, 4: unicast, transport, heartbeats", () => {
  it("peers as text or blocks; the source of a peer is checked unless told otherwise", () => {
    expect(
      instance(
        "unicast_src_ip: 192.0.2.1, unicast_peer: [192.0.2.2 min_ttl 254 max_ttl 255, { address: 192.0.2.3, max_ttl: 9 }]",
      ),
    ).toMatchObject({
      sourceAddress: "192.0.2.1",
      unicast: {
        peers: [
          { address: "192.0.2.2", minTtl: 254, maxTtl: 255 },
          { address: "192.0.2.3", minTtl: 0, maxTtl: 9 },
        ],
        ttl: 255,
        checkSource: true,
      },
    });
    expect(instance("unicast_peer: 192.0.2.2, unicast_ttl: 3, check_unicast_src: false").unicast).toEqual({
      peers: [{ address: "192.0.2.2", minTtl: 0, maxTtl: 255 }],
      ttl: 3,
      checkSource: false,
    });
    const off = "global_defs: { vrrp_check_unicast_src: false }";
    expect(instance("unicast_peer: [192.0.2.2]", off).unicast?.checkSource).toBe(false);
  });
  it.each([
    ["udp", { port: 8112 }],
    ["udp 9000", { port: 9000 }],
    ["{ udp: { port: 9001 } }", { port: 9001 }],
    ["{ udp: }", { port: 8112 }],
    ["raw", undefined],
  ])("transport: %s", (text, expected) => {
    const keys = `version: 3, unicast_peer: [192.0.2.2], auth_hmac: { key: { 1: ${"k".repeat(32)} } }`;
    expect(instance(`transport: ${text}, ${keys}`).udp).toEqual(expected);
  });
  it("heartbeat_interfaces", () => {
    expect(instance("heartbeat_interfaces: [eth1, eth2 eth3]").heartbeatInterfaces).toEqual([
      "eth1",
      "eth2",
      "eth3",
    ]);
  });
});

describe("spec vrrp 1: auth_hmac", () => {
  const hmac = (keys: string, more = "", options = {}) =>
    load(
      `vrrp_instance: { A: { interface: eth0, virtual_router_id: 1, version: 3, ${more} auth_hmac: { ${keys} } } }`,
      options,
    ).instances[0]!.auth;
  const text = "0123456789abcdef0123456789abcdef";
  const asHex = [...text].map((c) => c.charCodeAt(0).toString(16)).join("");
  it("keys as map or list, as text or hex; the first is active", () => {
    const expected = {
      type: "HMAC",
      keys: [
        { id: 7, key: asHex },
        { id: 0, key: "0f".repeat(64) },
      ],
      activeKey: 7,
      antiReplay: "time",
      timeWindow: 5_000_000,
      mode: "enforce",
    };
    expect(hmac(`key: { 7: ${text}, 0: "hex:${"0F".repeat(64)}" }`)).toEqual(expected);
    expect(hmac(`key: [7 ${text}, "0 hex:${"0f".repeat(64)}"]`)).toEqual(expected);
  });
  it("settings; the window follows the interval", () => {
    expect(
      hmac(`key: 1 ${text}, active_key: 1, anti_replay: monotonic, time_window: 10, mode: receive-only`),
    ).toMatchObject({
      activeKey: 1,
      antiReplay: "monotonic",
      timeWindow: 10_000_000,
      mode: "receive-only",
    });
    expect(hmac(`key: 1 ${text}`, "advert_int: 4,")).toMatchObject({ timeWindow: 12_000_000 });
  });
  it("keys from files and the environment", () => {
    const options = {
      env: { KEY: `hex:${asHex}` },
      readSecretFile: (path: string) => (path === "/run/key" ? `${text}\n` : `hex:${asHex}\n`),
    };
    const found = hmac('key: { 1: { env: KEY }, 2: { file: /run/key }, 3: "file:/run/hex" }', "", options);
    expect(found).toMatchObject({ keys: [1, 2, 3].map((id) => ({ id, key: asHex })) });
  });
});

describe("spec vrrp 3, 4: trackers, groups, notify", () => {
  const world = `
vrrp_script:
  chk: { script: '/bin/chk "a b" c', interval: 2, weight: -10 reverse, user: nobody nogroup, init_fail: true, rise: 2, fall: 3 }
  bare: { script: [/bin/true, "a b"] }
vrrp_track_process:
  nginx: { process: nginx -g x, weight: 5, delay: 1, terminate_delay: 2, quorum: 0, quorum_max: 4, full_command: }
  sshd: { process: sshd }
vrrp_track_file: { load: { file: /run/load, weight: 2, init_file: 5 overwrite } }
track_file: { zero: { file: /run/zero, init_file: } }
track_gateway: { gw: { address: 2001:DB8::1, interface: eth0, weight: -20 } }
vrrp_track_gateway: { gw4: { address: 192.0.2.1, interface: eth1, method: icmp, interval: 500ms, rise: 1, fall: 9 } }
virtual_server: { 192.0.2.1 80: { delay_loop: 5, real_server: { 192.0.2.2 80: } } }
`;
  it("definitions with their defaults", () => {
    const config = load(world);
    expect(config.trackScripts).toEqual([
      {
        name: "chk",
        command: ["/bin/chk", "a b", "c"],
        interval: 2000,
        timeout: 2000,
        rise: 2,
        fall: 3,
        user: "nobody",
        group: "nogroup",
        weight: -10,
        reverse: true,
        initFail: true,
      },
      {
        name: "bare",
        command: ["/bin/true", "a b"],
        interval: 1000,
        timeout: 1000,
        rise: 1,
        fall: 1,
        reverse: false,
        initFail: false,
      },
    ]);
    expect(config.trackProcesses).toEqual([
      {
        name: "nginx",
        command: ["nginx", "-g", "x"],
        paramMatch: "exact",
        quorum: 0,
        quorumMax: 4,
        fullCommand: true,
        riseDelay: 1000,
        fallDelay: 2000,
        weight: 5,
        reverse: false,
      },
      {
        name: "sshd",
        command: ["sshd"],
        paramMatch: "none",
        quorum: 1,
        quorumMax: 2 ** 31 - 1,
        fullCommand: false,
        riseDelay: 0,
        fallDelay: 0,
        reverse: false,
      },
    ]);
    expect(config.trackFiles).toEqual([
      { name: "load", path: "/run/load", weight: 2, reverse: false, initValue: 5, initOverwrite: true },
      { name: "zero", path: "/run/zero", weight: 1, reverse: false, initValue: 0, initOverwrite: false },
    ]);
    expect(config.trackGateways).toEqual([
      {
        name: "gw4",
        address: "192.0.2.1",
        interface: "eth1",
        method: "icmp",
        interval: 500,
        timeout: 500,
        rise: 1,
        fall: 9,
      },
      {
        name: "gw",
        address: "2001:db8::1",
        interface: "eth0",
        method: "arp",
        interval: 1000,
        timeout: 1000,
        rise: 2,
        fall: 3,
        weight: -20,
      },
    ]);
  });
  it("references: their own weight, else the definition's; 0 is FAULT, as keepalived writes it", () => {
    const trackers = instance(
      `track_interface: [eth1, eth2 weight -20, { eth3: 10 reverse }, { name: eth4, weight: 5, reverse: true }, eth5 reverse],
       track_script: [chk, bare weight 7], track_process: { nginx: 0 , sshd: }, track_file: [load, zero weight -1 reverse],
       track_gateway: [gw, gw4 weight 30], track_virtual_server: { 192.0.2.1 80: -30 }`,
      world,
    ).trackers!;
    expect(
      trackers.map((t) => `${t.kind} ${t.name} ${t.weight ?? "FAULT"}${t.reverse ? " reverse" : ""}`),
    ).toEqual([
      "interface eth1 FAULT",
      "interface eth2 -20",
      "interface eth3 10 reverse",
      "interface eth4 5 reverse",
      "interface eth5 FAULT reverse",
      "script chk -10 reverse",
      "script bare 7",
      "process nginx FAULT",
      "process sshd FAULT",
      "file load 2",
      "file zero -1 reverse",
      "gateway gw -20",
      "gateway gw4 30",
      "virtual_server tcp 192.0.2.1:80 -30",
    ]);
  });
  it("a file's weight 0 stays 0: any number but 0 in it is FAULT", () => {
    const zero = "vrrp_track_file: { f: { file: /f, weight: 0 }, g: { file: /g } }";
    const found = instance("track_file: [f, g weight 0]", zero).trackers;
    expect(found?.map(({ weight }) => weight)).toEqual([0, 0]);
  });
  it("a virtual_server may be written as it likes", () => {
    const found = instance('track_virtual_server: ["192.0.2.1:80 tcp weight 5"]', world).trackers;
    expect(found).toEqual([{ kind: "virtual_server", name: "tcp 192.0.2.1:80", weight: 5, reverse: false }]);
  });
  it("sync groups with their own trackers and scripts", () => {
    const config = load(`${world}
vrrp_instance: { A: { interface: eth0, virtual_router_id: 1 }, B: { interface: eth1, virtual_router_id: 1 }, C: { interface: eth2, virtual_router_id: 1 } }
vrrp_sync_group: { G: { group: [A, B C], track_interface: [eth9], notify: /bin/n, notify_master: "/bin/m 'a b'" } }`);
    expect(config.syncGroups).toEqual([
      {
        name: "G",
        members: ["A", "B", "C"],
        trackers: [{ kind: "interface", name: "eth9", reverse: false }],
        notify: { master: ["/bin/m", "a b"], any: ["/bin/n"] },
      },
    ]);
  });
  it("notify scripts of an instance", () => {
    expect(
      instance(
        "notify_master: /m 1, notify_backup: /b, notify_fault: [/f, 'x y'], notify_stop: /s, notify: /n",
      ).notify,
    ).toEqual({ master: ["/m", "1"], backup: ["/b"], fault: ["/f", "x y"], stop: ["/s"], any: ["/n"] });
  });
  it.each([
    ["/a b  c", ["/a", "b", "c"]],
    [`/a "b c" 'd "e'`, ["/a", "b c", 'd "e']],
    [String.raw`/a b\ c "d\"e" 'f\g'`, ["/a", "b c", 'd"e', String.raw`f\g`]],
    [`/a "" x""y`, ["/a", "", "xy"]],
    ["", []],
  ])("words of a command: %s", (text, argv) => {
    expect(parseArgv(text)).toEqual({ argv });
  });
  it("the hash covers what is new", () => {
    const hash = (text: string) => load(text).hash;
    expect(
      new Set([
        hash("{}"),
        hash("static_rules: [from all table 9]"),
        hash("static_rules: [from all table 8]"),
      ]).size,
    ).toBe(3);
  });
});
