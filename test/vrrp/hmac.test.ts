/** auth_hmac on both sides of the wire, over protocol 112 and UDP. */
import { describe, expect, it } from "vitest";
import type { HmacConfig, InstanceConfig } from "../../src/config/model.ts";
import { type Microseconds, us } from "../../src/units.ts";
import { type Admitted, admit, type DropReason, type Received } from "../../src/vrrp/admit.ts";
import { buildAdverts, signs } from "../../src/vrrp/advert.ts";
import {
  compareSequences,
  nextSequence,
  rememberSequence,
  type SequenceMemory,
  sequenceTime,
} from "../../src/vrrp/sequence.ts";
import { fromHex } from "../../src/wire/hex.ts";
import { encodeIpv4 } from "../../src/wire/ip.ts";
import { HMAC_MESSAGE, HMAC_TRAILER } from "../vectors/vrrp.ts";
import { config, HIGHER, OWN, S } from "./support.ts";

const KEY = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER_KEY = `ff${KEY.slice(2)}`;
const CAPTURED_AT = us(0x6b0048ea * S + 153_000);

function hmac(over: Partial<HmacConfig> = {}): Partial<InstanceConfig> {
  return {
    version: 3,
    auth: {
      type: "HMAC",
      keys: [
        { id: 7, key: KEY },
        { id: 8, key: OTHER_KEY },
      ],
      activeKey: 7,
      antiReplay: "time",
      timeWindow: us(5 * S),
      mode: "enforce",
      ...over,
    },
  };
}

const raw = (bytes: Uint8Array): Received => ({ transport: "raw", family: 4, bytes });
const header = { tos: 0xc0, id: 1, ttl: 255, protocol: 112, source: OWN, destination: "224.0.0.18" };
const CAPTURE = raw(encodeIpv4(header, fromHex(HMAC_MESSAGE + HMAC_TRAILER)));
const UNSIGNED = raw(encodeIpv4(header, fromHex(HMAC_MESSAGE)));

/** A router that remembers what it has accepted. */
class Receiver {
  memory: SequenceMemory = {};
  readonly config: InstanceConfig;
  constructor(over: Partial<InstanceConfig> = hmac()) {
    this.config = config(over);
  }
  hear(received: Received, realTime: Microseconds = CAPTURED_AT): Admitted | DropReason {
    const result = admit(received, {
      lookup: () => ({ config: this.config, ownAddress: HIGHER }),
      realTime,
      sequences: this.memory,
    });
    if (!result.ok) return result.error.reason;
    const { accepted } = result.value;
    if (accepted) this.memory = rememberSequence(this.memory, accepted.key, accepted.sequence);
    return result.value;
  }
}
/** A router that signs. */
class Sender {
  last: ReturnType<typeof nextSequence> | undefined;
  readonly config: InstanceConfig;
  constructor(over: Partial<InstanceConfig> = hmac()) {
    this.config = config(over);
  }
  send(realTime: Microseconds, source = OWN): Received {
    const { auth } = this.config;
    if (auth.type !== "HMAC") throw new Error("not configured");
    this.last = nextSequence(this.last, realTime, auth);
    const [out] = buildAdverts(this.config, { priority: 100, source, sequence: this.last });
    return raw(out!.bytes);
  }
}
const at = (seconds: number) => us(CAPTURED_AT + Math.round(seconds * S));
const ADMITTED = expect.objectContaining({ vrid: 51 });

describe("receiving", () => {
  it("the advertisement captured from keepalived 2.4.3 is admitted", () => {
    const result = new Receiver().hear(CAPTURE);
    expect(result).toMatchObject({ advert: { source: OWN, priority: 100, notes: [] } });
  });
  it("each of its bits counts, but for those of the checksum field that the checksum guards itself", () => {
    const bytes = "bytes" in CAPTURE ? CAPTURE.bytes : new Uint8Array(0);
    for (let bit = 20 * 8; bit < bytes.length * 8; bit++) {
      const bad = bytes.with(bit >> 3, bytes[bit >> 3]! ^ (0x80 >> (bit & 7)));
      expect(typeof new Receiver().hear(raw(bad))).toBe("string");
    }
  });
  it("another key, an unknown key id, another source: refused", () => {
    expect(new Receiver(hmac({ keys: [{ id: 7, key: OTHER_KEY }] })).hear(CAPTURE)).toBe("hmac-mismatch");
    expect(new Receiver(hmac({ keys: [{ id: 6, key: KEY }], activeKey: 6 })).hear(CAPTURE)).toBe(
      "hmac-unknown-key",
    );
    const relayed = encodeIpv4(
      { ...header, source: HIGHER },
      fromHex(`3133640100640567c0000264${HMAC_TRAILER}`),
    );
    expect(new Receiver().hear(raw(relayed))).toBe("hmac-mismatch");
  });
  it("several keys: each is accepted by its id, so that active_key can be changed over", () => {
    const receiver = new Receiver();
    expect(receiver.hear(new Sender(hmac({ activeKey: 7 })).send(at(0)))).toEqual(ADMITTED);
    expect(receiver.hear(new Sender(hmac({ activeKey: 8 })).send(at(1)), at(1))).toEqual(ADMITTED);
  });
  it("mode: enforce demands a trailer; permissive and receive-only note its absence; a wrong one never passes", () => {
    expect(new Receiver(hmac({ mode: "enforce" })).hear(UNSIGNED)).toBe("hmac-missing");
    for (const mode of ["permissive", "receive-only"] as const) {
      const router = new Receiver(hmac({ mode }));
      expect(router.hear(UNSIGNED)).toMatchObject({ advert: { notes: ["hmac-missing"] } });
      expect(router.hear(CAPTURE)).toEqual(ADMITTED);
      const forged = new Receiver(hmac({ mode, keys: [{ id: 7, key: OTHER_KEY }] }));
      expect(forged.hear(CAPTURE)).toBe("hmac-mismatch");
    }
  });
  it("a router without auth_hmac refuses signed advertisements by their authentication", () => {
    expect(new Receiver({ version: 3 }).hear(CAPTURE)).toBe("auth-type");
  });
  it("case 5: a trailer of another length or type is trailing rubbish", () => {
    const trailing = (text: string) => raw(encodeIpv4(header, fromHex(HMAC_MESSAGE + text)));
    for (const text of ["00", HMAC_TRAILER.slice(2), `${HMAC_TRAILER}00`, `02${HMAC_TRAILER.slice(2)}`])
      expect(new Receiver().hear(trailing(text))).toBe("length");
  });
});

describe("anti_replay", () => {
  it.each(["time", "monotonic"] as const)(
    "%s: nothing is accepted twice, nor anything older",
    (antiReplay) => {
      const sender = new Sender();
      const receiver = new Receiver(hmac({ antiReplay }));
      const [first, second] = [sender.send(at(0)), sender.send(at(1))];
      expect(receiver.hear(second, at(1))).toEqual(ADMITTED);
      expect(receiver.hear(second, at(1))).toBe("hmac-replay");
      expect(receiver.hear(first, at(1))).toBe("hmac-replay");
      expect(receiver.hear(sender.send(at(2)), at(2))).toEqual(ADMITTED);
    },
  );
  it("time: beyond time_window on either side is refused, at it accepted", () => {
    const hear = (age: number) => new Receiver().hear(new Sender().send(at(0)), at(age));
    expect([4.99, -4.99].map(hear)).toEqual([ADMITTED, ADMITTED]);
    expect([5.01, -5.01, 3600].map(hear)).toEqual(Array(3).fill("hmac-time"));
  });
  it("monotonic: the clocks of the routers may differ", () => {
    const receiver = new Receiver(hmac({ antiReplay: "monotonic" }));
    expect(receiver.hear(new Sender().send(at(0)), at(-1e6))).toEqual(ADMITTED);
  });
  it("every sender, key and path has a count of its own", () => {
    const receiver = new Receiver();
    const [a, b] = [new Sender(), new Sender()];
    expect(receiver.hear(a.send(at(1)), at(1))).toEqual(ADMITTED);
    expect(receiver.hear(b.send(at(0), "192.0.2.13"), at(1))).toEqual(ADMITTED);
    expect(receiver.hear(new Sender(hmac({ activeKey: 8 })).send(at(0)), at(1))).toEqual(ADMITTED);
  });
  it("a refused packet leaves no trace: only what is admitted counts as seen", () => {
    const receiver = new Receiver(hmac({ timeWindow: us(S) }));
    const sender = new Sender();
    const future = sender.send(at(3));
    expect(receiver.hear(future, at(0))).toBe("hmac-time");
    expect(receiver.hear(new Sender().send(at(1)), at(1))).toEqual(ADMITTED);
  });
  it("time: what was accepted while our own clock was ahead does not lock the sender out afterwards", () => {
    const receiver = new Receiver();
    expect(receiver.hear(new Sender().send(at(3600)), at(3600))).toEqual(ADMITTED);
    expect(receiver.hear(new Sender().send(at(0)), at(0))).toEqual(ADMITTED);
  });
  it("the memory is bounded; the oldest sender is forgotten", () => {
    let memory: SequenceMemory = {};
    for (let n = 0; n < 400; n++) memory = rememberSequence(memory, `sender ${n}`, { seconds: n, rest: 0 });
    expect(Object.keys(memory)).toHaveLength(256);
    expect([memory["sender 143"], memory["sender 144"]]).toEqual([undefined, { seconds: 144, rest: 0 }]);
  });
  it("names of Object.prototype are senders like any other", () => {
    expect(rememberSequence({}, "__proto__ ", { seconds: 1, rest: 0 })["__proto__ "]).toEqual({
      seconds: 1,
      rest: 0,
    });
  });
});

describe("sequences sent", () => {
  const replay = { antiReplay: "time", timeWindow: us(5 * S) } as const;
  it("keepalived 2.4.3: UTC seconds, then the fraction in 2^-16 s", () => {
    expect(nextSequence(undefined, us(10 * S + S / 2), replay)).toEqual({ seconds: 10, rest: 0x8000_0000 });
    expect(sequenceTime({ seconds: 10, rest: 0x8000_1234 })).toBe(10 * S + S / 2);
  });
  it("never decrease while the clock stands still or goes back within the window, restarts included", () => {
    let last = nextSequence(undefined, us(100 * S), replay);
    for (const time of [100 * S, 100 * S, 97 * S, 99 * S, 95 * S, 101 * S]) {
      // As after a restart: what was stored is JSON.
      const stored = JSON.parse(JSON.stringify(last));
      const next = nextSequence(stored, us(time), replay);
      expect(compareSequences(next, last)).toBeGreaterThan(0);
      last = next;
    }
  });
  it("carry over from counter to fraction to seconds", () => {
    expect(nextSequence({ seconds: 5, rest: 0xffff }, us(0), replay)).toEqual({ seconds: 5, rest: 0x1_0000 });
    expect(nextSequence({ seconds: 5, rest: 0xffff_ffff }, us(4 * S), replay)).toEqual({
      seconds: 6,
      rest: 0,
    });
  });
  it("time: a clock set back by more than time_window starts anew: receivers never took the wrong times", () => {
    const last = { seconds: 3_000, rest: 0 };
    expect(nextSequence(last, us(100 * S), replay)).toEqual({ seconds: 100, rest: 0, earlier: [last] });
    const monotonic = { ...replay, antiReplay: "monotonic" } as const;
    expect(nextSequence(last, us(100 * S), monotonic)).toEqual({ seconds: 3_000, rest: 1 });
  });
  it("time: what was sent before a jump counts again when it is in reach (seed 1023305 of the simulation)", () => {
    const sent = (...clock: number[]) => {
      let last: ReturnType<typeof nextSequence> | undefined;
      // As after a restart each time: what was stored is JSON.
      for (const seconds of clock)
        last = nextSequence(last && JSON.parse(JSON.stringify(last)), us(seconds * S), replay);
      return last;
    };
    // Ahead by 3 s (receivers took it), then behind by 6 s or further ahead, then right.
    for (const wrong of [94, 106, 109])
      expect(sent(103, wrong, 100)).toMatchObject({ seconds: 103, rest: 1 });
    expect(sent(100, 101, 102)).toEqual({ seconds: 102, rest: 0 });
  });
  it("what is remembered is bounded", () => {
    let last = nextSequence(undefined, us(10_000 * S), replay);
    for (let seconds = 9_000; seconds > 0; seconds -= 1_000)
      last = nextSequence(last, us(seconds * S), replay);
    expect(last.earlier).toHaveLength(4);
  });
});

describe("sending", () => {
  it("the captured advertisement is built byte for byte", () => {
    const sequence = { seconds: 0x6b0048ea, rest: 0x272b0000 };
    const [out] = buildAdverts(config(hmac()), { priority: 100, source: OWN, sequence });
    expect(out?.bytes).toEqual("bytes" in CAPTURE ? CAPTURE.bytes : undefined);
  });
  it("receive-only does not sign over protocol 112; UDP always does", () => {
    expect(signs(config(hmac({ mode: "receive-only" })))).toBe(false);
    expect(signs(config({ ...hmac({ mode: "receive-only" }), udp: { port: 1 } }))).toBe(true);
    expect(signs(config({ version: 3 }))).toBe(false);
    const [out] = buildAdverts(config(hmac({ mode: "receive-only" })), { priority: 100, source: OWN });
    expect(out?.bytes).toEqual("bytes" in UNSIGNED ? UNSIGNED.bytes : undefined);
  });
  it("without a sequence nothing is sent: an unsigned advert would only look like an attack", () => {
    expect(() => buildAdverts(config(hmac()), { priority: 100, source: OWN })).toThrow(TypeError);
  });
});

describe("transport: udp", () => {
  const peer = (address: string) => ({ address, minTtl: 0, maxTtl: 255 });
  const udp = (address: string) => ({
    ...hmac(),
    udp: { port: 11985 },
    unicast: { peers: [peer(address)], ttl: 64, checkSource: true },
  });
  const sequence = { seconds: 0x6b0048ea, rest: 1 };
  it("the datagram is the message and its trailer, and the peer admits it once", () => {
    const [out] = buildAdverts(config(udp(HIGHER)), { priority: 7, source: OWN, sequence });
    expect(out).toMatchObject({ destination: HIGHER, ttl: 64 });
    expect(out!.bytes).toHaveLength(12 + 28);
    const receiver = new Receiver(udp(OWN));
    const datagram = { transport: "udp", family: 4, source: OWN, destination: HIGHER } as const;
    const received = { ...datagram, bytes: out!.bytes };
    expect(receiver.hear(received)).toMatchObject({ advert: { priority: 7 } });
    expect(receiver.hear(received)).toBe("hmac-replay");
    expect(new Receiver(udp("192.0.2.99")).hear(received)).toBe("unicast-source");
  });
  it("an unsigned datagram is refused in every mode", () => {
    const bytes = buildAdverts(config({ version: 3, unicast: udp(HIGHER).unicast }), {
      priority: 7,
      source: OWN,
    });
    const message = bytes[0]!.bytes.subarray(20);
    for (const mode of ["enforce", "permissive", "receive-only"] as const) {
      const receiver = new Receiver({ ...udp(OWN), ...hmac({ mode }) });
      const datagram = {
        transport: "udp",
        family: 4,
        source: OWN,
        destination: HIGHER,
        bytes: message,
      } as const;
      expect(receiver.hear(datagram)).toBe("hmac-missing");
    }
  });
});
