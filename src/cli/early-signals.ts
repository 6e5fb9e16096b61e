/**
 * Before the daemon has its own handlers, a stop just ends us: nothing has been started yet. As process 1 of
 * a container this matters, for there the kernel ignores signals nobody handles.
 */
const SIGNALS = ["SIGTERM", "SIGINT"] as const;
const leave = (): void => process.exit(0);

export function leaveOnSignals(): void {
  for (const signal of SIGNALS) process.on(signal, leave);
}

/** From here on somebody else answers them. */
export function handOverSignals(): void {
  for (const signal of SIGNALS) process.off(signal, leave);
}
