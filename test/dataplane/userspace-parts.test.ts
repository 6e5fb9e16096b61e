import { describe, expect, it } from "vitest";
import { addressBytes, clientBytes, networkKey } from "../../src/dataplane/userspace/address.ts";
import { Destination } from "../../src/dataplane/userspace/destination.ts";
import { PersistenceTable } from "../../src/dataplane/userspace/persistence.ts";
import { Traffic } from "../../src/dataplane/userspace/traffic.ts";
import { ms } from "../../src/units.ts";
import { destSpec } from "./userspace-support.ts";

const hex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && Buffer.from(bytes).toString("hex");

describe("addresses", () => {
  it.each([
    ["192.0.2.255", 4, "c00002ff"],
    ["::", 6, "00000000000000000000000000000000"],
    ["::1", 6, "00000000000000000000000000000001"],
    ["2001:db8::", 6, "20010db8000000000000000000000000"],
    ["2001:db8:1:2:3:4:5:6", 6, "20010db8000100020003000400050006"],
    ["fe80::a:0:b", 6, "fe800000000000000000000a0000000b"],
    ["::ffff:192.0.2.1", 6, "00000000000000000000ffffc0000201"],
  ] as const)("%s", (text, family, expected) => {
    expect(hex(addressBytes(text, family))).toBe(expected);
  });

  it("the wrong family, a zone and a host name are none; a client's zone is left out", () => {
    expect(addressBytes("192.0.2.1", 6)).toBeUndefined();
    expect(addressBytes("fe80::1%eth0", 6)).toBeUndefined();
    expect(addressBytes("localhost", 4)).toBeUndefined();
    expect(hex(clientBytes("fe80::1%eth0", 6))).toBe("fe800000000000000000000000000001");
  });

  it("networkKey keeps the first bits", () => {
    const address = addressBytes("203.0.113.255", 4)!;
    const lengths = [32, 25, 20, 8, 0];
    expect(lengths.map((length) => networkKey(address, length))).toEqual([
      "cb0071ff",
      "cb007180",
      "cb007000",
      "cb000000",
      "00000000",
    ]);
  });
});

describe("rates (ip_vs_est.c)", () => {
  it("take a quarter of the last two seconds' rate each time", () => {
    const traffic = new Traffic();
    traffic.conns = 80;
    traffic.inBytes = 8000;
    traffic.tick();
    expect(traffic.stats()).toMatchObject({ conns: 80n, cps: 10n, inBps: 1000n, outBps: 0n });
    traffic.tick();
    expect(traffic.stats()).toMatchObject({ conns: 80n, cps: 8n, inBps: 750n });
  });
});

describe("persistence templates", () => {
  const client = Uint8Array.of(192, 0, 2, 1);
  const dest = (): Destination => new Destination("192.0.2.11:80", destSpec(80));

  it("outlive their timeout while a connection is open", () => {
    const [table, server] = [new PersistenceTable(), dest()];
    const template = table.opened(client, 32, server, ms(1000));
    table.sweep(ms(5000));
    expect(table.find(client, 32, ms(5000))).toBe(server);
    template.connections -= 1;
    expect(table.find(client, 32, ms(5000))).toBeUndefined();
    table.sweep(ms(5000));
    expect(server.persistent).toBe(0);
  });

  it("stay bounded: the one unused for longest gives way", () => {
    const [table, server] = [new PersistenceTable(), dest()];
    const address = (n: number): Uint8Array => Uint8Array.of(10, n >> 16, n >> 8, n);
    for (let n = 0; n <= 262_144; n++) table.opened(address(n), 32, server, ms(1000));
    expect(server.persistent).toBe(262_144);
    expect(table.find(address(0), 32, ms(0))).toBeUndefined();
    expect(table.find(address(1), 32, ms(0))).toBe(server);
  });
});
