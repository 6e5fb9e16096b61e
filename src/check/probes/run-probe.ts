/** From a checker's type to its probe. */
import { unreachable } from "../../result.ts";
import type { RunProbe, ScriptPolicy } from "./engine-types.ts";
import { externalExpired } from "./external.ts";
import { probeHttp } from "./http.ts";
import { probeTcp } from "./tcp.ts";

/** The real probes; `scripts` is asked whenever a script is about to run. */
export const probesWith =
  (_scripts: () => ScriptPolicy): RunProbe =>
  async (cfg, urlIndex, signal) => {
    switch (cfg.type) {
      case "TCP_CHECK":
        return probeTcp(cfg, signal);
      case "HTTP_GET":
      case "SSL_GET":
        return probeHttp(cfg, urlIndex, signal);
      case "EXTERNAL":
        return externalExpired(cfg);
      default:
        return unreachable(cfg as never);
    }
  };
