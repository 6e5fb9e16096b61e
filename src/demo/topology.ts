/**
 * The demo's network:
 *
 *     client .10     lb01 .11 (priority 100)    lb02 .12 (priority 90)     web1 .21    web2 .22
 *        |              |                          |                         |           |
 *   =====+==============+==========================+=========================+===========+=====  10.90.0.0/24
 *                         VIP .100 on whichever director is master
 */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";

export const VIP = "10.90.0.100";
export const HOSTS = {
  client: "10.90.0.10",
  lb01: "10.90.0.11",
  lb02: "10.90.0.12",
  web1: "10.90.0.21",
  web2: "10.90.0.22",
} as const;
export type Host = keyof typeof HOSTS;
export const DIR = "/run/vw-demo";

const ip = (...words: string[]): void => {
  execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
};
const namespace = (host: Host): string => `vw-${host}`;

/** An emulated kernel (User-Mode Linux) is about ten times slower: everything gets three times the time. */
export const emulated: boolean = /User Mode Linux/.test(readFileSync("/proc/cpuinfo", "utf8"));

/** Must run in the demo's own namespaces. Throws with the text of the command that failed. */
export function build(): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"]);
  mkdirSync(DIR, { recursive: true });
  ip("link", "set", "lo", "up");
  ip("link", "add", "lan", "type", "bridge");
  ip("link", "set", "lan", "up");
  for (const host of Object.keys(HOSTS) as Host[]) addHost(host);
  for (const web of ["web1", "web2"] as const) holdVipSilently(web);
}

function addHost(host: Host): void {
  const ns = namespace(host);
  ip("netns", "add", ns);
  ip("link", "add", `p-${host}`, "type", "veth", "peer", "name", "eth0", "netns", ns);
  ip("link", "set", `p-${host}`, "master", "lan", "up");
  ip("-n", ns, "link", "set", "lo", "up");
  ip("-n", ns, "link", "set", "eth0", "up");
  ip("-n", ns, "addr", "add", `${HOSTS[host]}/24`, "dev", "eth0");
}

/** Direct routing: a real server takes packets for the VIP, but never answers ARP for it. */
function holdVipSilently(host: Host): void {
  const set = (key: string, value: number) =>
    execFileSync("ip", [
      "netns",
      "exec",
      namespace(host),
      "sh",
      "-c",
      `echo ${value} > /proc/sys/net/ipv4/conf/${key}`,
    ]);
  for (const dev of ["all", "eth0"]) {
    set(`${dev}/arp_ignore`, 1);
    set(`${dev}/arp_announce`, 2);
  }
  ip("-n", namespace(host), "addr", "add", `${VIP}/32`, "dev", "lo");
}

export function spawnOn(host: Host, argv: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn("ip", ["netns", "exec", namespace(host), ...argv], options);
}

/** Native: failover within a second. Emulated: the protocol's common 1 s, which survives a slow machine. */
export const timing = emulated
  ? { advert: 1, checkEvery: 2, retryAfter: 1, requestEvery: 100, requestTimeout: 1_500 }
  : { advert: 0.25, checkEvery: 0.5, retryAfter: 0.25, requestEvery: 20, requestTimeout: 400 };

export function directorConfig(name: "lb01" | "lb02", dataplane: string): string {
  const server = (host: Host) => `
      ${HOSTS[host]} 80:
        weight: 1
        HTTP_GET:
          url: [ { path: /, status_code: 200 } ]
          connect_timeout: ${timing.checkEvery}
          retry: 1
          delay_before_retry: ${timing.retryAfter}`;
  return `# what the demo's ${name} runs
global_defs: { router_id: ${name}, dataplane: ${dataplane} }
vrrp_instance:
  VI_1:
    version: 3
    state: BACKUP
    interface: eth0
    virtual_router_id: 51
    priority: ${name === "lb01" ? 100 : 90}
    advert_int: ${timing.advert}
    virtual_ipaddress: [ ${VIP}/24 ]
virtual_server:
  ${VIP} 80:
    delay_loop: ${timing.checkEvery}
    lb_algo: rr
    lb_kind: DR
    protocol: TCP
    real_server:${server("web1")}${server("web2")}
`;
}
