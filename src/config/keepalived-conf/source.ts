/** Files as they were read, and places in them. */

/** One file of a configuration. */
export interface SourceFile {
  /** As the user named it, or as an include named it; for messages. */
  readonly path: string;
  /** Absolute; tells files apart. */
  readonly absolute: string;
  readonly text: string;
  /** Offsets of the first character of every line. */
  readonly starts: readonly number[];
}

/** A place in a file; what problems point at. */
export interface Spot {
  readonly file: SourceFile;
  /** 1-based. */
  readonly line: number;
  /** 1-based, UTF-16 units. */
  readonly column: number;
}

export function sourceFile(path: string, absolute: string, text: string): SourceFile {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return { path, absolute, text, starts };
}

/** Without its line ending. */
export function lineText(file: SourceFile, line: number): string {
  const begin = file.starts[line - 1] ?? file.text.length;
  const end = line < file.starts.length ? file.starts[line]! - 1 : file.text.length;
  return file.text.slice(begin, file.text[end - 1] === "\r" && end > begin ? end - 1 : end);
}

export const offsetOf = ({ file, line, column }: Spot): number =>
  Math.min((file.starts[line - 1] ?? 0) + column - 1, file.text.length);

/** "line 12", with the file where that is another one. */
export const describeSpot = (spot: Spot, from?: SourceFile): string =>
  from !== undefined && spot.file === from ? `line ${spot.line}` : `${spot.file.path}:${spot.line}`;
