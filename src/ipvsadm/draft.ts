/** What the options of one command line add up to, before it is known whether they go together. */
import type { Family, TransportProtocol } from "../config/model.ts";
import type { ForwardMethod, ServiceId } from "../lvs/table.ts";
import { parseIpv4 } from "../wire/address.ts";
import { maskToPrefix } from "../wire/ipvs-netmask.ts";
import type { Names } from "./names.ts";
import type { OptionName } from "./options.ts";
import { type Endpoint, endpoint, ipv4Host, ipv6Prefix, multicastGroup, numberIn } from "./values.ts";

export const FULL_NETMASK: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };
const DEFAULT_PERSISTENCE_S = 360;
/** Of persistence and of --set: 31 days. */
export const MAX_TIMEOUT_S = 31 * 86_400;
const MAX_INT = 0x7fffffff;
/** What fits in a UDP datagram. */
const MAX_SYNC_MESSAGE = 65_507;
const TUNNEL_TYPES = ["ipip", "gue", "gre"];

export interface Draft {
  service?: ServiceId;
  /** As in ServiceSpec. */
  netmask: number;
  scheduler: string;
  schedulerFlags: string;
  persistence?: number;
  onePacket: boolean;
  pe: string;
  server?: Endpoint;
  forward: ForwardMethod;
  weight: number;
  upper: number;
  lower: number;
  tunType: number;
  tunPort: number;
  interface: string;
  syncId: number;
  syncLength?: number;
  group?: string;
  mcastPort?: number;
  ttl?: number;
}

export function emptyDraft(): Draft {
  return {
    netmask: FULL_NETMASK[4],
    scheduler: "",
    schedulerFlags: "",
    onePacket: false,
    pe: "",
    forward: "route",
    weight: 1,
    upper: 0,
    lower: 0,
    tunType: 0,
    tunPort: 0,
    interface: "",
    syncId: 0,
  };
}

/** Takes one option into the draft; text when its value is wrong. `kind` is WordSpec's `means.value`. */
export async function take(
  draft: Draft,
  option: OptionName,
  value: string | undefined,
  kind: string | undefined,
  names: Names,
): Promise<string | undefined> {
  const text = value ?? "";
  switch (option) {
    case "service-address":
      return kind === "fwmark"
        ? takeFwmark(draft, text)
        : takeAddress(draft, text, kind as TransportProtocol, names);
    case "ipv6":
      return takeIpv6(draft);
    case "netmask":
      return takeNetmask(draft, text, names);
    case "real-server":
      return takeServer(draft, text, names);
    case "persistent":
      return takeNumber(draft, option, value ?? String(DEFAULT_PERSISTENCE_S));
    case "tun-type":
      return takeTunnelType(draft, text);
    case "mcast-group":
      return takeGroup(draft, text);
    case "scheduler":
      draft.scheduler = text;
      return undefined;
    case "sched-flags":
      draft.schedulerFlags = text;
      return undefined;
    case "pe":
      draft.pe = text;
      return undefined;
    case "ops":
      draft.onePacket = true;
      return undefined;
    case "forwarding-method":
      draft.forward = kind as ForwardMethod;
      return undefined;
    case "mcast-interface":
      // IP_VS_IFNAME_MAXLEN, its zero included.
      draft.interface = text.slice(0, 15);
      return undefined;
    default:
      return takeNumber(draft, option, text);
  }
}

async function takeAddress(
  draft: Draft,
  text: string,
  protocol: TransportProtocol,
  names: Names,
): Promise<string | undefined> {
  const found = await endpoint(text, protocol, names);
  if (!found) return `"${text}" is no address[:port] of a virtual service`;
  const { family, address, port = 0 } = found;
  draft.service = { kind: "address", protocol, family, address, port };
  if (family === 6) draft.netmask = FULL_NETMASK[6];
  return undefined;
}

function takeFwmark(draft: Draft, text: string): string | undefined {
  const mark = numberIn(text, 1, 0xffffffff);
  if (mark === undefined) return `"${text}" is no firewall mark (1 to 4294967295)`;
  draft.service = { kind: "fwmark", family: 4, mark };
  return undefined;
}

function takeIpv6(draft: Draft): string | undefined {
  if (draft.service?.kind !== "fwmark") return "-6 goes with -f and stands after it";
  draft.service = { ...draft.service, family: 6 };
  draft.netmask = FULL_NETMASK[6];
  return undefined;
}

/** Of the family known so far: an IPv4 mask, which need not be a prefix, or an IPv6 prefix length. */
async function takeNetmask(draft: Draft, text: string, names: Names): Promise<string | undefined> {
  if (draft.service?.family === 6) {
    const prefix = ipv6Prefix(text);
    if (prefix === undefined) return `"${text}" is no IPv6 prefix length (1 to 128)`;
    draft.netmask = prefix;
    return undefined;
  }
  const bytes = parseIpv4((await ipv4Host(text, names)) ?? "");
  if (!bytes) return `"${text}" is no IPv4 netmask`;
  draft.netmask = maskToPrefix(new DataView(bytes.buffer).getUint32(0));
  return undefined;
}

async function takeServer(draft: Draft, text: string, names: Names): Promise<string | undefined> {
  const { service } = draft;
  // A mark can stand for any protocol; port names are those of TCP then. Before -t or -u there are none.
  const protocol = service?.kind === "fwmark" ? "tcp" : service?.protocol;
  const server = await endpoint(text, protocol, names);
  if (!server) return `"${text}" is no address[:port] of a real server`;
  draft.server = server;
  return undefined;
}

type NumericField =
  | "weight"
  | "upper"
  | "lower"
  | "tunPort"
  | "syncId"
  | "syncLength"
  | "mcastPort"
  | "ttl"
  | "persistence";

/** Where the number goes and its bounds. */
const NUMBERS: Readonly<Partial<Record<OptionName, readonly [NumericField, number, number]>>> = {
  persistent: ["persistence", 1, MAX_TIMEOUT_S],
  weight: ["weight", 0, MAX_INT],
  "u-threshold": ["upper", 0, MAX_INT],
  "l-threshold": ["lower", 0, MAX_INT],
  "tun-port": ["tunPort", 1, 0xffff],
  syncid: ["syncId", 0, 255],
  "sync-maxlen": ["syncLength", 1, MAX_SYNC_MESSAGE],
  "mcast-port": ["mcastPort", 1, 0xffff],
  "mcast-ttl": ["ttl", 1, 255],
};

/** Options that are neither numbers nor in `take` have no value: that they were given is all. */
function takeNumber(draft: Draft, option: OptionName, text: string): string | undefined {
  const rule = NUMBERS[option];
  if (!rule) return undefined;
  const [field, least, most] = rule;
  const value = numberIn(text, least, most);
  if (value === undefined) return `"${text}" is no ${option} (${least} to ${most})`;
  draft[field] = value;
  return undefined;
}

function takeTunnelType(draft: Draft, text: string): string | undefined {
  draft.tunType = TUNNEL_TYPES.indexOf(text);
  return draft.tunType < 0 ? `"${text}" is no tunnel type (${TUNNEL_TYPES.join(", ")})` : undefined;
}

function takeGroup(draft: Draft, text: string): string | undefined {
  const group = multicastGroup(text);
  if (group === undefined) return `"${text}" is no multicast address`;
  draft.group = group;
  return undefined;
}
