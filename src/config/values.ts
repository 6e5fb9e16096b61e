/** Values with a grammar of their own. */
import { ipv4ToNumber, parseIpv4 } from "./address.ts";
import { scalar } from "./scalar.ts";

/** persistence_granularity: a netmask or a prefix length, as a prefix length. */
export const persistenceGranularity = () =>
  scalar<number>((text) => {
    const message = `"${text.slice(0, 40)}" is not a netmask or prefix length`;
    if (/^\/?\d{1,2}$/.test(text)) {
      const length = Number(text.replace("/", ""));
      return length >= 1 && length <= 32 ? { value: length } : { message, hint: "1 to 32, or 255.255.255.0" };
    }
    const mask = parseIpv4(text);
    const ones = mask === undefined ? -1 : Math.clz32(~ipv4ToNumber(mask));
    const contiguous = mask !== undefined && ipv4ToNumber(mask) === 2 ** 32 - 2 ** (32 - ones);
    return contiguous && ones >= 1 ? { value: ones } : { message, hint: "1 to 32, or 255.255.255.0" };
  });

/** "200", "200-299 301": accepted codes as inclusive ranges, or what is wrong. */
export function parseStatusCodes(text: string): [number, number][] | string {
  const ranges: [number, number][] = [];
  for (const part of text.trim().split(/[\s,]+/)) {
    const match = /^(\d{3})(?:-(\d{3}))?$/.exec(part);
    const from = Number(match?.[1]);
    const to = match?.[2] === undefined ? from : Number(match[2]);
    if (!match || from < 100 || to < from) return `"${part.slice(0, 40)}" is not a status code or range`;
    ranges.push([from, to]);
    if (ranges.length > 64) return "more than 64 status codes and ranges";
  }
  return ranges;
}

/** An interface name as the kernel accepts it (dev_valid_name in net/core/dev.c). */
export const validInterfaceName = (name: string): boolean =>
  name.length > 0 &&
  new TextEncoder().encode(name).length <= 15 &&
  name !== "." &&
  name !== ".." &&
  !/[/:\s]/.test(name);

export const interfaceName = () =>
  scalar<string>((text) =>
    validInterfaceName(text)
      ? { value: text }
      : {
          message: `"${text.slice(0, 60)}" is not an interface name`,
          hint: "at most 15 bytes, no blank, slash or colon",
        },
  );
