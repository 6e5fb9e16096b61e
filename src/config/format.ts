/** Problems as people read them: `file:line:column: error: ...`, the line, a caret, the hint. */
import type { Problem } from "./problem.ts";

const paint = (on: boolean, code: string, text: string): string =>
  on ? `\u001b[${code}m${text}\u001b[0m` : text;

export function formatProblems(problems: readonly Problem[], options: { readonly color: boolean }): string {
  return problems.map((problem) => formatProblem(problem, options.color)).join("");
}

function formatProblem(problem: Problem, color: boolean): string {
  const place = problem.line > 0 ? `${problem.file}:${problem.line}:${problem.column}` : problem.file;
  const severity = paint(color, problem.severity === "error" ? "1;31" : "1;33", `${problem.severity}:`);
  let out = `${paint(color, "1", `${place}:`)} ${severity} ${problem.message}\n`;
  if (problem.line > 0) {
    // Tabs are kept in the caret's line so that it stands under its character.
    const indent = problem.snippetLine.slice(0, problem.caret).replace(/[^\t]/g, " ");
    out += `  ${problem.snippetLine}\n  ${indent}${paint(color, "1;32", "^")}\n`;
  }
  if (problem.hint !== undefined) out += `  ${paint(color, "36", "hint:")} ${problem.hint}\n`;
  return out;
}
