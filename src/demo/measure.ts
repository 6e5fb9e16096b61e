/** What the client saw, as numbers. Times are monotonic ms. */
export interface Outcome {
  readonly started: number;
  readonly took: number;
  /** Who answered; undefined when nobody did. */
  readonly server?: string;
}

export interface Measured {
  readonly requests: number;
  readonly lost: number;
  /** From the first lost request to the first one after the last lost; 0 when none was lost. */
  readonly outage: number;
  readonly perServer: Readonly<Record<string, number>>;
}

export function measure(outcomes: readonly Outcome[], period: number): Measured {
  const lost = outcomes.filter((outcome) => outcome.server === undefined);
  const starts = lost.map((outcome) => outcome.started);
  const perServer: Record<string, number> = {};
  for (const { server } of outcomes)
    if (server !== undefined) perServer[server] = (perServer[server] ?? 0) + 1;
  return {
    requests: outcomes.length,
    lost: lost.length,
    outage: lost.length === 0 ? 0 : Math.max(...starts) - Math.min(...starts) + period,
    perServer,
  };
}
