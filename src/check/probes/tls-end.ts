/**
 * Tells a TLS connection that was closed properly from one that was cut off: node:tls emits "end" for both.
 * This stream lies between the TCP socket and TLS and passes everything on but the TCP socket's end. "end" of the
 * TLS socket above it can then only mean close_notify.
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

export class EndWatch extends Duplex {
  readonly #socket: Socket;

  /** `onCut`: the connection ended while TLS had seen no end. */
  constructor(socket: Socket, onCut: () => void) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    socket.on("data", (chunk: Uint8Array) => {
      if (!this.push(chunk)) socket.pause();
    });
    // TLS decrypts what was pushed before within this turn, and emits its end in the next.
    socket.on("end", () => setImmediate(() => setImmediate(onCut)));
    socket.on("error", (error) => this.destroy(error));
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
