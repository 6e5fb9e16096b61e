/** track_gateway by ICMP echo: for addresses beyond the link, where ARP only shows the next hop. */
import { probePing } from "../../check/probes/ping.ts";
import type { PingCheckConfig, TrackGatewayConfig } from "../../config/model.ts";
import { ms } from "../../units.ts";
import type { Tracker, TrackerSink } from "./types.ts";

export class IcmpGatewayTracker implements Tracker {
  readonly #config: TrackGatewayConfig;
  readonly #sink: TrackerSink;
  readonly #probe: PingCheckConfig;
  #timer: NodeJS.Timeout | undefined;
  #abort: AbortController | undefined;
  #stopped = false;

  constructor(config: TrackGatewayConfig, sink: TrackerSink) {
    this.#config = config;
    this.#sink = sink;
    this.#probe = asPing(config);
  }

  start(): void {
    void this.#turn();
  }

  async #turn(): Promise<void> {
    const began = performance.now();
    const { name, address, interval } = this.#config;
    this.#abort = new AbortController();
    const result = await probePing(this.#probe, this.#abort.signal);
    if (this.#stopped) return;
    this.#sink({ kind: "gateway", name, good: result.ok, detail: `${address}: ${result.detail}` });
    this.#timer = setTimeout(() => void this.#turn(), Math.max(0, began + interval - performance.now()));
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#abort?.abort();
  }
}

/** The one-shot echo of PING_CHECK; only address, time limit and interface matter to it. */
function asPing({ name, address, timeout, interface: dev }: TrackGatewayConfig): PingCheckConfig {
  return {
    type: "PING_CHECK",
    id: `track_gateway ${name}`,
    serviceKey: "",
    serverKey: "",
    connectIp: address,
    connectPort: 0,
    bindIf: dev,
    connectTimeout: timeout,
    delayLoop: ms(0),
    warmup: ms(0),
    retry: 0,
    delayBeforeRetry: ms(0),
    alpha: false,
  };
}
