/** `$NAME=value` and `${NAME}`: bound late, so a value is substituted when it is used, not when it is defined. */
import { LimitReached, MAX_EXPANDED, MAX_LINE, MAX_NESTING, MAX_SUBSTITUTIONS } from "./limits.ts";
import type { Spot } from "./source.ts";

export interface BodyLine {
  readonly text: string;
  readonly spot: Spot;
}

/** One line of text, or the lines of a multi-line definition. */
export type Value = string | readonly BodyLine[];

/** What the built-in parameters need; RANDOM is drawn between both numbers, inclusive. */
export interface BuiltIns {
  readonly directory: string;
  readonly instance: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly random: (min: number, max: number) => number;
}

const DEFINITION = /^\$([A-Za-z_]\w*)=(.*)$/s;

/** "$NAME=value" taken apart; `more`: a trailing backslash says that further lines belong to it. */
export function parseDefinition(
  line: string,
): { readonly name: string; readonly value: string; readonly more: boolean } | undefined {
  const match = DEFINITION.exec(line);
  if (match === null) return undefined;
  const { text, more } = continued(match[2]!);
  return { name: match[1]!, value: text, more };
}

/** A line of a definition without the backslash that announces the next one. */
export function continued(line: string): { readonly text: string; readonly more: boolean } {
  return line.endsWith("\\")
    ? { text: line.slice(0, -1).trim(), more: true }
    : { text: line.trim(), more: false };
}

/** `$NAME` before a blank or the end, `${NAME}` anywhere, `${_RANDOM 1 6}`, `${_ENVNAME}`. */
const PARAMETER = /\$(?:\{([A-Za-z_]\w*)((?:\s+\d+){0,2})\s*\}|([A-Za-z_]\w*)(?=\s|$))/g;

export interface Substituted {
  readonly text: string;
  /** Set when a multi-line definition stands in the line: its lines, the first and last one completed. */
  readonly lines?: readonly BodyLine[];
  readonly changed: boolean;
}

export class Definitions {
  readonly #values = new Map<string, Value>();
  #work = 0;

  define(name: string, value: Value): void {
    this.#values.set(name, value);
  }

  /** Replaces until nothing is left to replace; an unknown parameter stays as it is. */
  substitute(line: string, spot: Spot, builtIns: BuiltIns): Substituted {
    if (!line.includes("$")) return { text: line, changed: false };
    let text = line;
    let count = 0;
    for (let round = 0; ; round++) {
      this.#work += text.length;
      if (this.#work > MAX_EXPANDED) throw new LimitReached("too many characters to substitute in");
      if (round > MAX_NESTING)
        throw new LimitReached("a parameter that contains itself", "define it without using its own name");
      let out = "";
      let last = 0;
      for (const match of text.matchAll(PARAMETER)) {
        const value = this.#lookUp(match, builtIns);
        if (value === undefined) continue;
        if (++count > MAX_SUBSTITUTIONS)
          throw new LimitReached(`more than ${MAX_SUBSTITUTIONS} parameters in a line`);
        const before = out + text.slice(last, match.index);
        if (typeof value !== "string")
          return {
            text,
            lines: spread(before, value, text.slice(match.index + match[0].length), spot),
            changed: true,
          };
        out = before + value;
        last = match.index + match[0].length;
        if (out.length > MAX_LINE)
          throw new LimitReached(`a line of more than ${MAX_LINE} characters after its parameters`);
      }
      if (last === 0) return { text, changed: round > 0 };
      text = out + text.slice(last);
    }
  }

  #lookUp(match: RegExpMatchArray, builtIns: BuiltIns): Value | undefined {
    const name = match[1] ?? match[3]!;
    const numbers = (match[2] ?? "").trim();
    if (numbers !== "" && name !== "_RANDOM") return undefined;
    if (!name.startsWith("_")) return this.#values.get(name);
    switch (name) {
      case "_PWD":
        return builtIns.directory;
      case "_INSTANCE":
        return builtIns.instance;
      case "_HASH":
        return "#";
      case "_BANG":
        return "!";
      case "_RANDOM": {
        const [min = 0, max = 32_767] = numbers === "" ? [] : numbers.split(/\s+/).map(Number);
        return String(builtIns.random(Math.min(min, max), Math.max(min, max)));
      }
      default:
        if (!name.startsWith("_ENV") || name.length === 4) return this.#values.get(name);
        return builtIns.env[name.slice(4)];
    }
  }
}

/** The body's lines with what stood before and behind the parameter. */
function spread(before: string, body: readonly BodyLine[], after: string, spot: Spot): BodyLine[] {
  if (body.length === 0) return [{ text: before + after, spot }];
  return body.map((line, index) => ({
    text: (index === 0 ? before : "") + line.text + (index === body.length - 1 ? after : ""),
    spot: line.spot,
  }));
}
