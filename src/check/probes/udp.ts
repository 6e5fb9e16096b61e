/**
 * UDP_CHECK: a datagram is sent; with require_reply the answer must come and be right, without it silence passes
 * and an ICMP error within connect_timeout fails. A host that is gone shows only when ARP gives up, after 3 s:
 * connect_timeout should be longer.
 */
import { randomBytes } from "node:crypto";
import type { UdpCheckConfig } from "../../config/model.ts";
import { fromHex } from "../../wire/hex.ts";
import { firstDifference } from "../byte-pattern.ts";
import type { ProbeResult } from "../types.ts";
import type { Failure } from "./outcome.ts";
import { ProbeRun } from "./probe-run.ts";
import { exchangeDatagrams } from "./udp-socket.ts";

/** keepalived sends random bytes where none are given. */
const RANDOM_LENGTH = 32;

export function probeUdp(cfg: UdpCheckConfig, signal?: AbortSignal): Promise<ProbeResult> {
  const run = new ProbeRun(signal);
  const payload = cfg.payload === undefined ? randomBytes(RANDOM_LENGTH) : fromHex(cfg.payload);
  if (cfg.requireReply)
    run.deadline(cfg.connectTimeout, () => ({
      reason: "timeout-response",
      detail: `no reply within ${cfg.connectTimeout} ms`,
    }));
  else {
    const timer = setTimeout(() => run.pass(`no ICMP error in ${cfg.connectTimeout} ms`), cfg.connectTimeout);
    run.onEnd(() => clearTimeout(timer));
  }
  exchangeDatagrams(run, cfg, payload, (reply) => {
    const problem = cfg.requireReply ? replyProblem(cfg, reply) : undefined;
    if (problem === undefined) run.pass(`reply of ${reply.length} bytes`);
    else run.fail(problem);
  });
  return run.result;
}

function replyProblem(cfg: UdpCheckConfig, reply: Uint8Array): Failure | undefined {
  const { minReplyLength: min, maxReplyLength: max, replyPattern } = cfg;
  if (reply.length < min || reply.length > max) {
    return { reason: "unexpected-reply", detail: `reply of ${reply.length} bytes, not ${min} to ${max}` };
  }
  const at = replyPattern === undefined ? undefined : firstDifference(replyPattern, reply);
  if (at === undefined) return undefined;
  const found = reply[at]!.toString(16).padStart(2, "0");
  const wanted = replyPattern!.slice(2 * at, 2 * at + 2);
  return { reason: "unexpected-reply", detail: `byte ${at} of the reply is ${found}, not ${wanted}` };
}
