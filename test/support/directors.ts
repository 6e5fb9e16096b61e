/**
 * Two directors on one segment, each running vipward or the packaged keepalived, with tcpdump and
 * `ip monitor` watching:
 *
 *   a 10.99.0.11 --+-- br0 (capture) --+-- b 10.99.0.12      VIP 10.99.0.100/24
 */
import { rmSync } from "node:fs";
import path from "node:path";
import { type Capture, TAKEOVER_FILTER, type VrrpAdvert } from "./capture.ts";
import { Keepalived } from "./keepalived.ts";
import { Lab, type Namespace, type TestProcess } from "./lab.ts";
import { OwnerWatch } from "./owners.ts";
import { Vipward, type VipwardOptions } from "./vipward.ts";

export const VIP = "10.99.0.100";
export const ADDRESS = { a: "10.99.0.11", b: "10.99.0.12" } as const;
export type Role = keyof typeof ADDRESS;

export interface InstanceSpec {
  readonly name?: string;
  readonly vrid?: number;
  readonly priority: number;
  readonly version?: 2 | 3;
  /** Seconds. */
  readonly advertInt?: number;
  readonly pass?: string;
  readonly nopreempt?: boolean;
  /** As in virtual_ipaddress. */
  readonly vips?: readonly string[];
  /** Further keyword lines, the same in both languages: ["garp_master_delay", "2"]. */
  readonly extra?: readonly (readonly [string, string])[];
}

const defaults = (spec: InstanceSpec) => ({
  name: "VI_1",
  vrid: 51,
  version: 2,
  advertInt: 1,
  vips: [`${VIP}/24`],
  extra: [],
  ...spec,
});

export function yamlOf(...specs: readonly InstanceSpec[]): string {
  const instances = specs
    .map(defaults)
    .map((spec) =>
      [
        `  ${spec.name}:`,
        `    state: BACKUP`,
        `    interface: eth0`,
        `    virtual_router_id: ${spec.vrid}`,
        `    priority: ${spec.priority}`,
        `    version: ${spec.version}`,
        `    advert_int: ${spec.advertInt}`,
        ...(spec.nopreempt ? ["    nopreempt: true"] : []),
        ...(spec.pass ? [`    authentication: { auth_type: PASS, auth_pass: "${spec.pass}" }`] : []),
        ...spec.extra.map(([key, value]) => `    ${key}: ${value}`),
        `    virtual_ipaddress: [${spec.vips.join(", ")}]`,
      ].join("\n"),
    );
  return `nodes: { a: {}, b: {} }\nvrrp_instance:\n${instances.join("\n")}\n`;
}

/** A busy machine must not make keepalived late, and the test fail. (Its real-time class has a CPU limit it meets.) */
export function confOf(...specs: readonly InstanceSpec[]): string {
  const instances = specs
    .map(defaults)
    .map((spec) =>
      [
        `vrrp_instance ${spec.name} {`,
        `  state BACKUP`,
        `  interface eth0`,
        `  virtual_router_id ${spec.vrid}`,
        `  priority ${spec.priority}`,
        `  version ${spec.version}`,
        `  advert_int ${spec.advertInt}`,
        ...(spec.nopreempt ? ["  nopreempt"] : []),
        ...(spec.pass
          ? ["  authentication {", "    auth_type PASS", `    auth_pass ${spec.pass}`, "  }"]
          : []),
        ...spec.extra.map(([key, value]) => `  ${key} ${value}`),
        `  virtual_ipaddress {`,
        ...spec.vips.map((vip) => `    ${vip}`),
        "  }",
        "}",
      ].join("\n"),
    );
  return `global_defs {\n  router_id peer\n  vrrp_priority -20\n}\n${instances.join("\n")}\n`;
}

/** Master-down interval in seconds, by RFC 3768 and RFC 5798 6.1, worked out apart from src/vrrp. */
export function masterDown(version: 2 | 3, priority: number, advertInt: number): number {
  return 3 * advertInt + skew(version, priority, advertInt);
}

export function skew(version: 2 | 3, priority: number, advertInt: number): number {
  return ((256 - priority) / 256) * (version === 2 ? 1 : advertInt);
}

export const unixNow = (): number => Date.now() / 1000;

export class Directors {
  readonly lab: Lab;
  readonly lan: Namespace;
  readonly a: Namespace;
  readonly b: Namespace;
  readonly capture: Capture;
  readonly owners: OwnerWatch;
  readonly #logs: { readonly role: string; readonly process: TestProcess }[] = [];

  private constructor(
    lab: Lab,
    lan: Namespace,
    nodes: readonly [Namespace, Namespace],
    capture: Capture,
    owners: OwnerWatch,
  ) {
    this.lab = lab;
    this.lan = lan;
    [this.a, this.b] = nodes;
    this.capture = capture;
    this.owners = owners;
  }

  /** Both nodes have addresses and routes of their own, some of them in the VIP's subnet. */
  static async open(lab: Lab): Promise<Directors> {
    const lan = await lab.lan();
    const [a, b] = await Promise.all([furnished(lab, lan, "a"), furnished(lab, lan, "b")]);
    const [capture, owners] = await Promise.all([
      lab.capture(lan, "br0", TAKEOVER_FILTER),
      OwnerWatch.start(lab, [a, b]),
    ]);
    return new Directors(lab, lan, [a, b], capture, owners);
  }

  async vipward(role: Role, config: string, options?: VipwardOptions): Promise<Vipward> {
    const daemon = await Vipward.start(this.lab, this[role], config, options);
    this.#logs.push({ role, process: daemon.process });
    return daemon;
  }

  async keepalived(role: Role, config: string): Promise<Keepalived> {
    // A killed child may not be reaped yet, and its pid file would forbid a new one.
    for (const suffix of ["pid", "vrrp.pid"])
      rmSync(path.join(this.lab.dir, `keepalived-${role}.${suffix}`), { force: true });
    const daemon = await Keepalived.start(this.lab, this[role], config);
    this.#logs.push({ role, process: daemon.process });
    return daemon;
  }

  /** Waits for an advert of a living master in this role; the time it was sent. */
  async master(role: Role, since = 0, timeout = 15_000): Promise<VrrpAdvert> {
    const test = (advert: VrrpAdvert) => advert.source === ADDRESS[role] && advert.priority > 0;
    return this.capture.waitAdvert(test, { since, timeout, what: `${role} to be master` });
  }

  /** Adverts of a role between two times, oldest first. */
  sent(role: Role, since = 0, until = Number.POSITIVE_INFINITY): VrrpAdvert[] {
    return this.capture
      .adverts({ source: ADDRESS[role] })
      .filter((advert) => advert.time >= since && advert.time <= until);
  }

  /** What happened, for the message of a failed test. */
  story(lines = 80): string {
    const adverts = this.capture.adverts().map((advert) => ({
      time: advert.time,
      text: `${advert.source} advertises VRID ${advert.vrid} priority ${advert.priority}`,
      advert: true,
    }));
    const logs = this.#logs.flatMap(({ role, process }) =>
      process.output.map(({ time, text }) => ({ time, text: `${role}| ${text}` })),
    );
    const all = [...adverts, ...logs, ...this.owners.events(VIP)].sort((x, y) => x.time - y.time);
    // An advert like the two before it is no news.
    const recent: string[] = [];
    const kept = all.filter((entry) => {
      if (!("advert" in entry)) return true;
      const known = recent.slice(-2).includes(entry.text);
      if (!known) recent.push(entry.text);
      return !known;
    });
    const told = kept.slice(-lines).map(({ time, text }) => `${clock(time)} ${text.slice(0, 300)}`);
    return `--- what happened\n${told.join("\n")}`;
  }
}

async function furnished(lab: Lab, lan: Namespace, role: Role): Promise<Namespace> {
  const last = ADDRESS[role].split(".")[3];
  const addresses = [`${ADDRESS[role]}/24`, `10.99.0.${last}1/24`, `172.16.5.${last}/24`, `fd99::${last}/64`];
  const node = await lab.node(role, [{ lan, addresses }]);
  for (const route of [
    "-4 route add 10.50.0.0/16 via 10.99.0.1",
    "-4 route add default via 10.99.0.254 src 172.16.5.LAST",
    "-6 route add fd50::/32 via fd99::1",
  ]) {
    await lab.exec(node, ["ip", ...route.replace("LAST", last ?? "").split(" ")]);
  }
  return node;
}

/** A test body with a pair of its own, whose story is told when it fails. */
export function withDirectors(work: (pair: Directors) => Promise<void>): () => Promise<void> {
  return async () => {
    const lab = new Lab();
    let pair: Directors | undefined;
    try {
      pair = await Directors.open(lab);
      await work(pair);
    } catch (error) {
      if (pair && error instanceof Error) error.message += `\n${pair.story()}`;
      throw error;
    } finally {
      await lab.close();
    }
  };
}

/** The longest time between two adverts that follow each other, in seconds. */
export function largestGap(adverts: readonly VrrpAdvert[]): number {
  return Math.max(0, ...adverts.slice(1).map((advert, i) => advert.time - (adverts[i]?.time ?? 0)));
}

/** Everything `ip` knows of a node except one address and what belongs to it. */
export async function withoutVip(lab: Lab, node: Namespace, vip = VIP): Promise<unknown> {
  const json = async (...args: string[]) => JSON.parse((await lab.exec(node, ["ip", "-j", ...args])).stdout);
  const addresses = (await json("addr", "show")) as { addr_info: { local: string }[] }[];
  const routes = (await json("-4", "route", "show", "table", "all")) as { dst: string; prefsrc?: string }[];
  return {
    addresses: addresses.map((link) => ({
      ...link,
      addr_info: link.addr_info.filter((address) => address.local !== vip),
    })),
    routes: routes.filter((route) => route.dst !== vip && route.prefsrc !== vip),
    routes6: await json("-6", "route", "show", "table", "all"),
  };
}

/** The vrrp process's pid, from the daemon itself. */
export async function vrrpPid(daemon: Vipward): Promise<number> {
  const { body } = await daemon.api("/api/v1/status");
  const pid = (JSON.parse(body) as { processes: { vrrp?: number } }).processes.vrrp;
  if (pid === undefined) throw new Error(`no vrrp process: ${body}`);
  return pid;
}

function clock(time: number): string {
  return new Date(Math.round(time * 1000)).toISOString().slice(14, 23);
}

/** Of `vipward status -o json`: what the tests read. */
export interface InstanceView {
  readonly name: string;
  readonly state: string;
  readonly reason: string;
  readonly priority: number;
  readonly faults: readonly { readonly kind: string; readonly detail: string }[];
  readonly vips: readonly { readonly address: string; readonly present: boolean }[];
  readonly counters: {
    readonly addressesRestored: number;
    readonly drops: Readonly<Record<string, number>>;
    readonly becameMaster: number;
    readonly releasedMaster: number;
  };
}

/** The first instance, or the one with this name, through the command line interface. */
export async function instanceStatus(daemon: Vipward, name?: string): Promise<InstanceView> {
  const { instances } = await daemon.status<{ instances: readonly InstanceView[] }>();
  const found = name === undefined ? instances[0] : instances.find((instance) => instance.name === name);
  if (!found) throw new Error(`no instance ${name ?? ""} in the status`);
  return found;
}
