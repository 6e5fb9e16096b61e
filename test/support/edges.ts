/**
 * Directors `a`, `b`, `c` and a `client` on one segment, for what happens at VRRP's edges: each director runs
 * vipward (configuration: an object) or the packaged keepalived (its own text), tcpdump watches the bridge.
 *
 *   a 10.99.0.11, 2001:db8:99::11, fe80::ff:fe00:11   b ...12   c ...13   client ...50
 */
import { rmSync } from "node:fs";
import path from "node:path";
import { type Capture, TAKEOVER_FILTER, type VrrpAdvert } from "./capture.ts";
import { Keepalived } from "./keepalived.ts";
import { Lab, type Namespace, type TestProcess } from "./lab.ts";
import { Vipward, type VipwardOptions } from "./vipward.ts";
import { waitFor } from "./wait.ts";

const LAST = { a: "11", b: "12", c: "13", client: "50" } as const;
export type EdgeRole = keyof typeof LAST;

export const v4 = (role: EdgeRole): string => `10.99.0.${LAST[role]}`;
export const v6 = (role: EdgeRole): string => `2001:db8:99::${LAST[role]}`;
export const mac = (role: EdgeRole): string => `02:00:00:00:00:${LAST[role]}`;
/** EUI-64 of the MAC. */
export const linkLocal = (role: EdgeRole): string => `fe80::ff:fe00:${LAST[role]}`;

export const VIP4 = "10.99.0.100";

/** One instance in vipward's keys; VRRPv3 at 0.2 s with one VIP unless told. */
export function instance(settings: Record<string, unknown>): Record<string, unknown> {
  return {
    interface: "eth0",
    virtual_router_id: 51,
    version: 3,
    advert_int: 0.2,
    virtual_ipaddress: [`${VIP4}/24`],
    ...settings,
  };
}

/** JSON is YAML. */
export const yaml = (config: object): string => JSON.stringify(config);

/** A keepalived block: values are words, `true` a bare keyword, lists and objects blocks of their own. */
export interface Block {
  readonly [key: string]: string | number | true | readonly string[] | Block;
}

export function block(name: string, entries: Block, indent = ""): string {
  const lines = Object.entries(entries).map(([key, value]) => {
    if (value === true) return `${indent}  ${key}`;
    if (typeof value !== "object") return `${indent}  ${key} ${value}`;
    if (Array.isArray(value))
      return `${indent}  ${key} {\n${indent}    ${value.join(`\n${indent}    `)}\n${indent}  }`;
    return block(key, value as Block, `${indent}  `);
  });
  return `${indent}${name} {\n${lines.join("\n")}\n${indent}}`;
}

/** The same instance for keepalived; `name` is VI_1 unless told. A busy machine must not make it late. */
export function conf(entries: Block, more = "", name = "VI_1"): string {
  const all = { interface: "eth0", virtual_router_id: 51, version: 3, advert_int: 0.2, ...entries };
  const vips = "virtual_ipaddress" in entries ? {} : { virtual_ipaddress: [`${VIP4}/24`] };
  return `global_defs {\n  router_id peer\n  vrrp_priority -20\n}\n${more}\n${block(`vrrp_instance ${name}`, { ...all, ...vips })}\n`;
}

export const unixNow = (): number => Date.now() / 1000;

export interface EdgeStatus {
  readonly name: string;
  readonly state: string;
  readonly reason: string;
  readonly priority: number;
  readonly basePriority: number;
  readonly trackers: readonly Record<string, unknown>[];
  readonly faults: readonly { readonly kind: string; readonly detail: string }[];
  readonly vips: readonly { readonly address: string; readonly present: boolean }[];
  readonly peer?: { readonly source: string; readonly priority: number; readonly checksumKind: string };
  readonly counters: {
    readonly advertsReceived: number;
    readonly becameMaster: number;
    readonly releasedMaster: number;
    readonly drops: Readonly<Record<string, number>>;
  };
}

interface Family {
  readonly vrid?: number;
  readonly family?: 4 | 6;
}

export class Edges {
  readonly lab: Lab;
  readonly lan: Namespace;
  readonly capture: Capture;
  readonly #nodes: ReadonlyMap<EdgeRole, Namespace>;
  readonly #logs: { readonly role: string; readonly process: TestProcess }[] = [];

  private constructor(lab: Lab, lan: Namespace, nodes: ReadonlyMap<EdgeRole, Namespace>, capture: Capture) {
    this.lab = lab;
    this.lan = lan;
    this.#nodes = nodes;
    this.capture = capture;
  }

  static async open(lab: Lab, roles: readonly EdgeRole[], filter = TAKEOVER_FILTER): Promise<Edges> {
    const lan = await lab.lan();
    const addresses = (role: EdgeRole) => [`${v4(role)}/24`, `${v6(role)}/64`];
    const nodes = await Promise.all(
      roles.map(
        async (role) =>
          [role, await lab.node(role, [{ lan, addresses: addresses(role), mac: mac(role) }])] as const,
      ),
    );
    // Otherwise the bridge keeps unicast frames between two of its ports from tcpdump.
    await lab.exec(lan, ["ip", "link", "set", "dev", "br0", "promisc", "on"]);
    return new Edges(lab, lan, new Map(nodes), await lab.capture(lan, "br0", filter));
  }

  node(role: EdgeRole): Namespace {
    const node = this.#nodes.get(role);
    if (!node) throw new Error(`this lab has no ${role}`);
    return node;
  }

  async vipward(role: EdgeRole, config: object, options?: VipwardOptions): Promise<Vipward> {
    const daemon = await Vipward.start(this.lab, this.node(role), yaml(config), options);
    this.#logs.push({ role, process: daemon.process });
    return daemon;
  }

  async keepalived(role: EdgeRole, text: string): Promise<Keepalived> {
    // A killed child may not be reaped yet, and its pid file would forbid a new one.
    for (const suffix of ["pid", "vrrp.pid"])
      rmSync(path.join(this.lab.dir, `keepalived-${role}.${suffix}`), { force: true });
    const daemon = await Keepalived.start(this.lab, this.node(role), text);
    this.#logs.push({ role, process: daemon.process });
    return daemon;
  }

  /** `ip ...` on a node; its output. */
  async ip(role: EdgeRole, words: string, check = true): Promise<string> {
    return (await this.lab.exec(this.node(role), ["ip", ...words.split(" ")], { check })).stdout;
  }

  /** A further interface, up and with a carrier, that leads nowhere. */
  async addLink(role: EdgeRole, dev: string): Promise<void> {
    await this.ip(role, `link add name ${dev} type veth peer name ${dev}-end`);
    for (const end of [`${dev}-end`, dev]) await this.ip(role, `link set dev ${end} up`);
  }

  /** Addresses without prefix length. */
  async addresses(role: EdgeRole, dev = "eth0"): Promise<string[]> {
    return (await this.lab.addresses(this.node(role), dev)).map((entry) => entry.split("/")[0] ?? "");
  }

  async waitVip(role: EdgeRole, vip = VIP4, there = true, dev = "eth0"): Promise<void> {
    await waitFor(async () => (await this.addresses(role, dev)).includes(vip) === there, {
      timeout: 20_000,
      what: `${role} ${there ? "to have" : "to lose"} ${vip}`,
    });
  }

  /** Waits for an advert of a living master in this role. */
  async master(role: EdgeRole, { since = 0, ...of }: Family & { since?: number } = {}): Promise<VrrpAdvert> {
    return this.capture.waitAdvert((advert) => isFrom(advert, role, of) && advert.priority > 0, {
      since,
      timeout: 20_000,
      what: `${role} to be master (${JSON.stringify(of)})`,
    });
  }

  /** Adverts of a role, oldest first. */
  sent(
    role: EdgeRole,
    { since = 0, until = Number.POSITIVE_INFINITY, ...of }: Family & Span = {},
  ): VrrpAdvert[] {
    return this.capture
      .adverts()
      .filter((advert) => isFrom(advert, role, of) && advert.time >= since && advert.time <= until);
  }

  /** What happened, for the message of a failed test. */
  story(lines = 50): string {
    const adverts = this.capture.adverts().map((advert) => ({
      time: advert.time,
      text: `${advert.source} > ${advert.destination} v${advert.version} vrid ${advert.vrid} priority ${advert.priority} ttl ${advert.ttl} ${advert.intervalText} from ${advert.sourceMac}`,
    }));
    // An advert like one of the three before it is no news.
    const news = adverts.filter(
      ({ text }, i) => !adverts.slice(Math.max(0, i - 3), i).some((other) => other.text === text),
    );
    const logs = this.#logs.flatMap(({ role, process }) =>
      process.output.map(({ time, text }) => ({ time, text: `${role}| ${text}` })),
    );
    const told = [...news, ...logs]
      .sort((x, y) => x.time - y.time)
      .slice(-lines)
      .map(
        ({ time, text }) =>
          `${new Date(Math.round(time * 1000)).toISOString().slice(14, 23)} ${text.slice(0, 300)}`,
      );
    return `--- what happened\n${told.join("\n")}`;
  }
}

interface Span {
  readonly since?: number;
  readonly until?: number;
}

function isFrom(advert: VrrpAdvert, role: EdgeRole, { vrid, family }: Family): boolean {
  if (vrid !== undefined && advert.vrid !== vrid) return false;
  const sources = [...(family === 6 ? [] : [v4(role)]), ...(family === 4 ? [] : [linkLocal(role), v6(role)])];
  return sources.includes(advert.source);
}

/** A test body with a lab of its own, whose story is told when it fails. */
export function withEdges(
  roles: readonly EdgeRole[],
  work: (edges: Edges) => Promise<void>,
  filter?: string,
): () => Promise<void> {
  return async () => {
    const lab = new Lab();
    let edges: Edges | undefined;
    try {
      edges = await Edges.open(lab, roles, filter);
      await work(edges);
    } catch (error) {
      if (edges && error instanceof Error) error.message += `\n${edges.story()}`;
      throw error;
    } finally {
      await lab.close();
    }
  };
}

/** One instance of a daemon's status, the first unless named. */
export async function edgeStatus(daemon: Vipward, name?: string): Promise<EdgeStatus> {
  const { body } = await daemon.api("/api/v1/status");
  const { instances } = JSON.parse(body) as { instances: readonly EdgeStatus[] };
  const found = instances.find((entry) => name === undefined || entry.name === name);
  if (!found) throw new Error(`no instance ${name ?? ""} in ${body}`);
  return found;
}

export async function waitState(daemon: Vipward, state: string, name?: string): Promise<EdgeStatus> {
  return waitFor(
    async () => {
      const status = await edgeStatus(daemon, name);
      return status.state === state && status;
    },
    { timeout: 20_000, what: `${name ?? "the instance"} to be ${state}` },
  );
}
