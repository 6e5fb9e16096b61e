/** Configurations and results for the checker tests. */

import type { FailureReason, ProbeResult } from "../../src/check/types.ts";
import type {
  CheckerCommon,
  DnsCheckConfig,
  ExternalCheckConfig,
  FileCheckConfig,
  GrpcCheckConfig,
  HttpGetConfig,
  MiscCheckConfig,
  PingCheckConfig,
  SmtpCheckConfig,
  TcpCheckConfig,
  UdpCheckConfig,
} from "../../src/config/model.ts";
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

/** Loopback, for checkers that are really run. */
const local = { ...common, connectIp: "127.0.0.1", connectTimeout: ms(2_000) } satisfies CheckerCommon;

export const sslConfig = (over: Partial<HttpGetConfig> = {}): HttpGetConfig =>
  httpConfig({ ...local, type: "SSL_GET", tls: { verify: false }, ...over });

export const smtpConfig = (over: Partial<SmtpCheckConfig> = {}): SmtpCheckConfig => ({
  ...local,
  type: "SMTP_CHECK",
  heloName: "lb.example.org",
  hosts: [],
  ...over,
});

export const dnsConfig = (over: Partial<DnsCheckConfig> = {}): DnsCheckConfig => ({
  ...local,
  type: "DNS_CHECK",
  queryType: { name: "A", value: 1 },
  queryName: "www.example.org",
  ...over,
});

export const udpConfig = (over: Partial<UdpCheckConfig> = {}): UdpCheckConfig => ({
  ...local,
  type: "UDP_CHECK",
  requireReply: true,
  minReplyLength: 0,
  maxReplyLength: 255,
  ...over,
});

export const pingConfig = (over: Partial<PingCheckConfig> = {}): PingCheckConfig => ({
  ...local,
  type: "PING_CHECK",
  connectPort: 0,
  ...over,
});

export const miscConfig = (over: Partial<MiscCheckConfig> = {}): MiscCheckConfig => ({
  ...local,
  type: "MISC_CHECK",
  argv: ["/bin/true"],
  timeout: ms(5_000),
  dynamic: false,
  ...over,
});

export const fileConfig = (over: Partial<FileCheckConfig> = {}): FileCheckConfig => ({
  ...local,
  type: "FILE_CHECK",
  path: "/nonexistent",
  weight: 1,
  reverse: false,
  dynamic: false,
  ...over,
});

export const grpcConfig = (over: Partial<GrpcCheckConfig> = {}): GrpcCheckConfig => ({
  ...local,
  type: "GRPC_CHECK",
  service: "",
  ...over,
});

export const externalConfig = (over: Partial<ExternalCheckConfig> = {}): ExternalCheckConfig => ({
  ...local,
  type: "EXTERNAL",
  retry: 0,
  ttl: ms(30_000),
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
