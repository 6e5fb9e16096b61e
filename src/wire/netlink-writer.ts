/**
 * Many netlink messages in one growing buffer: 20,000 operations cost one buffer, not 20,000.
 *
 *   w.begin(type, flags, seq).u8(command)...; const mark = w.beginNested(1); w.attrU16(2, port); w.endNested(mark); w.end();
 */
import { NLA_F_NESTED, NLA_HEADER, NLMSG_HEADER } from "./netlink-constants.ts";

export const HOST_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

const MAX_ATTRIBUTE = 0xffff;
const NO_MESSAGE = -1;
const encoder = new TextEncoder();

export class NetlinkWriter {
  readonly #littleEndian: boolean;
  #data: Uint8Array;
  #view: DataView;
  #length = 0;
  #start = NO_MESSAGE;
  #count = 0;

  constructor(capacity = 4096, littleEndian = HOST_LITTLE_ENDIAN) {
    this.#littleEndian = littleEndian;
    this.#data = new Uint8Array(Math.max(capacity, NLMSG_HEADER));
    this.#view = new DataView(this.#data.buffer);
  }

  /** Bytes written. */
  get length(): number {
    return this.#length;
  }
  /** Complete messages written. */
  get count(): number {
    return this.#count;
  }

  /** Starts a message (struct nlmsghdr, port id 0: from us to the kernel). The length is set by end(). */
  begin(type: number, flags: number, seq: number): this {
    if (this.#start !== NO_MESSAGE) throw new Error("begin() inside a message: end() is missing");
    const at = this.#reserve(NLMSG_HEADER);
    this.#start = at;
    this.#view.setUint16(at + 4, type, this.#littleEndian);
    this.#view.setUint16(at + 6, flags, this.#littleEndian);
    this.#view.setUint32(at + 8, seq, this.#littleEndian);
    this.#view.setUint32(at + 12, 0, this.#littleEndian);
    return this;
  }
  end(): this {
    if (this.#start === NO_MESSAGE) throw new Error("end() without begin()");
    this.#view.setUint32(this.#start, this.#length - this.#start, this.#littleEndian);
    this.#start = NO_MESSAGE;
    this.#count++;
    this.#align();
    return this;
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
    return this;
  }
  u16(value: number): this {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value, this.#littleEndian);
    return this;
  }
  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, this.#littleEndian);
    return this;
  }
  i32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setInt32(at, value, this.#littleEndian);
    return this;
  }
  /** The complete messages, without a copy: valid until the next write or reset(). */
  bytes(): Uint8Array;
  /** Appends as they are, without padding. */
  bytes(value: Uint8Array): this;
  bytes(value?: Uint8Array): this | Uint8Array {
    if (value === undefined) return this.#contents();
    const at = this.#reserve(value.length);
    this.#data.set(value, at);
    return this;
  }

  attr(type: number, value: Uint8Array): this {
    return this.#attribute(type, value.length).bytes(value).#align();
  }
  attrU8(type: number, value: number): this {
    return this.#attribute(type, 1).u8(value).#align();
  }
  attrU16(type: number, value: number): this {
    return this.#attribute(type, 2).u16(value).#align();
  }
  attrU32(type: number, value: number): this {
    return this.#attribute(type, 4).u32(value);
  }
  attrI32(type: number, value: number): this {
    return this.#attribute(type, 4).i32(value);
  }
  attrU16be(type: number, value: number): this {
    this.#attribute(type, 2);
    const at = this.#reserve(2);
    this.#view.setUint16(at, value);
    return this.#align();
  }
  attrU32be(type: number, value: number): this {
    this.#attribute(type, 4);
    const at = this.#reserve(4);
    this.#view.setUint32(at, value);
    return this;
  }
  /** Two words, value and selector: struct ip_vs_flags, struct nla_bitfield32. */
  attrFlags(type: number, value: number, selector: number): this {
    return this.#attribute(type, 8).u32(value).u32(selector);
  }
  /** Zero-terminated UTF-8 (NLA_NUL_STRING). */
  attrString(type: number, text: string): this {
    const value = encoder.encode(text);
    return this.#attribute(type, value.length + 1)
      .bytes(value)
      .u8(0)
      .#align();
  }

  /** Opens a nested attribute; give the mark to endNested(). They may be nested in each other. */
  beginNested(type: number): number {
    const mark = this.#length;
    this.#attribute(type | NLA_F_NESTED, 0);
    return mark;
  }
  endNested(mark: number): this {
    const length = this.#length - mark;
    if (length > MAX_ATTRIBUTE)
      throw new RangeError(`netlink attribute of ${length} bytes: the limit is 65535`);
    this.#view.setUint16(mark, length, this.#littleEndian);
    return this;
  }

  /** Forgets everything but keeps the buffer for the next batch. */
  reset(): this {
    this.#length = 0;
    this.#start = NO_MESSAGE;
    this.#count = 0;
    return this;
  }

  #contents(): Uint8Array {
    if (this.#start !== NO_MESSAGE) throw new Error("bytes() inside a message: end() is missing");
    return this.#data.subarray(0, this.#length);
  }

  #attribute(type: number, valueLength: number): this {
    const length = NLA_HEADER + valueLength;
    if (length > MAX_ATTRIBUTE)
      throw new RangeError(`netlink attribute of ${length} bytes: the limit is 65535`);
    const at = this.#reserve(NLA_HEADER);
    this.#view.setUint16(at, length, this.#littleEndian);
    this.#view.setUint16(at + 2, type, this.#littleEndian);
    return this;
  }

  /** Pads with zeros to a multiple of 4; padding is not part of an attribute's or message's own length. */
  #align(): this {
    // Written out, since after reset() the buffer still holds the last batch.
    while ((this.#length & 3) !== 0) this.u8(0);
    return this;
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
