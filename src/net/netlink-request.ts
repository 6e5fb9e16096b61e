/**
 * Request and answer over a NetlinkSocket: acks with errno and the kernel's extended ack text,
 * dumps that are repeated when the table changed under them (linux/netlink.h).
 */
import {
  AttrStream,
  formatMessage,
  getString,
  type NetlinkMessage,
  parseAttributes,
  parseMessages,
  type StreamData,
} from "node-netlink/dist/structs.js";
import { getI32, getU32 } from "./bytes.ts";
import { ETIMEDOUT, SystemError } from "./errors.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSGERR_ATTR_MSG = 1;

const TIMEOUT_MS = 2_000;
const DUMP_TRIES = 5;

export interface Ack {
  /** Positive errno; 0 is success. */
  readonly errno: number;
  /** Extended ack text. */
  readonly text?: string;
}

/** Reads an NLMSG_ERROR message; undefined when the message is none. */
export function readAck(message: NetlinkMessage): Ack | undefined {
  if (message.type !== NLMSG_ERROR || message.data.length < 4) return undefined;
  const errno = Math.abs(getI32(message.data, 0));
  const text = (message.flags & NLM_F_ACK_TLVS) !== 0 ? extendedText(message) : undefined;
  return text === undefined ? { errno } : { errno, text };
}

/** The attributes follow the request's header, or the whole request where the kernel echoed it. */
function extendedText(message: NetlinkMessage): string | undefined {
  const echoed = (message.flags & NLM_F_CAPPED) !== 0 ? 16 : (getU32(message.data, 4) + 3) & ~3;
  let text: string | undefined;
  parseAttributes(message.data.subarray(4 + echoed), (attribute) => {
    if (attribute.type === NLMSGERR_ATTR_MSG) text = getString(attribute.data);
  });
  return text;
}

/** One message's bytes. */
export function encodeMessage(type: number, flags: number, seq: number, payload: StreamData): Buffer {
  const stream = new AttrStream();
  stream.emit(payload);
  const bytes = Buffer.concat(formatMessage({ type, flags, seq, port: 0, data: stream.bufs }));
  // The next message in the datagram starts aligned; the length in the header excludes the padding.
  return bytes.length % 4 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(4 - (bytes.length % 4))]);
}

export class NetlinkRequester {
  readonly #socket: NetlinkSocket;
  #seq = 0;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  nextSeq(): number {
    this.#seq = (this.#seq + 1) >>> 0 || 1;
    return this.#seq;
  }

  /** Sends one request and waits (2 s at most) for its ack. Throws SystemError. */
  request(type: number, flags: number, payload: StreamData, what: string): void {
    const seq = this.nextSeq();
    this.#socket.send(encodeMessage(type, flags | NLM_F_REQUEST | NLM_F_ACK, seq, payload));
    const [ack] = this.acks([seq], what);
    if (ack !== undefined && ack.errno !== 0) throw refused(ack, what);
  }

  /** The acks of requests already sent, in the order of `seqs`. Throws ETIMEDOUT when one is missing after 2 s. */
  acks(seqs: readonly number[], what: string): Ack[] {
    const wanted = new Set(seqs);
    const found = new Map<number, Ack>();
    while (found.size < wanted.size)
      for (const message of this.#receive(what)) {
        const ack = readAck(message);
        if (ack !== undefined && wanted.has(message.seq)) found.set(message.seq, ack);
      }
    return seqs.map((seq) => found.get(seq) ?? { errno: ETIMEDOUT });
  }

  /** All messages of a dump; asked for again when the kernel says it is inconsistent (NLM_F_DUMP_INTR). */
  dump(type: number, payload: StreamData, what: string): NetlinkMessage[] {
    for (let attempt = 1; ; attempt++) {
      const answer = this.#dumpOnce(type, payload, what);
      // Still changing: the last answer is as good as any, and the monitor reports what follows.
      if (answer.consistent || attempt === DUMP_TRIES) return answer.messages;
    }
  }

  #dumpOnce(type: number, payload: StreamData, what: string) {
    const seq = this.nextSeq();
    const messages: NetlinkMessage[] = [];
    let consistent = true;
    this.#socket.send(encodeMessage(type, NLM_F_REQUEST | NLM_F_DUMP, seq, payload));
    for (;;) {
      for (const message of this.#receive(what)) {
        // An earlier request that timed out may still be answered.
        if (message.seq !== seq) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) consistent = false;
        const ack = message.type === NLMSG_DONE ? doneStatus(message) : readAck(message);
        if (ack === undefined) messages.push(message);
        else if (ack.errno !== 0) throw refused(ack, what);
        else return { messages, consistent };
      }
    }
  }

  #receive(what: string): NetlinkMessage[] {
    const data = this.#socket.receive(TIMEOUT_MS);
    if (data !== undefined) return parseMessages(data);
    throw new SystemError({
      errno: ETIMEDOUT,
      syscall: "netlink",
      what,
      hint: `the kernel did not answer in ${TIMEOUT_MS / 1_000} s`,
    });
  }
}

export function refused(ack: Ack, what: string): SystemError {
  return new SystemError({ errno: ack.errno, syscall: "netlink", what, kernelText: ack.text });
}

function doneStatus(message: NetlinkMessage): Ack {
  return { errno: message.data.length >= 4 ? Math.abs(getI32(message.data, 0)) : 0 };
}
