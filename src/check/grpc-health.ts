/**
 * grpc.health.v1 in bytes: HealthCheckRequest { string service = 1 }, HealthCheckResponse { ServingStatus status = 1 },
 * each in gRPC's length-prefixed frame (compressed flag, 32-bit length).
 */

export const SERVING_STATUS = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"] as const;

export function encodeHealthRequest(service: string): Uint8Array {
  const name = new TextEncoder().encode(service);
  const message = name.length === 0 ? [] : [0x0a, ...varint(name.length), ...name];
  const frame = new Uint8Array(5 + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, 5);
  return frame;
}

function varint(value: number): number[] {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...out, rest];
    out.push((rest % 128) + 128);
  }
}

/** The number of the status in a complete response body, or what is wrong with it. Unknown fields are skipped. */
export function decodeHealthResponse(body: Uint8Array): number | { readonly problem: string } {
  if (body.length < 5) return { problem: `${body.length} bytes are no gRPC message` };
  if (body[0] !== 0) return { problem: "the message is compressed, which was not asked for" };
  const length = new DataView(body.buffer, body.byteOffset).getUint32(1);
  if (length !== body.length - 5)
    return { problem: `a message of ${length} bytes in a body of ${body.length - 5}` };
  const reader = { bytes: body.subarray(5), at: 0 };
  let status = 0;
  while (reader.at < reader.bytes.length) {
    const tag = readVarint(reader);
    const value = tag === undefined ? undefined : readField(reader, tag & 7);
    if (tag === undefined || value === undefined) return { problem: "malformed protobuf" };
    if (tag === 0x08) status = value;
  }
  return status;
}

interface Reader {
  readonly bytes: Uint8Array;
  at: number;
}

/** Numbers beyond 2^53 lose digits, which no field here needs. */
function readVarint(reader: Reader): number | undefined {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 128) return value;
  }
  return undefined;
}

/** The value of a varint; 0 for other wire types, which are stepped over. */
function readField(reader: Reader, wireType: number): number | undefined {
  if (wireType === 0) return readVarint(reader);
  const size = wireType === 1 ? 8 : wireType === 5 ? 4 : wireType === 2 ? readVarint(reader) : undefined;
  if (size === undefined || reader.at + size > reader.bytes.length) return undefined;
  reader.at += size;
  return 0;
}
