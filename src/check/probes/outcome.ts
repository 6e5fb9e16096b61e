/** What went wrong with a probe's socket, in the words of FailureReason. */
import type { Milliseconds } from "../../units.ts";
import { ms } from "../../units.ts";
import type { FailureReason, ProbeResult } from "../types.ts";

export interface Failure {
  readonly reason: FailureReason;
  readonly detail: string;
}

export const CANCELLED: Failure = { reason: "local-error", detail: "probe cancelled" };

/** Milliseconds since `started` (performance.now()), to a tenth. */
export const since = (started: number): Milliseconds =>
  ms(Math.round((performance.now() - started) * 10) / 10);

export const passed = (detail: string, started: number): ProbeResult => ({
  ok: true,
  detail,
  duration: since(started),
});

export const failed = (failure: Failure, started: number): ProbeResult => ({
  ok: false,
  reason: failure.reason,
  detail: failure.detail,
  duration: since(started),
});

/**
 * Classifies an error of a TCP socket. Whatever is not known to come from the network or the peer is
 * `local-error`: it then says nothing of the real server.
 */
export function socketFailure(error: unknown): Failure {
  const { code, syscall, message } = asSystemError(error);
  switch (code) {
    case "ECONNREFUSED":
      return { reason: "refused", detail: "connection refused" };
    case "ECONNRESET":
    case "EPIPE":
      return syscall === "connect"
        ? { reason: "reset", detail: "connection reset while connecting" }
        : { reason: "reset", detail: "connection reset by the server" };
    case "ETIMEDOUT":
      return syscall === "connect"
        ? { reason: "timeout-connect", detail: "connect timed out in the kernel" }
        : { reason: "timeout-response", detail: "connection timed out in the kernel" };
    case "EHOSTUNREACH":
      return { reason: "unreachable", detail: "host unreachable (EHOSTUNREACH)" };
    case "ENETUNREACH":
      return { reason: "unreachable", detail: "network unreachable (ENETUNREACH)" };
    case "EHOSTDOWN":
      return { reason: "unreachable", detail: "host down (EHOSTDOWN)" };
    case "EPROTO":
    case "ENOPROTOOPT":
      return { reason: "unreachable", detail: `rejected by ICMP (${code})` };
    case "EMFILE":
    case "ENFILE":
      return { reason: "local-error", detail: `no file descriptor left on this director (${code})` };
    case "EADDRNOTAVAIL":
      return {
        reason: "local-error",
        detail: "no local address or port for the probe (EADDRNOTAVAIL): is bindto on this director?",
      };
    default:
      return { reason: "local-error", detail: message };
  }
}

function asSystemError(error: unknown): { code?: unknown; syscall?: unknown; message: string } {
  if (error instanceof Error) return error;
  return { message: String(error) };
}
