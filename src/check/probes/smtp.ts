/**
 * SMTP_CHECK: 220, HELO, 250, QUIT, 221 (RFC 5321 3.1, 4.1.1.1); with STARTTLS (RFC 3207) EHLO in HELO's place,
 * before and after. Several hosts are asked one after the other; all must answer.
 * Total deadline for each: connect_timeout for the connect, the same again for all of the dialogue.
 */
import type { Socket } from "node:net";
import type { ProbeTls, SmtpCheckConfig, SmtpHost } from "../../config/model.ts";
import { type SmtpProblem, SmtpReplies, type SmtpReply } from "../smtp-reply.ts";
import type { ProbeResult } from "../types.ts";
import { closeGracefully } from "./linger.ts";
import { failed, passed, since, socketFailure } from "./outcome.ts";
import { ProbeRun } from "./probe-run.ts";
import { openTcp } from "./source.ts";
import { secure, tlsFailure } from "./tls.ts";

export async function probeSmtp(cfg: SmtpCheckConfig, signal?: AbortSignal): Promise<ProbeResult> {
  const started = performance.now();
  for (const host of cfg.hosts) {
    const result = await probeHost(cfg, host, signal);
    if (result.ok) continue;
    const detail = cfg.hosts.length === 1 ? result.detail : `${host.connectIp}: ${result.detail}`;
    return { ...result, detail, duration: since(started) };
  }
  return cfg.hosts.length === 0
    ? failed({ reason: "local-error", detail: `${cfg.id}: no host` }, started)
    : passed("220, 250", started);
}

function probeHost(
  cfg: SmtpCheckConfig,
  host: SmtpHost,
  signal: AbortSignal | undefined,
): Promise<ProbeResult> {
  const run = new ProbeRun(signal);
  const timeout = cfg.connectTimeout;
  run.deadline(timeout, () => ({ reason: "timeout-connect", detail: `no connection within ${timeout} ms` }));
  run.attempt(() => {
    const socket = openTcp(host);
    socket.on("error", (error) => run.fail(socketFailure(error)));
    const dialogue = new Dialogue(run, cfg, socket);
    socket.on("connect", () => dialogue.start(timeout));
  });
  return run.result;
}

type Step = "greeting" | "HELO" | "EHLO" | "STARTTLS" | "TLS" | "EHLO after STARTTLS" | "QUIT";

const WANTED: Readonly<Partial<Record<Step, number>>> = {
  greeting: 220,
  HELO: 250,
  EHLO: 250,
  STARTTLS: 220,
  "EHLO after STARTTLS": 250,
};

class Dialogue {
  readonly #run: ProbeRun;
  readonly #cfg: SmtpCheckConfig;
  readonly #socket: Socket;
  #stream: Socket;
  #replies = new SmtpReplies();
  #step: Step = "greeting";

  constructor(run: ProbeRun, cfg: SmtpCheckConfig, socket: Socket) {
    this.#run = run;
    this.#cfg = cfg;
    this.#socket = socket;
    this.#stream = socket;
    run.onEnd((ok) => {
      if (ok && this.#stream === socket) return closeGracefully(socket);
      this.#stream.destroy();
      socket.destroy();
    });
  }

  start(timeout: number): void {
    this.#run.deadline(timeout, () => ({
      reason: this.#step === "TLS" ? "timeout-tls" : "timeout-response",
      detail: `no complete answer to ${this.#step} within ${timeout} ms of the connect`,
    }));
    this.#listen(this.#socket);
  }

  #listen(stream: Socket): void {
    stream.on("data", (chunk: Buffer) => this.#onBytes(chunk));
    stream.on("end", () => this.#onEnd());
  }

  #onEnd(): void {
    // Asked to quit, it did.
    if (this.#step === "QUIT") return this.#run.pass("220, 250");
    this.#run.fail({
      reason: "closed-early",
      detail: `connection closed before the answer to ${this.#step}`,
    });
  }

  #onBytes(bytes: Uint8Array): void {
    const replies = this.#replies.push(bytes);
    for (const [at, reply] of replies.entries()) {
      if (this.#run.ended) return;
      const more = at + 1 < replies.length || this.#replies.begun;
      this.#onReply(reply, more);
    }
  }

  #onReply(reply: SmtpReply | SmtpProblem, more: boolean): void {
    if ("problem" in reply) return this.#run.fail({ reason: "protocol-error", detail: reply.problem });
    const { code, text } = reply;
    const step = this.#step;
    // Whatever it says to QUIT, it has proved itself by then.
    if (step === "QUIT") return this.#run.pass("220, 250");
    if (code !== WANTED[step])
      return this.#run.fail({ reason: "bad-status", detail: `${step} answered ${code} ${text}`.trim() });
    const { starttls, heloName } = this.#cfg;
    if (step === "greeting") this.#send(starttls === undefined ? "HELO" : "EHLO", heloName);
    else if (step === "EHLO") this.#send("STARTTLS");
    else if (step === "STARTTLS") this.#startTls(starttls!, more);
    else this.#send("QUIT");
  }

  #send(step: "HELO" | "EHLO" | "STARTTLS" | "QUIT", argument?: string): void {
    this.#step = step;
    this.#stream.write(`${step}${argument === undefined ? "" : ` ${argument}`}\r\n`);
  }

  /** RFC 3207 6: nothing said in clear may count afterwards, so that bytes sent early are an attack. */
  #startTls(options: ProbeTls, more: boolean): void {
    if (more)
      return this.#run.fail({ reason: "protocol-error", detail: "data sent before the TLS handshake" });
    this.#step = "TLS";
    this.#replies = new SmtpReplies();
    this.#socket.removeAllListeners("data");
    this.#socket.removeAllListeners("end");
    this.#run.attempt(() => {
      const over = secure(this.#socket, options);
      this.#stream = over;
      over.on("error", (error) => this.#run.fail(tlsFailure(error)));
      over.on("secureConnect", () => {
        this.#step = "EHLO after STARTTLS";
        over.write(`EHLO ${this.#cfg.heloName}\r\n`);
      });
      this.#listen(over);
    });
  }
}
