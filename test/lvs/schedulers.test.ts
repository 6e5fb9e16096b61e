import { describe, expect, it } from "vitest";
import {
  createScheduler,
  type Flow,
  type SchedDest,
  type Scheduler,
} from "../../src/lvs/schedulers/index.ts";

const dest = (key: string, weight = 1, rest: Partial<SchedDest> = {}): SchedDest => ({
  key,
  weight,
  active: 0,
  inactive: 0,
  overloaded: false,
  ...rest,
});

const flow = (client: readonly number[], clientPort = 40_000): Flow => ({
  clientAddress: Uint8Array.from(client),
  clientPort,
  serviceAddress: Uint8Array.of(192, 0, 2, 1),
});
const anyone = flow([198, 51, 100, 7]);

function scheduler(name: string, flags = 0): Scheduler {
  const created = createScheduler(name, flags);
  if (!created.ok) throw new Error(created.error);
  return created.value;
}

/** A scheduler with its state: choose() advances it. */
function running(name: string, dests: readonly SchedDest[]) {
  const model = scheduler(name);
  let list = dests;
  let state = model.start(list);
  return {
    edit(next: readonly SchedDest[]): void {
      list = next;
      state = model.update(state, list);
    },
    take(count: number): string {
      let names = "";
      for (let i = 0; i < count; i++) {
        const choice = model.choose(state, list, anyone);
        state = choice.state;
        names += choice.dest ?? "-";
      }
      return names;
    },
  };
}

/** One choice among destinations that do not change. */
function pick(name: string, dests: readonly SchedDest[], from = anyone, flags = 0): string | undefined {
  const model = scheduler(name, flags);
  return model.choose(model.start(dests), dests, from).dest;
}

const [a, b, c, d] = [dest("a"), dest("b"), dest("c"), dest("d")];

describe("createScheduler", () => {
  it.each(["mh", "lblc", "lblcr", "fo", "ovf", "twos", "none"])(
    "refuses %s and names what there is",
    (name) => {
      const created = createScheduler(name);
      expect(created).toMatchObject({
        ok: false,
        error: expect.stringContaining("rr wrr lc wlc sh dh sed nq"),
      });
      expect(!created.ok && created.error).toContain(`"${name}"`);
    },
  );
});

describe("rr (ip_vs_rr.c)", () => {
  it("goes round in list order", () => expect(running("rr", [a, b, c]).take(7)).toBe("abcabca"));

  it("ignores weights but for 0, and overloaded destinations", () => {
    const mixed = [dest("a", 9), dest("b", 0), dest("c", 1, { overloaded: true }), dest("d", 1)];
    expect(running("rr", mixed).take(4)).toBe("adad");
  });

  it("finds nobody when nobody can, and goes on from the same place afterwards", () => {
    const model = running("rr", [a, b, c]);
    expect(model.take(1)).toBe("a");
    model.edit([a, b, c].map(({ key }) => dest(key, 0)));
    expect(model.take(2)).toBe("--");
    model.edit([a, b, c]);
    expect(model.take(2)).toBe("bc");
  });

  it("keeps its place when one is added at the head", () => {
    const model = running("rr", [a, b, c]);
    expect(model.take(2)).toBe("ab");
    model.edit([d, a, b, c]);
    expect(model.take(5)).toBe("cdabc");
  });

  it("del_dest: the one before stands in for a deleted last choice", () => {
    const model = running("rr", [a, b, c]);
    expect(model.take(2)).toBe("ab");
    model.edit([a, c]);
    expect(model.take(2)).toBe("ca");
    model.edit([c]);
    expect(model.take(1)).toBe("c");
    model.edit([]);
    expect(model.take(1)).toBe("-");
  });
});

describe("wrr (ip_vs_wrr.c)", () => {
  it("weights 4 3 2: the documented sequence", () => {
    expect(running("wrr", [dest("a", 4), dest("b", 3), dest("c", 2)]).take(18)).toBe("aababcabcaababcabc");
  });

  it("steps by the greatest common divisor", () => {
    expect(running("wrr", [dest("a", 400), dest("b", 200)]).take(6)).toBe("aabaab");
  });

  it("equal weights are plain round robin", () => {
    expect(running("wrr", [dest("a", 5), dest("b", 5)]).take(4)).toBe("abab");
  });

  it("skips overloaded ones, finds nobody when all are, or all are at 0", () => {
    const over = { overloaded: true };
    expect(running("wrr", [dest("a", 3, over), dest("b", 1), dest("c", 2)]).take(6)).toBe("cbccbc");
    expect(running("wrr", [dest("a", 3, over), dest("b", 1, over)]).take(3)).toBe("---");
    expect(running("wrr", [dest("a", 0), dest("b", 0)]).take(2)).toBe("--");
    expect(running("wrr", []).take(1)).toBe("-");
  });

  it("dest_changed: back to the head of the list, the threshold kept", () => {
    const model = running("wrr", [dest("a", 3), dest("b", 1)]);
    expect(model.take(4)).toBe("aaab");
    model.edit([dest("c", 3), dest("a", 3), dest("b", 1)]);
    expect(model.take(7)).toBe("cabcaca");
  });

  it("dest_changed: a threshold above the new greatest weight falls to it", () => {
    const model = running("wrr", [dest("a", 9), dest("b", 1)]);
    expect(model.take(1)).toBe("a");
    model.edit([dest("a", 2), dest("b", 2)]);
    expect(model.take(3)).toBe("aba");
  });
});

describe("lc (ip_vs_lc.c)", () => {
  it("compares active * 256 + inactive and ignores weight", () => {
    expect(pick("lc", [dest("a", 9, { active: 1 }), dest("b", 1, { inactive: 255 })])).toBe("b");
    expect(pick("lc", [dest("a", 1, { active: 1 }), dest("b", 9, { inactive: 257 })])).toBe("a");
  });
  it("the first in the list wins a tie", () => {
    expect(pick("lc", [dest("a", 1, { active: 1 }), dest("b", 1, { inactive: 256 })])).toBe("a");
  });
});

describe("wlc (ip_vs_wlc.c)", () => {
  it("compares the overhead by weight", () => {
    expect(pick("wlc", [dest("a", 1, { active: 1 }), dest("b", 3, { active: 2 })])).toBe("b");
    expect(pick("wlc", [dest("a", 1, { active: 1 }), dest("b", 2, { active: 2 })])).toBe("a");
  });
  it("is exact where quotients round", () => {
    const large = { active: 60_000, inactive: 1 };
    expect(pick("wlc", [dest("a", 65_534, large), dest("b", 65_535, large)])).toBe("b");
  });
});

describe("sed (ip_vs_sed.c) and nq (ip_vs_nq.c)", () => {
  it("sed: the delay the new connection would see", () => {
    expect(pick("sed", [dest("a", 1), dest("b", 3, { active: 1 })])).toBe("b");
    expect(pick("sed", [dest("a", 1), dest("b", 2, { active: 1 })])).toBe("a");
  });
  it("nq: an idle one whatever its weight, else as sed", () => {
    expect(pick("nq", [dest("a", 9, { active: 1 }), dest("b", 1)])).toBe("b");
    expect(pick("nq", [dest("a", 1, { active: 1 }), dest("b", 3, { active: 1 })])).toBe("b");
  });
  it("nq: an idle one at weight 0 or overloaded is not idle", () => {
    const busy = dest("c", 1, { active: 5 });
    expect(pick("nq", [dest("a", 0), dest("b", 1, { overloaded: true }), busy])).toBe("c");
  });
});

describe("sh (ip_vs_sh.c)", () => {
  const SH_FALLBACK = 0x8;
  const SH_PORT = 0x10;
  // hash_32(1, 8) of include/linux/hash.h: 0x61c88647 >> 24 = 0x61.
  const one = flow([0, 0, 0, 1]);
  const numbered = (weight: (i: number) => number) =>
    Array.from({ length: 256 }, (_, i) => dest(String(i), weight(i)));

  it("hash_32 with GOLDEN_RATIO_32: 0.0.0.1 is bucket 0x61, 0.0.0.2 0xc3", () => {
    const buckets = numbered(() => 1);
    expect(pick("sh", buckets, one)).toBe(String(0x61));
    expect(pick("sh", buckets, flow([0, 0, 0, 2]))).toBe(String(0xc3));
  });

  it("IPv6 addresses are folded by exclusive or of their four words", () => {
    const words = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 5, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 4];
    expect(
      pick(
        "sh",
        numbered(() => 1),
        flow(words),
      ),
    ).toBe(String(0x61));
  });

  it("sh-port: the port is added to the address", () => {
    const buckets = numbered(() => 1);
    expect(pick("sh", buckets, flow([0, 0, 0, 0], 1), SH_PORT)).toBe(String(0x61));
    expect(pick("sh", buckets, flow([0, 0, 0, 1], 77))).toBe(String(0x61));
  });

  it("each takes as many buckets in a row as its weight", () => {
    // Runs of a 3, b 1, a 3, ...: 0x61 = 97 is 1 in its group of 4, 0xc3 = 195 is 3.
    const weighted = [dest("a", 3), dest("b", 1)];
    expect(pick("sh", weighted, one)).toBe("a");
    expect(pick("sh", weighted, flow([0, 0, 0, 2]))).toBe("b");
  });

  it("without fallback clients of an unavailable server are refused", () => {
    const gone = numbered((i) => (i === 0x61 ? 0 : 1));
    expect(pick("sh", gone, one)).toBeUndefined();
    const full = numbered(() => 1).map((each, i) => (i === 0x61 ? { ...each, overloaded: true } : each));
    expect(pick("sh", full, one)).toBeUndefined();
  });

  it("sh-fallback: the walk starts at the hash with offset hash, twice the home bucket", () => {
    const gone = numbered((i) => (i === 0x61 ? 0 : 1));
    expect(pick("sh", gone, one, SH_FALLBACK)).toBe(String(0xc2));
    const fewer = numbered((i) => (i === 0x61 || i === 0xc2 || i === 0xc3 ? 0 : 1));
    expect(pick("sh", fewer, one, SH_FALLBACK)).toBe(String(0xc4));
    expect(
      pick(
        "sh",
        numbered(() => 0),
        one,
        SH_FALLBACK,
      ),
    ).toBeUndefined();
    expect(pick("sh", [], one, SH_FALLBACK)).toBeUndefined();
  });
});

describe("dh (ip_vs_dh.c)", () => {
  it("hashes the service's address; weights do not count but for 0", () => {
    // hash_32(0xc0000201, 8): the top byte of 0xc0000201 * 0x61c88647 mod 2^32.
    const bucket = Number(((0xc0000201n * 0x61c88647n) & 0xffffffffn) >> 24n);
    const dests = Array.from({ length: 256 }, (_, i) => dest(String(i), 1 + (i % 7)));
    expect(pick("dh", dests)).toBe(String(bucket));
    expect(pick("dh", dests, flow([203, 0, 113, 9]))).toBe(String(bucket));
    expect(
      pick(
        "dh",
        dests.map((each, i) => (i === bucket ? dest(each.key, 0) : each)),
      ),
    ).toBeUndefined();
  });
});
