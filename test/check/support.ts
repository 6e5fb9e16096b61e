/** Configurations and results for the checker tests. */

import type { FailureReason, ProbeResult } from "../../src/check/types.ts";
import type { HttpGetConfig, TcpCheckConfig } from "../../src/config/model.ts";
import { ms } from "../../src/units.ts";

const common = {
  id: "tcp 192.0.2.1:80 -> 192.0.2.10:80 CHECK #1",
  serviceKey: "tcp 192.0.2.1:80",
  serverKey: "192.0.2.10:80",
  connectIp: "192.0.2.10",
  connectPort: 80,
  connectTimeout: ms(5_000),
  delayLoop: ms(60_000),
  warmup: ms(60_000),
  retry: 1,
  delayBeforeRetry: ms(1_000),
  alpha: false,
} as const;

export const tcpConfig = (over: Partial<TcpCheckConfig> = {}): TcpCheckConfig => ({
  ...common,
  type: "TCP_CHECK",
  ...over,
});

export const httpConfig = (over: Partial<HttpGetConfig> = {}): HttpGetConfig => ({
  ...common,
  type: "HTTP_GET",
  delayBeforeRetry: ms(3_000),
  urls: [{ path: "/", statusCodes: [[200, 299]] }],
  httpProtocol: "1.1",
  ...over,
});

/** Three URLs, in this order. */
export const threeUrls: HttpGetConfig["urls"] = ["/a", "/b", "/c"].map((path) => ({
  path,
  statusCodes: [[200, 299]],
}));

export const pass: ProbeResult = { ok: true, detail: "connected", duration: ms(1) };
export const failure = (reason: FailureReason = "refused"): ProbeResult => ({
  ok: false,
  reason,
  detail: reason,
  duration: ms(1),
});
