/** One command's view of the kernel's IPVS: every call is one exchange, and throws NetlinkFailure. */
import { Exchange, NetlinkFailure, type Write } from "../dataplane/kernel-ipvs/exchange.ts";
import { explain } from "../dataplane/kernel-ipvs/explain.ts";
import { loadModule } from "../dataplane/kernel-ipvs/modules.ts";
import { openTransport } from "../dataplane/kernel-ipvs/transport.ts";
import type { ListedDest, ListedService } from "../ipvsadm/format.ts";
import type { Operation, ServiceId } from "../lvs/table.ts";
import { decodeFamily, writeGetFamily } from "../wire/genl.ts";
import {
  decodeDaemon,
  decodeDest,
  decodeInfo,
  decodeService,
  decodeTimeouts,
  IPVS_GENL_NAME,
  type IpvsInfo,
  type SyncDaemon,
  type Timeouts,
  writeFlush,
  writeGetConfig,
  writeGetDaemons,
  writeGetDests,
  writeGetInfo,
  writeGetService,
  writeGetServices,
  writeOperation,
  writeSetConfig,
  writeStartDaemon,
  writeStopDaemon,
  writeZero,
} from "../wire/ipvs.ts";

/** IPVS can't be reached at all; the message says what to do. */
export class NoIpvs extends Error {}

export class IpvsKernel {
  readonly info: IpvsInfo;
  readonly #exchange: Exchange;
  readonly #family: number;

  private constructor(exchange: Exchange, family: number, info: IpvsInfo) {
    this.#exchange = exchange;
    this.#family = family;
    this.info = info;
  }

  /** Loads ip_vs if it is missing and may be loaded. Throws NoIpvs. */
  static async open(): Promise<IpvsKernel> {
    let exchange: Exchange | undefined;
    try {
      exchange = new Exchange(openTransport());
      const family = findFamily(exchange) ?? ((await loadModule("ip_vs")) ? findFamily(exchange) : undefined);
      if (family === undefined) throw new NetlinkFailure("ENOENT", "no such family");
      const [answer] = exchange.get((w, seq) => writeGetInfo(w, family, seq));
      const info = answer && decodeInfo(answer);
      if (!info) throw new NetlinkFailure("EIO", "unexpected answer");
      return new IpvsKernel(exchange, family, info);
    } catch (error) {
      exchange?.close();
      throw new NoIpvs(unreachable(error as { code?: string; message: string }));
    }
  }

  close(): void {
    this.#exchange.close();
  }

  /** In the kernel's order. */
  services(): ListedService[] {
    return this.#exchange
      .get((w, seq) => writeGetServices(w, this.#family, seq))
      .map((answer) => decodeService(answer))
      .filter((service) => service !== undefined)
      .map((service) => ({ ...service, dests: this.#dests(service.spec.id) }));
  }

  /** Throws NetlinkFailure ESRCH when there is no such service. */
  service(id: ServiceId): ListedService {
    const [answer] = this.#exchange.get((w, seq) => writeGetService(w, this.#family, seq, id));
    const service = answer && decodeService(answer);
    if (!service) throw new NetlinkFailure("ESRCH", "no such service");
    return { ...service, dests: this.#dests(service.spec.id) };
  }

  #dests(id: ServiceId): ListedDest[] {
    return this.#exchange
      .get((w, seq) => writeGetDests(w, this.#family, seq, id))
      .map((answer) => decodeDest(answer, id.family))
      .filter((dest) => dest !== undefined);
  }

  timeouts(): Timeouts {
    const [answer] = this.#exchange.get((w, seq) => writeGetConfig(w, this.#family, seq));
    return (answer && decodeTimeouts(answer)) ?? { tcp: 0, tcpFin: 0, udp: 0 };
  }

  daemons(): SyncDaemon[] {
    return this.#exchange
      .get((w, seq) => writeGetDaemons(w, this.#family, seq))
      .map((answer) => decodeDaemon(answer))
      .filter((daemon) => daemon !== undefined);
  }

  apply(operation: Operation): void {
    this.#write(
      (w, seq, flags) => writeOperation(w, this.#family, seq, flags, operation),
      (code, kernelText) => explain(operation, code, kernelText),
    );
  }

  flush(): void {
    this.#write((w, seq, flags) => writeFlush(w, this.#family, seq, flags));
  }

  /** Of one service, or of all. */
  zero(id?: ServiceId): void {
    this.#write(
      (w, seq, flags) => writeZero(w, this.#family, seq, flags, id),
      because({ ESRCH: "no such service" }),
    );
  }

  setTimeouts(timeouts: Timeouts): void {
    this.#write((w, seq, flags) => writeSetConfig(w, this.#family, seq, flags, timeouts));
  }

  startDaemon(daemon: SyncDaemon): void {
    this.#write(
      (w, seq, flags) => writeStartDaemon(w, this.#family, seq, flags, daemon),
      because({
        EEXIST: `a ${daemon.state} daemon is running already`,
        ENODEV: `no such interface: "${daemon.interface}" (--mcast-interface)`,
      }),
    );
  }

  stopDaemon(state: SyncDaemon["state"]): void {
    this.#write(
      (w, seq, flags) => writeStopDaemon(w, this.#family, seq, flags, state),
      because({ ESRCH: `no ${state} daemon is running` }),
    );
  }

  #write(write: Write, reason: (code: string, kernelText: string) => string = because({})): void {
    const { refusals, unknown } = this.#exchange.batch([write]);
    const [refusal] = refusals;
    if (refusal) throw new NetlinkFailure(refusal.code, reason(refusal.code, refusal.kernelText));
    if (unknown !== undefined) throw new NetlinkFailure(unknown, `the kernel did not answer (${unknown})`);
  }
}

function because(known: Readonly<Record<string, string>>): (code: string, kernelText: string) => string {
  return (code, kernelText) => known[code] ?? `the kernel refused: ${kernelText || code}`;
}

function findFamily(exchange: Exchange): number | undefined {
  try {
    const [answer] = exchange.get((w, seq) => writeGetFamily(w, seq, IPVS_GENL_NAME));
    return answer && decodeFamily(answer)?.id;
  } catch (error) {
    if (error instanceof NetlinkFailure && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function unreachable({ code, message }: { code?: string; message: string }): string {
  if (code === "EPERM" || code === "EACCES")
    return "not permitted to use IPVS: run as root, or with CAP_NET_ADMIN";
  if (code === "ENOENT" || code === "EPROTONOSUPPORT" || code === "EAFNOSUPPORT") {
    return (
      "this kernel has no ip_vs: modprobe ip_vs on the host " +
      "(the table of a vipward with the userspace dataplane is shown by `vipward status services`)"
    );
  }
  return `the kernel's IPVS can't be used: ${message}`;
}
