/** Loading kernel modules, where we may: as root, with modprobe at hand. */
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";

export type LoadModule = (name: string) => Promise<boolean>;

const CANDIDATES = ["/sbin/modprobe", "/usr/sbin/modprobe", "/bin/modprobe", "/usr/bin/modprobe"];
const TIMEOUT_MS = 10_000;

/** True when modprobe says that the module is there now; false when it can't be run or fails. Never throws. */
export const loadModule: LoadModule = async (name) => {
  // Names come from the configuration too (schedulers): nothing but a module's name may reach the command line.
  if (process.getuid?.() !== 0 || !/^[a-z][a-z0-9_]*$/.test(name)) return false;
  const modprobe = CANDIDATES.find(isExecutable);
  if (modprobe === undefined) return false;
  return new Promise((resolve) => {
    execFile(modprobe, ["-q", "--", name], { timeout: TIMEOUT_MS }, (error) => resolve(error === null));
  });
};

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
