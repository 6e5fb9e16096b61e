/**
 * Internet checksum (RFC 1071) over the chunks as if they were one run of bytes.
 * Over data that contains its own correct checksum the result is 0.
 */
export function internetChecksum(...chunks: readonly Uint8Array[]): number {
  let sum = 0;
  // A chunk may end in the middle of a 16-bit word: parity goes on into the next one.
  let high = true;
  for (const chunk of chunks) {
    for (const byte of chunk) {
      sum += high ? byte << 8 : byte;
      high = !high;
    }
    sum = fold(sum);
  }
  return ~sum & 0xffff;
}

/** One's complement addition: carries come back in at the low end. */
function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = Math.floor(folded / 0x10000) + (folded % 0x10000);
  return folded;
}
