/** `vipward import`: keepalived.conf, ipvsadm rules or ldirectord.cf as vipward's YAML. */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, resolve } from "node:path";
import type { ParseOptions } from "../config/context.ts";
import { formatProblems } from "../config/format.ts";
import type { Imported } from "../config/keepalived-conf/finish.ts";
import { inspectFile } from "../config/load.ts";
import { color } from "./terminal.ts";

export interface ImportCommand {
  /** keepalived.conf. */
  readonly file?: string;
  readonly ipvsadm?: string;
  readonly ldirectord?: string;
  readonly output?: string;
  /** Config-id for `@id` lines; default the host name's first part. */
  readonly id?: string;
}

const EXACT = 0;
const FAILED = 1;
const WITH_WARNINGS = 3;
const USAGE = 64;

/** Exit status: 0 all carried over, 3 with warnings, 1 failed and nothing written. */
export async function importCommand(command: ImportCommand): Promise<number> {
  const sources = [command.file, command.ipvsadm, command.ldirectord].filter((one) => one !== undefined);
  if (sources.length !== 1) {
    process.stderr.write(
      "vipward import: give one of FILE (keepalived.conf), --ipvsadm FILE, --ldirectord FILE\n",
    );
    return USAGE;
  }
  const source = sources[0]!;
  let imported: Imported;
  try {
    imported = await read(command, { hostname: hostname(), inspectFile });
  } catch (error) {
    process.stderr.write(`vipward import: ${source}: ${reason(error)}\n`);
    return FAILED;
  }
  const { notes, result, document } = imported;
  process.stderr.write(formatProblems(notes.list(), { color: color(process.stderr) }));
  if (notes.errors > 0 || !result.ok) {
    process.stderr.write(
      `${source}: not imported: ${count(notes.errors, "error")}, ${count(notes.warnings, "warning")}\n`,
    );
    return FAILED;
  }
  const { yaml } = await import("../config/keepalived-conf/write.ts");
  const text = yaml(document, basename(source));
  if (command.output === undefined) process.stdout.write(text);
  else {
    try {
      writeWhole(resolve(command.output), text);
    } catch (error) {
      process.stderr.write(`vipward import: ${command.output}: ${reason(error)}\n`);
      return FAILED;
    }
  }
  if (notes.warnings === 0) return EXACT;
  process.stderr.write(
    `${source}: imported with ${count(notes.warnings, "warning")}: see above what differs\n`,
  );
  return WITH_WARNINGS;
}

async function read(command: ImportCommand, options: ParseOptions): Promise<Imported> {
  if (command.ipvsadm !== undefined) {
    const { importRules } = await import("../config/ipvsadm-rules/import.ts");
    return importRules(readText(command.ipvsadm), command.ipvsadm, options);
  }
  if (command.ldirectord !== undefined) {
    const { importLdirectord } = await import("../config/ldirectord/import.ts");
    return importLdirectord(readText(command.ldirectord), command.ldirectord, options);
  }
  const { importKeepalived } = await import("../config/keepalived-conf/import.ts");
  const id = command.id ?? options.hostname.split(".")[0]!;
  return importKeepalived(command.file!, { ...options, id, env: process.env });
}

/** "-" is standard input, for `ipvsadm -Sn | vipward import --ipvsadm -`. */
const readText = (path: string): string => readFileSync(path === "-" ? 0 : path, "utf8");

/** All or nothing, and for nobody else to read: there are passwords in it. */
export function writeWhole(path: string, text: string): void {
  const draft = `${path}.${process.pid}.new`;
  try {
    writeFileSync(draft, text, { mode: 0o600, flag: "wx" });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

const reason = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "no such file (ENOENT)";
  if (code === "EACCES") return "permission denied (EACCES)";
  return message;
};

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
