/** `@id LINE` and `@^id LINE`: lines for one node, or for all but one. */

/** The rest of the line where it is for this node, undefined where it is not. */
export function applyConditions(line: string, id: string): string | undefined {
  let rest = line;
  while (rest.startsWith("@")) {
    const match = /^@(\^?)(\S*)\s*/.exec(rest)!;
    const same = match[2] === id;
    if (same === (match[1] === "^")) return undefined;
    rest = rest.slice(match[0].length);
  }
  return rest;
}
