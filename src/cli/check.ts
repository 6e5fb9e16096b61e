/** `vipward check`: validates a configuration file and says what it would run. */
import { hostname } from "node:os";
import { formatProblems, loadConfig } from "../config/load.ts";
import type { Config } from "../config/model.ts";

export interface CheckOptions {
  readonly config: string;
  readonly node?: string;
}

/** Exit code: 0 clean (warnings allowed), 1 errors. Problems go to stderr, the summary to stdout. */
export async function checkCommand(options: CheckOptions): Promise<number> {
  const result = loadConfig(options.config, {
    hostname: hostname(),
    ...(options.node === undefined ? {} : { node: options.node }),
  });
  process.stderr.write(formatProblems(result.problems, { color: useColor() }));
  const warnings = result.problems.filter((problem) => problem.severity === "warning").length;
  if (!result.ok) {
    const errors = result.problems.length - warnings;
    process.stderr.write(`${options.config}: ${count(errors, "error")}, ${count(warnings, "warning")}\n`);
    return 1;
  }
  process.stdout.write(
    `${options.config}: ok: ${summary(result.config)}${warnings > 0 ? ` (${count(warnings, "warning")})` : ""}\n`,
  );
  return 0;
}

/** https://no-color.org: any non-empty NO_COLOR turns colours off. */
function useColor(): boolean {
  return process.stderr.isTTY === true && !process.env.NO_COLOR;
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

/** "1 instance, 2 services, 4 real servers, 4 checkers, config 0123456789ab" */
export function summary(config: Config): string {
  const servers = config.services.flatMap((service) => service.realServers);
  const checkers = servers.reduce((sum, server) => sum + server.checkers.length, 0);
  return [
    count(config.instances.length, "instance"),
    count(config.services.length, "service"),
    count(servers.length, "real server"),
    count(checkers, "checker"),
    `config ${config.hash}`,
  ].join(", ");
}
