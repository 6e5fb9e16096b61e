/**
 * One line of a keepalived.conf: comments, braces, words.
 *
 * Comments and braces know double quotes only, and no escapes but \# and \!; words are split later, once the keyword
 * says whether single quotes and escapes count (keepalived.conf(5) "Quoted strings").
 */

/** The line without its comment, `\#` and `\!` replaced, blanks at both ends removed. */
export function stripComment(line: string): string {
  let out = "";
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!;
    if (c === '"') quoted = !quoted;
    else if (c === "\\" && !quoted && (line[i + 1] === "#" || line[i + 1] === "!")) {
      out += line[++i]!;
      continue;
    } else if ((c === "#" || c === "!") && !quoted) break;
    out += c;
  }
  return out.trim();
}

export interface Piece {
  /** "{", "}" or the words of one statement. */
  readonly text: string;
  /** 0-based place in the line. */
  readonly at: number;
  readonly brace: boolean;
}

/** Splits braces off, outside double quotes. `${NAME}` stays whole. */
export function splitBraces(line: string): Piece[] {
  const out: Piece[] = [];
  let quoted = false;
  let from = 0;
  const flush = (to: number): void => {
    const raw = line.slice(from, to);
    const text = raw.trim();
    if (text !== "") out.push({ text, at: from + raw.length - raw.trimStart().length, brace: false });
  };
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!;
    if (c === '"') quoted = !quoted;
    if (quoted || (c !== "{" && c !== "}")) continue;
    const parameter = c === "{" && line[i - 1] === "$" ? /^\{\w[^{}]*\}/.exec(line.slice(i, i + 300)) : null;
    if (parameter !== null) {
      i += parameter[0].length - 1;
      continue;
    }
    flush(i);
    out.push({ text: c, at: i, brace: true });
    from = i + 1;
  }
  flush(line.length);
  return out;
}

export interface Word {
  readonly text: string;
  readonly quoted: boolean;
}

export type Words = { readonly words: readonly Word[] } | { readonly message: string };

/** Words of an ordinary keyword: double quotes hold blanks, nothing is escaped. */
export function plainWords(text: string): Words {
  return split(text, { single: false, escapes: false });
}

/** Words of a keyword that takes a command: both kinds of quotes, and escapes everywhere. */
export function scriptWords(text: string): Words {
  return split(text, { single: true, escapes: true });
}

function split(text: string, rule: { readonly single: boolean; readonly escapes: boolean }): Words {
  const words: Word[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  let wasQuoted = false;
  const end = (): void => {
    if (word !== undefined) words.push({ text: word, quoted: wasQuoted });
    word = undefined;
    wasQuoted = false;
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === "\\" && rule.escapes) {
      const read = readEscape(text, i + 1);
      word = (word ?? "") + read.text;
      i = read.next - 1;
    } else if (quote !== undefined) {
      if (c === quote) quote = undefined;
      else word += c;
    } else if (c === '"' || (c === "'" && rule.single)) {
      quote = c;
      wasQuoted = true;
      word ??= "";
    } else if (/\s/.test(c)) end();
    else word = (word ?? "") + c;
  }
  if (quote !== undefined) return { message: `a ${quote} without its end` };
  end();
  return { words };
}

const LETTERS: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  E: "\x1b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** keepalived.conf(5): \a \b \E \f \n \r \t \v, \nnn octal, \xXX hex, \cC control; any other character is itself. */
function readEscape(text: string, at: number): { text: string; next: number } {
  const c = text[at];
  if (c === undefined) return { text: "\\", next: at };
  const letter = LETTERS[c];
  if (letter !== undefined) return { text: letter, next: at + 1 };
  const octal = /^[0-7]{1,3}/.exec(text.slice(at, at + 3))?.[0];
  if (octal !== undefined) return byte(Number.parseInt(octal, 8), at + octal.length);
  if (c === "x") {
    const hex = /^[0-9a-fA-F]+/.exec(text.slice(at + 1, at + 65))?.[0];
    if (hex !== undefined) return byte(Number.parseInt(hex.slice(-2), 16), at + 1 + hex.length);
  }
  if (c === "c" && text[at + 1] !== undefined) return byte(text.charCodeAt(at + 1) & 0x1f, at + 2);
  return { text: c, next: at + 1 };
}

const byte = (value: number, next: number) => ({ text: String.fromCharCode(value & 0xff), next });
