/** Text of a keepalived.conf being written, and what could not be written into it. */

export class ConfText {
  readonly #lines: string[] = [];
  readonly #where: string[] = [];
  /** What keepalived has no words for, with the block it is in. */
  readonly notes: string[] = [];

  /** "keyword {", what `inside` writes, "}". `name` is for the notes. */
  block(head: string, inside: () => void, name: string = head): void {
    this.line(`${head} {`);
    this.#where.push(name);
    inside();
    this.#where.pop();
    this.line("}");
  }

  line(text: string): void {
    this.#lines.push(`${"    ".repeat(this.#where.length)}${text}`);
  }

  /** A keyword with its value; nothing when there is none, the bare keyword for true. */
  put(keyword: string, value: string | number | boolean | undefined): void {
    if (value === undefined || value === false) return;
    if (value === true) return this.line(keyword);
    const text = typeof value === "number" ? String(value) : this.quoted(keyword, value);
    if (text !== undefined) this.line(`${keyword} ${text}`);
  }

  /** The word as it must stand in the file; undefined after a note when it can't. */
  quoted(what: string, text: string): string | undefined {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a line can't hold
    if (/["\u0000-\u001f\u007f]/.test(text) || /\$\{?_(PWD|INSTANCE|RANDOM|ENV|HASH|BANG)/.test(text)) {
      this.lost(`${what}: the value has characters that keepalived.conf can't hold`);
      return undefined;
    }
    return text === "" || /[\s#!{}'@~$\\]/.test(text) ? `"${text}"` : text;
  }

  lost(message: string): void {
    const at = this.#where.join(", ");
    this.notes.push(`left out: ${at === "" ? "" : `${at}: `}${message}`);
  }

  /** keepalived has no such key. */
  unknown(key: string): void {
    this.lost(`keepalived has no ${key}`);
  }

  get text(): string {
    return this.#lines.map((line) => `${line}\n`).join("");
  }
}

/** A command for a keyword that takes one: read twice by keepalived, first the quoted text, then its words. */
export function commandText(argv: readonly string[]): string {
  const plain = /^[\w@%+=:,./-]+$/;
  if (argv.length === 1 && plain.test(argv[0]!)) return argv[0]!;
  const words = argv.map((word) => (plain.test(word) ? word : `'${word.replace(/[\\']/g, "\\$&")}'`));
  // Octal escapes: of \x keepalived takes all hex digits that follow.
  const escaped = words
    .join(" ")
    .replaceAll("\\", "\\\\")
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is escaped
    .replace(/["$\u0000-\u001f\u007f]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`);
  return `"${escaped}"`;
}

/** "2.5" of milliseconds; keepalived's resolution is a microsecond. */
export const fromMs = (value: number): string => decimal(value * 1000);
export const fromUs = (value: number): string => decimal(value);

function decimal(us: number): string {
  const rounded = Math.round(us);
  const fraction = String(rounded % 1_000_000)
    .padStart(6, "0")
    .replace(/0+$/, "");
  return `${Math.floor(rounded / 1_000_000)}${fraction === "" ? "" : `.${fraction}`}`;
}
