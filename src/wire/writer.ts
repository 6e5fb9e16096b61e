/** Growing big-endian writer. Numbers must fit their field: one that does not throws RangeError. */
export class Writer {
  #data: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 64) {
    this.#data = new Uint8Array(capacity);
    this.#view = new DataView(this.#data.buffer);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    // Reserve first: it may replace the view.
    const at = this.#reserve(1);
    this.#view.setUint8(at, fits(value, 0xff));
    return this;
  }
  u16(value: number): this {
    const at = this.#reserve(2);
    this.#view.setUint16(at, fits(value, 0xffff));
    return this;
  }
  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, fits(value, 0xffffffff));
    return this;
  }
  u64(value: bigint): this {
    if (value < 0n || value > 0xffffffffffffffffn) throw new RangeError(`${value} does not fit 64 bits`);
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, value);
    return this;
  }
  bytes(value: Uint8Array): this {
    const at = this.#reserve(value.length);
    this.#data.set(value, at);
    return this;
  }
  /** Overwrites two bytes already written: checksums and lengths known only at the end. */
  setU16(offset: number, value: number): this {
    if (offset < 0 || offset + 2 > this.#length) throw new RangeError(`offset ${offset} is not written yet`);
    this.#view.setUint16(offset, fits(value, 0xffff));
    return this;
  }
  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#data.slice(0, this.#length);
  }
  /** What was written, without a copy; the next write may detach it. */
  view(): Uint8Array {
    return this.#data.subarray(0, this.#length);
  }

  #reserve(n: number): number {
    const at = this.#length;
    const wanted = at + n;
    if (wanted > this.#data.length) {
      const grown = new Uint8Array(Math.max(wanted, this.#data.length * 2));
      grown.set(this.#data.subarray(0, at));
      this.#data = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = wanted;
    return at;
  }
}

function fits(value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(`${value} is not a whole number from 0 to ${max}`);
  }
  return value;
}
