/**
 * Sticky-error big-endian reader: read freely, check `ok` once at the end.
 * A read past the end gives 0 (or no bytes) and makes `ok` false for good.
 */
export class Reader {
  readonly #data: Uint8Array;
  readonly #view: DataView;
  #offset = 0;
  #ok = true;

  constructor(data: Uint8Array) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  /** False once any read went past the end. */
  get ok(): boolean {
    return this.#ok;
  }
  /** Bytes not read yet; 0 after an error. */
  get remaining(): number {
    return this.#ok ? this.#data.length - this.#offset : 0;
  }
  get offset(): number {
    return this.#offset;
  }

  u8(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : this.#view.getUint8(at);
  }
  u16(): number {
    const at = this.#take(2);
    return at < 0 ? 0 : this.#view.getUint16(at);
  }
  u32(): number {
    const at = this.#take(4);
    return at < 0 ? 0 : this.#view.getUint32(at);
  }
  u64(): bigint {
    const at = this.#take(8);
    return at < 0 ? 0n : this.#view.getBigUint64(at);
  }
  /** A view of the next n bytes (not a copy). After an error: an empty array, so a hostile n allocates nothing. */
  bytes(n: number): Uint8Array {
    const at = this.#take(n);
    return at < 0 ? new Uint8Array(0) : this.#data.subarray(at, at + n);
  }

  #take(n: number): number {
    if (!this.#ok || !(n >= 0) || n > this.#data.length - this.#offset) {
      this.#ok = false;
      return -1;
    }
    const at = this.#offset;
    this.#offset += n;
    return at;
  }
}
