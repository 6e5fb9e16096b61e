import { describe, expect, it } from "vitest";
import { readFingerprint, withoutCounters } from "../../src/dataplane/kernel-ipvs/fingerprint.ts";

const file = (weight: number, active: number, inactive: number): string =>
  `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0A80A64:0050 rr persistent 360 FFFFFFFF
  -> C0A8BC53:0050      Masq    ${weight}      ${active}          ${inactive}        
UDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0035 rr 
  -> [2001:0db8:0000:0000:0000:0000:0000:0002]:0035      Route   1      ${active}          ${inactive}
`;

describe("ip_vs_ctl.c, /proc/net/ip_vs: what counts as an edit", () => {
  it("connection counters do not", () => {
    expect(withoutCounters(file(1, 0, 0))).toBe(withoutCounters(file(1, 25, 1234567)));
  });

  it("a weight does, and so do services, forwarding and persistence", () => {
    expect(withoutCounters(file(1, 0, 0))).not.toBe(withoutCounters(file(2, 0, 0)));
    for (const [from, to] of [
      ["Masq", "Route"],
      ["360", "361"],
      ["C0A80A64", "C0A80A65"],
      ["[2001:0db8:0000:0000:0000:0000:0000:0002]", "[2001:0db8:0000:0000:0000:0000:0000:0003]"],
    ] as const) {
      expect(withoutCounters(file(1, 0, 0).replace(from, to))).not.toBe(withoutCounters(file(1, 0, 0)));
    }
  });

  it("is undefined where there is no such file", () => {
    expect(readFingerprint("/nonexistent")).toBeUndefined();
  });
});
