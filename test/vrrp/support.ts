/** A router on a virtual clock, and packets as they come from the wire. */
import type { InstanceConfig } from "../../src/config/model.ts";
import { cs, type Microseconds, us } from "../../src/units.ts";
import { type Admitted, admitIpv4, type DropReason } from "../../src/vrrp/admit.ts";
import type { Advert } from "../../src/vrrp/advert.ts";
import {
  type Action,
  type Event,
  type Fault,
  type InstanceState,
  initialState,
  nextDeadline,
  step,
} from "../../src/vrrp/machine.ts";
import { encodeIpv4, type Ipv4Header } from "../../src/wire/ip.ts";
import type { ChecksumKind, VrrpPdu } from "../../src/wire/types.ts";
import { encodeVrrp } from "../../src/wire/vrrp.ts";

export const S = 1_000_000;
export const OWN = "192.0.2.11";
export const HIGHER = "192.0.2.12";
export const LOWER = "192.0.2.9";
export const VIP = "192.0.2.100";

export const vip = (address: string): InstanceConfig["vips"][number] => ({
  address,
  family: 4,
  prefixLength: 32,
  dev: "eth0",
  scope: 0,
});

/** keepalived's defaults. */
export function config(over: Partial<InstanceConfig> = {}): InstanceConfig {
  return {
    name: "VI_1",
    family: 4,
    version: 2,
    interface: "eth0",
    vrid: 51,
    initialState: "BACKUP",
    priority: 100,
    advertInterval: us(S),
    preempt: true,
    preemptDelay: us(0),
    auth: { type: "none" },
    vips: [vip(VIP)],
    downTimerAdverts: 3,
    garpMasterDelay: us(5 * S),
    garpMasterRepeat: 5,
    garpMasterRefresh: us(0),
    garpMasterRefreshRepeat: 1,
    strict: false,
    ...over,
  };
}

export function advert(over: Partial<Advert> = {}): Advert {
  return {
    source: HIGHER,
    priority: 100,
    interval: us(S),
    checksumKind: "message-only",
    notes: [],
    ...over,
  };
}

export const LINK_DOWN: Fault = { kind: "interface-down", detail: "interface eth0 is down" };
export const NO_ADDRESS: Fault = { kind: "no-address", detail: "interface eth0 has no address" };

/** One action as a transcript shows it. */
export function actionText(action: Action): string {
  switch (action.kind) {
    case "send-advert":
      return `send-advert ${action.priority}`;
    case "announce":
      return `announce ${action.count}`;
    case "transition":
      return `${action.from} -> ${action.to}`;
    case "note":
      return `note ${action.note.what}`;
    default:
      return action.kind;
  }
}

export const BECOME_MASTER = ["send-advert 100", "add-addresses", "announce 5", "BACKUP -> MASTER"];

/** Every method acts at `now` (seconds) and returns what the machine wants done. */
export class Router {
  config: InstanceConfig;
  state: InstanceState = initialState(us(0));

  constructor(over: Partial<InstanceConfig> = {}) {
    this.config = config(over);
  }

  at(seconds: number, event: Event): string[] {
    const result = step(this.state, event, us(Math.round(seconds * S)), this.config);
    this.state = result.state;
    return result.actions.map(actionText);
  }

  start(seconds = 0, faults: readonly Fault[] = []): string[] {
    return this.at(seconds, { kind: "startup", faults });
  }
  tick(seconds: number): string[] {
    return this.at(seconds, { kind: "tick" });
  }
  hear(seconds: number, over: Partial<Advert>): string[] {
    return this.at(seconds, { kind: "advert", advert: advert(over), ownAddress: OWN });
  }
  faults(seconds: number, ...faults: Fault[]): string[] {
    return this.at(seconds, { kind: "faults", faults });
  }
  pause(seconds: number): string[] {
    return this.at(seconds, { kind: "paused", detail: "suspended" });
  }
  stop(seconds: number): string[] {
    return this.at(seconds, { kind: "shutdown", reason: "stopped" });
  }

  /** Seconds of the next deadline. */
  get due(): number | undefined {
    const deadline = nextDeadline(this.state);
    return deadline === undefined ? undefined : deadline / S;
  }
  /** Ticks at the very deadline; returns [seconds, actions]. */
  fire(): [number, string[]] {
    const { due } = this;
    if (due === undefined) throw new Error(`no timer runs in ${this.state.state}`);
    return [due, this.tick(due)];
  }

  static backup(over: Partial<InstanceConfig> = {}): Router {
    const router = new Router(over);
    router.start();
    return router;
  }
  /** Master since the returned router's `state.since`: the end of its first down interval. */
  static master(over: Partial<InstanceConfig> = {}): Router {
    const router = Router.backup(over);
    if (router.state.state !== "MASTER") router.fire();
    return router;
  }
  get since(): number {
    return this.state.since / S;
  }
}

// ---- packets ------------------------------------------------------------------------------------

export interface PacketParts {
  readonly ip?: Partial<Ipv4Header>;
  readonly pdu?: Partial<VrrpPdu>;
  readonly checksum?: ChecksumKind;
  /** Last word on the VRRP message, after its checksum. */
  readonly mangle?: (message: Uint8Array) => Uint8Array;
}

/** A whole IPv4 packet from HIGHER that `config()` of the same version accepts, but for what is changed. */
export function packet(version: 2 | 3, { ip, pdu, checksum, mangle }: PacketParts = {}): Uint8Array {
  const header = {
    tos: 0xc0,
    id: 1,
    ttl: 255,
    protocol: 112,
    source: HIGHER,
    destination: "224.0.0.18",
    ...ip,
  };
  const common = { type: 1, vrid: 51, priority: 100, addresses: [VIP] };
  const whole: VrrpPdu =
    version === 2
      ? { ...common, version, advertInterval: 1, authType: 0, authData: new Uint8Array(8), ...pdu }
      : { ...common, version, advertInterval: cs(100), ...pdu };
  const message = encodeVrrp(
    whole,
    { family: 4, source: header.source, destination: header.destination },
    checksum,
  );
  return encodeIpv4(header, mangle ? mangle(message) : message);
}

/** The reason of the drop, or the admitted advert. */
export function admit(bytes: Uint8Array, over: Partial<InstanceConfig> = {}): DropReason | Admitted {
  const own = config(over);
  const result = admitIpv4(bytes, (vrid) => (vrid === own.vrid ? own : undefined));
  return result.ok ? result.value : result.error.reason;
}

export function accepted(bytes: Uint8Array, over: Partial<InstanceConfig> = {}): Advert {
  const result = admit(bytes, over);
  if (typeof result === "string") throw new Error(`dropped: ${result}`);
  return result.advert;
}

export const seconds = (time: Microseconds): number => time / S;
