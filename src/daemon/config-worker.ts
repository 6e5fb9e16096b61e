/** Reads and validates the configuration for a reload, outside the supervisor's loop. argv: FILE [NODE] */
import { hostname } from "node:os";
import { formatProblems } from "../config/format.ts";
import { loadConfig } from "../config/load.ts";

const [file = "", node] = process.argv.slice(2);
const loaded = loadConfig(file, { hostname: hostname(), ...(node ? { node } : {}) });
const answer = loaded.ok
  ? { config: loaded.config }
  : { problems: formatProblems(loaded.problems, { color: false }) };
process.send?.(answer, () => process.disconnect());
