/** What trackers tell: raw observations; rise, fall and weights are the pure core's business. */
export interface TrackerUpdate {
  readonly kind: "script" | "process" | "file" | "gateway" | "virtual_server" | "bfd";
  readonly name: string;
  readonly good: boolean;
  /** track_file: the number in the file. */
  readonly value?: number;
  /** For status: "exit status 1", "timeout", "3 processes", ... */
  readonly detail: string;
}

export type TrackerSink = (update: TrackerUpdate) => void;

export interface Tracker {
  start(): void;
  stop(): void;
}
