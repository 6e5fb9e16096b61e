/** The walk over a PCRE pattern that pcre.ts wraps: each piece of syntax in JavaScript's words. */

const START = "(?<![^])";
const END = "(?![^])";
const SPACE = "\\t\\n\\v\\f\\r ";
const POSIX: Readonly<Record<string, string>> = {
  alpha: "A-Za-z",
  digit: "0-9",
  alnum: "0-9A-Za-z",
  upper: "A-Z",
  lower: "a-z",
  space: SPACE,
  blank: "\\t ",
  punct: "!-\\/:-@\\[-`{-~",
  xdigit: "0-9A-Fa-f",
  word: "0-9A-Za-z_",
  cntrl: "\\x00-\\x1f\\x7f",
  print: "\\x20-\\x7e",
  graph: "\\x21-\\x7e",
  ascii: "\\x00-\\x7f",
};

/** What has no counterpart, by name. */
export class Refused extends Error {}
const refuse = (what: string): never => {
  throw new Refused(what);
};

/** One pattern, from its first character to its last. */
export class PcreTranslator {
  readonly utf: boolean;
  caseless: boolean;
  readonly #options: Set<string>;
  readonly #text: string;
  #at = 0;
  #out = "";

  constructor(pattern: string, options: Set<string>) {
    this.utf = options.has("utf");
    this.#options = options;
    // Bytes against bytes: "é" is two of them.
    this.#text = this.utf ? pattern : bytesAsText(pattern);
    const inline = /^\(\?([imsx]+)\)/.exec(this.#text);
    if (inline !== null) {
      const names = { i: "caseless", m: "multiline", s: "dotall", x: "extended" } as const;
      for (const letter of inline[1] as string) options.add(names[letter as keyof typeof names]);
      this.#at = inline[0].length;
    }
    this.caseless = options.has("caseless");
  }

  run(): string {
    while (this.#at < this.#text.length) this.#out += this.#token();
    return this.#out;
  }

  #token(): string {
    const c = this.#text[this.#at++]!;
    const has = (option: string): boolean => this.#options.has(option);
    switch (c) {
      case "\\":
        return this.#escape();
      case "[":
        return this.#class();
      case "(":
        return this.#group();
      case ".":
        return has("dotall") ? "[^]" : "[^\\n]";
      case "^":
        return has("multiline") ? `(?:${START}|(?<=\\n)(?=[^]))` : START;
      case "$":
        if (has("multiline")) return `(?=\\n|${END})`;
        return has("dollar_endonly") ? END : `(?=\\n?${END})`;
      case "*":
      case "+":
      case "?":
        return this.#quantifier(c);
      case "{": {
        const range = /^(\d*)(,\d*)?\}/.exec(this.#text.slice(this.#at));
        if (range === null || !/\d/.test(range[1] ?? "")) return "\\{";
        this.#at += range[0].length;
        return this.#quantifier(`{${range[0]}`);
      }
      case "}":
      case "]":
        return `\\${c}`;
      case "#":
        if (!has("extended")) return c;
        this.#skipLine();
        return "";
      default:
        return has("extended") && /[\t\n\v\f\r ]/.test(c) ? "" : c;
    }
  }

  /** extended: a comment goes to the end of its line. */
  #skipLine(): void {
    const end = this.#text.indexOf("\n", this.#at);
    this.#at = end < 0 ? this.#text.length : end + 1;
  }

  #quantifier(quantifier: string): string {
    const after = this.#text[this.#at];
    if (after === "+") refuse(`possessive quantifier ${quantifier}+ is not supported`);
    const lazy = after === "?";
    if (lazy) this.#at++;
    return lazy === this.#options.has("ungreedy") ? quantifier : `${quantifier}?`;
  }

  #group(): string {
    const rest = this.#text.slice(this.#at);
    if (rest.startsWith("*")) refuse("verbs such as (*UTF) are not supported");
    if (!rest.startsWith("?")) return this.#options.has("no_auto_capture") ? "(?:" : "(";
    if (rest.startsWith("?#")) {
      const end = rest.indexOf(")");
      if (end < 0) refuse("a comment (?# without its end");
      this.#at += end + 1;
      return "(?:)";
    }
    const back = /^\?P=(\w+)\)/.exec(rest);
    if (back !== null) {
      this.#at += back[0].length;
      return `\\k<${back[1]}>`;
    }
    const named = /^\?(?:P?<(\w+)>|'(\w+)')/.exec(rest);
    if (named !== null) {
      this.#at += named[0].length;
      return `(?<${named[1] ?? named[2]}>`;
    }
    const plain = /^\?(?:[:=!]|<[=!])/.exec(rest);
    if (plain === null) refuse(`group (${rest.slice(0, 4)}... is not supported`);
    this.#at += plain![0].length;
    return `(${plain![0]}`;
  }

  #escape(): string {
    const c = this.#text[this.#at++];
    if (c === undefined) return refuse("a backslash at the end");
    switch (c) {
      case "A":
        return START;
      case "z":
        return END;
      case "Z":
        return `(?=\\n?${END})`;
      case "N":
        return "[^\\n]";
      case "R":
        return "(?:\\r\\n|[\\n\\v\\f\\r\\x85])";
      case "S":
        return `[^${SPACE}]`;
      case "H":
        return "[^\\t \\xa0]";
      case "V":
        return "[^\\n\\v\\f\\r\\x85]";
      case "Q":
        return this.#literal();
      case "E":
        return "";
      case "b":
      case "B":
        return `\\${c}`;
      case "k": {
        const name = /^(?:<(\w+)>|'(\w+)'|\{(\w+)\})/.exec(this.#text.slice(this.#at));
        if (name === null) return refuse("\\k without a name");
        this.#at += name[0].length;
        return `\\k<${name[1] ?? name[2] ?? name[3]}>`;
      }
      default:
        if (/[1-9]/.test(c)) return this.#backReference(c);
        if (/[GKgXC]/.test(c)) return refuse(`\\${c} is not supported`);
        return this.#character(c, false);
    }
  }

  #backReference(first: string): string {
    const more = /^\d*/.exec(this.#text.slice(this.#at))![0];
    this.#at += more.length;
    // Delimited, lest a digit that follows be taken for part of the number.
    return `(?:\\${first}${more})`;
  }

  #literal(): string {
    const end = this.#text.indexOf("\\E", this.#at);
    const text = this.#text.slice(this.#at, end < 0 ? undefined : end);
    this.#at = end < 0 ? this.#text.length : end + 2;
    return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  }

  /** An escape that means one character or a set of them, in a class or outside; `c` follows the backslash. */
  #character(c: string, inClass: boolean): string {
    const set = (body: string): string => (inClass ? body : `[${body}]`);
    switch (c) {
      case "d":
      case "D":
      case "w":
      case "W":
      case "n":
      case "r":
      case "t":
      case "f":
        return `\\${c}`;
      case "s":
        return set(SPACE);
      case "h":
        return set("\\t \\xa0");
      case "v":
        return set("\\n\\v\\f\\r\\x85");
      case "a":
        return "\\x07";
      case "e":
        return "\\x1b";
      case "x":
        return this.#hex();
      case "c": {
        const letter = this.#text[this.#at++];
        return letter !== undefined && /[A-Za-z]/.test(letter)
          ? `\\c${letter}`
          : refuse("\\c without a letter");
      }
      case "p":
      case "P": {
        const property = /^\{\^?[\w=]+\}/.exec(this.#text.slice(this.#at));
        if (!this.utf || property === null) return refuse(`\\${c} needs regex_options utf and \\${c}{...}`);
        this.#at += property[0].length;
        return `\\${c}${property[0]}`;
      }
      default:
        if (/[0-7]/.test(c)) return this.#octal(c);
        if (/[A-Za-z0-9]/.test(c)) return refuse(`\\${c} is not supported`);
        return /[\\^$.*+?()[\]{}|/-]/.test(c) && (inClass || c !== "-") ? `\\${c}` : c;
    }
  }

  #hex(): string {
    const match = /^(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{0,2}))/.exec(this.#text.slice(this.#at))!;
    this.#at += match[0].length;
    return this.#code(Number.parseInt(match[1] ?? match[2] ?? "", 16) || 0);
  }

  #octal(first: string): string {
    const more = /^[0-7]{0,2}/.exec(this.#text.slice(this.#at))![0];
    this.#at += more.length;
    return this.#code(Number.parseInt(first + more, 8));
  }

  #code(code: number): string {
    if (code > 0x10ffff || (!this.utf && code > 0xff))
      refuse("a character above \\xff needs regex_options utf");
    if (code <= 0xff) return `\\x${code.toString(16).padStart(2, "0")}`;
    return `\\u{${code.toString(16)}}`;
  }

  #class(): string {
    let out = "[";
    if (this.#text[this.#at] === "^") {
      out += "^";
      this.#at++;
    }
    // PCRE: a bracket that comes first is a member.
    if (this.#text[this.#at] === "]" && !this.#options.has("allow_empty_class")) {
      out += "\\]";
      this.#at++;
    }
    for (;;) {
      const c = this.#text[this.#at++];
      if (c === undefined) return refuse("a class [ without its end");
      if (c === "]") return `${out}]`;
      out += c === "[" ? this.#posix() : c === "\\" ? this.#classEscape() : c;
    }
  }

  #posix(): string {
    const match = /^([:.=])(\^?)(\w+)\1\]/.exec(this.#text.slice(this.#at));
    if (match === null) return "\\[";
    const members = match[1] === ":" && match[2] === "" ? POSIX[match[3]!] : undefined;
    if (members === undefined) return refuse(`class [${match[0]} is not supported`);
    this.#at += match[0].length;
    return members;
  }

  #classEscape(): string {
    const c = this.#text[this.#at++];
    if (c === undefined) return refuse("a backslash at the end");
    if (c === "b") return "\\x08";
    // The complement of a set inside a set: only the ones JavaScript has with the same meaning.
    if (/[SHVNRXBQE]/.test(c)) return refuse(`\\${c} in a class is not supported`);
    return this.#character(c, true);
  }
}

function bytesAsText(text: string): string {
  let out = "";
  for (const byte of new TextEncoder().encode(text)) out += String.fromCharCode(byte);
  return out;
}
