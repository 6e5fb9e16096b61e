/**
 * Program: sends packets of protocol 112 that no router may accept, for `SECONDS`, and prints how many of
 * each kind: `node hostile-sender.mjs INTERFACE SECONDS`. They are aimed at VRID 51, VRRPv2, password
 * "secret12", 1 s; all claim priority 255, so that one accepted would show.
 */
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { closeFd, openVrrpSocket, sendPacket } from "../../src/net/raw-socket.ts";
import { RtNetlink } from "../../src/net/rtnetlink.ts";
import { encodeIpv4 } from "../../src/wire/ip.ts";
import { encodeVrrp, passData, VRRP_GROUP_V4 } from "../../src/wire/vrrp.ts";

const SOURCE = "10.99.0.13";
const VALID = {
  version: 2 as const,
  type: 1,
  vrid: 51,
  priority: 255,
  advertInterval: 1,
  addresses: ["10.99.0.100"],
  authType: 1,
  authData: passData("secret12"),
};

type V2 = Omit<typeof VALID, "addresses"> & { readonly addresses: readonly string[] };

/** Deterministic, so that a failure can be had again. */
let seed = 0x5eed;
function random(below: number): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
}

function message(changes: Partial<V2> = {}): Uint8Array {
  return encodeVrrp({ ...VALID, ...changes }, { family: 4, source: SOURCE, destination: VRRP_GROUP_V4 });
}

const randomBytes = (length: number) => Uint8Array.from({ length }, () => random(256));

/** One byte changed: the Internet checksum always notices. */
function flipped(): Uint8Array {
  const bytes = message();
  const at = random(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 + random(255));
  return bytes;
}

const KINDS: Record<string, () => { readonly bytes: Uint8Array; readonly ttl?: number }> = {
  "random bytes": () => ({ bytes: randomBytes(random(1400)) }),
  "random bytes after a true header": () => ({
    bytes: Uint8Array.of(0x21, 51, 255, ...randomBytes(random(200))),
  }),
  "one byte changed": () => ({ bytes: flipped() }),
  "cut short": () => ({ bytes: message().subarray(0, random(20)) }),
  "bytes too many": () => ({ bytes: Uint8Array.of(...message(), ...randomBytes(1 + random(60))) }),
  "a full count": () => ({
    bytes: message({ addresses: Array.from({ length: 255 }, () => "10.99.0.100") }).subarray(0, 100),
  }),
  ttl: () => ({ bytes: message(), ttl: random(255) }),
  "another version": () => ({
    bytes: encodeVrrp(
      { version: 3, type: 1, vrid: 51, priority: 255, advertInterval: 100, addresses: VALID.addresses },
      { family: 4, source: SOURCE, destination: VRRP_GROUP_V4 },
    ),
  }),
  "another type": () => ({ bytes: message({ type: 2 + random(14) }) }),
  "another VRID": () => ({ bytes: message({ vrid: 52 + random(200) }) }),
  "another password": () => ({ bytes: message({ authData: randomBytes(8) }) }),
  "no password": () => ({ bytes: message({ authType: 0, authData: new Uint8Array(8) }) }),
  "another interval": () => ({ bytes: message({ advertInterval: 2 + random(250) }) }),
};

const [dev = "eth0", seconds = "3"] = process.argv.slice(2);
const link = RtNetlink.open()
  .links()
  .find((entry) => entry.name === dev);
if (!link) throw new Error(`no interface ${dev}`);
const fd = openVrrpSocket({ interfaceIndex: link.index, interfaceName: dev, group: VRRP_GROUP_V4 });
const counts: Record<string, number> = {};
const end = performance.now() + Number(seconds) * 1000;
while (performance.now() < end) {
  for (const [kind, make] of Object.entries(KINDS)) {
    const { bytes, ttl = 255 } = make();
    const packet = encodeIpv4(
      { tos: 0xc0, id: random(65536), ttl, protocol: 112, source: SOURCE, destination: VRRP_GROUP_V4 },
      bytes,
    );
    try {
      sendPacket(fd, packet, VRRP_GROUP_V4);
      counts[kind] = (counts[kind] ?? 0) + 1;
    } catch {
      // The send buffer is full.
      await sleep(1);
    }
  }
  await (random(4) === 0 ? sleep(5) : turn());
}
closeFd(fd);
console.log(JSON.stringify(counts));
process.exit(0);
