/** SHA-256 and HMAC against their standards and node:crypto; the auth_hmac trailer against a capture. */
import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, hex } from "../../src/wire/hex.ts";
import { decodeHmacTrailer, encodeHmacTrailer, trailerMac } from "../../src/wire/hmac.ts";
import { hmacSha256, sha256 } from "../../src/wire/sha256.ts";
import { HMAC_MESSAGE, HMAC_TRAILER } from "../vectors/vrrp.ts";

const text = (value: string) => new TextEncoder().encode(value);
const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);
const CONTEXT = { family: 4, source: "192.0.2.11", message: fromHex(HMAC_MESSAGE) } as const;

describe("SHA-256", () => {
  it.each([
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
  ])("FIPS 180-4 examples: %s", (message, digest) => {
    expect(hex(sha256(text(message)))).toBe(digest);
  });
  it("FIPS 180-4: a million times 'a'", () => {
    expect(hex(sha256(new Uint8Array(1_000_000).fill(97)))).toBe(
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    );
  });
  it("every length around the padding's edges agrees with node:crypto", () => {
    for (let length = 0; length <= 200; length++) {
      const message = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 0xff);
      expect(hex(sha256(message))).toBe(createHash("sha256").update(message).digest("hex"));
    }
  });
});

describe("HMAC", () => {
  it("RFC 4231 test cases 1, 2 and 6", () => {
    expect(hex(hmacSha256(new Uint8Array(20).fill(0x0b), text("Hi There")))).toBe(
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    );
    expect(hex(hmacSha256(text("Jefe"), text("what do ya want for nothing?")))).toBe(
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    );
    const long = text("Test Using Larger Than Block-Size Key - Hash Key First");
    expect(hex(hmacSha256(new Uint8Array(131).fill(0xaa), long))).toBe(
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    );
  });
  it("RFC 2104: any key and message agree with node:crypto", () => {
    const bytes = fc.uint8Array({ maxLength: 150 });
    fc.assert(
      fc.property(bytes, bytes, (key, message) => {
        expect(hex(hmacSha256(key, message))).toBe(createHmac("sha256", key).update(message).digest("hex"));
      }),
    );
  });
});

describe("the auth_hmac trailer", () => {
  it("captured from keepalived 2.4.3: fields and MAC", () => {
    const bytes = fromHex(HMAC_TRAILER);
    const trailer = decodeHmacTrailer(bytes);
    expect(trailer).toMatchObject({ keyId: 7, sequence: { seconds: 0x6b0048ea, rest: 0x272b0000 } });
    expect(hex(trailerMac(KEY, bytes, CONTEXT))).toBe(hex(trailer!.mac));
  });
  it("is encoded as keepalived 2.4.3 does, byte for byte", () => {
    const sequence = { seconds: 0x6b0048ea, rest: 0x272b0000 };
    expect(hex(encodeHmacTrailer(7, KEY, sequence, CONTEXT))).toBe(HMAC_TRAILER);
  });
  it("the checksum is not covered, everything else is: source, family, message, head and reserved bits", () => {
    const bytes = fromHex(HMAC_TRAILER);
    const mac = hex(trailerMac(KEY, bytes, CONTEXT));
    const other = CONTEXT.message.with(6, 0xff).with(7, 0xff);
    expect(hex(trailerMac(KEY, bytes, { ...CONTEXT, message: other }))).toBe(mac);
    const changed = [
      trailerMac(KEY, bytes, { ...CONTEXT, source: "192.0.2.12" }),
      trailerMac(KEY, bytes, { ...CONTEXT, family: 6, source: "fe80::11" }),
      trailerMac(KEY, bytes, { ...CONTEXT, message: CONTEXT.message.with(2, 101) }),
      trailerMac(KEY, bytes.with(3, 1), CONTEXT),
      trailerMac(KEY, bytes.with(7, 0), CONTEXT),
      trailerMac(KEY.with(0, 1), bytes, CONTEXT),
    ];
    for (const wrong of changed) expect(hex(wrong)).not.toBe(mac);
  });
  it("other lengths and types are not a trailer", () => {
    const bytes = fromHex(HMAC_TRAILER);
    expect(decodeHmacTrailer(bytes.subarray(1))).toBeUndefined();
    expect(decodeHmacTrailer(bytes.with(0, 2))).toBeUndefined();
    expect(decodeHmacTrailer(new Uint8Array(0))).toBeUndefined();
  });
});
