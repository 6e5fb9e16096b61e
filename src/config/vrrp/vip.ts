/** virtual_ipaddress: "ADDR[/LEN] [dev X] [label Y] [brd Z|+|-] [scope S]", or the same as a block. */
import { addressProblem, ipv4ToNumber, looksIpv6, numberToIpv4, parseIpv4 } from "./address.ts";
import { readBlock, repeated } from "./block.ts";
import type { Context } from "./context.ts";
import type { VipConfig } from "./model.ts";
import { isMap, isScalar, type Ref } from "./nodes.ts";
import { quote } from "./problem.ts";
import { schemas } from "./schema.ts";
import { notYet } from "./unsupported.ts";
import { validInterfaceName } from "./values.ts";

interface VipWords {
  readonly address: string;
  readonly dev?: string | undefined;
  readonly label?: string | undefined;
  readonly brd?: string | undefined;
  readonly scope?: string | undefined;
}

export interface PlacedVip {
  readonly vip: VipConfig;
  readonly ref: Ref;
}

const SCOPES = new Map([
  ["global", 0],
  ["site", 200],
  ["link", 253],
  ["host", 254],
]);
/** The count field of the packet is 8 bits (RFC 5798 5.2.5). */
const MAX_VIPS = 255;

export function readVips(ref: Ref, dev: string, context: Context): PlacedVip[] {
  const count = ref.node.kind === "list" ? ref.node.items.length : 1;
  if (count > MAX_VIPS) {
    fail(
      ref,
      context,
      `${count} addresses: an advertisement holds at most ${MAX_VIPS}`,
      "split the instance",
    );
    return [];
  }
  const out: PlacedVip[] = [];
  const seen = new Map<string, Ref>();
  let sawIpv6: Ref | undefined;
  for (const item of repeated(ref)) {
    if (item.node.kind === "scalar" && item.node.empty && item.node === ref.node) continue;
    const words = readWords(item, context);
    if (words === undefined) continue;
    if (looksIpv6(words.address.split("/")[0]!)) sawIpv6 = item;
    const vip = resolveVip(words, dev, item, context);
    if (vip === undefined) continue;
    const first = seen.get(vip.address);
    if (first !== undefined)
      fail(
        item,
        context,
        `${vip.address} is listed twice`,
        `first at ${context.problems.line(first.node.offset)}`,
      );
    else {
      seen.set(vip.address, item);
      out.push({ vip, ref: item });
    }
  }
  if (sawIpv6 && out.length > 0)
    fail(
      sawIpv6,
      context,
      "IPv4 and IPv6 addresses in one vrrp_instance",
      "an instance carries one family: make a second instance",
    );
  return out;
}

function fail(ref: Ref, context: Context, message: string, hint?: string): undefined {
  context.problems.error({ offset: ref.node.offset, message, hint, via: ref.via });
  return undefined;
}

function readWords(item: Ref, context: Context): VipWords | undefined {
  if (isMap(item)) return readBlock(item, schemas().vip, context.problems);
  if (!isScalar(item)) return fail(item, context, "an address is text or a block, not a list");
  const [address, ...words] = item.node.text.trim().split(/\s+/);
  const out: Record<string, string> = {};
  for (let i = 0; i < words.length; i += 2) {
    const key = words[i] === "broadcast" ? "brd" : words[i]!;
    const value = words[i + 1];
    if (!["dev", "label", "brd", "scope"].includes(key)) {
      const later = notYet("virtual_ipaddress", key.replace(/^-/, ""));
      return later === undefined
        ? fail(
            item,
            context,
            `unknown word ${quote(key)} after the address`,
            "ADDR[/LEN] [dev X] [label Y] [brd Z|+|-] [scope S]",
          )
        : fail(item, context, `${key} is not supported by this version of vipward yet`, later);
    }
    if (value === undefined) return fail(item, context, `${key} needs a value after it`);
    if (Object.hasOwn(out, key)) return fail(item, context, `${key} is given twice`);
    out[key] = value;
  }
  return { ...out, address: address! };
}

function resolveVip(
  words: VipWords,
  instanceDev: string,
  item: Ref,
  context: Context,
): VipConfig | undefined {
  const [text, length, rest] = words.address.split("/");
  const address = parseIpv4(text!);
  if (address === undefined) {
    const { message, hint } = addressProblem(text!);
    return fail(item, context, message, hint);
  }
  const prefixLength = length === undefined ? 32 : /^\d{1,2}$/.test(length) ? Number(length) : 99;
  if (rest !== undefined || prefixLength > 32 || prefixLength < 1)
    return fail(item, context, `${quote(words.address)}: the prefix length is 1 to 32`);
  const first = Math.floor(ipv4ToNumber(address) / 2 ** 24);
  if (first === 0 || first >= 224)
    return fail(item, context, `${address} can't be a virtual address`, "it must be a unicast address");
  const dev = words.dev ?? instanceDev;
  if (!validInterfaceName(dev)) return fail(item, context, `dev: ${quote(dev)} is not an interface name`);
  if (words.label !== undefined && new TextEncoder().encode(words.label).length > 15)
    return fail(
      item,
      context,
      `label: ${quote(words.label)} is longer than 15 bytes`,
      "the kernel's limit (IFNAMSIZ)",
    );
  const scope = words.scope === undefined ? 0 : scopeNumber(words.scope);
  if (scope === undefined)
    return fail(
      item,
      context,
      `scope: ${quote(words.scope!)} is unknown`,
      "global, site, link, host, or 0 to 254",
    );
  const broadcast = broadcastOf(words.brd, address, prefixLength);
  if (broadcast === undefined)
    return fail(
      item,
      context,
      `brd: ${quote(words.brd!)} is not an address, + or -`,
      "+ needs a prefix length of at most 30",
    );
  return {
    address,
    family: 4,
    prefixLength,
    dev,
    ...(words.label === undefined ? {} : { label: words.label }),
    ...(broadcast === "" ? {} : { broadcast }),
    scope,
  };
}

function scopeNumber(text: string): number | undefined {
  if (/^\d{1,3}$/.test(text)) return Number(text) <= 254 ? Number(text) : undefined;
  return SCOPES.get(text);
}

/** "" for none; undefined when it is wrong. */
function broadcastOf(brd: string | undefined, address: string, prefixLength: number): string | undefined {
  if (brd === undefined || brd === "-") return "";
  if (brd !== "+") return parseIpv4(brd);
  if (prefixLength > 30) return undefined;
  const hostBits = 2 ** (32 - prefixLength);
  return numberToIpv4(Math.floor(ipv4ToNumber(address) / hostBits) * hostBits + hostBits - 1);
}
