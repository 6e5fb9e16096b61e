/** A master that stops: adverts from a raw socket, so that the last one's time on the wire is the truth. */
import { setTimeout as sleep } from "node:timers/promises";
import { closeFd, openVrrpSocket, sendPacket } from "../../../src/net/raw-socket.ts";
import { RtNetlink } from "../../../src/net/rtnetlink.ts";
import { encodeIpv4 } from "../../../src/wire/ip.ts";
import { encodeVrrp, VRRP_GROUP_V4, VRRP_PROTOCOL, VRRP_TOS, VRRP_TTL } from "../../../src/wire/vrrp.ts";
import type { Namespace } from "../../support/lab.ts";
import { inNamespace } from "../../support/namespace.ts";

export interface Election {
  readonly version: 2 | 3;
  /** Whole seconds in version 2, whole centiseconds in version 3. */
  readonly intervalMs: number;
}

export const VRID = 51;
export const VIP = "10.99.0.100";
export const MASTER_ADDRESS = "10.99.0.1";
const MASTER_PRIORITY = 200;
export const BACKUP_PRIORITY = 100;

/** RFC 3768 5.3.x and RFC 5798 6.1: 3 intervals and the skew time of a backup of priority 100. */
export function masterDownMs({ version, intervalMs }: Election): number {
  const skew = (256 - BACKUP_PRIORITY) / 256;
  return 3 * intervalMs + skew * (version === 2 ? 1000 : intervalMs);
}

export class ScriptedMaster {
  readonly #fd: number;
  readonly #packet: Uint8Array;
  readonly #intervalMs: number;

  constructor(ns: Namespace, election: Election) {
    this.#fd = inNamespace(ns.name, openSocket);
    this.#packet = advert(election);
    this.#intervalMs = election.intervalMs;
  }

  /** Sends `count` adverts and returns just after the last: from then on it is dead. */
  async advertise(count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      if (n > 0) await sleep(this.#intervalMs);
      sendPacket(this.#fd, this.#packet, VRRP_GROUP_V4);
    }
  }

  close(): void {
    closeFd(this.#fd);
  }
}

function openSocket(): number {
  const rtnetlink = RtNetlink.open();
  const link = rtnetlink.links().find(({ name }) => name === "eth0");
  rtnetlink.close();
  if (!link) throw new Error("the master's namespace has no eth0");
  return openVrrpSocket({ interfaceIndex: link.index, interfaceName: link.name, group: VRRP_GROUP_V4 });
}

function advert({ version, intervalMs }: Election): Uint8Array {
  const context = { family: 4, source: MASTER_ADDRESS, destination: VRRP_GROUP_V4 } as const;
  const common = { type: 1, vrid: VRID, priority: MASTER_PRIORITY, addresses: [VIP] } as const;
  const authData = new Uint8Array(8);
  const message =
    version === 2
      ? encodeVrrp({ ...common, version, advertInterval: intervalMs / 1000, authType: 0, authData }, context)
      : encodeVrrp({ ...common, version, advertInterval: intervalMs / 10 }, context);
  const { source, destination } = context;
  const header = { tos: VRRP_TOS, id: 1, ttl: VRRP_TTL, protocol: VRRP_PROTOCOL, source, destination };
  return encodeIpv4(header, message);
}
