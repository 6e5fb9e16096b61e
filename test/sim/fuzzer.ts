/**
 * One receiver that hears mutated packets: good ones of its own kind with bytes flipped, cut, added and
 * spliced, so that many pass the first checks. Nothing may throw, and every answer must be a known one.
 */
import type { InstanceConfig } from "../../src/config/model.ts";
import { us } from "../../src/units.ts";
import { admit, DROP_TEXT, type Received } from "../../src/vrrp/admit.ts";
import { buildAdverts } from "../../src/vrrp/advert.ts";
import { type Conflict, noteConflict } from "../../src/vrrp/conflict.ts";
import { type InstanceState, initialState, nextDeadline, step } from "../../src/vrrp/machine.ts";
import { noteText } from "../../src/vrrp/notes.ts";
import { hearOnPath, noPaths } from "../../src/vrrp/paths.ts";
import { rememberSequence, type SequenceMemory } from "../../src/vrrp/sequence.ts";
import { internetChecksum } from "../../src/wire/checksum.ts";
import { hex } from "../../src/wire/hex.ts";
import { decodeVrrp } from "../../src/wire/vrrp.ts";
import { config, HIGHER, LOWER, OWN, vip } from "../vrrp/support.ts";
import { Random } from "./random.ts";

interface Kind {
  readonly config: InstanceConfig;
  /** A sender whose adverts it would accept. */
  readonly sender: InstanceConfig;
  readonly from: string;
  readonly own: string;
}

const KEY = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const HMAC = {
  type: "HMAC",
  keys: [{ id: 7, key: KEY }],
  activeKey: 7,
  antiReplay: "time",
  timeWindow: us(5_000_000),
  mode: "permissive",
} as const;
const peer = (address: string) => ({
  peers: [{ address, minTtl: 1, maxTtl: 255 }],
  ttl: 255,
  checkSource: true,
});
const v6 = (address: string) => ({ ...vip(address), family: 6 as const });
const SIX = { family: 6, version: 3, vips: [v6("fe80::100"), v6("2001:db8::100")] } as const;

const same = (over: Partial<InstanceConfig>): Kind => ({
  config: config(over),
  sender: config({ ...over, priority: 120 }),
  from: over.family === 6 ? "fe80::12" : HIGHER,
  own: over.family === 6 ? "fe80::11" : OWN,
});
const toUs = (over: Partial<InstanceConfig>): Kind => ({
  ...same({ ...over, unicast: peer(HIGHER) }),
  sender: config({ ...over, unicast: peer(OWN), priority: 80 }),
});

const KINDS: readonly Kind[] = [
  same({}),
  same({ auth: { type: "PASS", pass: "secret12" } }),
  same({ version: 3 }),
  same({ version: 3, strict: true, checksumMessageOnly: true, priority: 255 }),
  same({ version: 3, auth: HMAC }),
  same({ ...SIX }),
  toUs({ version: 3 }),
  toUs({ version: 3, auth: HMAC, udp: { port: 1985 } }),
  // Senders that are refused whatever becomes of the rest.
  { ...same({ version: 3, strict: true }), sender: config({ version: 3, vips: [] }) },
  { ...same({ ...SIX, strict: true }), sender: config({ ...SIX, vips: [v6("2001:db8::100")] }) },
  { ...toUs({ version: 3, auth: HMAC, udp: { port: 1985 } }), sender: toUs({ version: 3 }).sender },
];

interface Good {
  readonly bytes: Uint8Array;
  /** How its socket delivers what became of the bytes. */
  readonly received: (mutated: Uint8Array) => Received;
}

export class Fuzzer {
  readonly outcomes: Record<string, number> = {};
  readonly #random: Random;
  readonly #kind: Kind;
  #state: InstanceState;
  #now = us(1_000_000);
  #sequences: SequenceMemory = {};
  #conflicts: readonly Conflict[] = [];
  #paths = noPaths;
  #packet: Uint8Array = new Uint8Array(0);

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#kind = this.#random.pick(KINDS);
    this.#state = initialState(this.#now);
    this.#state = step(this.#state, { kind: "startup", faults: [] }, this.#now, this.#kind.config).state;
  }

  /** What went wrong, with the packet that did it. */
  run(packets: number): string | undefined {
    try {
      for (let n = 0; n < packets; n++) this.#hear();
      return undefined;
    } catch (error) {
      return `${(error as Error).stack}\npacket: ${hex(this.#packet)}`;
    }
  }

  #hear(): void {
    const random = this.#random;
    const { config: own } = this.#kind;
    this.#now = us(this.#now + random.below(400_000));
    const realTime = us(1_800_000_000_000_000 + this.#now);
    const received = this.#mutate(this.#good(realTime));
    this.#packet = received.bytes;
    const context = {
      lookup: (vrid: number) => (vrid === own.vrid ? { config: own, ownAddress: this.#kind.own } : undefined),
      realTime,
      sequences: this.#sequences,
    };
    // The decoder alone, with addresses the bytes do not come with.
    decodeVrrp(received.bytes, { family: 4, source: LOWER, destination: OWN });
    const result = admit(received, context);
    if (!result.ok) {
      const { reason, source } = result.error;
      if (!Object.hasOwn(DROP_TEXT, reason)) throw new Error(`unknown reason ${reason}`);
      this.#count(reason);
      if (source !== undefined) this.#conflict({ kind: "drop", source, reason });
    } else {
      this.#count("admitted");
      const { advert, accepted } = result.value;
      if (accepted) this.#sequences = rememberSequence(this.#sequences, accepted.key, accepted.sequence);
      if (!(advert.interval > 0)) throw new Error(`interval ${advert.interval}`);
      const path = random.chance(0.9) ? "eth0" : "eth1";
      const heard = { path, primary: "eth0", advert, ownAddress: this.#kind.own };
      const { paths, deliver } = hearOnPath(this.#paths, heard, this.#now, this.#state, own);
      this.#paths = paths;
      if (deliver) this.#feed({ kind: "advert", advert, ownAddress: this.#kind.own });
      this.#conflict({ kind: "advert", advert, ownAddress: this.#kind.own });
    }
    for (let due = nextDeadline(this.#state), n = 0; due !== undefined && due <= this.#now; n++) {
      if (n > 10) throw new Error(`a timer stands still in ${this.#state.state}`);
      this.#feed({ kind: "tick" });
      due = nextDeadline(this.#state);
    }
  }

  #feed(event: Parameters<typeof step>[1]): void {
    const { state, actions } = step(this.#state, event, this.#now, this.#kind.config);
    this.#state = state;
    if (actions.length > 12) throw new Error(`${actions.length} actions at once`);
    for (const action of actions) if (action.kind === "note") noteText(action.note);
  }

  #conflict(sighting: Parameters<typeof noteConflict>[1]): void {
    const context = { state: this.#state, config: this.#kind.config };
    this.#conflicts = noteConflict(this.#conflicts, sighting, this.#now, context).conflicts;
    if (this.#conflicts.length > 56) throw new Error(`${this.#conflicts.length} conflicts kept`);
  }

  #count(outcome: string): void {
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
  }

  // ---- packets ------------------------------------------------------------------------------------

  #good(realTime: number): {
    readonly bytes: Uint8Array;
    readonly received: (bytes: Uint8Array) => Received;
  } {
    const { sender, from } = this.#kind;
    const seconds = Math.floor(realTime / 1_000_000) + (this.#random.chance(0.03) ? 100 : 0);
    const parts = {
      priority: this.#random.pick([0, 1, 80, 100, 120, 254, 255]),
      source: this.#random.chance(0.95) ? from : this.#kind.own,
      sequence: { seconds, rest: this.#random.next() },
    };
    const [out] = buildAdverts(sender, parts);
    const { destination, bytes } = out!;
    const hopLimit = this.#random.chance(0.98) ? 255 : this.#random.below(256);
    if (sender.udp) {
      const where = { transport: "udp", family: sender.family, source: parts.source, destination } as const;
      return { bytes, received: (mutated) => ({ ...where, bytes: mutated, hopLimit }) };
    }
    if (sender.family === 4)
      return { bytes, received: (mutated) => ({ transport: "raw", family: 4, bytes: mutated }) };
    const where = { transport: "raw", family: 6, source: parts.source, destination, hopLimit } as const;
    // An IPv6 socket delivers the payload.
    return { bytes: bytes.subarray(40), received: (mutated) => ({ ...where, bytes: mutated }) };
  }

  #mutate({ bytes, received }: Good): Received {
    const random = this.#random;
    let out = bytes;
    for (let n = random.below(4); n > 0; n--) out = this.#once(out);
    const offset = received(out).family === 4 && received(out).transport === "raw" ? 20 : 0;
    // Often with a checksum that fits again, or nothing behind it would ever be reached.
    if (out !== bytes && random.chance(0.5)) out = withChecksum(out, offset);
    return received(out);
  }

  #once(bytes: Uint8Array): Uint8Array {
    const random = this.#random;
    const at = random.below(bytes.length || 1);
    switch (random.below(6)) {
      case 0:
        return bytes.slice(0, at);
      case 1: {
        const longer = new Uint8Array(bytes.length + random.between(1, 40));
        longer.set(bytes);
        for (let i = bytes.length; i < longer.length; i++) longer[i] = random.below(256);
        return longer;
      }
      case 2: {
        const copy = bytes.slice();
        copy.copyWithin(at, random.below(bytes.length || 1));
        return copy;
      }
      case 3: {
        const copy = bytes.slice();
        if (copy.length > 0) copy[at] = random.pick([0, 1, 0x7f, 0x80, 0xff]);
        return copy;
      }
      default: {
        const copy = bytes.slice();
        if (copy.length > 0) copy[at] = copy[at]! ^ (1 << random.below(8));
        return copy;
      }
    }
  }
}

/** Sets the VRRP checksum over the message only, as the receiver of IPv4 accepts it. */
function withChecksum(packet: Uint8Array, offset: number): Uint8Array {
  if (packet.length < offset + 8) return packet;
  const copy = packet.slice();
  const message = copy.subarray(offset);
  const width = message[0]! >> 4 === 2 ? 8 + 4 * message[3]! + 8 : 8 + 4 * message[3]!;
  const covered = message.subarray(0, Math.min(width, message.length));
  covered.set([0, 0], 6);
  const sum = internetChecksum(covered);
  covered.set([sum >> 8, sum & 0xff], 6);
  return copy;
}
