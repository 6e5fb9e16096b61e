/** Puts the no_accept rules into the kernel with nft, or iptables where there is no nft; idempotent. */
import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import type { Config } from "../../config/model.ts";
import type { Logger } from "../messages.ts";
import { CHAIN, type Guarded, guardedVips, iptablesScript, nftScript } from "./rules.ts";

const TIMEOUT_MS = 10_000;
const ENVIRONMENT = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C" };

interface Outcome {
  readonly ok: boolean;
  readonly why: string;
}

function run(argv: readonly string[], input = ""): Outcome {
  const [command = "", ...args] = argv;
  const result = spawnSync(command, args, { input, env: ENVIRONMENT, timeout: TIMEOUT_MS, encoding: "utf8" });
  if (result.error) return { ok: false, why: `${command}: ${result.error.message}` };
  return { ok: result.status === 0, why: `${command}: ${result.stderr.trim()}` };
}

export class Firewall {
  readonly #log: Logger;
  /** A file that says rules of ours may be in the kernel: it outlives a kill as they do. */
  readonly #marker: string;
  #used: "nft" | "iptables" | undefined;

  constructor(marker: string, log: Logger) {
    this.#marker = marker;
    this.#log = log;
  }

  /** Called before any VIP of the configuration can appear. Throws when traffic cannot be kept out. */
  apply(config: Config): void {
    const guarded = guardedVips(config);
    if (guarded.length === 0) return this.#used === undefined ? this.#reclaim() : this.remove();
    writeFileSync(this.#marker, "");
    const nft = run(["nft", "-f", "-"], nftScript(guarded));
    if (nft.ok) {
      this.#used = "nft";
      return;
    }
    const iptables = this.#iptables(guarded);
    if (!iptables.ok) {
      throw new Error(
        `no_accept needs nft or iptables, and neither works here (${nft.why}; ${iptables.why}): ` +
          "install nftables, or remove no_accept and vrrp_strict",
      );
    }
    this.#used = "iptables";
  }

  #iptables(guarded: readonly Guarded[]): Outcome {
    for (const [family, tool] of [
      [4, "iptables-legacy"],
      [6, "ip6tables-legacy"],
    ] as const) {
      if (family === 6 && !guarded.some(({ vip }) => vip.family === 6)) continue;
      const filled = run([`${tool}-restore`, "--noflush", "-w"], iptablesScript(guarded, family));
      if (!filled.ok) return filled;
      if (run([tool, "-w", "-C", "INPUT", "-j", CHAIN]).ok) continue;
      const jump = run([tool, "-w", "-I", "INPUT", "-j", CHAIN]);
      if (!jump.ok) return jump;
    }
    return { ok: true, why: "" };
  }

  /** A killed run's rules would go on dropping traffic that is welcome now; nothing to say when there are none. */
  #reclaim(): void {
    if (!existsSync(this.#marker)) return;
    if (run(["nft", "list", "table", "inet", "vipward"]).ok) run(["nft", "-f", "-"], nftScript([]));
    for (const tool of ["iptables-legacy", "ip6tables-legacy"]) {
      if (run([tool, "-w", "-C", "INPUT", "-j", CHAIN]).ok) removeChain(tool);
    }
    rmSync(this.#marker, { force: true });
  }

  /** Takes away what this process put there. */
  remove(): void {
    if (this.#used === "nft") {
      const gone = run(["nft", "-f", "-"], nftScript([]));
      if (!gone.ok) this.#log("warn", `cannot remove the no_accept rules: ${gone.why}`);
    } else if (this.#used === "iptables") {
      for (const tool of ["iptables-legacy", "ip6tables-legacy"]) removeChain(tool);
    }
    if (this.#used !== undefined) rmSync(this.#marker, { force: true });
    this.#used = undefined;
  }
}

function removeChain(tool: string): void {
  run([tool, "-w", "-D", "INPUT", "-j", CHAIN]);
  run([tool, "-w", "-F", CHAIN]);
  run([tool, "-w", "-X", CHAIN]);
}
