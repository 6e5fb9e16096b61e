/** `vipward export`: the configuration as keepalived.conf or as rules for ipvsadm -R. */
import { hostname } from "node:os";
import { resolve } from "node:path";
import { formatProblems, loadConfig } from "../config/load.ts";
import { writeWhole } from "./import.ts";
import { color } from "./terminal.ts";

export interface ExportCommand {
  readonly config: string;
  readonly format: "keepalived" | "ipvsadm";
  readonly node?: string;
  readonly output?: string;
}

const FAILED = 1;
const WITH_WARNINGS = 3;

/** Exit status: 0 all written, 3 with warnings for what the format has no words for, 1 failed. */
export async function exportCommand({ config: file, format, node, output }: ExportCommand): Promise<number> {
  const loaded = loadConfig(file, { hostname: hostname(), ...(node === undefined ? {} : { node }) });
  if (!loaded.ok) {
    process.stderr.write(formatProblems(loaded.problems, { color: color(process.stderr) }));
    return FAILED;
  }
  const { text, notes } =
    format === "keepalived"
      ? (await import("../config/keepalived-conf/export.ts")).exportKeepalived(loaded.config, hostname())
      : await (await import("../config/ipvsadm-rules/export.ts")).exportRules(loaded.config);
  for (const note of notes) process.stderr.write(`${file}: warning: ${note}\n`);
  if (output === undefined) process.stdout.write(text);
  else {
    try {
      writeWhole(resolve(output), text);
    } catch (error) {
      process.stderr.write(`vipward export: ${output}: ${(error as Error).message}\n`);
      return FAILED;
    }
  }
  return notes.length > 0 ? WITH_WARNINGS : 0;
}
