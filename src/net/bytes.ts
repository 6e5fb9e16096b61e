/** Host-order reads and writes for C structures laid out by hand; network order where named so. */
import { endianness } from "node:os";

export const littleEndian = endianness() === "LE";

const view = (b: Uint8Array): DataView => new DataView(b.buffer, b.byteOffset, b.byteLength);

export const putU16 = (b: Uint8Array, at: number, v: number): void => view(b).setUint16(at, v, littleEndian);
export const putU32 = (b: Uint8Array, at: number, v: number): void => view(b).setUint32(at, v, littleEndian);
export const putI32 = (b: Uint8Array, at: number, v: number): void => view(b).setInt32(at, v, littleEndian);
export const putU64 = (b: Uint8Array, at: number, v: bigint): void =>
  view(b).setBigUint64(at, v, littleEndian);
export const putU16Network = (b: Uint8Array, at: number, v: number): void => view(b).setUint16(at, v, false);

export const getU16 = (b: Uint8Array, at: number): number => view(b).getUint16(at, littleEndian);
export const getU32 = (b: Uint8Array, at: number): number => view(b).getUint32(at, littleEndian);
export const getI32 = (b: Uint8Array, at: number): number => view(b).getInt32(at, littleEndian);
export const getU64 = (b: Uint8Array, at: number): bigint => view(b).getBigUint64(at, littleEndian);

/** A C int (socket option values). */
export function int32(v: number): Buffer {
  const b = Buffer.alloc(4);
  putI32(b, 0, v);
  return b;
}
