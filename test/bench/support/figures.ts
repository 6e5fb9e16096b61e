/** What the guest measures of one program, handed to the host as JSON. Times in ms, memory in KiB. */
export interface RunFigures {
  /** From the start of the process until every service and destination is in the table. */
  readonly complete: number;
  /** From the first service seen in the table to the last destination. */
  readonly writing: number;
  /** From SIGHUP to the changed weight in the table, one a reload. */
  readonly reloads: readonly number[];
  /** Resident memory of all its processes, shared pages counted once where the kernel tells (PSS). */
  readonly rss: number;
  readonly pss: number | undefined;
}

export interface TableFigures {
  readonly vipward: RunFigures[];
  readonly keepalived: RunFigures[];
}

/** Environment of the guest: the file for TableFigures, and how much to measure. */
export const FIGURES_FILE = "VIPWARD_BENCH_FIGURES";
export const SERVICES = "VIPWARD_BENCH_SERVICES";
export const RUNS = "VIPWARD_BENCH_RUNS";
export const RELOADS = "VIPWARD_BENCH_RELOADS";
