/** A kernel with ip_vs at message level: requests in, answers out, faults where the test wants them. */
import type { NetlinkTransport } from "../../src/dataplane/kernel-ipvs/transport.ts";
import { destKey, serviceKey } from "../../src/lvs/keys.ts";
import { applyOperations } from "../../src/lvs/model.ts";
import type { Operation, Table } from "../../src/lvs/table.ts";
import { CTRL_CMD_GETFAMILY, CTRL_CMD_NEWFAMILY, GENL_ID_CTRL } from "../../src/wire/genl.ts";
import { decodeDest, decodeService, IPVS_CMD, writeOperation } from "../../src/wire/ipvs.ts";
import {
  type NetlinkMessage,
  NetlinkWriter,
  NLM_F_ACK,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLM_F_MULTI,
  NLMSG_DONE,
  NLMSG_ERROR,
  parseMessages,
} from "../../src/wire/netlink.ts";

export const FAMILY = 31;
const ERRNO: Readonly<Record<string, number>> = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EBUSY: 16,
  EEXIST: 17,
  EINVAL: 22,
};

/**
 * What goes wrong at an operation: an errno instead of doing it; its answer and all later ones lost
 * ("ENOBUFS"); no answer at all to its batch ("silent"); or nothing more is done or answered ("dead").
 */
export type Fault = keyof typeof ERRNO | "ENOBUFS" | "silent" | "dead";

const OPS: ReadonlyMap<number, Operation["op"]> = new Map([
  [IPVS_CMD.NEW_SERVICE, "addService"],
  [IPVS_CMD.SET_SERVICE, "editService"],
  [IPVS_CMD.DEL_SERVICE, "deleteService"],
  [IPVS_CMD.NEW_DEST, "addDest"],
  [IPVS_CMD.SET_DEST, "editDest"],
  [IPVS_CMD.DEL_DEST, "deleteDest"],
]);

export class FakeKernel implements NetlinkTransport {
  table: Table = new Map();
  moduleLoaded = true;
  familyId = FAMILY;
  /** Asked for each operation; `n` counts them from 0 over the kernel's life. */
  fault: (n: number, operation: Operation) => Fault | undefined = () => undefined;
  /** Extended ack given with refusals. */
  kernelText = "";
  readonly batches: { readonly operations: readonly Operation[]; readonly acked: number }[] = [];
  dead = false;
  /** The next answer comes after the asker gave up. */
  late = false;
  #count = 0;
  #queue: Uint8Array[] = [];
  #overflow = false;
  #silent = false;

  send(bytes: Uint8Array): void {
    const messages = parseMessages(bytes);
    const operations: Operation[] = [];
    for (const message of messages) {
      if (this.dead) return;
      this.#handle(message, operations);
    }
    if (this.#silent) this.#queue = [];
    this.#silent = false;
    if (operations.length > 0) {
      this.batches.push({
        operations,
        acked: messages.filter(({ flags }) => (flags & NLM_F_ACK) !== 0).length,
      });
    }
  }

  receive(_timeoutMs: number): Uint8Array | undefined {
    if (this.#overflow) {
      this.#overflow = false;
      throw Object.assign(new Error("overflow"), { code: "ENOBUFS" });
    }
    if (this.late) {
      this.late = false;
      return undefined;
    }
    return this.#queue.shift();
  }

  drain(): void {
    this.#queue = [];
    this.#overflow = false;
  }

  close(): void {}

  #handle(message: NetlinkMessage, operations: Operation[]): void {
    const command = message.payload[0];
    if (message.type === GENL_ID_CTRL && command === CTRL_CMD_GETFAMILY) return this.#family(message);
    if (message.type !== this.familyId || !this.moduleLoaded) return this.#answer(message, "ENOENT");
    // af_netlink.c: a socket has one dump at a time, over when its answers were read.
    const dumps = command === IPVS_CMD.GET_SERVICE || command === IPVS_CMD.GET_DEST;
    if (dumps && this.#queue.length > 0) return this.#answer(message, "EBUSY");
    if (command === IPVS_CMD.GET_SERVICE) return this.#dumpServices(message);
    if (command === IPVS_CMD.GET_DEST) return this.#dumpDests(message);
    if (command === IPVS_CMD.FLUSH) {
      this.table = new Map();
      return this.#answer(message);
    }
    const operation = decodeOperation(message);
    operations.push(operation);
    this.#carryOut(message, operation, this.fault(this.#count++, operation));
  }

  #carryOut(message: NetlinkMessage, operation: Operation, fault: Fault | undefined): void {
    if (fault === "dead") {
      this.dead = true;
      this.#silent = false;
      this.#queue = [];
      return;
    }
    if (fault !== undefined && fault in ERRNO) return this.#answer(message, fault);
    const { table, failures } = applyOperations(this.table, [operation]);
    this.table = table;
    if (fault === "ENOBUFS") this.#overflow = true;
    if (fault === "silent") this.#silent = true;
    this.#answer(message, failures[0]?.error);
  }

  #answer({ seq, flags, type }: NetlinkMessage, code?: string): void {
    if (this.#overflow || (code === undefined && (flags & NLM_F_ACK) === 0)) return;
    const w = new NetlinkWriter();
    w.begin(NLMSG_ERROR, code === undefined ? NLM_F_CAPPED : NLM_F_CAPPED | NLM_F_ACK_TLVS, seq);
    w.i32(code === undefined ? 0 : -(ERRNO[code] ?? 5));
    // The header of the request: length, type, flags, sequence number, port.
    w.u32(20).u16(type).u16(flags).u32(seq).u32(0);
    if (code !== undefined && this.kernelText !== "") w.attrString(1, this.kernelText);
    w.end();
    this.#queue.push(w.bytes().slice());
  }

  #family(message: NetlinkMessage): void {
    if (!this.moduleLoaded) return this.#answer(message, "ENOENT");
    const w = new NetlinkWriter();
    w.begin(GENL_ID_CTRL, 0, message.seq).u8(CTRL_CMD_NEWFAMILY).u8(2).u16(0);
    w.attrU16(1, this.familyId).attrString(2, "IPVS").attrU32(3, 1).end();
    this.#queue.push(w.bytes().slice());
  }

  #dumpServices({ seq }: NetlinkMessage): void {
    const services = [...this.table].map(
      ([key, { service }]): Operation => ({
        op: "addService",
        key,
        // The kernel marks its services HASHED.
        service: { ...service, flags: service.flags | 2 },
      }),
    );
    this.#dump(seq, services);
  }

  #dumpDests(message: NetlinkMessage): void {
    const spec = decodeService(asCommand(message, IPVS_CMD.NEW_SERVICE))?.spec;
    if (!spec) throw new Error("GET_DEST without a service");
    const key = serviceKey(spec.id);
    const dests = [...(this.table.get(key)?.dests ?? [])].map(
      ([name, dest]): Operation => ({ op: "addDest", key, service: spec, destKey: name, dest }),
    );
    this.#dump(message.seq, dests);
  }

  #dump(seq: number, entries: readonly Operation[]): void {
    const w = new NetlinkWriter();
    for (const entry of entries) writeOperation(w, this.familyId, seq, NLM_F_MULTI, entry);
    if (entries.length > 0) this.#queue.push(w.bytes().slice());
    this.#queue.push(w.reset().begin(NLMSG_DONE, NLM_F_MULTI, seq).i32(0).end().bytes().slice());
  }
}

function decodeOperation(message: NetlinkMessage): Operation {
  const op = OPS.get(message.payload[0] ?? 0);
  const service = decodeService(asCommand(message, IPVS_CMD.NEW_SERVICE))?.spec;
  if (!op || !service) throw new Error(`unexpected IPVS command ${message.payload[0]}`);
  const key = serviceKey(service.id);
  if (op === "addService" || op === "editService" || op === "deleteService") return { op, key, service };
  const dest = decodeDest(asCommand(message, IPVS_CMD.NEW_DEST))?.spec;
  if (!dest) throw new Error("destination command without a destination");
  return { op, key, service, destKey: destKey(dest), dest };
}

/** Requests have the attributes of answers: read them with the decoders of answers. */
function asCommand({ payload }: NetlinkMessage, command: number): Uint8Array {
  const copy = payload.slice();
  copy[0] = command;
  return copy;
}
