/**
 * Incremental HTTP/1.x response reader for probes (RFC 9112): bytes in as they come, status and body framing out.
 * Pure and strict: the peer is hostile. Header bytes and body bytes are both bounded; nothing is buffered but
 * one header line.
 */

/** Status line, all header fields and trailers together, interim (1xx) responses included; Node's own limit. */
export const MAX_HEADER_BYTES = 16_384;

export type HttpFailure = {
  readonly reason: "protocol-error" | "headers-too-large" | "closed-early";
  readonly detail: string;
};

/** `head`: still in the header section. `body`: status known. `done`: complete. `failed`: see `failure`. */
export type HttpPhase = "head" | "body" | "done" | "failed";

const LF = 10;
const CR = 13;
const TAB = 9;
const SP = 32;
const DEL = 127;

const STATUS_LINE = /^HTTP\/1\.([0-9]) ([1-9][0-9]{2})(?: |$)/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

type Mode =
  | "status"
  | "header"
  | "fixed"
  | "chunk-size"
  | "chunk-data"
  | "chunk-end"
  | "trailer"
  | "to-close";

export class HttpResponseReader {
  /** Final status code, 0 before it is known. */
  status = 0;
  /** Body bytes seen, without chunk framing. */
  bodyBytes = 0;
  /** Location of the final response (RFC 9110 10.2.2), as sent. */
  location: string | undefined;
  failure: HttpFailure | undefined;
  phase: HttpPhase = "head";

  readonly #maxBody: number;
  readonly #onBody: ((chunk: Uint8Array) => void) | undefined;
  readonly #bodiless: boolean;
  #mode: Mode = "status";
  #line = "";
  #headerBytes = 0;
  /** Bytes left of a fixed-length body or of a chunk. */
  #left = 0;
  #length: number | undefined;
  #chunked = false;
  #otherCoding = false;
  /** The field before may be continued by a folded line. */
  #foldable = false;

  /**
   * `maxBody`: bytes after which the reader is done however much would follow; `onBody` sees views, not copies;
   * `bodiless`: the answer to HEAD, whose fields speak of a body that does not come (RFC 9112 6.3).
   */
  constructor(maxBody: number, onBody?: (chunk: Uint8Array) => void, bodiless = false) {
    this.#maxBody = maxBody;
    this.#bodiless = bodiless;
    this.#onBody = onBody;
  }

  /** True when the body was cut at `maxBody`. */
  get capped(): boolean {
    return this.phase === "done" && this.bodyBytes >= this.#maxBody;
  }

  /** Feeds bytes; returns the phase after them. Bytes after `done` or `failed` are ignored. */
  push(bytes: Uint8Array): HttpPhase {
    let at = 0;
    while (at < bytes.length && this.phase !== "done" && this.phase !== "failed") {
      at = this.#consume(bytes, at);
    }
    return this.phase;
  }

  /** The peer closed its side: complete for a body that ends so, too early for all else. */
  end(): HttpPhase {
    if (this.phase === "done" || this.phase === "failed") return this.phase;
    if (this.#mode === "to-close") this.phase = "done";
    else if (this.phase === "body") {
      this.#fail("closed-early", `connection closed after ${this.bodyBytes} bytes of an unfinished body`);
    } else {
      this.#fail("closed-early", "connection closed before the response headers were complete");
    }
    return this.phase;
  }

  #consume(bytes: Uint8Array, at: number): number {
    switch (this.#mode) {
      case "fixed":
      case "chunk-data":
      case "to-close":
        return this.#takeBody(bytes, at);
      default:
        return this.#takeLine(bytes, at);
    }
  }

  #takeBody(bytes: Uint8Array, at: number): number {
    let n = Math.min(bytes.length - at, this.#maxBody - this.bodyBytes);
    if (this.#mode !== "to-close") {
      n = Math.min(n, this.#left);
      this.#left -= n;
    }
    this.bodyBytes += n;
    this.#onBody?.(bytes.subarray(at, at + n));
    if (this.bodyBytes >= this.#maxBody) this.phase = "done";
    else if (this.#mode === "fixed" && this.#left === 0) this.phase = "done";
    else if (this.#mode === "chunk-data" && this.#left === 0) this.#mode = "chunk-end";
    return at + n;
  }

  /** Collects up to LF (CR LF, or LF alone: RFC 9112 2.2), then handles the line. */
  #takeLine(bytes: Uint8Array, from: number): number {
    let end = bytes.indexOf(LF, from);
    const complete = end >= 0;
    if (!complete) end = bytes.length;
    this.#headerBytes += end - from + 1;
    if (this.#headerBytes > MAX_HEADER_BYTES) {
      this.#fail("headers-too-large", `response headers exceed ${MAX_HEADER_BYTES} bytes`);
      return bytes.length;
    }
    for (let i = from; i < end; i++) {
      const b = bytes[i]!;
      if ((b < SP && b !== TAB && b !== CR) || b === DEL) {
        this.#fail("protocol-error", `control byte ${b} in the response headers`);
        return bytes.length;
      }
    }
    this.#line += latin1(bytes, from, end);
    if (complete) {
      const line = this.#line.endsWith("\r") ? this.#line.slice(0, -1) : this.#line;
      this.#line = "";
      const failure = this.#onLine(line);
      if (failure !== undefined) this.#fail(failure.reason, failure.detail);
    }
    return complete ? end + 1 : end;
  }

  #onLine(line: string): HttpFailure | undefined {
    if (line.includes("\r")) return malformed("stray CR in the response headers", line);
    switch (this.#mode) {
      case "status":
        return this.#onStatusLine(line);
      case "header":
        return line === "" ? this.#onHeadersEnd() : this.#onHeader(line);
      case "chunk-size":
        return this.#onChunkSize(line);
      case "chunk-end":
        if (line !== "") return malformed("chunk longer than its announced size", line);
        this.#mode = "chunk-size";
        return undefined;
      default:
        // Trailer fields say nothing to a probe; the empty line ends them.
        if (line === "") this.phase = "done";
        return undefined;
    }
  }

  #onStatusLine(line: string): HttpFailure | undefined {
    const match = STATUS_LINE.exec(line);
    if (match === null) return malformed("not an HTTP/1.x status line", line);
    this.status = Number(match[2]);
    this.location = undefined;
    this.#length = undefined;
    this.#chunked = false;
    this.#otherCoding = false;
    this.#foldable = false;
    this.#mode = "header";
    return undefined;
  }

  #onHeader(line: string): HttpFailure | undefined {
    const first = line.charCodeAt(0);
    // A folded line (obs-fold) continues the field before it: harmless unless that one decides the framing.
    if (first === SP || first === TAB) {
      return this.#foldable ? undefined : malformed("folded header line", line);
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? "" : line.slice(0, colon);
    if (!TOKEN.test(name)) return malformed("malformed header line", line);
    this.#foldable = true;
    // Besides Location only the two framing fields matter; comparing lengths first spares the lower-casing of all others.
    if (colon === 14 && name.toLowerCase() === "content-length") return this.#onLength(line.slice(colon + 1));
    if (colon === 8 && name.toLowerCase() === "location") this.location ??= line.slice(colon + 1).trim();
    if (colon === 17 && name.toLowerCase() === "transfer-encoding") this.#onCoding(line.slice(colon + 1));
    return undefined;
  }

  #onLength(value: string): HttpFailure | undefined {
    const text = value.trim();
    const length = /^[0-9]{1,15}$/.test(text) ? Number(text) : -1;
    if (length < 0 || (this.#length !== undefined && this.#length !== length)) {
      return malformed("invalid or contradictory content-length", text);
    }
    this.#length = length;
    this.#foldable = false;
    return undefined;
  }

  /** RFC 9112 6.1: chunked frames the body only as the last coding. */
  #onCoding(value: string): void {
    this.#chunked = value.toLowerCase().split(",").at(-1)?.trim() === "chunked";
    this.#otherCoding = !this.#chunked;
    this.#foldable = false;
  }

  /** RFC 9112 6.3: no body, chunked, to the close, fixed length, to the close; in this order. */
  #onHeadersEnd(): undefined {
    if (this.status < 200 && this.status !== 101) {
      this.status = 0;
      this.#mode = "status";
      return;
    }
    this.phase = "body";
    const none = this.#bodiless || this.status < 200 || this.status === 204 || this.status === 304;
    if (none) this.phase = "done";
    else if (this.#chunked) this.#mode = "chunk-size";
    else if (this.#otherCoding || this.#length === undefined) this.#mode = "to-close";
    else {
      this.#mode = "fixed";
      this.#left = this.#length;
      if (this.#left === 0) this.phase = "done";
    }
  }

  #onChunkSize(line: string): HttpFailure | undefined {
    // Chunk lines don't use up the header budget: a long body in small chunks is legal, and the body cap and
    // the probe's deadline bound it.
    this.#headerBytes = 0;
    const size = (line.split(";", 1)[0] ?? "").trim();
    if (!/^[0-9A-Fa-f]{1,12}$/.test(size)) return malformed("invalid chunk size", size);
    this.#left = Number.parseInt(size, 16);
    this.#mode = this.#left === 0 ? "trailer" : "chunk-data";
    return undefined;
  }

  #fail(reason: HttpFailure["reason"], detail: string): void {
    this.failure = { reason, detail };
    this.phase = "failed";
  }
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let at = from; at < to; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(at + 4096, to)));
  }
  return text;
}

/** Quotes foreign text short and printable. */
const malformed = (what: string, text: string): HttpFailure => ({
  reason: "protocol-error",
  detail: `${what}: ${JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text)}`,
});
