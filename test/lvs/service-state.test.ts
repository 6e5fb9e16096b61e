import { describe, expect, it } from "vitest";
import type { CheckVerdict } from "../../src/check/types.ts";
import type { ServiceConfig } from "../../src/config/model.ts";
import { desiredTable } from "../../src/lvs/desired.ts";
import { formatServiceEvent } from "../../src/lvs/service-events.ts";
import { type ServiceInputs, type ServiceState, stepService } from "../../src/lvs/service-state.ts";
import { seconds } from "../../src/units.ts";
import { checker, SERVICE_KEY, server, service, sorryServer, verdicts } from "./config.ts";

/** A service under a sequence of verdicts, seen as log lines and as "server weight" of the wanted table. */
class Run {
  state: ServiceState | undefined;
  config: ServiceConfig;
  constructor(config: ServiceConfig) {
    this.config = config;
  }
  step(words: Readonly<Record<number, CheckVerdict>>, more: Omit<ServiceInputs, "verdicts"> = {}): string[] {
    const inputs = { verdicts: verdicts(this.config, words), ...more };
    const { state, events } = stepService(this.state, inputs, this.config);
    expect(stepService(state, inputs, this.config).events).toEqual([]);
    this.state = state;
    return events.map((event) => formatServiceEvent(event, this.config));
  }
  get dests(): Record<string, number> {
    const states = new Map(this.state ? [[SERVICE_KEY, this.state] as const] : []);
    const entry = desiredTable([this.config], states).get(SERVICE_KEY);
    return Object.fromEntries([...(entry?.dests ?? [])].map(([key, { weight }]) => [key, weight]));
  }
}

describe("spec 2: which real servers are in the table", () => {
  it("without alpha a server is in from the start; with alpha only after its first success", () => {
    const run = new Run(service([server(1), server(2, { alpha: true })]));
    expect(run.dests).toEqual({ "10.0.1.1:80": 1 });
    expect(run.step({})).toEqual([]);
    expect(run.dests).toEqual({ "10.0.1.1:80": 1 });
    expect(run.step({ 2: "up" })).toEqual(["Adding service [10.0.1.2]:tcp:80 to VS [10.0.0.1]:tcp:80"]);
    expect(run.dests).toEqual({ "10.0.1.1:80": 1, "10.0.1.2:80": 1 });
  });

  it("a failure deletes the destination, a success brings it back", () => {
    const run = new Run(service([server(1), server(2, { weight: 3 })]));
    run.step({});
    expect(run.step({ 1: "down" })).toEqual(["Removing service [10.0.1.1]:tcp:80 from VS [10.0.0.1]:tcp:80"]);
    expect(run.dests).toEqual({ "10.0.1.2:80": 3 });
    expect(run.step({ 1: "up" })).toEqual(["Adding service [10.0.1.1]:tcp:80 to VS [10.0.0.1]:tcp:80"]);
    expect(run.dests).toEqual({ "10.0.1.1:80": 1, "10.0.1.2:80": 3 });
  });

  it("several checkers: up only if all pass", () => {
    const config = service([server(1, {}, 2), server(2)]);
    const [first, second] = config.realServers[0]?.checkers ?? [];
    const step = (a: CheckVerdict, b: CheckVerdict): boolean | undefined =>
      stepService(
        undefined,
        {
          verdicts: new Map([
            [first?.id ?? "", a],
            [second?.id ?? "", b],
          ]),
        },
        config,
      ).state.servers["10.0.1.1:80"]?.up;
    expect(step("up", "up")).toBe(true);
    expect(step("up", "down")).toBe(false);
    expect(step("down", "up")).toBe(false);
    expect(step("unknown", "up")).toBe(true);
  });

  it("alpha is the checker's own: one unknown alpha checker keeps the server out", () => {
    const key = "10.0.1.1:80";
    const config = service([server(1, { checkers: [checker(key, 1, false), checker(key, 2, true)] })]);
    expect(stepService(undefined, { verdicts: new Map() }, config).state.servers[key]?.up).toBe(false);
  });

  it("inhibit_on_failure: weight 0 instead of removal, and added at 0 if it fails from the start", () => {
    const run = new Run(service([server(1, { inhibitOnFailure: true, weight: 2 }), server(2)]));
    run.step({ 1: "down" });
    expect(run.dests).toEqual({ "10.0.1.1:80": 0, "10.0.1.2:80": 1 });
    expect(run.step({ 1: "up" })).toEqual(["Enabling service [10.0.1.1]:tcp:80 to VS [10.0.0.1]:tcp:80"]);
    expect(run.dests).toEqual({ "10.0.1.1:80": 2, "10.0.1.2:80": 1 });
    expect(run.step({ 1: "down" })).toEqual([
      "Disabling service [10.0.1.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
    ]);
  });

  it("drain keeps a server at weight 0 and out of the quorum; out removes it", () => {
    const run = new Run(service([server(1), server(2)], { quorum: 2 }));
    run.step({});
    expect(run.step({}, { admin: new Map([["10.0.1.1:80", "drain"]]) })).toEqual([
      "Lost quorum 2-0=2 > 1 for VS [10.0.0.1]:tcp:80",
    ]);
    expect(run.dests).toEqual({ "10.0.1.1:80": 0, "10.0.1.2:80": 1 });
    run.step({}, { admin: new Map([["10.0.1.1:80", "out"]]) });
    expect(run.dests).toEqual({ "10.0.1.2:80": 1 });
  });

  it("a weight given from outside replaces the configured one and counts for the quorum", () => {
    const run = new Run(service([server(1, { weight: 5 })], { quorum: 5 }));
    run.step({});
    expect(run.step({}, { weights: new Map([["10.0.1.1:80", 4]]) })).toEqual([
      "Changing weight from 5 to 4 for service [10.0.1.1]:tcp:80 of VS [10.0.0.1]:tcp:80",
      "Lost quorum 5-0=5 > 4 for VS [10.0.0.1]:tcp:80",
    ]);
    expect(run.dests).toEqual({ "10.0.1.1:80": 4 });
  });
});

describe("spec 2: quorum and sorry server", () => {
  it("lost below quorum - hysteresis, gained at quorum + hysteresis", () => {
    const run = new Run(
      service(
        [1, 2, 3, 4].map((n) => server(n)),
        { quorum: 2, hysteresis: 1 },
      ),
    );
    run.step({});
    run.step({ 1: "down", 2: "down", 3: "down" });
    expect(run.state?.quorum).toBe("up");
    expect(run.step({ 1: "down", 2: "down", 3: "down", 4: "down" })).toContain(
      "Lost quorum 2-1=1 > 0 for VS [10.0.0.1]:tcp:80",
    );
    run.step({ 1: "down", 2: "down" });
    expect(run.state?.quorum).toBe("down");
    expect(run.step({ 1: "down" })).toEqual([
      "Adding service [10.0.1.2]:tcp:80 to VS [10.0.0.1]:tcp:80",
      "Gained quorum 2+1=3 <= 3 for VS [10.0.0.1]:tcp:80",
    ]);
  });

  it("a weight of 0 in all is no quorum, whatever the hysteresis", () => {
    const run = new Run(service([server(1)], { quorum: 1, hysteresis: 1 }));
    run.step({ 1: "down" });
    expect(run.state?.quorum).toBe("down");
  });

  it("on loss the sorry server takes the place of the live servers, on gain the reverse", () => {
    const config = service([server(1), server(2), server(3, { inhibitOnFailure: true })], {
      quorum: 2,
      sorryServer,
    });
    const run = new Run(config);
    run.step({});
    expect(run.step({ 1: "down", 2: "down" })).toEqual([
      "Removing service [10.0.1.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
      "Removing service [10.0.1.2]:tcp:80 from VS [10.0.0.1]:tcp:80",
      "Lost quorum 2-0=2 > 1 for VS [10.0.0.1]:tcp:80",
      "Adding sorry server [10.0.9.9]:tcp:80 to VS [10.0.0.1]:tcp:80",
    ]);
    // The live server 3 is out too; inhibited, that is weight 0.
    expect(run.dests).toEqual({ "10.0.1.3:80": 0, "10.0.9.9:80": 1 });
    expect(run.step({ 1: "down", 2: "up" })).toEqual([
      "Adding service [10.0.1.2]:tcp:80 to VS [10.0.0.1]:tcp:80",
      "Gained quorum 2+0=2 <= 2 for VS [10.0.0.1]:tcp:80",
      "Removing sorry server [10.0.9.9]:tcp:80 from VS [10.0.0.1]:tcp:80",
    ]);
    expect(run.dests).toEqual({ "10.0.1.2:80": 1, "10.0.1.3:80": 1 });
  });

  it("without a sorry server, loss of quorum leaves the live servers in the table", () => {
    const run = new Run(service([server(1), server(2)], { quorum: 2 }));
    run.step({});
    run.step({ 1: "down" });
    expect(run.state?.quorum).toBe("down");
    expect(run.dests).toEqual({ "10.0.1.2:80": 1 });
  });

  it("keepalived issue 1816: a service whose servers are all alpha starts with quorum down", () => {
    const run = new Run(service([server(1, { alpha: true })], { sorryServer }));
    expect(run.step({})).toEqual([
      "Starting with quorum down 1-0=1 > 0 for VS [10.0.0.1]:tcp:80",
      "Adding sorry server [10.0.9.9]:tcp:80 to VS [10.0.0.1]:tcp:80",
    ]);
    expect(run.dests).toEqual({ "10.0.9.9:80": 1 });
  });

  it("keepalived pull request 1370: a sorry server that is also a real server serves in both roles", () => {
    const twin = { ...sorryServer, address: "10.0.1.1", weight: 7 };
    const run = new Run(service([server(1), server(2)], { quorum: 2, sorryServer: twin }));
    run.step({ 1: "up", 2: "down" });
    expect(run.dests).toEqual({ "10.0.1.1:80": 7 });
    run.step({});
    expect(run.dests).toEqual({ "10.0.1.1:80": 1, "10.0.1.2:80": 1 });
  });

  it("a reload that drops the sorry server brings the live servers back", () => {
    const run = new Run(service([server(1), server(2)], { quorum: 2, sorryServer }));
    run.step({ 1: "down" });
    run.config = service([server(1), server(2)], { quorum: 2 });
    expect(run.step({ 1: "down" })).toEqual([
      "Removing sorry server (no longer configured) from VS [10.0.0.1]:tcp:80",
    ]);
    expect(run.dests).toEqual({ "10.0.1.2:80": 1 });
  });

  it("the state survives JSON, as it must over a restart", () => {
    const run = new Run(service([server(1), server(2)], { quorum: 2, sorryServer }));
    run.step({ 1: "down" });
    run.state = JSON.parse(JSON.stringify(run.state)) as ServiceState;
    expect(run.step({ 1: "down" })).toEqual([]);
  });
});

describe("ip_vs.h: what a service becomes in the table", () => {
  it("persistence sets flag 1, timeout and netmask; without it the netmask is full", () => {
    const of = (config: ServiceConfig): unknown =>
      desiredTable([config], new Map()).get(SERVICE_KEY)?.service;
    const id = { kind: "address", protocol: "tcp", family: 4, address: "10.0.0.1", port: 80 };
    expect(of(service([]))).toEqual({ id, scheduler: "wlc", flags: 0, timeout: 0, netmask: 32, pe: "" });
    expect(
      of(service([], { persistenceTimeout: seconds(360), persistencePrefix: 24, scheduler: "rr" })),
    ).toEqual({ id, scheduler: "rr", flags: 1, timeout: 360, netmask: 24, pe: "" });
  });

  it("lb_kind NAT is masquerading, DR routing, TUN tunnelling; thresholds and weight as given", () => {
    const config = service([
      server(1),
      server(2, { forwarding: "DR", weight: 9 }),
      server(3, { forwarding: "TUN", upperThreshold: 100, lowerThreshold: 50 }),
    ]);
    const dests = desiredTable([config], new Map()).get(SERVICE_KEY)?.dests;
    expect([...(dests?.values() ?? [])]).toMatchObject([
      { address: "10.0.1.1", forward: "masq", weight: 1 },
      { address: "10.0.1.2", forward: "route", weight: 9 },
      { address: "10.0.1.3", forward: "tunnel", upperThreshold: 100, lowerThreshold: 50, tunType: 0 },
    ]);
  });
});
