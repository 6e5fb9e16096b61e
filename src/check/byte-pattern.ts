/** UDP_CHECK's hex strings: payloads, and patterns whose nibbles may be wild (keepalived HEX_STR). */

/**
 * keepalived's free format: "Ab12f 3 456" is AB 12 0F 03 45 06: pairs within each word, a single digit left over
 * at its end being a byte of its own. `wild`: x stands for a nibble of any value.
 * The answer has two characters a byte, lower case; undefined: not such text.
 */
export function parseHexString(text: string, wild: boolean): string | undefined {
  const words = text.trim().split(/[\s:]+/);
  let out = "";
  for (const word of words) {
    const digits = word.replace(/^0x(?=[0-9a-f])/i, "").toLowerCase();
    if (!(wild ? /^[0-9a-fx]+$/ : /^[0-9a-f]+$/).test(digits)) return undefined;
    for (let i = 0; i < digits.length; i += 2) out += digits.slice(i, i + 2).padStart(2, "0");
  }
  return out;
}

/** Compared up to the shorter of the two, as keepalived does; the place of the first difference, else undefined. */
export function firstDifference(pattern: string, bytes: Uint8Array): number | undefined {
  const length = Math.min(pattern.length / 2, bytes.length);
  for (let i = 0; i < length; i++) {
    const found = bytes[i]!.toString(16).padStart(2, "0");
    for (let nibble = 0; nibble < 2; nibble++) {
      const wanted = pattern[2 * i + nibble]!;
      if (wanted !== "x" && wanted !== found[nibble]) return i;
    }
  }
  return undefined;
}
