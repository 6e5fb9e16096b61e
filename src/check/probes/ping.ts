/** PING_CHECK: one ICMP echo request, its reply within connect_timeout. */
import { randomBytes, randomInt } from "node:crypto";
import type { PingCheckConfig } from "../../config/model.ts";
import { check } from "../../net/errors.ts";
import { libc } from "../../net/libc.ts";
import { MSG_DONTWAIT, MSG_NOSIGNAL, receiveDatagram } from "../../net/sockets.ts";
import { type Echo, echoRequest, parseEchoReply } from "../icmp-echo.ts";
import type { ProbeResult } from "../types.ts";
import { openPing, type PingSocket, unwatch, watch } from "./ping-socket.ts";
import { ProbeRun } from "./probe-run.ts";
import { familyOf } from "./source.ts";
import { udpFailure } from "./udp-socket.ts";

/** The size ping(8) sends. Random: a reply can't be made without having seen the request. */
const DATA_LENGTH = 56;

export function probePing(cfg: PingCheckConfig, signal?: AbortSignal): Promise<ProbeResult> {
  const run = new ProbeRun(signal);
  run.deadline(cfg.connectTimeout, () => ({
    reason: "timeout-response",
    detail: `no echo reply within ${cfg.connectTimeout} ms`,
  }));
  run.attempt(() => {
    const socket = openPing(cfg.connectIp, cfg);
    const { fd } = socket;
    const echo: Echo = { id: randomInt(0x10000), sequence: 1, data: randomBytes(DATA_LENGTH) };
    watch(fd, () => {
      try {
        if (!run.ended) drain(run, cfg, socket, echo);
      } catch (error) {
        run.fail(udpFailure(error));
      }
    });
    run.onEnd(() => void unwatch(fd));
    const packet = echoRequest(familyOf(cfg.connectIp), echo);
    check(
      libc().send(fd, packet, packet.length, MSG_DONTWAIT | MSG_NOSIGNAL),
      "send",
      `send an echo request to ${cfg.connectIp}`,
    );
  });
  return run.result;
}

function drain(run: ProbeRun, cfg: PingCheckConfig, { fd, raw }: PingSocket, sent: Echo): void {
  const family = familyOf(cfg.connectIp);
  for (;;) {
    const packet = receiveDatagram(fd, `receive an echo reply from ${cfg.connectIp}`);
    if (packet === undefined) return;
    const reply = parseEchoReply(family, packet, raw && family === 4);
    if (reply === undefined || (raw && reply.id !== sent.id) || reply.sequence !== sent.sequence) continue;
    if (Buffer.compare(reply.data, sent.data) === 0) return run.pass("echo reply");
  }
}
