/** TCP_CHECK with `send` and `expect`: a dialogue of one line, such as Redis' PING. */
import type { TcpCheckConfig } from "../../config/model.ts";
import type { ProbeResult } from "../types.ts";
import { closeGracefully } from "./linger.ts";
import { socketFailure } from "./outcome.ts";
import { ProbeRun } from "./probe-run.ts";
import { openTcp } from "./source.ts";

/** Of what the server sends, looked at. */
const MAX_REPLY = 65_536;

/** Total: connect_timeout for the connect, the same again for the reply. */
export function probeTcpExpect(cfg: TcpCheckConfig, signal?: AbortSignal): Promise<ProbeResult> {
  const run = new ProbeRun(signal);
  const { send, expect, connectTimeout } = cfg;
  run.deadline(connectTimeout, () => ({
    reason: "timeout-connect",
    detail: `no connection within ${connectTimeout} ms`,
  }));
  run.attempt(() => {
    const socket = openTcp(cfg);
    let reply = "";
    run.onEnd((ok) => (ok ? closeGracefully(socket) : socket.destroy()));
    socket.on("error", (error) => run.fail(socketFailure(error)));
    socket.on("connect", () => {
      run.deadline(connectTimeout, () => ({
        reason: "timeout-response",
        detail: `${shown(reply)} within ${connectTimeout} ms, not ${shown(expect ?? "")}`,
      }));
      if (send !== undefined) socket.write(send, "latin1");
      if (expect === undefined) run.pass("connected and sent");
    });
    socket.on("data", (chunk: Buffer) => {
      if (run.ended || expect === undefined) return;
      reply += chunk.toString("latin1");
      if (reply.includes(expect)) run.pass(`got ${shown(expect)}`);
      else if (reply.length > MAX_REPLY)
        run.fail({ reason: "body-too-large", detail: `${MAX_REPLY} bytes without ${shown(expect)}` });
    });
    socket.on("end", () => {
      const reason = reply === "" ? "closed-early" : "unexpected-reply";
      run.fail({ reason, detail: `${shown(reply)}, then closed; wanted ${shown(expect ?? "")}` });
    });
  });
  return run.result;
}

const shown = (text: string): string =>
  text === "" ? "nothing" : JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
