/** Finds what must not be shown, before anything is shown. */
import type { Node, ScalarNode } from "./nodes.ts";
import type { Problems } from "./problem.ts";

const SECRET_KEY = /pass|secret|passwd|password|authenti/i;
/** Words that are no secret inside an authentication block. */
const HARMLESS = /^(PASS|AH|true|false)$/i;

/** Marks every value under a key that looks like a secret's, misspelt ones included. */
export function markSecrets(root: Node, problems: Problems): void {
  const seen = new Set<Node>();
  const visit = (node: Node, secret: boolean): void => {
    if (node.kind === "scalar") {
      if (secret) mark(node, problems);
      return;
    }
    if (!secret && seen.has(node)) return;
    seen.add(node);
    if (node.kind === "list") for (const item of node.items) visit(item.node, secret);
    else
      for (const entry of node.entries) {
        // Files and variables are only named; their names help whoever reads the problem.
        const named = secret && (entry.key === "file" || entry.key === "env");
        visit(entry.value, (secret && !named) || SECRET_KEY.test(entry.key));
      }
  };
  visit(root, false);
}

function mark(node: ScalarNode, problems: Problems): void {
  if (node.end > node.offset && !HARMLESS.test(node.text))
    problems.secrets.push({ start: node.offset, end: node.end });
}

/**
 * The same for a file that can't be parsed: from the value on, to the end of the block that holds it.
 * Without a parse the value's end is unknown, so too much is masked rather than too little.
 */
export function markSecretsInText(problems: Problems): void {
  const { text } = problems;
  const pattern = /^([ \t-]*)(.*?(?:pass|secret|authenti)[^:\n]*:)(.*(?:\n(?:\1[ \t]+.*|[ \t]*(?=\n)))*)/gim;
  for (const match of text.matchAll(pattern)) {
    const start = match.index + match[1]!.length + match[2]!.length;
    if (match[3]!.trim() !== "") problems.secrets.push({ start, end: start + match[3]!.length });
  }
}
