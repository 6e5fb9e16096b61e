import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diff } from "../../src/lvs/diff.ts";
import { applyOperations } from "../../src/lvs/model.ts";
import type { Table } from "../../src/lvs/table.ts";
import { ownedKeys, plain, restrict, table } from "../lvs/tables.ts";

const holds = (check: (want: Table, have: Table, owned: ReadonlySet<string>) => void): void => {
  fc.assert(fc.property(table, table, ownedKeys, check), { numRuns: 400 });
};

const canServe = (value: Table, key: string): boolean =>
  [...(value.get(key)?.dests.values() ?? [])].some((dest) => dest.weight > 0);

const hasDests = (value: Table, key: string): boolean => (value.get(key)?.dests.size ?? 0) > 0;

describe("design habit 7: laws of the diff", () => {
  it("apply(diff(want, have), have) equals want for what is ours, and leaves the rest", () => {
    holds((want, have, owned) => {
      const { table: after, failures } = applyOperations(have, diff(want, have, owned));
      expect(failures).toEqual([]);
      const ours = (key: string): boolean => want.has(key) || owned.has(key);
      expect(plain(restrict(after, ours))).toEqual(plain(want));
      expect(plain(restrict(after, (key) => !ours(key)))).toEqual(plain(restrict(have, (key) => !ours(key))));
    });
  });

  it("a second diff is empty", () => {
    holds((want, have, owned) => {
      const { table: after } = applyOperations(have, diff(want, have, owned));
      expect(diff(want, after, owned)).toEqual([]);
    });
  });

  it("no operation names a foreign service", () => {
    holds((want, have, owned) => {
      for (const { key } of diff(want, have, owned)) expect(want.has(key) || owned.has(key)).toBe(true);
    });
  });

  it("every prefix is safe: no operation fails, and what served before and shall serve serves between", () => {
    holds((want, have, owned) => {
      const operations = diff(want, have, owned);
      let between: Table = have;
      for (const operation of operations) {
        const step = applyOperations(between, [operation]);
        expect(step.failures).toEqual([]);
        between = step.table;
        for (const key of want.keys()) {
          if (canServe(have, key) && canServe(want, key)) expect(canServe(between, key)).toBe(true);
          if (hasDests(have, key) && hasDests(want, key)) expect(hasDests(between, key)).toBe(true);
        }
      }
    });
  });

  it("a crash after any prefix is repaired by the next diff", () => {
    fc.assert(
      fc.property(table, table, ownedKeys, fc.nat(40), (want, have, owned, cut) => {
        const crashed = applyOperations(have, diff(want, have, owned).slice(0, cut)).table;
        const after = applyOperations(crashed, diff(want, crashed, owned)).table;
        const ours = (key: string): boolean => want.has(key) || owned.has(key);
        expect(plain(restrict(after, ours))).toEqual(plain(want));
      }),
      { numRuns: 400 },
    );
  });

  it("a destination that stays is edited, never removed and added again", () => {
    holds((want, have, owned) => {
      for (const operation of diff(want, have, owned)) {
        if (!("destKey" in operation)) continue;
        const stays =
          want.get(operation.key)?.dests.has(operation.destKey) &&
          have.get(operation.key)?.dests.has(operation.destKey);
        if (stays) expect(operation.op).toBe("editDest");
      }
    });
  });

  it("deletions of services come last, so that a moved service is never missing under both", () => {
    holds((want, have, owned) => {
      const kinds = diff(want, have, owned).map(({ op }) => op === "deleteService");
      expect(kinds).toEqual([...kinds].sort((a, b) => Number(a) - Number(b)));
    });
  });
});
