/** Routes and policy rules over rtnetlink (linux/rtnetlink.h, linux/fib_rules.h). */
import { type AttrStream, putU32 } from "node-netlink/dist/structs.js";
import type { Family, RouteConfig, RuleConfig } from "../config/model.ts";
import { addressBytes } from "../wire/address.ts";
import { putI32 } from "./bytes.ts";
import type { SystemError } from "./errors.ts";
import { NetlinkRequester, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from "./netlink-request.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink-socket.ts";
import { AF_INET, AF_INET6 } from "./sockets.ts";

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_TABLE = 15;
/** rtm_protocol: VRRP's own number in iproute2's rt_protos (keepalived). */
export const RTPROT_KEEPALIVED = 18;
const RTN: Record<RouteConfig["type"], number> = { unicast: 1, blackhole: 6, unreachable: 7, prohibit: 8 };
const RTNH_F_ONLINK = 4;
const RT_SCOPE_LINK = 253;

const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_TABLE = 15;
const FRA_OIFNAME = 17;
const FRA_PROTOCOL = 21;
const FR_ACT_TO_TBL = 1;

interface Prefix {
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** "default", "ADDR" or "ADDR/LEN". Throws TypeError. */
function prefix(text: string, family: Family): Prefix {
  if (text === "default") return { bytes: new Uint8Array(0), length: 0 };
  const [address = "", length] = text.split("/");
  const full = family === 4 ? 32 : 128;
  return { bytes: addressBytes(address, family), length: length === undefined ? full : Number(length) };
}

const af = (family: Family): number => (family === 4 ? AF_INET : AF_INET6);
const smallTable = (table: number): number => (table < 256 ? table : 0);

export class RtNetlinkRoutes {
  readonly #socket: NetlinkSocket;
  readonly #requester: NetlinkRequester;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
    this.#requester = new NetlinkRequester(socket);
  }

  static open(): RtNetlinkRoutes {
    return new RtNetlinkRoutes(NetlinkSocket.open(NETLINK_ROUTE));
  }

  /** Adds or replaces. `indexOf` finds an interface; throws SystemError. */
  addRoute(route: RouteConfig, indexOf: (dev: string) => number | undefined): void {
    const flags = NLM_F_CREATE | NLM_F_REPLACE;
    this.#requester.request(
      RTM_NEWROUTE,
      flags,
      routePayload(route, indexOf),
      `add the route ${describeRoute(route)}`,
    );
  }

  /** Adds it only where it is missing; true when it was. A route that is there causes no notification. */
  restoreRoute(route: RouteConfig, indexOf: (dev: string) => number | undefined): boolean {
    return this.#missing(() =>
      this.#requester.request(
        RTM_NEWROUTE,
        NLM_F_CREATE | NLM_F_EXCL,
        routePayload(route, indexOf),
        `restore the route ${describeRoute(route)}`,
      ),
    );
  }

  /** The same for a rule. */
  restoreRule(rule: RuleConfig): boolean {
    return this.#missing(() =>
      this.#requester.request(
        RTM_NEWRULE,
        NLM_F_CREATE | NLM_F_EXCL,
        rulePayload(rule),
        `restore the rule ${describeRule(rule)}`,
      ),
    );
  }

  #missing(add: () => void): boolean {
    try {
      add();
      return true;
    } catch (error) {
      if ((error as SystemError).code === "EEXIST") return false;
      throw error;
    }
  }

  /** A route that is gone already is no error. */
  deleteRoute(route: RouteConfig, indexOf: (dev: string) => number | undefined): void {
    this.#ignoring(["ESRCH", "ENODEV"], () =>
      this.#requester.request(
        RTM_DELROUTE,
        0,
        routePayload(route, indexOf),
        `delete the route ${describeRoute(route)}`,
      ),
    );
  }

  /** An identical rule that is there already is no error. */
  addRule(rule: RuleConfig): void {
    this.#ignoring(["EEXIST"], () =>
      this.#requester.request(
        RTM_NEWRULE,
        NLM_F_CREATE | NLM_F_EXCL,
        rulePayload(rule),
        `add the rule ${describeRule(rule)}`,
      ),
    );
  }

  deleteRule(rule: RuleConfig): void {
    this.#ignoring(["ENOENT"], () =>
      this.#requester.request(RTM_DELRULE, 0, rulePayload(rule), `delete the rule ${describeRule(rule)}`),
    );
  }

  #ignoring(codes: readonly string[], act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!codes.includes((error as SystemError).code)) throw error;
    }
  }

  close(): void {
    this.#socket.close();
  }
}

/** struct rtmsg and its attributes. */
function routePayload(route: RouteConfig, indexOf: (dev: string) => number | undefined) {
  return (out: AttrStream): void => {
    const { family, via, dev, source, table, metric } = route;
    const destination = prefix(route.destination, family);
    const header = Buffer.alloc(12);
    header[0] = af(family);
    header[1] = destination.length;
    header[4] = smallTable(table);
    header[5] = RTPROT_KEEPALIVED;
    // Without a gateway the destination is on the link (ip-route(8)).
    header[6] =
      route.scope ?? (family === 4 && via === undefined && route.type === "unicast" ? RT_SCOPE_LINK : 0);
    header[7] = RTN[route.type];
    putI32(header, 8, route.onlink ? RTNH_F_ONLINK : 0);
    out.emit(header);
    if (destination.length > 0) out.push(RTA_DST, destination.bytes);
    if (via !== undefined) out.push(RTA_GATEWAY, addressBytes(via, family));
    if (dev !== undefined) out.push(RTA_OIF, putU32(need(indexOf(dev), dev)));
    if (source !== undefined) out.push(RTA_PREFSRC, addressBytes(source, family));
    if (metric !== undefined) out.push(RTA_PRIORITY, putU32(metric));
    out.push(RTA_TABLE, putU32(table));
  };
}

function need(index: number | undefined, dev: string): number {
  if (index === undefined) throw new Error(`interface ${dev} does not exist`);
  return index;
}

/** struct fib_rule_hdr and its attributes. */
function rulePayload(rule: RuleConfig) {
  return (out: AttrStream): void => {
    const { family, from, to, iif, oif, priority, fwmark, table } = rule;
    const source = from === undefined || from === "all" ? undefined : prefix(from, family);
    const target = to === undefined || to === "all" ? undefined : prefix(to, family);
    const header = Buffer.alloc(12);
    header[0] = af(family);
    header[1] = target?.length ?? 0;
    header[2] = source?.length ?? 0;
    header[4] = smallTable(table);
    header[7] = FR_ACT_TO_TBL;
    out.emit(header);
    if (target && target.length > 0) out.push(FRA_DST, target.bytes);
    if (source && source.length > 0) out.push(FRA_SRC, source.bytes);
    if (iif !== undefined) out.push(FRA_IIFNAME, Buffer.from(`${iif}\0`));
    if (oif !== undefined) out.push(FRA_OIFNAME, Buffer.from(`${oif}\0`));
    if (priority !== undefined) out.push(FRA_PRIORITY, putU32(priority));
    if (fwmark !== undefined) out.push(FRA_FWMARK, putU32(fwmark));
    out.push(FRA_TABLE, putU32(table));
    out.push(FRA_PROTOCOL, Uint8Array.of(RTPROT_KEEPALIVED));
  };
}

export function describeRoute(route: RouteConfig): string {
  const words = [route.type === "unicast" ? "" : route.type, route.destination];
  if (route.via !== undefined) words.push("via", route.via);
  if (route.dev !== undefined) words.push("dev", route.dev);
  if (route.table !== 254) words.push("table", String(route.table));
  if (route.metric !== undefined) words.push("metric", String(route.metric));
  return words.filter((word) => word !== "").join(" ");
}

export function describeRule(rule: RuleConfig): string {
  const words = rule.priority === undefined ? [] : ["priority", String(rule.priority)];
  words.push("from", rule.from ?? "all");
  if (rule.to !== undefined) words.push("to", rule.to);
  if (rule.iif !== undefined) words.push("iif", rule.iif);
  if (rule.oif !== undefined) words.push("oif", rule.oif);
  if (rule.fwmark !== undefined) words.push("fwmark", String(rule.fwmark));
  return [...words, "table", String(rule.table)].join(" ");
}
