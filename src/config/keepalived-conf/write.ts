/** The written configuration as YAML text. */
import { dump } from "js-yaml";
import { type DocMap, toPlain } from "./document.ts";

/** Their digits are no number. */
const TEXT_KEYS: ReadonlySet<string> = new Set([
  "auth_pass",
  "key",
  "digest",
  "payload",
  "require_reply",
  "regex",
]);

/** Loads again to the same Config; keys in the order of the document. */
export function yaml(document: DocMap, from: string): string {
  const text = dump(toPlain(document, TEXT_KEYS), { lineWidth: 110, quoteStyle: "double" });
  return `# Made by vipward import from ${from}. vipward check validates it.\n${document.entries.length === 0 ? "{}\n" : text}`;
}
