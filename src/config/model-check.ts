/** The health-check part of the validated configuration; see model.ts. */
import type { Milliseconds } from "../units.ts";

/** Where a probe's packets come from; all but `bindTo` and `bindPort` need CAP_NET_RAW or CAP_NET_ADMIN. */
export interface ProbeSource {
  /** bindto: local source address. */
  readonly bindTo?: string;
  /** bind_port: local source port. */
  readonly bindPort?: number;
  /** bind_if: SO_BINDTODEVICE. */
  readonly bindIf?: string;
  /** fwmark: SO_MARK. */
  readonly fwmark?: number;
}

export interface CheckerCommon extends ProbeSource {
  /** Stable identity over reloads: "<service key> -> <server key> <TYPE> #<n>". */
  readonly id: string;
  readonly serviceKey: string;
  readonly serverKey: string;
  readonly connectIp: string;
  /** 0 where the checker has no port (PING_CHECK, MISC_CHECK, ...). */
  readonly connectPort: number;
  readonly connectTimeout: Milliseconds;
  readonly delayLoop: Milliseconds;
  /** First run at a random point of this (default delay_loop). */
  readonly warmup: Milliseconds;
  /** N+1 consecutive failures make it down. */
  readonly retry: number;
  readonly delayBeforeRetry: Milliseconds;
  readonly alpha: boolean;
  /** `rise` (not in keepalived): so many passed rounds in a row bring it up again; replaces keepalived's rule. */
  readonly rise?: number;
  /** `fall` (not in keepalived): so many failures in a row make it down, the first check's too; replaces `retry`. */
  readonly fall?: number;
  /** log_all_failures: also those that are retried. */
  readonly logAllFailures?: boolean;
}

/** TLS of a probe. Nothing of the certificate is looked at unless `verify`. */
export interface ProbeTls {
  /** Server Name Indication; undefined: none is sent. */
  readonly serverName?: string;
  readonly verify: boolean;
  /** The name or address the certificate must carry; with `verify` only. */
  readonly verifyName?: string;
  /** PEM file of the accepted authorities; undefined: Node's own list. */
  readonly ca?: string;
}

/** Text whose characters are bytes (U+0000 to U+00FF). */
export type ByteText = string;

export interface TcpCheckConfig extends CheckerCommon {
  readonly type: "TCP_CHECK";
  /** Sent after the connect. */
  readonly send?: ByteText;
  /** Must appear in what the server sends, within connect_timeout. */
  readonly expect?: ByteText;
}

/** A regular expression of keepalived (PCRE) in JavaScript's words. */
export interface BodyRegex {
  /** As configured, for messages. */
  readonly text: string;
  readonly source: string;
  readonly flags: string;
  /** The body is text in UTF-8; otherwise its characters are its bytes. */
  readonly utf: boolean;
  /** regex_no_match: a match is a failure. */
  readonly noMatch: boolean;
  /** Bytes of the body before the search. */
  readonly minOffset?: number;
  /** The match begins here at the latest. */
  readonly maxOffset?: number;
}

export interface HttpUrlConfig {
  readonly path: string;
  /** Accepted status codes as inclusive ranges; default [[200, 299]]. */
  readonly statusCodes: readonly (readonly [number, number])[];
  readonly virtualhost?: string;
  readonly method?: "GET" | "HEAD" | "POST" | "OPTIONS";
  /** Further header fields; one of our own names replaces ours. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Of the body, in lower-case hex; genhash prints the MD5. */
  readonly digest?: { readonly algorithm: "md5" | "sha256"; readonly hex: string };
  readonly regex?: BodyRegex;
  /** Redirects followed, on the same real server; absent: none. */
  readonly follow?: number;
}

export interface HttpGetConfig extends CheckerCommon {
  readonly type: "HTTP_GET" | "SSL_GET";
  /** At least one; tried in turn. */
  readonly urls: readonly HttpUrlConfig[];
  readonly httpProtocol: "1.0" | "1.0C" | "1.1";
  /** All URLs at once, without delay_loop between them, before the first verdict. */
  readonly fastRecovery?: boolean;
  /** SSL_GET. */
  readonly tls?: ProbeTls;
  /** enable_sni without sni_name: the URL's virtualhost is sent. */
  readonly sniFromHost?: boolean;
  /** A body that ends with the connection must end with TLS close_notify. */
  readonly tlsCompliant?: boolean;
}

/** One `host` block of SMTP_CHECK, or the checker's own address. */
export interface SmtpHost extends ProbeSource {
  readonly connectIp: string;
  readonly connectPort: number;
}

export interface SmtpCheckConfig extends CheckerCommon {
  readonly type: "SMTP_CHECK";
  readonly heloName: string;
  /** At least one; all must answer. */
  readonly hosts: readonly SmtpHost[];
  /** STARTTLS is required and carried out. */
  readonly starttls?: ProbeTls;
}

export interface DnsCheckConfig extends CheckerCommon {
  readonly type: "DNS_CHECK";
  /** Name and number of the query type (RFC 1035 3.2.2 and successors). */
  readonly queryType: { readonly name: string; readonly value: number };
  /** Absolute, without the final dot; "" is the root. */
  readonly queryName: string;
  /** Each must be among the answers, in presentation form. */
  readonly expect?: readonly string[];
}

export interface UdpCheckConfig extends CheckerCommon {
  readonly type: "UDP_CHECK";
  /** Hex; undefined: random bytes. */
  readonly payload?: string;
  /** Without it, silence passes and only an ICMP error fails. */
  readonly requireReply: boolean;
  /** Hex with x for nibbles of any value; compared up to the shorter of the two. */
  readonly replyPattern?: string;
  readonly minReplyLength: number;
  readonly maxReplyLength: number;
}

export interface PingCheckConfig extends CheckerCommon {
  readonly type: "PING_CHECK";
}

export interface MiscCheckConfig extends CheckerCommon {
  readonly type: "MISC_CHECK";
  readonly argv: readonly string[];
  readonly timeout: Milliseconds;
  /** misc_dynamic: exit status 2 to 255 sets the weight to two less. */
  readonly dynamic: boolean;
  readonly user?: string;
  readonly group?: string;
}

export interface FileCheckConfig extends CheckerCommon {
  readonly type: "FILE_CHECK";
  readonly path: string;
  /** Multiplies the number; negative for `reverse`. 0: any number but 0 is a failure. */
  readonly weight: number;
  /** A weight of 0 and `reverse`: 0 is the failure. */
  readonly reverse: boolean;
  /** `dynamic`: the product is added to the real server's weight. */
  readonly dynamic: boolean;
}

export interface GrpcCheckConfig extends CheckerCommon {
  readonly type: "GRPC_CHECK";
  /** grpc.health.v1 service name; "" asks for the server as a whole. */
  readonly service: string;
  readonly authority?: string;
  readonly tls?: ProbeTls;
}

export interface ExternalCheckConfig extends CheckerCommon {
  readonly type: "EXTERNAL";
  /** How long a result counts that brings no time to live of its own. */
  readonly ttl: Milliseconds;
}

export type CheckerConfig =
  | TcpCheckConfig
  | HttpGetConfig
  | SmtpCheckConfig
  | DnsCheckConfig
  | UdpCheckConfig
  | PingCheckConfig
  | MiscCheckConfig
  | FileCheckConfig
  | GrpcCheckConfig
  | ExternalCheckConfig;
