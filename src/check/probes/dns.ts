/**
 * DNS_CHECK: a query over UDP, over TCP when the answer was truncated, with one deadline for both. Datagrams that
 * answer another question are passed over: they may be forged, and the real answer may still come.
 */
import { randomInt } from "node:crypto";
import type { DnsCheckConfig } from "../../config/model.ts";
import {
  type DnsDecoded,
  type DnsQuestion,
  type DnsReply,
  decodeReply,
  encodeQuery,
} from "../dns-message.ts";
import { rcodeName } from "../dns-types.ts";
import type { ProbeResult } from "../types.ts";
import { socketFailure } from "./outcome.ts";
import { ProbeRun } from "./probe-run.ts";
import { openTcp } from "./source.ts";
import { exchangeDatagrams } from "./udp-socket.ts";

export function probeDns(cfg: DnsCheckConfig, signal?: AbortSignal): Promise<ProbeResult> {
  const run = new ProbeRun(signal);
  const question: DnsQuestion = { id: randomInt(0x10000), name: cfg.queryName, type: cfg.queryType.value };
  let foreign = 0;
  let overTcp = false;
  run.deadline(cfg.connectTimeout, () => ({
    reason: "timeout-response",
    detail:
      `no answer${overTcp ? " over TCP" : ""} within ${cfg.connectTimeout} ms` +
      (foreign === 0 ? "" : `, but ${foreign} datagrams that answer something else`),
  }));
  const onDecoded = (decoded: DnsDecoded): void => {
    if ("malformed" in decoded) return run.fail({ reason: "protocol-error", detail: decoded.malformed });
    if ("foreign" in decoded) {
      foreign++;
      return;
    }
    if (decoded.truncated && !overTcp) {
      overTcp = true;
      return run.attempt(() => askOverTcp(run, cfg, question, onDecoded)) && undefined;
    }
    judge(run, cfg, decoded);
  };
  run.attempt(() => {
    exchangeDatagrams(run, cfg, encodeQuery(question), (message) => {
      if (!overTcp) onDecoded(decodeReply(message, question));
    });
  });
  return run.result;
}

function judge(run: ProbeRun, cfg: DnsCheckConfig, { rcode, answers }: DnsReply): void {
  const asked = `${cfg.queryType.name} ${cfg.queryName === "" ? "." : cfg.queryName}`;
  if (rcode !== 0) return run.fail({ reason: "bad-rcode", detail: `${rcodeName(rcode)} for ${asked}` });
  const seen = new Set(answers.map(folded));
  const missing = cfg.expect?.find((wanted) => !seen.has(folded(wanted)));
  if (missing !== undefined) {
    const shown = answers.length === 0 ? "no answers" : answers.join(", ").slice(0, 150);
    return run.fail({ reason: "unexpected-reply", detail: `${asked}: ${missing} is not in: ${shown}` });
  }
  run.pass(`NOERROR, ${answers.length} answers`);
}

const folded = (text: string): string => text.toLowerCase().replace(/\.$/, "");

/** RFC 7766: the message with its length before it, both ways. */
function askOverTcp(
  run: ProbeRun,
  cfg: DnsCheckConfig,
  question: DnsQuestion,
  onDecoded: (decoded: DnsDecoded) => void,
): void {
  const query = encodeQuery(question);
  // bind_port belongs to the UDP socket still open.
  const { bindPort: _, ...source } = cfg;
  const socket = openTcp(source);
  run.onEnd(() => socket.destroy());
  let received = Buffer.alloc(0);
  socket.on("error", (error) => run.fail(socketFailure(error)));
  socket.on("end", () =>
    run.fail({ reason: "closed-early", detail: "TCP connection closed without an answer" }),
  );
  socket.on("connect", () =>
    socket.write(Buffer.concat([Uint8Array.of(query.length >> 8, query.length & 255), query])),
  );
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    const length = received.length < 2 ? Number.POSITIVE_INFINITY : received.readUInt16BE(0);
    if (received.length < 2 + length) return;
    const decoded = decodeReply(received.subarray(2, 2 + length), question);
    if ("foreign" in decoded)
      run.fail({ reason: "protocol-error", detail: "the answer over TCP is to another question" });
    else onDecoded(decoded);
  });
}
