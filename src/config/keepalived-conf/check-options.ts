/** Options that services, real servers and checkers hand down: where each is written so that all get their value. */
import type { CheckerConfig, RealServerConfig } from "../model.ts";
import { fromMs } from "./conf-text.ts";

type Option = "delay_loop" | "connect_timeout" | "retry" | "delay_before_retry" | "warmup" | "alpha";

export const OPTIONS: readonly Option[] = [
  "delay_loop",
  "connect_timeout",
  "retry",
  "delay_before_retry",
  "warmup",
  "alpha",
];

/** As it stands in the file. */
function writtenValue(checker: CheckerConfig, option: Option): string {
  switch (option) {
    case "delay_loop":
      return fromMs(checker.delayLoop);
    case "connect_timeout":
      return fromMs(checker.connectTimeout);
    case "retry":
      return String(checker.retry);
    case "delay_before_retry":
      return fromMs(checker.delayBeforeRetry);
    case "warmup":
      return fromMs(checker.warmup);
    case "alpha":
      return checker.alpha ? "on" : "off";
  }
}

const LOCAL = new Set<CheckerConfig["type"]>(["MISC_CHECK", "FILE_CHECK", "EXTERNAL"]);

/** What holds when nothing is written anywhere (keepalived.conf(5)). */
function fallback(checker: CheckerConfig, option: Option): string {
  const { type } = checker;
  switch (option) {
    case "delay_loop":
      return "60";
    case "connect_timeout":
      return "5";
    case "retry":
      return type === "DNS_CHECK" ? "3" : LOCAL.has(type) ? "0" : "1";
    case "delay_before_retry":
      if (type === "DNS_CHECK") return fromMs(checker.delayLoop);
      return type === "HTTP_GET" || type === "SSL_GET" ? "3" : "1";
    case "warmup":
      return type === "FILE_CHECK" ? "0" : fromMs(checker.delayLoop);
    case "alpha":
      return "off";
  }
}

/** Option -> value, for one block. */
export type Written = ReadonlyMap<Option, string>;

/** Values that all of these checkers share and at least one of them would not have by itself. */
function shared(checkers: readonly CheckerConfig[], options: readonly Option[]): Map<Option, string> {
  const out = new Map<Option, string>();
  for (const option of options) {
    const values = new Set(checkers.map((checker) => writtenValue(checker, option)));
    const [value] = values;
    if (value === undefined || values.size > 1) continue;
    if (checkers.some((checker) => fallback(checker, option) !== value)) out.set(option, value);
  }
  return out;
}

export interface Placement {
  readonly service: Written;
  readonly server: (server: RealServerConfig) => Written;
  readonly checker: (checker: CheckerConfig, server: RealServerConfig) => Written;
}

export function placeOptions(servers: readonly RealServerConfig[]): Placement {
  const service = shared(
    servers.flatMap((server) => server.checkers),
    OPTIONS,
  );
  const left = OPTIONS.filter((option) => !service.has(option));
  const ofServer = (server: RealServerConfig): Map<Option, string> => shared(server.checkers, left);
  return {
    service,
    server: ofServer,
    checker: (checker, server) => {
      const above = ofServer(server);
      const own = left.filter((option) => !above.has(option));
      return new Map(
        own
          .map((option) => [option, writtenValue(checker, option)] as const)
          .filter(([option, value]) => fallback(checker, option) !== value),
      );
    },
  };
}
