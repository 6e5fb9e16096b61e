/** The corpus: keepalived.conf files with what they become, and the options they are read with. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Imported } from "../../../src/config/keepalived-conf/finish.ts";
import {
  type ImportOptions,
  importKeepalived,
  importText,
} from "../../../src/config/keepalived-conf/import.ts";
import { yaml } from "../../../src/config/keepalived-conf/write.ts";
import { formatProblems, parseConfig } from "../../../src/config/load.ts";

export const CORPUS = fileURLToPath(new URL("corpus/", import.meta.url));
export const HOSTNAME = "lb01";

export const corpus = (): string[] =>
  readdirSync(CORPUS)
    .filter((name) => name.endsWith(".conf"))
    .sort();

/** "! id: NAME" in the first line chooses the node. */
export function optionsOf(text: string): ImportOptions {
  return {
    id: /^! id: (\S+)/.exec(text)?.[1] ?? HOSTNAME,
    hostname: HOSTNAME,
    env: { SITE: "north" },
    random: (min, max) => Math.floor((min + max) / 2),
  };
}

export const readCorpus = (name: string): string => readFileSync(CORPUS + name, "utf8");
export const importFile = (name: string): Imported =>
  importKeepalived(CORPUS + name, optionsOf(readCorpus(name)));
export const importString = (text: string, options: ImportOptions): Imported =>
  importText(text, "exported.conf", options);

/** Problems without the folder of this machine. */
export const problemsText = (imported: Imported): string =>
  formatProblems(imported.notes.list(), { color: false }).replaceAll(CORPUS, "");

export const succeeded = ({ notes, result }: Imported): boolean => notes.errors === 0 && result.ok;

export const yamlText = (imported: Imported, name: string): string => yaml(imported.document, name);

export const load = (text: string) => parseConfig(text, "written.yaml", { hostname: HOSTNAME });
