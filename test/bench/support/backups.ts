/** The backups that are compared: each one waits for the scripted master to fall silent. */
import { Keepalived } from "../../support/keepalived.ts";
import type { Lab, Namespace, TestProcess } from "../../support/lab.ts";
import { Vipward } from "../../support/vipward.ts";
import { BACKUP_PRIORITY, type Election, VIP, VRID } from "./master.ts";

export interface Backup {
  /** Checks a second that really ran since the last call; undefined without checkers. */
  checkRate?(): number;
  stop(): Promise<void>;
}

export interface Subject {
  readonly name: string;
  start(lab: Lab, ns: Namespace, election: Election): Promise<Backup>;
}

const CHECKS_PER_SECOND = 500;
const CHECK_EVERY_MS = 200;
/** The interval runs from the end of a check: a third more, so that a busy machine makes 500 too. */
const SPARE = 4 / 3;
const WEB_PORT = 8080;

export const SUBJECTS: readonly Subject[] = [
  { name: "vipward, idle", start: (lab, ns, election) => startVipward(lab, ns, election, 0) },
  {
    name: `vipward, ${CHECKS_PER_SECOND} HTTP checks/s`,
    start: (lab, ns, election) =>
      startVipward(lab, ns, election, Math.round((SPARE * CHECKS_PER_SECOND * CHECK_EVERY_MS) / 1000)),
  },
  { name: "keepalived, idle", start: startKeepalived },
];

async function startVipward(lab: Lab, ns: Namespace, election: Election, servers: number): Promise<Backup> {
  const web = servers > 0 ? await startWeb(lab, ns) : undefined;
  const daemon = await Vipward.start(lab, ns, yaml(election, servers), { dataplane: "userspace" });
  await daemon.waitLog(/Entering BACKUP STATE/, { timeout: 30_000 });
  return {
    ...(web ? { checkRate: web.rate } : {}),
    stop: async () => {
      await daemon.stop();
      await web?.process.stop();
    },
  };
}

async function startKeepalived(lab: Lab, ns: Namespace, election: Election): Promise<Backup> {
  const daemon = await Keepalived.start(lab, ns, keepalivedConf(election));
  await daemon.waitState("VI_1", "BACKUP");
  return {
    stop: async () => {
      await daemon.stop();
    },
  };
}

function yaml({ version, intervalMs }: Election, servers: number): string {
  const instance = `
global_defs: { vrrp_version: ${version} }
nodes: { backup: {} }
vrrp_instance:
  VI_1:
    state: BACKUP
    interface: eth0
    virtual_router_id: ${VRID}
    priority: ${BACKUP_PRIORITY}
    advert_int: ${intervalMs / 1000}
    virtual_ipaddress: [${VIP}/24]
`;
  if (servers === 0) return instance;
  const list = Array.from({ length: servers }, (_, n) => `      127.0.1.${n + 1} ${WEB_PORT}: *web`);
  // The first real server carries the block the others repeat.
  list[0] = `      127.0.1.1 ${WEB_PORT}: &web { HTTP_GET: { url: { path: / } } }`;
  return `${instance}
virtual_server:
  ${VIP} 80:
    delay_loop: ${CHECK_EVERY_MS}ms
    lb_algo: rr
    real_server:
${list.join("\n")}
`;
}

function keepalivedConf({ version, intervalMs }: Election): string {
  return `
global_defs {
  router_id bench
  vrrp_version ${version}
}
vrrp_instance VI_1 {
  interface eth0
  state BACKUP
  virtual_router_id ${VRID}
  priority ${BACKUP_PRIORITY}
  advert_int ${intervalMs / 1000}
  virtual_ipaddress {
    ${VIP}/24
  }
}
`;
}

/** Counts requests where they arrive: what a daemon says of itself would prove nothing. */
async function startWeb(lab: Lab, ns: Namespace): Promise<{ process: TestProcess; rate: () => number }> {
  const script = `let served = 0;
    require("node:http").createServer((_, reply) => { served++; reply.end("ok"); })
      .listen(${WEB_PORT}, () => console.log("listening"));
    setInterval(() => console.log(served), 250);`;
  const server = lab.spawn(ns, [process.execPath, "-e", script]);
  await server.waitLine(/listening/, 20_000);
  const last = () => {
    const line = server.output.findLast(({ text }) => /^\d+$/.test(text));
    return line ? { time: line.time, served: Number(line.text) } : undefined;
  };
  let before = last();
  const rate = () => {
    const now = last();
    if (now === undefined) return 0;
    const from = before ?? { time: now.time - 1, served: 0 };
    before = now;
    return (now.served - from.served) / Math.max(0.001, now.time - from.time);
  };
  return { process: server, rate };
}
