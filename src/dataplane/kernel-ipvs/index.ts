/**
 * The kernel's IPVS as a dataplane, over generic netlink on our own socket:
 *
 *   read()   dump of services, then of each one's destinations
 *   apply()  batches of operations, each one datagram with one acknowledgement
 *
 * Both give way to the event loop in between, so that health checks keep their times.
 */
import { setImmediate } from "node:timers/promises";
import { destKey, serviceKey } from "../../lvs/keys.ts";
import type {
  DestKey,
  DestObservation,
  DestSpec,
  Observed,
  Operation,
  ServiceKey,
  ServiceSpec,
  Stats,
  TableEntry,
} from "../../lvs/table.ts";
import { decodeFamily, writeGetFamily } from "../../wire/genl.ts";
import {
  decodeDest,
  decodeService,
  IPVS_GENL_NAME,
  writeFlush,
  writeGetDests,
  writeGetServices,
} from "../../wire/ipvs.ts";
import { type Dataplane, DataplaneError, type OperationFailure } from "../port.ts";
import { BatchWriter } from "./batches.ts";
import { Exchange, NetlinkFailure } from "./exchange.ts";
import { modulesOf } from "./explain.ts";
import { PROC_IP_VS, readFingerprint } from "./fingerprint.ts";
import { type LoadModule, loadModule } from "./modules.ts";
import { type NetlinkTransport, openTransport } from "./transport.ts";

export interface KernelDataplaneOptions {
  /** Default: a netlink socket in this process's network namespace. */
  readonly transport?: NetlinkTransport;
  readonly log?: (level: "info" | "warn", message: string) => void;
  /** Default: modprobe, as root. */
  readonly loadModule?: LoadModule;
  /** Default /proc/net/ip_vs. */
  readonly procFile?: string;
}

/** Services whose destinations are dumped before the event loop gets its turn. */
const DUMPS_PER_TURN = 32;

/** Opens the socket and finds the IPVS family, loading ip_vs if it may. Throws DataplaneError. */
export async function openKernelDataplane(options: KernelDataplaneOptions = {}): Promise<Dataplane> {
  let transport: NetlinkTransport;
  try {
    transport = options.transport ?? openTransport();
  } catch (error) {
    throw unusable(error);
  }
  const dataplane = new KernelDataplane(new Exchange(transport), options);
  try {
    await dataplane.findFamily();
  } catch (error) {
    transport.close();
    throw error;
  }
  return dataplane;
}

class KernelDataplane implements Dataplane {
  readonly kind = "kernel";
  readonly #exchange: Exchange;
  readonly #batches: BatchWriter;
  readonly #log: NonNullable<KernelDataplaneOptions["log"]>;
  readonly #loadModule: LoadModule;
  readonly #procFile: string;
  readonly #triedModules = new Set<string>();
  #familyId = 0;

  constructor(exchange: Exchange, options: KernelDataplaneOptions) {
    this.#exchange = exchange;
    this.#batches = new BatchWriter(exchange);
    this.#log = options.log ?? (() => {});
    this.#loadModule = options.loadModule ?? loadModule;
    this.#procFile = options.procFile ?? PROC_IP_VS;
  }

  async findFamily(): Promise<void> {
    let id = this.#lookUpFamily();
    if (id === undefined && (await this.#loadModule("ip_vs"))) {
      this.#log("info", "loaded the kernel module ip_vs");
      id = this.#lookUpFamily();
    }
    if (id === undefined) {
      throw new DataplaneError(
        "the kernel has no ip_vs",
        "ENOENT",
        "modprobe ip_vs on the host, or use `dataplane: userspace` (development and demos)",
      );
    }
    this.#familyId = id;
  }

  #lookUpFamily(): number | undefined {
    try {
      const [answer] = this.#exchange.get((w, seq) => writeGetFamily(w, seq, IPVS_GENL_NAME));
      return answer && decodeFamily(answer)?.id;
    } catch (error) {
      if (error instanceof NetlinkFailure && error.code === "ENOENT") return undefined;
      throw unusable(error);
    }
  }

  async read(): Promise<Observed> {
    try {
      const services = await this.#readServices();
      const table = new Map<ServiceKey, TableEntry>();
      const serviceStats = new Map<ServiceKey, Stats>();
      const dests = new Map<ServiceKey, ReadonlyMap<DestKey, DestObservation>>();
      for (const { spec, stats } of services) {
        if (table.size % DUMPS_PER_TURN === DUMPS_PER_TURN - 1) await setImmediate();
        const key = serviceKey(spec.id);
        const found = this.#readDests(spec);
        table.set(key, { service: spec, dests: found.specs });
        dests.set(key, found.observations);
        if (stats) serviceStats.set(key, stats);
      }
      return { table, serviceStats, dests };
    } catch (error) {
      throw unusable(error);
    }
  }

  async #readServices(): Promise<{ spec: ServiceSpec; stats?: Stats }[]> {
    try {
      return this.#dumpServices();
    } catch (error) {
      // ENOENT: the family has another number, because the module was unloaded and loaded again.
      if (!(error instanceof NetlinkFailure) || error.code !== "ENOENT") throw error;
      await this.findFamily();
      return this.#dumpServices();
    }
  }

  #dumpServices(): { spec: ServiceSpec; stats?: Stats }[] {
    const answers = this.#exchange.get((w, seq) => writeGetServices(w, this.#familyId, seq));
    return answers.map((answer) => decodeService(answer)).filter((service) => service !== undefined);
  }

  #readDests({ id }: ServiceSpec): {
    specs: Map<DestKey, DestSpec>;
    observations: Map<DestKey, DestObservation>;
  } {
    const specs = new Map<DestKey, DestSpec>();
    const observations = new Map<DestKey, DestObservation>();
    for (const answer of this.#exchange.get((w, seq) => writeGetDests(w, this.#familyId, seq, id))) {
      const dest = decodeDest(answer, id.family);
      if (!dest) continue;
      const key = destKey(dest.spec);
      specs.set(key, dest.spec);
      observations.set(key, dest.observation);
    }
    return { specs, observations };
  }

  async apply(operations: readonly Operation[]): Promise<readonly OperationFailure[]> {
    const failures = await this.#batches.apply(this.#familyId, operations);
    if (!(await this.#loadMissing(failures))) return failures;
    // The service was refused for want of a scheduler, and its destinations for want of the service.
    const services = new Set(failures.filter(isMissingModule).map(({ operation }) => operation.key));
    const again = failures.filter(({ operation }) => services.has(operation.key));
    const rest = failures.filter(({ operation }) => !services.has(operation.key));
    const still = await this.#batches.apply(
      this.#familyId,
      again.map(({ operation }) => operation),
    );
    // Their indexes are those of the second round: back to the caller's.
    const translated = still.map((failure) => ({ ...failure, index: again[failure.index]?.index ?? 0 }));
    return rest.concat(translated).sort((a, b) => a.index - b.index);
  }

  /** True when a module that some operation lacked was loaded. Each one is tried once. */
  async #loadMissing(failures: readonly OperationFailure[]): Promise<boolean> {
    const names = new Set(failures.filter(isMissingModule).flatMap(({ operation }) => modulesOf(operation)));
    let loaded = false;
    for (const name of names) {
      if (this.#triedModules.has(name)) continue;
      this.#triedModules.add(name);
      if (!(await this.#loadModule(name))) continue;
      this.#log("info", `loaded the kernel module ${name}`);
      loaded = true;
    }
    return loaded;
  }

  async fingerprint(): Promise<string | undefined> {
    return readFingerprint(this.#procFile);
  }

  async flush(): Promise<void> {
    const outcome = this.#exchange.batch([(w, seq, flags) => writeFlush(w, this.#familyId, seq, flags)]);
    const code = outcome.refusals[0]?.code ?? outcome.unknown;
    if (code !== undefined) throw unusable(new NetlinkFailure(code, "flushing the IPVS table failed"));
  }

  async close(): Promise<void> {
    this.#exchange.close();
  }
}

function isMissingModule({ operation, code }: OperationFailure): boolean {
  return code === "ENOENT" && (operation.op === "addService" || operation.op === "editService");
}

const FIXES: Readonly<Record<string, string>> = {
  EPERM: "run as root, or grant CAP_NET_ADMIN",
  EPROTONOSUPPORT: "this kernel or sandbox has no generic netlink; use `dataplane: userspace`",
  EAFNOSUPPORT: "this kernel or sandbox has no netlink; use `dataplane: userspace`",
  ENOENT: "modprobe ip_vs",
};

/** Says that it is about IPVS, and what to do. */
function unusable(error: unknown): DataplaneError {
  if (error instanceof DataplaneError) return error;
  const { code, message } = error as { code?: unknown; message?: unknown };
  const name = typeof code === "string" ? code : "EIO";
  return new DataplaneError(
    `the kernel's IPVS can't be used: ${String(message)} (${name})`,
    name,
    FIXES[name] ?? "will be tried again",
  );
}
