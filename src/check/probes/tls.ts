/** TLS over a probe's connection, and what can go wrong with it in the words of FailureReason. */
import { readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import {
  type ConnectionOptions,
  checkServerIdentity,
  connect,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from "node:tls";
import type { ProbeTls } from "../../config/model.ts";
import type { FailureReason } from "../types.ts";
import { type Failure, socketFailure } from "./outcome.ts";

/** Begins the handshake; "secureConnect" or "error" follows. Throws when the CA file can't be used. */
export function secure(socket: Duplex, options: ProbeTls, alpn?: readonly string[]): TLSSocket {
  const { serverName, verify, verifyName } = options;
  const parameters: ConnectionOptions = {
    socket,
    secureContext: contextFor(options),
    rejectUnauthorized: verify,
    checkServerIdentity: (host, certificate) => checkServerIdentity(verifyName ?? host, certificate),
    ...(serverName === undefined || isIP(serverName) !== 0 ? {} : { servername: serverName }),
    ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
  };
  return connect(parameters);
}

interface CachedContext {
  readonly stamp: string;
  readonly context: SecureContext;
}

/** Making a context costs far more than a handshake; a renewed CA file makes a new one. */
const contexts = new Map<string, CachedContext>();
const NO_FILE = "";

function contextFor({ verify, ca }: ProbeTls): SecureContext {
  const file = verify ? (ca ?? NO_FILE) : undefined;
  const key = file ?? "unverified";
  const stamp = file === undefined || file === NO_FILE ? "" : stampOf(file);
  const cached = contexts.get(key);
  if (cached?.stamp === stamp) return cached.context;
  // An empty list of authorities spares parsing the built-in ones, which nobody would look at.
  const context = createSecureContext(
    file === undefined ? { ca: [] } : file === NO_FILE ? {} : { ca: readFileSync(file) },
  );
  contexts.set(key, { stamp, context });
  return context;
}

function stampOf(file: string): string {
  const { mtimeMs, size, ino } = statSync(file);
  return `${mtimeMs} ${size} ${ino}`;
}

/** X509_verify_cert_error_string's names as Node gives them. */
const CERTIFICATE: Readonly<Record<string, FailureReason>> = {
  CERT_HAS_EXPIRED: "cert-expired",
  CERT_NOT_YET_VALID: "cert-not-yet-valid",
  DEPTH_ZERO_SELF_SIGNED_CERT: "cert-self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "cert-self-signed",
  ERR_TLS_CERT_ALTNAME_INVALID: "cert-wrong-name",
  HOSTNAME_MISMATCH: "cert-wrong-name",
};
const UNTRUSTED = /^(CERT_|UNABLE_TO_|INVALID_|PATH_LENGTH_|ERROR_IN_CERT|CRL_|UNSPECIFIED$|OUT_OF_MEM$)/;

/** Classifies an error of a TLS socket; errors of the connection below it are told as such. */
export function tlsFailure(error: unknown): Failure {
  if (!(error instanceof Error)) return socketFailure(error);
  const code = String((error as NodeJS.ErrnoException).code ?? "");
  const reason = CERTIFICATE[code];
  if (reason !== undefined) return { reason, detail: short(error.message) };
  if (UNTRUSTED.test(code)) return { reason: "cert-untrusted", detail: short(error.message) };
  if (code.startsWith("ERR_SSL_") || code === "EPROTO")
    return /ALERT/i.test(`${code} ${error.message}`)
      ? { reason: "tls-alert", detail: `TLS alert from the server: ${sslText(error)}` }
      : { reason: "tls-error", detail: `TLS: ${sslText(error)}` };
  // Node's own ECONNRESET has no system call: the server closed in the middle of the handshake.
  if (code === "ECONNRESET" && (error as NodeJS.ErrnoException).syscall === undefined)
    return { reason: "closed-early", detail: "connection closed during the TLS handshake" };
  return socketFailure(error);
}

/** OpenSSL's message without its numbers: "...:error:0A000438:SSL routines:func:tlsv1 alert ...:file:line:". */
function sslText(error: Error): string {
  const { reason } = error as { reason?: unknown };
  return short(typeof reason === "string" ? reason : error.message);
}

const short = (text: string): string => text.replace(/\s+/g, " ").trim().slice(0, 200);
