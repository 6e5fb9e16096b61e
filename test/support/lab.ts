/**
 * A lab of network namespaces on one machine.
 *
 *   vw-<id>-a [eth0] --veth-- [a] vw-<id>-lan (bridge br0) [b] --veth-- [eth0] vw-<id>-b
 *
 * The bridge lives in a namespace of its own: nothing shows in the machine's, and packet filters there
 * (a Docker engine makes bridged frames pass iptables) can't touch the lab's frames. Every namespace has a
 * private /run, shared by its processes, so that daemons with fixed pid and socket paths don't meet.
 */
import { execFile } from "node:child_process";
import { Capture } from "./capture.ts";
import { cleanEnv, type StartOptions, TestProcess } from "./process.ts";
import { Reaper } from "./reaper.ts";

export * from "./capture.ts";
export { TestProcess } from "./process.ts";
export { waitFor } from "./wait.ts";

export interface Namespace {
  /** `vw-<id>-<role>`, as `ip netns` knows it. */
  readonly name: string;
  readonly role: string;
  /** The process that keeps the private mounts alive. */
  readonly holder: number;
}

export interface Link {
  readonly lan: Namespace;
  /** CIDR notation, IPv4 or IPv6. */
  readonly addresses?: readonly string[];
  /** eth0, eth1, ... in the order of the links unless told. */
  readonly dev?: string;
  readonly mac?: string;
}

export interface ExecOptions {
  /** Milliseconds, 30,000 unless told. */
  readonly timeout?: number;
  /** False: a failing command is a result, not an error. */
  readonly check?: boolean;
  readonly env?: Record<string, string>;
}

export interface ExecResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Runs a command to its end; rejects with its output when it fails (unless told otherwise) or hangs. */
export function run(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const { timeout = 30_000, check = true, env = {} } = options;
  const [command, ...args] = argv;
  if (command === undefined) throw new Error("no command given");
  const settings = { timeout, env: cleanEnv(env), maxBuffer: MAX_OUTPUT_BYTES };
  return new Promise((resolve, reject) => {
    execFile(command, args, settings, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
      if (error !== null && (check || error.killed)) {
        const why = error.killed ? `no end within ${timeout} ms` : `exit ${code}`;
        reject(new Error(`${argv.join(" ")}: ${why}\n${stderr}${stdout}`));
      } else {
        resolve({ code, stdout, stderr });
      }
    });
  });
}

export class Lab {
  readonly #reaper = new Reaper();
  readonly #namespaces = new Map<string, Namespace>();

  /** 8 hex digits, part of every name. */
  get id(): string {
    return this.#reaper.id;
  }

  /** A folder for configs, sockets and state, removed by close(). */
  get dir(): string {
    return this.#reaper.dir;
  }

  get namespaces(): readonly Namespace[] {
    return [...this.#namespaces.values()];
  }

  /** A namespace with a bridge `br0`: one Ethernet segment. */
  async lan(role = "lan"): Promise<Namespace> {
    const ns = await this.#create(role);
    await this.#ip(ns, [
      "link add name br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
      "link set dev br0 up",
    ]);
    // Each namespace has its own copy; absent when no engine loaded br_netfilter.
    const filters = ["iptables", "ip6tables", "arptables"].map(
      (name) => `net.bridge.bridge-nf-call-${name}=0`,
    );
    await this.exec(ns, ["sysctl", "-q", "-e", "-w", ...filters], { check: false });
    return ns;
  }

  /** A host with one interface per link. */
  async node(role: string, links: readonly Link[] = []): Promise<Namespace> {
    const ns = await this.#create(role);
    for (const [index, link] of links.entries()) await this.attach(ns, { dev: `eth${index}`, ...link });
    return ns;
  }

  /** Connects a host to a segment; the bridge's end bears the host's role (and the device, beyond eth0). */
  async attach(ns: Namespace, link: Link): Promise<void> {
    const dev = link.dev ?? "eth0";
    const port = bridgePort(ns, dev);
    await this.#ip(link.lan, [
      `link add name ${port} type veth peer name ${dev} netns ${ns.name}`,
      `link set dev ${port} master br0 up`,
    ]);
    const lines = link.mac === undefined ? [] : [`link set dev ${dev} address ${link.mac}`];
    lines.push(`link set dev ${dev} up`);
    for (const address of link.addresses ?? []) {
      lines.push(`addr add ${address} dev ${dev}${address.includes(":") ? " nodad" : ""}`);
    }
    await this.#ip(ns, lines);
  }

  /** Pulls a host's cable: its device loses the carrier. */
  async unplug(ns: Namespace, lan: Namespace, dev = "eth0"): Promise<void> {
    await this.#ip(lan, [`link set dev ${bridgePort(ns, dev)} down`]);
  }

  async plug(ns: Namespace, lan: Namespace, dev = "eth0"): Promise<void> {
    await this.#ip(lan, [`link set dev ${bridgePort(ns, dev)} up`]);
  }

  /** Runs a command to its end in a namespace, in this process's working folder. */
  exec(ns: Namespace, argv: readonly string[], options?: ExecOptions): Promise<ExecResult> {
    return run(enter(ns, argv), options);
  }

  /** Starts a process in a namespace; `pid` is the command's own. close() ends it. */
  spawn(ns: Namespace, argv: readonly string[], options?: StartOptions): TestProcess {
    return new TestProcess(enter(ns, argv), options);
  }

  /** Starts tcpdump and returns when it listens. `filter` is in pcap's language. */
  async capture(ns: Namespace, dev: string, filter = ""): Promise<Capture> {
    return Capture.start((argv) => this.spawn(ns, argv, { collect: false }), dev, filter);
  }

  /** IPv4 and IPv6 addresses (CIDR) on a device, as the kernel lists them. */
  async addresses(ns: Namespace, dev: string): Promise<string[]> {
    const { stdout } = await this.exec(ns, ["ip", "-o", "addr", "show", "dev", dev]);
    return [...stdout.matchAll(/ inet6? (\S+)/g)].map((match) => match[1] ?? "");
  }

  /** Pids of every process in a namespace except its holder. */
  async pids(ns: Namespace): Promise<number[]> {
    const { stdout } = await run(["ip", "netns", "pids", ns.name]);
    const pids = stdout.split("\n").filter(Boolean).map(Number);
    return pids.filter((pid) => pid !== ns.holder);
  }

  /** Kills what runs in the namespaces and removes them, and the folder. */
  async close(): Promise<void> {
    await this.#reaper.close();
  }

  async #create(role: string): Promise<Namespace> {
    // The kernel allows 15 characters for the bridge port that bears the role and, perhaps, "-eth1".
    if (!/^[a-z0-9]{1,10}$/.test(role)) throw new Error(`role ${role}: 1 to 10 letters and digits`);
    if (this.#namespaces.has(role)) throw new Error(`role ${role} exists already`);
    const name = `vw-${this.id}-${role}`;
    this.#reaper.namespace(name);
    await run(["ip", "netns", "add", name]);
    const script = [
      "mount --make-rprivate /",
      "mount -t tmpfs -o mode=755 tmpfs /run",
      "mkdir -p /run/netns /run/lock",
      // No such file where IPv6 is off.
      "sysctl -q -e -w net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0",
      "ip link set dev lo up",
      "echo ready",
      "exec sleep infinity",
    ].join("\n");
    const holder = new TestProcess(["ip", "netns", "exec", name, "sh", "-ec", script]);
    await holder.waitLine(/^ready$/);
    const ns = { name, role, holder: holder.pid };
    this.#namespaces.set(role, ns);
    return ns;
  }

  async #ip(ns: Namespace, lines: readonly string[]): Promise<void> {
    for (const line of lines) await run(["ip", "-n", ns.name, ...line.split(" ")]);
  }
}

function bridgePort(ns: Namespace, dev: string): string {
  return dev === "eth0" ? ns.role : `${ns.role}-${dev.slice(-4)}`;
}

/**
 * nsenter execs the command itself, so the child's pid is the command's. Entering a mount namespace leads
 * to its root, which is not ours where the tests run in a chroot: the holder's is.
 */
function enter(ns: Namespace, argv: readonly string[]): string[] {
  const holder = `/proc/${ns.holder}`;
  const places = [`--net=${holder}/ns/net`, `--mount=${holder}/ns/mnt`, `--root=${holder}/root`];
  return ["nsenter", ...places, `--wd=${process.cwd()}`, "--", ...argv];
}
