import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openKernelDataplane } from "../../src/dataplane/kernel-ipvs/index.ts";
import { Reconciler } from "../../src/dataplane/reconciler.ts";
import type { Table } from "../../src/lvs/table.ts";
import { ms } from "../../src/units.ts";
import { FakeKernel, type Fault } from "../dataplane/kernel-fake.ts";
import { ownedKeys, plain, restrict, table } from "../lvs/tables.ts";

const faults = fc.dictionary(
  fc.nat(30).map(String),
  fc.constantFrom<Fault>("EINVAL", "ENOENT", "EEXIST", "ENOBUFS", "silent", "dead"),
  { maxKeys: 4 },
);

async function reconcilerOn(kernel: FakeKernel, ownedBefore: Iterable<string>): Promise<Reconciler> {
  const dataplane = await openKernelDataplane({
    transport: kernel,
    procFile: "/nonexistent",
    loadModule: async () => false,
  });
  return new Reconciler({
    dataplane,
    resyncInterval: ms(10_000),
    now: () => performance.now(),
    log: () => {},
    ownedBefore,
  });
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("design habit 13: whatever goes wrong at any operation, the table is right in the end", () => {
  it("errors, lost answers, silence and a crash between operations", async () => {
    await fc.assert(
      fc.asyncProperty(table, table, table, ownedKeys, faults, async (have, first, second, owned, plan) => {
        const kernel = new FakeKernel();
        kernel.table = have;
        kernel.fault = (n) => plan[n];
        let reconciler = await reconcilerOn(kernel, owned);
        const settle = async (seconds: number): Promise<void> => {
          for (let n = 0; n < seconds; n++) {
            vi.advanceTimersByTime(1_000);
            await reconciler.whenSettled();
          }
        };
        const ours = new Set([...owned, ...first.keys(), ...second.keys()]);
        const foreign = (value: Table): unknown => plain(restrict(value, (key) => !ours.has(key)));
        reconciler.setWanted(first);
        await reconciler.start();
        reconciler.setWanted(second);
        await settle(2);
        if (kernel.dead) {
          // The crash: the next run has what the first kept on disk, and the kernel's table as it was left.
          await reconciler.stop({ remove: false });
          kernel.dead = false;
          kernel.fault = () => undefined;
          reconciler = await reconcilerOn(kernel, reconciler.owned());
          reconciler.setWanted(second);
          await reconciler.start();
        }
        kernel.fault = () => undefined;
        await settle(40);
        expect(reconciler.status()).toMatchObject({ complete: true, failing: [] });
        expect(plain(restrict(kernel.table, (key) => ours.has(key)))).toEqual(plain(second));
        expect(foreign(kernel.table)).toEqual(foreign(have));
        await reconciler.stop({ remove: true });
        expect(plain(kernel.table)).toEqual(plain(restrict(have, (key) => !ours.has(key))));
      }),
      { numRuns: 150 },
    );
  });
});
