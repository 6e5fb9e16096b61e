/**
 * tcpdump as the clock of record: it writes pcap to a pipe, and the frames are decoded here, apart from the
 * decoder under test. Times are the kernel's, in seconds since 1970 with microseconds.
 */

import type { NeighbourAdvert } from "./frames.ts";
import { type ArpPacket, decodeArp, decodeNeighbourAdvert, decodeVrrp, type VrrpAdvert } from "./frames.ts";
import type { TestProcess } from "./process.ts";
import { type WaitOptions, waitFor } from "./wait.ts";

export type { ArpPacket, NeighbourAdvert, VrrpAdvert } from "./frames.ts";

export interface Packet {
  /** Unix time in seconds, to the microsecond. */
  readonly time: number;
  /** The Ethernet frame. */
  readonly frame: Uint8Array;
}

export const VRRP_FILTER = "ip proto 112 or ip6 proto 112";
export const ARP_FILTER = "arp";
/** What a takeover puts on the wire: adverts, gratuitous ARP, unsolicited neighbour advertisements. */
export const TAKEOVER_FILTER = `${VRRP_FILTER} or arp or (icmp6 and ip6[40] == 136)`;

const PCAP_HEADER = 24;
const RECORD_HEADER = 16;
const PCAP_MAGIC_MICROSECONDS = 0xa1b2c3d4;

export class Capture {
  readonly packets: Packet[] = [];
  readonly #process: TestProcess;
  #pending = Buffer.alloc(0);
  #headerSeen = false;

  private constructor(process: TestProcess) {
    this.#process = process;
    process.child.stdout?.on("data", (chunk: Buffer) => this.#feed(chunk));
  }

  static async start(spawn: (argv: string[]) => TestProcess, dev: string, filter: string): Promise<Capture> {
    // With the usual length of 256 KiB its buffer has room for eight frames: bursts are lost.
    const place = ["-i", dev, "-s", "2048"];
    const argv = ["tcpdump", ...place, "-n", "-p", "-U", "--immediate-mode", "-Z", "root", "-w", "-"];
    const capture = new Capture(spawn(filter === "" ? argv : [...argv, filter]));
    await capture.#process.waitLine(/listening on/);
    return capture;
  }

  /** VRRP adverts so far, oldest first. */
  adverts(match: Partial<Pick<VrrpAdvert, "source" | "vrid" | "version" | "priority">> = {}): VrrpAdvert[] {
    return this.#decoded(decodeVrrp).filter((advert) =>
      Object.entries(match).every(([key, value]) => advert[key as keyof VrrpAdvert] === value),
    );
  }

  /** ARP packets so far, oldest first. */
  arps(): ArpPacket[] {
    return this.#decoded(decodeArp);
  }

  /** IPv6 neighbour advertisements so far, oldest first. */
  neighbourAdverts(): NeighbourAdvert[] {
    return this.#decoded(decodeNeighbourAdvert);
  }

  /** Waits for an advert that fits and is not older than `since` (Unix time in seconds). */
  async waitAdvert(
    test: (advert: VrrpAdvert) => boolean,
    options: WaitOptions & { readonly since?: number } = {},
  ): Promise<VrrpAdvert> {
    const since = options.since ?? 0;
    const what = options.what ?? `an advert with ${test}`;
    return waitFor(() => this.adverts().find((advert) => advert.time >= since && test(advert)), {
      ...options,
      what,
    });
  }

  async stop(): Promise<void> {
    await this.#process.stop("SIGINT");
  }

  #decoded<T>(decode: (frame: Uint8Array, time: number) => T | undefined): T[] {
    return this.packets.flatMap((packet) => decode(packet.frame, packet.time) ?? []);
  }

  #feed(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    if (!this.#headerSeen) {
      if (this.#pending.length < PCAP_HEADER) return;
      const magic = this.#pending.readUInt32LE(0);
      if (magic !== PCAP_MAGIC_MICROSECONDS)
        throw new Error(`tcpdump: unknown pcap magic ${magic.toString(16)}`);
      this.#headerSeen = true;
      this.#pending = this.#pending.subarray(PCAP_HEADER);
    }
    while (this.#pending.length >= RECORD_HEADER) {
      const length = this.#pending.readUInt32LE(8);
      if (this.#pending.length < RECORD_HEADER + length) return;
      const time = this.#pending.readUInt32LE(0) + this.#pending.readUInt32LE(4) / 1e6;
      const frame = new Uint8Array(this.#pending.subarray(RECORD_HEADER, RECORD_HEADER + length));
      this.packets.push({ time, frame });
      this.#pending = this.#pending.subarray(RECORD_HEADER + length);
    }
  }
}
