/**
 * Runs a test program in a real Linux kernel with IPVS: Debian's user-mode-linux, whose root is this
 * machine's file system (hostfs).
 *
 *   entry.ts --esbuild--> guest.mjs --node in the guest--> results.jsonl --> one vitest test per result
 *
 * The guest's folder is a fresh one; /run is the guest's own. Whatever ends the test ends the guest.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { it } from "vitest";
import { bundleProgram } from "./bundle.ts";
import { TestProcess } from "./process.ts";
import { Reaper } from "./reaper.ts";
import { projectRoot } from "./root.ts";
import { waitFor } from "./wait.ts";

const KERNEL = "/usr/bin/linux.uml";
const TAIL_CHARACTERS = 4000;

/** What a director needs, loaded before the program starts; others load on demand. */
const MODULES = [
  "ip_vs",
  ...["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf"].map(
    (s) => `ip_vs_${s}`,
  ),
  ...["veth", "bridge", "macvlan", "dummy", "ipip", "sit", "tun"],
];

export interface GuestOptions {
  /** From the project's root: "test/uml/guest/smoke.ts". */
  readonly entry: string;
  /** Linux's notation, "1G" unless told. */
  readonly memory?: string;
  /** Boot included; 300,000 unless told. */
  readonly timeoutMs?: number;
  readonly env?: Record<string, string>;
  /** Kernel modules loaded at boot, in place of the usual ones; [] also turns loading on demand off. */
  readonly modules?: readonly string[];
}

export interface GuestResult {
  readonly name: string;
  readonly ok: boolean;
  readonly milliseconds: number;
  /** Message and stack, of a failed test only. */
  readonly error?: string;
}

/** The lines of results.jsonl: the plan first, then results, then the end. */
export type GuestReport = { readonly plan: readonly string[] } | GuestResult | { readonly end: true };

/** Boots a guest, runs the program and returns its results; a guest that dies early adds a failed one. */
export async function runGuest(options: GuestOptions): Promise<GuestResult[]> {
  if (!existsSync(KERNEL)) throw new Error(`${KERNEL} is missing: apt-get install user-mode-linux`);
  const { entry, memory = "1G", timeoutMs = 300_000 } = options;
  const reaper = new Reaper();
  try {
    const file = (name: string) => path.join(reaper.dir, name);
    await bundleProgram(entry, file("guest.mjs"));
    writeFileSync(file("init"), initScript(reaper.dir, options), { mode: 0o755 });
    const guest = new TestProcess([
      KERNEL,
      `mem=${memory}`,
      `umid=vw-${reaper.id}`,
      `uml_dir=${reaper.dir}`,
      ...["rootfstype=hostfs", "rootflags=/", "rw", `init=${file("init")}`],
      ...["con=null", "con0=null,fd:1", "con1=null", "quiet"],
    ]);
    reaper.processGroup(guest.pid);
    const ended = await waitFor(() => !guest.running, { timeout: timeoutMs }).catch(() => false);
    guest.killGroup();
    await guest.exited;
    const early = ended ? "the guest ended early" : `the guest did not end within ${timeoutMs} ms`;
    const output = tail(`${readText(file("output"))}\n--- console\n${guest.text}`);
    return collect(entry, readText(file("results.jsonl")), `${early}\n${output}`);
  } finally {
    await reaper.close();
  }
}

/** One vitest test per result, so that the counts are true. */
export function registerGuestTests(results: readonly GuestResult[]): void {
  for (const result of results) {
    it(result.name, () => {
      if (!result.ok) throw new Error(result.error);
    });
  }
}

/** The end of the program's output and of the console is where the reason stands. */
function collect(entry: string, report: string, early: string): GuestResult[] {
  let plan: readonly string[] = [];
  let ended = false;
  const results: GuestResult[] = [];
  for (const line of report.split("\n")) {
    if (!line.endsWith("}")) continue;
    const entry = JSON.parse(line) as GuestReport;
    if ("plan" in entry) plan = entry.plan;
    else if ("end" in entry) ended = true;
    else results.push(entry);
  }
  if (ended && results.length > 0) return results;
  const missing = plan.filter((name) => !results.some((result) => result.name === name));
  if (missing.length === 0) missing.push(`${entry} runs to its end`);
  for (const name of missing) results.push({ name, ok: false, milliseconds: 0, error: early });
  return results;
}

function initScript(dir: string, { env = {}, modules = MODULES }: GuestOptions): string {
  // What a killed guest leaves lies in the host's folder for it, and goes with that.
  const exports = {
    TMPDIR: dir,
    ...env,
    VIPWARD_GUEST_REPORT: `${dir}/results.jsonl`,
    VIPWARD_GUEST_DIR: dir,
  };
  // Debian keeps this kernel's modules outside /lib/modules, so the kernel's own loader needs telling.
  const loader = modules.length === 0 ? "echo /bin/false" : "echo /run/modprobe";
  return `#!/bin/bash
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o mode=755 tmpfs /run
[ -d /var/lib/vipward ] && mount -t tmpfs tmpfs /var/lib/vipward
mkdir -p /run/netns /run/lock /run/modules/lib/modules /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
ln -s /usr/lib/uml/modules/$(uname -r) /run/modules/lib/modules/$(uname -r)
printf '#!/bin/sh\\nexec /sbin/modprobe -d /run/modules "$@"\\n' > /run/modprobe
chmod 755 /run/modprobe
${loader} > /proc/sys/kernel/modprobe
hostname uml
ip link set dev lo up
for module in ${modules.join(" ")}; do /run/modprobe "$module" || echo "module $module does not load"; done
cd ${quote(projectRoot)}
${Object.entries(exports)
  .map(([key, value]) => `export ${key}=${quote(value)}`)
  .join("\n")}
${quote(process.execPath)} --enable-source-maps ${quote(`${dir}/guest.mjs`)} > ${quote(`${dir}/output`)} 2>&1 < /dev/null
echo "exit $?" >> ${quote(`${dir}/output`)}
sync
echo o > /proc/sysrq-trigger
sleep 5
poweroff -f
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function readText(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

function tail(text: string): string {
  return text.length > TAIL_CHARACTERS ? `...${text.slice(-TAIL_CHARACTERS)}` : text;
}
