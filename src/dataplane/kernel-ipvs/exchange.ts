/** Requests and their answers over one netlink socket: single questions, dumps, and batches of writes. */
import { errnoName } from "../../net/errors.ts";
import {
  type NetlinkMessage,
  NetlinkWriter,
  NLM_F_ACK,
  NLM_F_MULTI,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_MIN_TYPE,
  parseDonePayload,
  parseErrorPayload,
  parseMessages,
} from "../../wire/netlink.ts";
import type { NetlinkTransport } from "./transport.ts";

/** The kernel answers before send returns, so this long without an answer is a fault. */
const ANSWER_TIMEOUT_MS = 1_000;

/** A request was refused, or its answer did not come (ETIMEDOUT) or was lost (ENOBUFS). */
export class NetlinkFailure extends Error {
  /** errno name. */
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = "NetlinkFailure";
    this.code = code;
  }
}

export interface Refusal {
  /** Which request of the batch. */
  readonly index: number;
  readonly code: string;
  /** The kernel's extended ack; "" when it gave none. */
  readonly kernelText: string;
}

export interface BatchOutcome {
  /** Refused for certain. */
  readonly refusals: readonly Refusal[];
  /**
   * Set when answers are missing (ENOBUFS lost, ETIMEDOUT never came, another errno of the socket): every
   * request not refused may or may not have been carried out.
   */
  readonly unknown?: string;
}

/** Appends one request with this sequence number, adding these flags to its own. */
export type Write = (writer: NetlinkWriter, seq: number, flags: number) => void;

export class Exchange {
  readonly #transport: NetlinkTransport;
  readonly #writer = new NetlinkWriter(1 << 16);
  #seq = 0;
  /** The last exchange did not come to its end. */
  #abandoned = false;

  constructor(transport: NetlinkTransport) {
    this.#transport = transport;
  }

  close(): void {
    this.#transport.close();
  }

  /** Sends one GET request, a dump or not; returns the payloads of its answers. Throws NetlinkFailure. */
  get(write: (writer: NetlinkWriter, seq: number) => void): Uint8Array[] {
    const seq = this.#take(1);
    write(this.#writer.reset(), seq);
    this.#send();
    const payloads: Uint8Array[] = [];
    for (;;) {
      for (const message of this.#receive()) {
        if (message.seq !== seq) continue;
        const last = isLast(message);
        if (!last) payloads.push(message.payload);
        if (!last && (message.flags & NLM_F_MULTI) !== 0) continue;
        this.#abandoned = false;
        return payloads;
      }
    }
  }

  /**
   * Sends all requests in one datagram with an acknowledgement asked of the last only: the kernel reports
   * refusals anyway, each with its sequence number, and carries out the rest.
   */
  batch(writes: readonly Write[]): BatchOutcome {
    const first = this.#take(writes.length);
    this.#writer.reset();
    writes.forEach((write, index) => {
      write(this.#writer, first + index, index === writes.length - 1 ? NLM_F_ACK : 0);
    });
    const refusals: Refusal[] = [];
    try {
      this.#send();
      this.#collectRefusals(first, writes.length, refusals);
    } catch (error) {
      if (error instanceof NetlinkFailure) return { refusals, unknown: error.code };
      throw error;
    }
    this.#abandoned = false;
    return { refusals };
  }

  #collectRefusals(first: number, count: number, refusals: Refusal[]): void {
    for (;;) {
      for (const message of this.#receive(() => this.#afterOverflow(first, count, refusals))) {
        if (collectRefusal(message, first, count, refusals)) return;
      }
    }
  }

  /** What is still queued after an overflow is worth reading: refusals that are certain. */
  #afterOverflow(first: number, count: number, refusals: Refusal[]): void {
    for (;;) {
      const datagram = this.#transport.receive(0);
      if (datagram === undefined) return;
      for (const message of parseMessages(datagram)) collectRefusal(message, first, count, refusals);
    }
  }

  #send(): void {
    // Of an exchange that was given up answers may come yet, and an unfinished dump makes the next one EBUSY.
    if (this.#abandoned) this.#transport.drain();
    this.#abandoned = true;
    try {
      this.#transport.send(this.#writer.bytes());
    } catch (error) {
      throw asFailure(error);
    }
  }

  #receive(onOverflow?: () => void): NetlinkMessage[] {
    let datagram: Uint8Array | undefined;
    try {
      datagram = this.#transport.receive(ANSWER_TIMEOUT_MS);
    } catch (error) {
      const failure = asFailure(error);
      if (failure.code === "ENOBUFS") onOverflow?.();
      throw failure;
    }
    if (datagram === undefined) {
      throw new NetlinkFailure("ETIMEDOUT", `no answer from the kernel in ${ANSWER_TIMEOUT_MS} ms`);
    }
    return parseMessages(datagram);
  }

  /** First of `count` sequence numbers in a row. */
  #take(count: number): number {
    if (this.#seq + count > 0x7fffffff) this.#seq = 0;
    const first = this.#seq + 1;
    this.#seq += count;
    return first;
  }
}

/** True when the message ends its exchange well; throws when it says that the request failed. */
function isLast(message: NetlinkMessage): boolean {
  if (message.type >= NLMSG_MIN_TYPE) return false;
  const end = endOf(message);
  if (!end) return false;
  if (end.errno === 0) return true;
  const code = errnoName(end.errno);
  throw new NetlinkFailure(code, end.message ?? code);
}

function endOf(message: NetlinkMessage): { readonly errno: number; readonly message?: string } | undefined {
  if (message.type === NLMSG_DONE) return parseDonePayload(message.payload, message.flags);
  return message.type === NLMSG_ERROR ? parseErrorPayload(message.payload, message.flags) : undefined;
}

/** True when the message answers the batch's last request, good or bad. */
function collectRefusal(message: NetlinkMessage, first: number, count: number, refusals: Refusal[]): boolean {
  if (message.type !== NLMSG_ERROR) return false;
  const { errno, originalSeq, message: kernelText } = parseErrorPayload(message.payload, message.flags);
  const index = originalSeq - first;
  if (index < 0 || index >= count) return false;
  if (errno !== 0) refusals.push({ index, code: errnoName(errno), kernelText: kernelText ?? "" });
  return index === count - 1;
}

function asFailure(error: unknown): NetlinkFailure {
  if (error instanceof NetlinkFailure) return error;
  const code = (error as { code?: unknown } | undefined)?.code;
  const message = error instanceof Error ? error.message : String(error);
  return new NetlinkFailure(typeof code === "string" ? code : "EIO", message);
}
