/** What an import has to say: errors and warnings with their places, equal ones told once. */
import { type Problem, Problems } from "../problem.ts";
import { lineText, offsetOf, type SourceFile, type Spot } from "./source.ts";

const MAX_ERRORS = 500;
const MAX_NOTES = 100_000;
const MAX_LISTED = 60;

interface Note {
  readonly severity: "error" | "warning";
  readonly spot: Spot;
  readonly message: string;
  readonly hint: string | undefined;
}

export class Notes {
  readonly #notes: Note[] = [];
  #errors = 0;
  #warnings = 0;

  get errors(): number {
    return this.#errors;
  }
  get warnings(): number {
    return this.#warnings;
  }
  /** True when enough errors were collected; the rest is not worth reading. */
  get full(): boolean {
    return this.#errors >= MAX_ERRORS;
  }

  error(spot: Spot, message: string, hint?: string): undefined {
    this.#errors++;
    if (this.#errors <= MAX_ERRORS) this.#notes.push({ severity: "error", spot, message, hint });
    return undefined;
  }

  /** Something that is not carried over as it stands. */
  warn(spot: Spot, message: string, hint?: string): undefined {
    this.#warnings++;
    if (this.#notes.length < MAX_NOTES) this.#notes.push({ severity: "warning", spot, message, hint });
    return undefined;
  }

  /** In the order of the files; notes of one message are one problem that lists the further lines. */
  list(): Problem[] {
    const groups = new Map<string, Note[]>();
    for (const note of this.#notes) {
      const key = `${note.severity} ${note.spot.file.absolute} ${note.message}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [note]);
      else group.push(note);
    }
    const files = new Map<SourceFile, Note[]>();
    for (const [first, ...more] of groups.values()) {
      const merged = { ...first!, hint: [first!.hint, alsoAt(first!, more)].filter(Boolean).join("; ") };
      const list = files.get(first!.spot.file);
      if (list === undefined) files.set(first!.spot.file, [merged]);
      else list.push(merged);
    }
    return [...files].flatMap(([file, notes]) => place(file, notes));
  }
}

function alsoAt(first: Note, more: readonly Note[]): string {
  const lines = [...new Set(more.map(({ spot }) => spot.line))].filter((line) => line !== first.spot.line);
  if (lines.length === 0) return "";
  const listed = lines.slice(0, MAX_LISTED).join(", ");
  const rest = lines.length > MAX_LISTED ? ` and ${lines.length - MAX_LISTED} more` : "";
  return `also on line${lines.length > 1 ? "s" : ""} ${listed}${rest}`;
}

function place(file: SourceFile, notes: readonly Note[]): Problem[] {
  const problems = new Problems(file.path, file.text);
  problems.parsed = true;
  for (const { severity, spot, message, hint } of notes) {
    const finding = { offset: offsetOf(spot), message, hint: hint === "" ? undefined : hint };
    hideSecret(problems, spot);
    if (severity === "error") problems.error(finding);
    else problems.warn(`${finding.offset} ${message}`, finding);
  }
  return problems.list();
}

const SECRET = /^(.*?(?:pass|secret|hmac|\bkey\s+\d)[^\s={]*[\s={]+)(\S.*)$/i;

/** The rest of a line that holds a password is not shown. */
function hideSecret(problems: Problems, { file, line }: Spot): void {
  const match = SECRET.exec(lineText(file, line).slice(0, 10_000));
  if (match === null) return;
  const begin = file.starts[line - 1]!;
  const offset = begin + match[1]!.length;
  const end = begin + lineText(file, line).length;
  const value = { kind: "scalar" as const, offset, end, text: "secret", empty: false };
  problems.secretEntries.push({ key: "auth_pass", keyOffset: begin, value, via: undefined });
}
