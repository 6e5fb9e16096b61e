/** Lines -> statements with their blocks. */
import { quote } from "../problem.ts";
import { plainWords, scriptWords, splitBraces, type Word } from "./lexer.ts";
import { MAX_BLOCK_DEPTH } from "./limits.ts";
import type { Notes } from "./notes.ts";
import type { Line } from "./reader.ts";
import type { SourceFile, Spot } from "./source.ts";

/** One keyword line, with what stands in the braces behind it. */
export interface Statement {
  readonly text: string;
  readonly spot: Spot;
  readonly block: readonly Statement[] | undefined;
}

interface Open {
  readonly text: string;
  readonly spot: Spot;
  block: Open[] | undefined;
}

export function buildTree(lines: readonly Line[], main: SourceFile, notes: Notes): Statement[] {
  const root: Open[] = [];
  const blocks: { owner: Open | undefined; list: Open[]; spot: Spot }[] = [
    { owner: undefined, list: root, spot: { file: main, line: 1, column: 1 } },
  ];
  for (const line of lines) {
    for (const piece of splitBraces(line.text)) {
      const spot = line.exact ? { ...line.spot, column: line.spot.column + piece.at } : line.spot;
      const current = blocks.at(-1)!;
      if (!piece.brace) {
        current.list.push({ text: piece.text, spot, block: undefined });
      } else if (piece.text === "{") {
        const owner = current.list.at(-1);
        const list: Open[] = [];
        if (blocks.length > MAX_BLOCK_DEPTH) {
          notes.error(spot, `blocks nest more than ${MAX_BLOCK_DEPTH} deep`);
          return root;
        }
        if (owner === undefined || owner.block !== undefined)
          notes.error(spot, "a { without a keyword before it", "its block is skipped");
        else owner.block = list;
        blocks.push({ owner, list, spot });
      } else if (blocks.length > 1) blocks.pop();
      else notes.error(spot, "a } without its {");
    }
    if (notes.full) break;
  }
  for (const { owner, spot } of blocks.slice(1))
    notes.error(spot, `the block of ${quote(owner?.text ?? "{")} is not closed`, "add the missing }");
  return root;
}

/** The words of a statement, or undefined after reporting what is wrong with them. */
export function wordsOf(statement: Statement, notes: Notes): readonly Word[] | undefined {
  return report(plainWords(statement.text), statement, notes);
}

/** The same for keywords that take a command. */
export function scriptWordsOf(statement: Statement, notes: Notes): readonly Word[] | undefined {
  return report(scriptWords(statement.text), statement, notes);
}

function report(
  result: ReturnType<typeof plainWords>,
  statement: Statement,
  notes: Notes,
): readonly Word[] | undefined {
  return "message" in result ? notes.error(statement.spot, result.message) : result.words;
}

/** The keyword alone; it is never quoted. */
export const keywordOf = (statement: Statement): string => /^\S*/.exec(statement.text)![0];
