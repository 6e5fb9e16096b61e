/** `~SEQ(var, start, step, end) LINE`, `~SEQx`, `~LST(var, a, b) LINE`: a line repeated with other values. */

export interface Repetition {
  /** One set of parameters per repetition. */
  readonly rounds: Iterable<readonly (readonly [name: string, value: string])[]>;
  readonly rest: string;
}

const HEAD = /^~(SEQx?|LST)\s*\(/;
const NAME = /^[A-Za-z_]\w*$/;
const SYNTAX = "~SEQ(var, start, step, end), ~SEQx(...), ~LST(var, a, b) or ~LST({v, w}, {a, b}, {c, d})";

export const isRepetition = (line: string): boolean => line.startsWith("~");

export function parseRepetition(
  line: string,
): Repetition | { readonly message: string; readonly hint: string } {
  const wrong = (message: string) => ({ message, hint: SYNTAX });
  const head = HEAD.exec(line);
  if (head === null) return wrong("neither ~SEQ nor ~LST");
  const close = line.indexOf(")", head[0].length);
  if (close === -1) return wrong("~ without its )");
  const inside = line.slice(head[0].length, close);
  const rest = line.slice(close + 1).trim();
  const rounds = head[1] === "LST" ? list(inside) : sequence(inside, head[1] === "SEQx");
  return rounds === undefined
    ? wrong(`"~${head[1]}(${inside.slice(0, 60)})" can't be read`)
    : { rounds, rest };
}

const INTEGER = /^[+-]?(?:0x[0-9a-f]{1,8}|\d{1,10})$/i;

function toInteger(text: string): number | undefined {
  if (!INTEGER.test(text)) return undefined;
  const magnitude = Number(text.replace(/^[+-]/, ""));
  return text.startsWith("-") ? -magnitude : magnitude;
}

function sequence(inside: string, hex: boolean): Repetition["rounds"] | undefined {
  const [name = "", ...texts] = inside.split(",").map((part) => part.trim());
  const numbers = texts.map(toInteger);
  if (!NAME.test(name) || numbers.length < 1 || numbers.length > 3 || numbers.includes(undefined))
    return undefined;
  const end = numbers.at(-1)!;
  const start = numbers.length === 1 ? (end < 0 ? -1 : 1) : numbers[0]!;
  const step = numbers.length === 3 ? numbers[1]! : end < start ? -1 : 1;
  if (step === 0) return undefined;
  return steps(name, { start, step, end, hex });
}

function* steps(
  name: string,
  { start, step, end, hex }: { start: number; step: number; end: number; hex: boolean },
): Generator<readonly (readonly [string, string])[]> {
  for (let value = start; step > 0 ? value <= end : value >= end; value += step)
    yield [[name, value.toString(hex ? 16 : 10)]];
}

function list(inside: string): Repetition["rounds"] | undefined {
  const groups = splitGroups(inside);
  if (groups === undefined || groups.length < 2) return undefined;
  const [names, ...values] = groups as [string[], ...string[][]];
  if (names.some((name) => !NAME.test(name))) return undefined;
  if (values.some((value) => value.length !== names.length)) return undefined;
  return values.map((value) => names.map((name, i) => [name, value[i]!] as const));
}

/** "a, {b, c}" -> [["a"], ["b", "c"]] */
function splitGroups(inside: string): string[][] | undefined {
  const out: string[][] = [];
  const pattern = /\s*(?:\{([^{}]*)\}|([^,{}]*))\s*(,|$)/y;
  while (true) {
    const match = pattern.exec(inside);
    if (match === null) return undefined;
    out.push(match[1] === undefined ? [match[2]!.trim()] : match[1].split(",").map((part) => part.trim()));
    if (match[3] === "") return out;
  }
}
