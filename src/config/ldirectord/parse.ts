/** ldirectord.cf(5): `key = value` lines; indented ones belong to the `virtual` before them. */
import { MAX_LINE } from "../keepalived-conf/limits.ts";
import type { Notes } from "../keepalived-conf/notes.ts";
import { lineText, type SourceFile, type Spot } from "../keepalived-conf/source.ts";

export interface Setting {
  readonly key: string;
  /** Without the quotes around a whole value. */
  readonly value: string;
  readonly spot: Spot;
}

export interface Virtual {
  /** "ADDR:PORT", "[ADDR]:PORT" or a firewall mark. */
  readonly name: string;
  readonly spot: Spot;
  readonly settings: Setting[];
}

export interface Ldirectord {
  readonly globals: readonly Setting[];
  readonly virtuals: readonly Virtual[];
}

export function parseLdirectord(file: SourceFile, notes: Notes): Ldirectord {
  const globals: Setting[] = [];
  const virtuals: Virtual[] = [];
  for (let line = 1; line <= file.starts.length && !notes.full; line++) {
    const raw = lineText(file, line);
    const text = withoutComment(raw.slice(0, MAX_LINE));
    if (text.trim() === "") continue;
    const indented = /^\s/.test(raw);
    const spot = { file, line, column: raw.length - raw.trimStart().length + 1 };
    const match = /^\s*([A-Za-z]\w*)\s*=\s*(.*?)\s*$/s.exec(text);
    if (match === null) {
      notes.error(spot, "not a setting", "KEY = VALUE");
      continue;
    }
    const setting = { key: match[1]!.toLowerCase(), value: unquoted(match[2]!), spot };
    const current = virtuals.at(-1);
    if (setting.key === "virtual" || setting.key === "virtual6")
      virtuals.push({ name: setting.value, spot, settings: [] });
    else if (!indented) globals.push(setting);
    else if (current === undefined)
      notes.error(spot, `${setting.key} before any virtual`, "settings of all stand at the left margin");
    else current.settings.push(setting);
  }
  return { globals, virtuals };
}

/** `#` outside quotes begins a comment. */
function withoutComment(line: string): string {
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    if (line[i] === "\\" && quoted) i++;
    else if (line[i] === '"') quoted = !quoted;
    else if (line[i] === "#" && !quoted) return line.slice(0, i);
  }
  return line;
}

const unquoted = (value: string): string =>
  /^"((?:[^"\\]|\\.)*)"$/s.exec(value)?.[1]?.replace(/\\(["\\])/g, "$1") ?? value;
