/** Counts, quantiles and the tables that `npm run bench` prints. */

/** VIPWARD_BENCH_QUICK=1: a few rounds, to see that it works; its figures are no measure. */
export const quick = process.env.VIPWARD_BENCH_QUICK === "1";

export const rounds = (full: number, few: number): number => (quick ? few : full);

/** The value below which the share `q` (0 to 1) of the values lies; the nearest that was measured. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))];
  if (value === undefined) throw new Error("a quantile of no values");
  return value;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);
export const worst = (values: readonly number[]): number => Math.max(...values);

/** "1.23 ms" with about three digits that mean something. */
export function millis(value: number): string {
  const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ms`;
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
export const megabytes = (kib: number): string => `${Math.round(kib / 1024)} MB`;
export const ratio = (ours: number, theirs: number): string => `${(ours / theirs).toFixed(2)} x`;

/** What was aimed at and whether it was met: a bench tells, it doesn't fail. */
export function target(value: number, limit: number, text: string): string {
  return `${text}: ${value <= limit ? "met" : "MISSED"}`;
}

/** An aligned table: first column to the left, the others to the right. */
export function table(
  title: string,
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]) =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? "";
        // Targets are prose.
        return column === 0 || column === widths.length - 1 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("   ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("   ");
  return ["", title, line(header), rule, ...rows.map(line), ""].join("\n");
}

export function print(text: string): void {
  console.log(quick ? `${text}(reduced counts: no measure)\n` : text);
}
