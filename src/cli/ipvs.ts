/**
 * `vipward ipvs`: ipvsadm(8)'s own command line, output and exit status.
 *
 *   words --ipvsadm/parse--> Invocation --netlink--> kernel --ipvsadm/format--> stdout
 */
import { NetlinkFailure } from "../dataplane/kernel-ipvs/exchange.ts";
import { formatRules } from "../ipvsadm/format.ts";
import { HELP, versionText } from "../ipvsadm/help.ts";
import { type Invocation, Refused } from "../ipvsadm/invocation.ts";
import { type Names, NUMERIC } from "../ipvsadm/names.ts";
import { parse } from "../ipvsadm/parse.ts";
import { destKey, serviceKey } from "../lvs/keys.ts";
import type { DestSpec, Operation, ServiceId, ServiceSpec } from "../lvs/table.ts";
import { IpvsKernel, NoIpvs } from "./ipvs-kernel.ts";
import { list, NotListed } from "./ipvs-list.ts";
import { systemNames } from "./ipvs-names.ts";
import { VERSION } from "./version.ts";

/** ipvsadm's: what it was told is wrong, or there is no IPVS to tell; what the kernel refused; a list failed. */
const WRONG = 2;
const REFUSED_BY_KERNEL = 255;
const NOT_LISTED = 1;

export interface IpvsIo {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Standard input in pieces, for -R. */
  readonly input: () => AsyncIterable<string> | Iterable<string>;
}

/** What SIGPIPE, which Node ignores, would have ended it with. */
const READER_GONE = 128 + 13;

function processIo(): IpvsIo {
  // `ipvs -Ln | head -1`
  process.stdout.on("error", () => process.exit(READER_GONE));
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    input: () => process.stdin.setEncoding("utf8"),
  };
}

/** Resolves with the exit status. */
export async function ipvsCommand(words: readonly string[], io: IpvsIo = processIo()): Promise<number> {
  let kernel: IpvsKernel;
  try {
    kernel = await IpvsKernel.open();
  } catch (error) {
    if (!(error instanceof NoIpvs)) throw error;
    // Help is worth having without a kernel; the status is ipvsadm's nevertheless.
    await helpAnyway(words, io);
    io.err(`vipward ipvs: ${error.message}\n`);
    return WRONG;
  }
  try {
    return await new Session(kernel, systemNames(), io).run(words);
  } finally {
    kernel.close();
  }
}

async function helpAnyway(words: readonly string[], io: IpvsIo): Promise<void> {
  const wanted = await parse(words, NUMERIC).catch(() => undefined);
  if (wanted?.command === "help") io.out(HELP);
  if (wanted?.command === "version") io.out(versionText(VERSION));
}

/** `ends`: of the lines of -R none is read after this one. */
interface Result {
  readonly status: number;
  readonly ends: boolean;
}

class Session {
  readonly #kernel: IpvsKernel;
  readonly #names: Names;
  readonly #io: IpvsIo;

  constructor(kernel: IpvsKernel, names: Names, io: IpvsIo) {
    this.#kernel = kernel;
    this.#names = names;
    this.#io = io;
  }

  async run(words: readonly string[]): Promise<number> {
    return (await this.#line(words, false)).status;
  }

  /**
   * Each line is a command of its own. As in ipvsadm, a command line that makes no sense ends it, what the
   * kernel refuses does not, and the status is that of the last line.
   */
  async #restore(): Promise<number> {
    let status = 0;
    for await (const line of linesOf(this.#io.input())) {
      const words = line.split(/[ \t\r]+/).filter((word) => word !== "");
      if (words[0] === "ipvsadm") words.shift();
      if (words.length === 0) continue;
      const result = await this.#line(words, true);
      status = result.status;
      if (result.ends) break;
    }
    return status;
  }

  async #line(words: readonly string[], restoring: boolean): Promise<Result> {
    try {
      const invocation = await parse(words, this.#names, restoring);
      const status = await this.#execute(invocation);
      return { status, ends: invocation.command === "help" || invocation.command === "version" };
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): Result {
    if (error instanceof Refused) {
      this.#io.err(`vipward ipvs: ${error.message}\n`);
      return { status: error.status, ends: error.ends };
    }
    if (error instanceof NotListed) {
      this.#io.err(`vipward ipvs: ${error.message}\n`);
      return { status: NOT_LISTED, ends: true };
    }
    if (error instanceof NetlinkFailure) {
      this.#io.err(`vipward ipvs: ${error.message}\n`);
      return { status: REFUSED_BY_KERNEL, ends: false };
    }
    throw error;
  }

  async #execute(invocation: Invocation): Promise<number> {
    const kernel = this.#kernel;
    switch (invocation.command) {
      case "add-service":
        kernel.apply(serviceOperation("addService", invocation.service));
        return 0;
      case "edit-service":
        kernel.apply(serviceOperation("editService", invocation.service));
        return 0;
      case "delete-service":
        kernel.apply(serviceOperation("deleteService", bareService(invocation.id)));
        return 0;
      case "add-server":
        kernel.apply(destOperation("addDest", invocation.id, invocation.dest));
        return 0;
      case "edit-server":
        kernel.apply(destOperation("editDest", invocation.id, invocation.dest));
        return 0;
      case "delete-server":
        kernel.apply(destOperation("deleteDest", invocation.id, invocation.dest));
        return 0;
      case "clear":
        kernel.flush();
        return 0;
      case "zero":
        kernel.zero(invocation.id);
        return 0;
      case "set":
        kernel.setTimeouts(invocation.timeouts);
        return 0;
      case "start-daemon":
        kernel.startDaemon(invocation.daemon);
        return 0;
      case "stop-daemon":
        kernel.stopDaemon(invocation.state);
        return 0;
      case "restore":
        return this.#restore();
      case "save":
        this.#io.out(await formatRules(kernel.services(), invocation.numeric ? NUMERIC : this.#names));
        return 0;
      case "list":
        await list(kernel, invocation.request, this.#names, this.#io.out);
        return 0;
      case "help":
        this.#io.out(HELP);
        return 0;
      case "version":
        this.#io.out(versionText(VERSION));
        return 0;
    }
  }
}

/** A last line need not be ended. */
async function* linesOf(pieces: AsyncIterable<string> | Iterable<string>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const piece of pieces) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  yield rest;
}

function serviceOperation(
  op: "addService" | "editService" | "deleteService",
  service: ServiceSpec,
): Operation {
  return { op, key: serviceKey(service.id), service };
}

function destOperation(op: "addDest" | "editDest" | "deleteDest", id: ServiceId, dest: DestSpec): Operation {
  return { op, key: serviceKey(id), service: bareService(id), destKey: destKey(dest), dest };
}

/** For operations that need no more than the identity. */
function bareService(id: ServiceId): ServiceSpec {
  return { id, scheduler: "", flags: 0, timeout: 0, netmask: 0, pe: "" };
}
