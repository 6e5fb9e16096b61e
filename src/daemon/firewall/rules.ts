/**
 * no_accept (RFC 5798 §6.1 Accept_Mode false): traffic to a VIP that we do not own is dropped, except the
 * virtual services on it and what keeps the address alive on the link (neighbour discovery; ARP never passes
 * here). Pure text for nft(8) and iptables-restore(8).
 */
import type { Config, ServiceConfig, VipConfig } from "../../config/model.ts";

export interface Guarded {
  readonly vip: VipConfig;
  readonly services: readonly ServiceConfig[];
}

/** The VIPs to guard: those of instances that don't accept and are not their owner. */
export function guardedVips(config: Config): Guarded[] {
  return config.instances
    .filter((instance) => instance.accept === false && instance.priority !== 255)
    .flatMap((instance) => [...instance.vips, ...(instance.excludedVips ?? [])])
    .map((vip) => ({ vip, services: config.services.filter((service) => service.address === vip.address) }));
}

/** Our own table, replaced as a whole in one transaction; empty without anything to guard. */
export function nftScript(guarded: readonly Guarded[]): string {
  // "add" first: deleting a table that is not there is an error.
  const replace = ["add table inet vipward", "delete table inet vipward"];
  if (guarded.length === 0) return `${replace.join("\n")}\n`;
  const rules = guarded.flatMap(({ vip, services }) => {
    const family = vip.family === 4 ? "ip" : "ip6";
    const match = `${family} daddr ${vip.address}`;
    const allow = services.map((service) => `    ${match} ${service.protocol} dport ${service.port} accept`);
    return [...allow, `    ${match} drop`];
  });
  return [
    ...replace,
    "table inet vipward {",
    "  chain no_accept {",
    "    type filter hook input priority -1; policy accept;",
    "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept",
    ...rules,
    "  }",
    "}",
    "",
  ].join("\n");
}

export const CHAIN = "VIPWARD-NO-ACCEPT";
const ND_TYPES = [
  "router-solicitation",
  "router-advertisement",
  "neighbour-solicitation",
  "neighbour-advertisement",
];

/** For iptables-restore --noflush: our chain emptied and filled; the jump is made by the caller. */
export function iptablesScript(guarded: readonly Guarded[], family: 4 | 6): string {
  const lines = ["*filter", `:${CHAIN} - [0:0]`, `-F ${CHAIN}`];
  if (family === 6)
    for (const type of ND_TYPES) lines.push(`-A ${CHAIN} -p icmpv6 --icmpv6-type ${type} -j ACCEPT`);
  for (const { vip, services } of guarded) {
    if (vip.family !== family) continue;
    for (const { protocol, port } of services) {
      lines.push(`-A ${CHAIN} -d ${vip.address} -p ${protocol} --dport ${port} -j ACCEPT`);
    }
    lines.push(`-A ${CHAIN} -d ${vip.address} -j DROP`);
  }
  return [...lines, "COMMIT", ""].join("\n");
}
