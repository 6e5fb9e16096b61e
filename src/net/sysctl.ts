/** Kernel parameters under /proc/sys. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * A parameter's path, one element per level: ["net", "ipv4", "conf", "eth0.100", "arp_ignore"].
 * Elements and not dots, because interface names may have dots.
 */
export type SysctlName = readonly string[];

export function sysctlPath(name: SysctlName): string {
  for (const part of name)
    if (part === "" || part === "." || part === ".." || part.includes("/") || part.includes("\0"))
      throw new RangeError(`"${part}" cannot be part of a sysctl name (${name.join("/")})`);
  return join("/proc/sys", ...name);
}

/** The value, without the newline. Throws Node's file system errors (ENOENT: no such parameter or interface). */
export function readSysctl(name: SysctlName): string {
  return readFileSync(sysctlPath(name), "latin1").trim();
}

/** Throws Node's file system errors (EROFS: containers see /proc/sys read-only; set it from outside). */
export function writeSysctl(name: SysctlName, value: string | number): void {
  writeFileSync(sysctlPath(name), `${value}\n`);
}

/** ["net", "ipv4", "conf", "eth0", "accept_local"] */
export const interfaceSysctl = (family: 4 | 6, interfaceName: string, parameter: string): SysctlName => [
  "net",
  family === 4 ? "ipv4" : "ipv6",
  "conf",
  interfaceName,
  parameter,
];
