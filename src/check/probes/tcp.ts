/**
 * TCP_CHECK: the real server is up when a connection opens within connect_timeout.
 * The verdict is given at once; the connection then closes gracefully in the background.
 */
import type { Socket } from "node:net";
import type { TcpCheckConfig } from "../../config/model.ts";
import type { ProbeResult } from "../types.ts";
import { closeGracefully, DRAIN } from "./linger.ts";
import { CANCELLED, type Failure, failed, passed, socketFailure } from "./outcome.ts";
import { openTcp } from "./source.ts";

/**
 * Runs one probe; never rejects. Total deadline: connect_timeout. An abort of `signal` ends it at once.
 */
export function probeTcp(cfg: TcpCheckConfig, signal?: AbortSignal): Promise<ProbeResult> {
  const started = performance.now();
  return new Promise((resolve) => {
    let socket: Socket | undefined;
    let timer: NodeJS.Timeout | undefined;
    let settled = false;
    const settle = (failure?: Failure): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
      if (failure !== undefined) socket?.destroy();
      else if (socket !== undefined) closeGracefully(socket);
      resolve(failure === undefined ? passed("connected", started) : failed(failure, started));
    };
    const cancel = (): void => settle(CANCELLED);
    if (signal?.aborted) return cancel();
    signal?.addEventListener("abort", cancel);
    timer = setTimeout(
      () => settle({ reason: "timeout-connect", detail: `no connection within ${cfg.connectTimeout} ms` }),
      cfg.connectTimeout,
    );
    try {
      socket = openTcp(cfg, DRAIN);
      socket.on("error", (error) => settle(socketFailure(error)));
      socket.on("connect", () => settle());
      return undefined;
    } catch (error) {
      // Bad address or port text throws instead of emitting.
      return settle(socketFailure(error));
    }
  });
}
