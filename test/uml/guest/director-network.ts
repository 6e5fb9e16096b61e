/**
 * One director before every kind of real server, on a real kernel:
 *
 *   front 10.1.0.0/24   client .2 .5   director .1, VIPs .100 (NAT) .110 (DR) .120 (TUN)   dr1 .11   dr2 .12   router .3
 *   back  10.2.0.0/24   director .1, VIP .254   nat1 .11   nat2 .12    (their default route: the VIP .254)
 *   far   10.3.0.0/24   router .1               tun1 .11
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { SCHEDULERS } from "../../../src/config/model.ts";
import { Lab, type Namespace } from "../../support/lab.ts";
import { waitFor } from "../../support/wait.ts";
import { connections, curl, holdVip, SOON, saved, waitService, web } from "./support.ts";

export const NAT = "10.1.0.100";
export const DR = "10.1.0.110";
export const TUN = "10.1.0.120";
export const INNER = "10.2.0.254";
export const [NAT1, NAT2] = ["10.2.0.11", "10.2.0.12"];
/** twos came after this kernel: see its own test. */
export const OLD_SCHEDULERS = SCHEDULERS.filter((name) => name !== "twos");

const HTTP =
  "HTTP_GET: { url: [ { path: /, status_code: 200 } ], connect_timeout: 2, retry: 0, delay_before_retry: 1 }";
export const schedulerService = (name: string, index: number) => `
  ${NAT} ${9000 + index}: { lb_algo: ${name}, real_server: { ${NAT1} 80: {} } }`;

/** Priority 255 is master at once: nothing but the wait for the table keeps the VIP away at start. */
export const config = (extraServices = "", extraServers = "") => `
vrrp_instance:
  FRONT:
    version: 3
    state: BACKUP
    interface: eth0
    virtual_router_id: 51
    priority: 255
    advert_int: 1
    virtual_ipaddress: [ ${NAT}/24, ${DR}/24, ${TUN}/24 ]
  BACK:
    version: 3
    state: BACKUP
    interface: eth1
    virtual_router_id: 52
    priority: 100
    advert_int: 1
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

export const lab = new Lab();
const front = await lab.lan("front");
const back = await lab.lan("back");
const far = await lab.lan("far");
const at = (lan: Namespace, ...addresses: string[]) => ({
  lan,
  addresses: addresses.map((address) => `${address}/24`),
});
const client = await lab.node("client", [at(front, "10.1.0.2", "10.1.0.5")]);
export const director = await lab.node("director", [at(front, "10.1.0.1"), at(back, "10.2.0.1")]);
const dr1 = await lab.node("dr1", [at(front, "10.1.0.11")]);
const dr2 = await lab.node("dr2", [at(front, "10.1.0.12")]);
export const nat1 = await lab.node("nat1", [at(back, NAT1)]);
export const nat2 = await lab.node("nat2", [at(back, NAT2)]);
const router = await lab.node("router", [at(front, "10.1.0.3"), at(far, "10.3.0.1")]);
export const tun1 = await lab.node("tun1", [at(far, "10.3.0.11")]);

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
export const inhibited = await web(lab, nat1, 8081);
await web(lab, nat2, 8081);
export const quorum = [await web(lab, nat1, 8082), await web(lab, nat2, 8082)];
await web(lab, nat2, 8090, "sorry");

export const ipvsadm = (...args: string[]) => lab.exec(director, ["ipvsadm", ...args]);
export const service = (endpoint: string, ...lines: string[]) => waitService(lab, director, endpoint, lines);
export const get = (endpoint: string, count = 1, ...options: string[]) =>
  curl(lab, client, `http://${endpoint}/`, count, ...options);
export const server = (endpoint: string, real: string, weight = 1, how = "-m") =>
  `-a -t ${endpoint} -r ${real} ${how} -w ${weight}`;

export const FOREIGN = [
  "-A -t 10.1.0.1:7777 -s wlc",
  "-a -t 10.1.0.1:7777 -r 10.2.0.99:7777 -m -w 5",
  "-A -f 7 -s rr",
  "-a -f 7 -r 10.2.0.99:0 -g -w 1",
];
export const addForeign = async () => {
  for (const line of FOREIGN) await ipvsadm(...line.split(" "));
};
const foreign = async () =>
  (await saved(lab, director))
    .split("\n")
    .filter((line) => / -t 10\.1\.0\.1:7777 | -f 7 /.test(line))
    .sort();
export const assertForeign = async () => assert.deepEqual(await foreign(), FOREIGN.toSorted());

/** The connections of a service and its servers, once the kernel's sums (made every 2 s) show `total`. */
export async function counted(endpoint: string, total: number): Promise<Record<string, number>> {
  const settled = async () => {
    const now = await connections(lab, director, endpoint);
    return now[endpoint] === total && now;
  };
  return waitFor(settled, { ...SOON, what: `${total} connections to ${endpoint}` });
}

/** A connection through the director that stays open until its page is asked for. */
export async function openConnection(name: string) {
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
