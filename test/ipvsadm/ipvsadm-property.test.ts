import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatRules, type ListedService } from "../../src/ipvsadm/format.ts";
import { Refused } from "../../src/ipvsadm/invocation.ts";
import { NUMERIC } from "../../src/ipvsadm/names.ts";
import { WORDS } from "../../src/ipvsadm/options.ts";
import { parse } from "../../src/ipvsadm/parse.ts";
import { inetAton } from "../../src/ipvsadm/values.ts";
import { WordSource } from "../uml/guest/ipvsadm-words.ts";

const NOTHING = { activeConns: 0, inactConns: 0, persistConns: 0 };

describe("laws of the command line", () => {
  it("any words at all are parsed or refused with ipvsadm's statuses", async () => {
    const known = WORDS.flatMap(({ long, short }) => [
      `--${long}`,
      ...(short === undefined ? [] : [`-${short}`]),
    ]);
    const word = fc.oneof(
      fc.constantFrom(...known),
      fc.string(),
      fc.constantFrom("192.0.2.1:80", "1", "rr", "--"),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 8 }), async (words) => {
        const refused = await parse(words, NUMERIC).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (refused === undefined) return;
        expect(refused).toBeInstanceOf(Refused);
        expect([2, 255]).toContain((refused as Refused).status);
      }),
    );
  });

  it("what -S prints of a service and a real server is parsed into the same ones", async () => {
    const seen = { services: 0, servers: 0 };
    for (let seed = 0; seed < 40; seed++) {
      const source = new WordSource(seed);
      for (let count = 0; count < 50; count++) {
        const invocation = await parse(source.next().words, NUMERIC).catch(() => undefined);
        if (invocation?.command === "add-service") {
          const { service } = invocation;
          if ((service.flags & 0x20) !== 0 && service.scheduler.endsWith("h")) continue;
          const [rule = ""] = await printed({ spec: service, dests: [] });
          // Granularity is only for persistent services: of others it is not printed.
          const persistent = (service.flags & 1) !== 0;
          const full = service.id.family === 4 ? 32 : 128;
          const expected = { ...service, netmask: persistent ? service.netmask : full };
          expect(await parse(rule.split(" "), NUMERIC)).toEqual({ ...invocation, service: expected });
          seen.services++;
        } else if (invocation?.command === "add-server") {
          const { id, dest } = invocation;
          const spec = { id, scheduler: "rr", flags: 0, timeout: 0, netmask: 32, pe: "" };
          const [, rule = ""] = await printed({ spec, dests: [{ spec: dest, observation: NOTHING }] });
          const limits = { upperThreshold: 0, lowerThreshold: 0 };
          expect(await parse(rule.split(" "), NUMERIC)).toEqual({
            ...invocation,
            dest: { ...dest, ...limits },
          });
          seen.servers++;
        }
      }
    }
    expect(seen.services).toBeGreaterThan(50);
    expect(seen.servers).toBeGreaterThan(20);
  });

  it("inet_aton reads any split of an address into parts as that address", () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 1, max: 4 }), (address, parts) => {
        const bytes = address.split(".").map(Number);
        const head = bytes.slice(0, parts - 1);
        const tail = bytes.slice(parts - 1).reduce((sum, byte) => sum * 256 + byte, 0);
        expect(inetAton([...head, tail].join("."))).toBe(address);
        expect(inetAton([...head, tail].map((value) => `0x${value.toString(16)}`).join("."))).toBe(address);
        expect(inetAton([...head, tail].map((value) => `0${value.toString(8)}`).join("."))).toBe(address);
      }),
    );
  });
});

async function printed(service: ListedService): Promise<string[]> {
  return (await formatRules([service], NUMERIC)).split("\n");
}
