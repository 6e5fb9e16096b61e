import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyDelta, serviceDigest, servicesDelta } from "../../src/config/delta.ts";
import type { ServiceConfig } from "../../src/config/model.ts";
import { server, service } from "../lvs/config.ts";

const numbered = (n: number, weight: number): ServiceConfig =>
  service([server(1, { weight })], { key: `tcp 10.0.0.${n}:80`, address: `10.0.0.${n}` });
const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** Some services of ten, each with one of three weights, in any order. */
const services = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 0, max: 2 })), {
    selector: ([n]) => n,
  })
  .map((list) => list.map(([n, weight]) => numbered(n, weight)));

const byDigest = (before: readonly ServiceConfig[]) => {
  const digests = new Map(before.map((entry) => [entry.key, serviceDigest(entry)]));
  return (entry: ServiceConfig) => digests.get(entry.key) === serviceDigest(entry);
};

describe("what a reload changed", () => {
  it("gives the new services again, in their order, after a trip through JSON", () => {
    fc.assert(
      fc.property(services, services, (before, after) => {
        const delta = copy(servicesDelta(after, byDigest(before)));
        expect(applyDelta(before, delta)).toEqual(after);
      }),
    );
  });

  it("keeps the very objects of unchanged services, and sends only the others", () => {
    fc.assert(
      fc.property(services, services, (before, after) => {
        const result = applyDelta(before, servicesDelta(after, byDigest(before)));
        for (const entry of result) {
          const old = before.find(({ key }) => key === entry.key);
          if (old && JSON.stringify(old) === JSON.stringify(entry)) expect(entry).toBe(old);
        }
        const known = new Set(before);
        const again = servicesDelta(result, (entry) => known.has(entry));
        expect(again).toEqual(servicesDelta(after, byDigest(before)));
      }),
    );
  });

  it("a digest is the content's, not the object's", () => {
    expect(serviceDigest(numbered(1, 1))).toBe(serviceDigest(copy(numbered(1, 1))));
    expect(serviceDigest(numbered(1, 1))).not.toBe(serviceDigest(numbered(1, 2)));
    expect(serviceDigest(numbered(1, 1))).not.toBe(serviceDigest(numbered(2, 1)));
  });

  it("refuses a delta that was made against something else", () => {
    const delta = servicesDelta([numbered(1, 1)], () => true);
    expect(() => applyDelta([], delta)).toThrow("tcp 10.0.0.1:80");
  });
});
