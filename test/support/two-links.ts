/**
 * Two directors on two segments, for sync groups and heartbeat paths:
 *
 *   a --eth0 10.98.0.11-- lan0 --10.98.0.12 eth0-- b      VIP0 10.98.0.100, VRID 51
 *   a --eth1 10.99.0.11-- lan1 --10.99.0.12 eth1-- b      VIP1 10.99.0.100, VRID 52
 */
import { type Capture, VRRP_FILTER, type VrrpAdvert } from "./capture.ts";
import { Keepalived } from "./keepalived.ts";
import { Lab, type Namespace, type TestProcess } from "./lab.ts";
import { OwnerWatch } from "./owners.ts";
import { Vipward, type VipwardOptions } from "./vipward.ts";
import { waitFor } from "./wait.ts";

export type Side = "a" | "b";
const LAST = { a: 11, b: 12 } as const;
export const VIPS = ["10.98.0.100", "10.99.0.100"] as const;
const VRIDS = [51, 52] as const;

export class TwoLinks {
  readonly lab: Lab;
  readonly lans: readonly [Namespace, Namespace];
  readonly nodes: Readonly<Record<Side, Namespace>>;
  readonly captures: readonly [Capture, Capture];
  readonly owners: OwnerWatch;
  readonly #logs: { readonly role: string; readonly process: TestProcess }[] = [];

  private constructor(
    lab: Lab,
    lans: readonly [Namespace, Namespace],
    nodes: Readonly<Record<Side, Namespace>>,
    captures: readonly [Capture, Capture],
    owners: OwnerWatch,
  ) {
    this.lab = lab;
    this.lans = lans;
    this.nodes = nodes;
    this.captures = captures;
    this.owners = owners;
  }

  static async open(lab: Lab): Promise<TwoLinks> {
    const lans = [await lab.lan("lan0"), await lab.lan("lan1")] as const;
    const node = (side: Side) =>
      lab.node(
        side,
        lans.map((lan, i) => ({ lan, addresses: [`10.9${8 + i}.0.${LAST[side]}/24`] })),
      );
    const nodes = { a: await node("a"), b: await node("b") };
    const [first, second, owners] = await Promise.all([
      lab.capture(lans[0], "br0", VRRP_FILTER),
      lab.capture(lans[1], "br0", VRRP_FILTER),
      OwnerWatch.start(lab, [nodes.a, nodes.b]),
    ]);
    return new TwoLinks(lab, lans, nodes, [first, second], owners);
  }

  /** `config` is any object of vipward's keys: JSON is YAML. */
  async vipward(side: Side, config: object, options?: VipwardOptions): Promise<Vipward> {
    const daemon = await Vipward.start(this.lab, this.nodes[side], JSON.stringify(config), options);
    this.#logs.push({ role: side, process: daemon.process });
    return daemon;
  }

  async keepalived(side: Side, conf: string): Promise<Keepalived> {
    const daemon = await Keepalived.start(this.lab, this.nodes[side], conf);
    this.#logs.push({ role: side, process: daemon.process });
    return daemon;
  }

  /** Adverts of a side on a link, oldest first. */
  sent(side: Side, link: 0 | 1, since = 0): VrrpAdvert[] {
    const source = `10.9${8 + link}.0.${LAST[side]}`;
    return this.captures[link].adverts({ source }).filter(({ time }) => time >= since);
  }

  /** Waits until a side is the only owner of every VIP. */
  async waitOwner(side: Side, vips: readonly string[] = VIPS): Promise<void> {
    await waitFor(() => vips.every((vip) => this.owners.owners(vip).join() === side), {
      timeout: 20_000,
      what: `${side} to own ${vips.join(" and ")} alone`,
    });
  }

  story(lines = 70): string {
    const logs = this.#logs.flatMap(({ role, process }) =>
      process.output.map(({ time, text }) => ({ time, text: `${role}| ${text}` })),
    );
    const owned = VIPS.flatMap((vip) => this.owners.events(vip));
    const told = [...logs, ...owned].sort((x, y) => x.time - y.time).slice(-lines);
    const line = ({ time, text }: { time: number; text: string }) =>
      `${new Date(Math.round(time * 1000)).toISOString().slice(14, 23)} ${text.slice(0, 300)}`;
    return `--- what happened\n${told.map(line).join("\n")}`;
  }
}

export function withTwoLinks(work: (net: TwoLinks) => Promise<void>): () => Promise<void> {
  return async () => {
    const lab = new Lab();
    let net: TwoLinks | undefined;
    try {
      net = await TwoLinks.open(lab);
      await work(net);
    } catch (error) {
      if (net && error instanceof Error) error.message += `\n${net.story()}`;
      throw error;
    } finally {
      await lab.close();
    }
  };
}

export interface GroupSpec {
  readonly priority: number;
  /** Seconds. */
  readonly advertInt: number;
  readonly nopreempt?: boolean;
  /** Of the group. */
  readonly notify?: string;
}

/** VI_0 on eth0 and VI_1 on eth1 in sync group G; VRRPv3. */
export function groupYaml({ priority, advertInt, nopreempt, notify }: GroupSpec): object {
  const instance = (link: 0 | 1) => ({
    interface: `eth${link}`,
    virtual_router_id: VRIDS[link],
    version: 3,
    priority,
    advert_int: advertInt,
    ...(nopreempt ? { state: "BACKUP", nopreempt: true } : {}),
    virtual_ipaddress: [`${VIPS[link]}/24`],
  });
  return {
    vrrp_sync_group: { G: { group: ["VI_0", "VI_1"], ...(notify ? { notify } : {}) } },
    vrrp_instance: { VI_0: instance(0), VI_1: instance(1) },
  };
}

/** The same for keepalived. A busy machine must not make it late. */
export function groupConf({ priority, advertInt, nopreempt }: GroupSpec): string {
  const instance = (link: 0 | 1) => `
vrrp_instance VI_${link} {
  state BACKUP
  interface eth${link}
  virtual_router_id ${VRIDS[link]}
  version 3
  priority ${priority}
  advert_int ${advertInt}
  ${nopreempt ? "nopreempt" : ""}
  virtual_ipaddress {
    ${VIPS[link]}/24
  }
}`;
  return `
global_defs {
  router_id peer
  vrrp_priority -20
}
vrrp_sync_group G {
  group {
    VI_0
    VI_1
  }
}
${instance(0)}
${instance(1)}
`;
}
