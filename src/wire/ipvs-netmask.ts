/**
 * Persistence granularity. The table has prefix lengths; the kernel has a 32-bit mask for IPv4, and takes any
 * mask. One that is no prefix (made by somebody else) is kept as its negated number: it is written back as it
 * was, and equals no wanted prefix.
 */
export function prefixToMask(prefix: number): number {
  if (prefix < 0) return -prefix;
  if (prefix > 32)
    throw new RangeError(`persistence granularity /${prefix}: an IPv4 prefix has at most 32 bits`);
  return prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
}

/** `mask` in host order as an unsigned number. */
export function maskToPrefix(mask: number): number {
  const prefix = Math.clz32(~mask);
  return prefixToMask(prefix) === mask ? prefix : -mask;
}
