/** From a checker's type to its probe. */
import { unreachable } from "../../result.ts";
import { probeDns } from "./dns.ts";
import type { RunProbe, ScriptPolicy } from "./engine-types.ts";
import { externalExpired } from "./external.ts";
import { probeFile } from "./file.ts";
import { probeMisc } from "./misc.ts";
import { probePing } from "./ping.ts";
import { probeSmtp } from "./smtp.ts";
import { probeTcp } from "./tcp.ts";
import { probeTcpExpect } from "./tcp-expect.ts";
import { probeUdp } from "./udp.ts";

/** axios is most of this process's code: a tenth of a second's start that a table without HTTP checks spares. */
let http: Promise<typeof import("./http.ts")> | undefined;

/** The real probes; `scripts` is asked whenever a script is about to run. */
export const probesWith =
  (scripts: () => ScriptPolicy): RunProbe =>
  async (cfg, urlIndex, signal) => {
    switch (cfg.type) {
      case "TCP_CHECK":
        return cfg.send === undefined && cfg.expect === undefined
          ? probeTcp(cfg, signal)
          : probeTcpExpect(cfg, signal);
      case "HTTP_GET":
      case "SSL_GET":
        http ??= import("./http.ts");
        return (await http).probeHttp(cfg, urlIndex, signal);
      case "SMTP_CHECK":
        return probeSmtp(cfg, signal);
      case "DNS_CHECK":
        return probeDns(cfg, signal);
      case "UDP_CHECK":
        return probeUdp(cfg, signal);
      case "PING_CHECK":
        return probePing(cfg, signal);
      case "MISC_CHECK":
        return probeMisc(cfg, scripts(), signal);
      case "FILE_CHECK":
        return probeFile(cfg);
      case "GRPC_CHECK": {
        // node:http2 costs memory, and few need it.
        const { probeGrpc } = await import("./grpc.ts");
        return probeGrpc(cfg, signal);
      }
      case "EXTERNAL":
        return externalExpired(cfg);
      default:
        return unreachable(cfg);
    }
  };
