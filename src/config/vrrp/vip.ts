/** virtual_ipaddress, virtual_ipaddress_excluded, static_ipaddress: words after an address, or a block. */
import { ipv4ToNumber, numberToIpv4 } from "../address.ts";
import type { Context } from "../context.ts";
import { bitsOf, type Ip, ipProblem, isUnicast, type Prefix, parseIp, parsePrefix } from "../ip.ts";
import type { Family, VipConfig } from "../model.ts";
import { isMap, isScalar, type Ref } from "../nodes.ts";
import { defined } from "../optional.ts";
import { inside, refuse } from "../place.ts";
import { quote } from "../problem.ts";
import { schemas } from "../schema.ts";
import { validInterfaceName } from "../values.ts";
import { items, readWords, type WordForm, type Words } from "../words.ts";
import { scopeNumber } from "./ip-words.ts";

export interface PlacedVip {
  readonly vip: VipConfig;
  readonly ref: Ref;
}

const FORM: WordForm = {
  what: "an address",
  lead: "address",
  values: {
    dev: "dev",
    label: "label",
    brd: "brd",
    broadcast: "brd",
    scope: "scope",
    peer: "peer",
    preferred_lft: "preferred_lft",
  },
  flags: ["nodad", "no_track"],
  usage:
    "ADDR[/LEN] [dev X] [label Y] [brd Z|+|-] [scope S] [peer ADDR] [preferred_lft N|forever] [nodad] [no_track]",
};
/** The count field of the packet is 8 bits (RFC 5798 5.2.5). */
const MAX_VIPS = 255;
const MAX_SECONDS = 2 ** 32 - 2;

/** The family of the first address, before anything is checked. */
export function familyOfFirst(ref: Ref | undefined): Family | undefined {
  const first = ref && items(ref)[0];
  if (first === undefined) return undefined;
  const address = isMap(first) ? first.node.flat.address : isScalar(first) ? first.node.text : undefined;
  if (typeof address !== "string") return undefined;
  return parseIp(address.trim().split(/[\s/]/)[0]!)?.family;
}

/** The addresses of an advertisement: one family, a bounded number. */
export function readVips(ref: Ref, family: Family, dev: string, context: Context): PlacedVip[] {
  const count = items(ref).length;
  if (count > MAX_VIPS) {
    const message = `${count} addresses: an advertisement holds at most ${MAX_VIPS}`;
    refuse(inside(ref), context, message, "move the others to virtual_ipaddress_excluded");
    return [];
  }
  const vips = readAddresses(ref, dev, context);
  const other = vips.find(({ vip }) => vip.family !== family);
  if (other !== undefined)
    refuse(
      inside(other.ref),
      context,
      "IPv4 and IPv6 addresses in one vrrp_instance",
      "an instance carries one family: make a second instance, or use virtual_ipaddress_excluded",
    );
  return vips;
}

/** Addresses of any family; `dev` undefined means that each must name its own. */
export function readAddresses(ref: Ref, dev: string | undefined, context: Context): PlacedVip[] {
  const out: PlacedVip[] = [];
  const seen = new Map<string, Ref>();
  for (const item of items(ref)) {
    const words = readWords(item, FORM, schemas().vip, context);
    const vip = words && resolveVip(words, dev, item, context);
    if (vip === undefined) continue;
    const first = seen.get(vipIdentity(vip));
    if (first !== undefined) {
      const hint = `first at ${context.problems.line(first.node.offset)}`;
      refuse(inside(item), context, `${vip.address} is listed twice`, hint);
    } else {
      seen.set(vipIdentity(vip), item);
      out.push({ vip, ref: item });
    }
  }
  return out;
}

/** One address is one thing, but for link-local ones: every link has its own. */
export const vipIdentity = (vip: VipConfig): string =>
  vip.address.startsWith("fe80:") ? `${vip.address}%${vip.dev}` : vip.address;

function resolveVip(
  words: Words,
  defaultDev: string | undefined,
  item: Ref,
  context: Context,
): VipConfig | undefined {
  const fail = (key: string, message: string, hint?: string): undefined =>
    refuse(inside(item, key), context, message, hint);
  if (words.address === undefined) return fail("address", "the address is missing", FORM.usage);
  const prefix = readPrefix(words.address, fail);
  if (prefix === undefined) return undefined;
  const { address, family } = prefix;
  if (!isUnicast(address))
    return fail("address", `${address} can't be a virtual address`, "it must be a unicast address");
  const dev = words.dev ?? defaultDev;
  if (dev === undefined) return fail("address", `${address} needs dev`, "dev IF: where the address goes");
  if (!validInterfaceName(dev)) return fail("dev", `dev: ${quote(dev)} is not an interface name`);
  const label = words.label === undefined ? undefined : readLabel(words.label, family, fail);
  const scope = scopeNumber(words.scope ?? "global");
  if (scope === undefined)
    return fail("scope", `scope: ${quote(words.scope!)} is unknown`, "global, site, link, host, or 0 to 254");
  const broadcast = broadcastOf(words.brd, prefix);
  if (broadcast === undefined)
    return family === 6
      ? fail("brd", "brd: IPv6 has no broadcast", "remove it")
      : fail(
          "brd",
          `brd: ${quote(words.brd!)} is not an address, + or -`,
          "+ needs a prefix length of at most 30",
        );
  const peer = words.peer === undefined ? undefined : readPeer(words.peer, prefix, fail);
  const lifetime = readLifetime(words.preferred_lft, prefix, fail);
  if (peer === null || label === null || lifetime === null) return undefined;
  return defined({
    address,
    family,
    prefixLength: peer?.length ?? prefix.length,
    dev,
    label,
    broadcast: broadcast === "" ? undefined : broadcast,
    scope,
    peer: peer?.address,
    preferredLifetime: lifetime,
    noTrack: words.no_track === undefined ? undefined : true,
  });
}

type Fail = (key: string, message: string, hint?: string) => undefined;

function readPrefix(text: string, fail: Fail): Prefix | undefined {
  const host = text.split("/")[0]!;
  const address: Ip | undefined = parseIp(host);
  if (address === undefined) {
    const { message, hint } = ipProblem(host);
    return fail("address", message, hint);
  }
  const prefix = parsePrefix(text);
  return prefix === undefined || prefix.length === 0
    ? fail("address", `${quote(text)}: the prefix length is 1 to ${bitsOf(address.family)}`)
    : prefix;
}

/** null: wrong, and reported. */
function readLabel(label: string, family: Family, fail: Fail): string | null {
  if (family === 6)
    return fail("label", "label: IPv6 addresses have none", "labels are IPv4 only: remove it") ?? null;
  if (new TextEncoder().encode(label).length > 15)
    return (
      fail("label", `label: ${quote(label)} is longer than 15 bytes`, "the kernel's limit (IFNAMSIZ)") ?? null
    );
  return label;
}

/** The peer's prefix length is the address's, as in ip(8). */
function readPeer(text: string, own: Prefix, fail: Fail): Prefix | null {
  const peer = parsePrefix(text);
  if (peer === undefined || peer.family !== own.family)
    return fail("peer", `peer: ${quote(text)} is not an IPv${own.family} address`) ?? null;
  if (text.includes("/") && own.length !== bitsOf(own.family) && own.length !== peer.length)
    return (
      fail("peer", "the address and its peer have different prefix lengths", "write it after the peer") ??
      null
    );
  return text.includes("/") ? peer : { ...peer, length: own.length };
}

/** Seconds; undefined: as long as the address is valid. keepalived: an IPv6 /128 is never a source by itself. */
function readLifetime(
  text: string | undefined,
  { family, length }: Prefix,
  fail: Fail,
): number | undefined | null {
  if (text === undefined) return family === 6 && length === 128 ? 0 : undefined;
  if (text === "forever") return undefined;
  return /^\d{1,10}$/.test(text) && Number(text) <= MAX_SECONDS
    ? Number(text)
    : (fail("preferred_lft", `preferred_lft: ${quote(text)} is not whole seconds or forever`) ?? null);
}

/** "" for none; undefined when it is wrong. */
function broadcastOf(brd: string | undefined, { address, family, length }: Prefix): string | undefined {
  if (brd === undefined || brd === "-") return "";
  if (family === 6) return undefined;
  if (brd !== "+") return parseIp(brd)?.family === 4 ? brd : undefined;
  if (length > 30) return undefined;
  const hostBits = 2 ** (32 - length);
  return numberToIpv4(Math.floor(ipv4ToNumber(address) / hostBits) * hostBits + hostBits - 1);
}
