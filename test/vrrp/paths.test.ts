/** heartbeat_interfaces (spec section 4): the same advertisements over several paths, one machine. */
import { describe, expect, it } from "vitest";
import type { InstanceConfig } from "../../src/config/model.ts";
import { us } from "../../src/units.ts";
import { hearOnPath, lastHeardOn, noPaths, silentPaths } from "../../src/vrrp/paths.ts";
import { advert, HIGHER, LOWER, OWN, Router, S } from "./support.ts";

const DOWN = 3.609375;
const BEAT = { [OWN]: "198.51.100.11", [HIGHER]: "198.51.100.2", [LOWER]: "198.51.100.3" } as const;

class TwoPaths {
  readonly router: Router;
  paths = noPaths;
  identity = "";
  constructor(router: Router) {
    this.router = router;
  }
  hear(at: number, path: "eth0" | "eth1", over: Parameters<typeof advert>[0]): string[] | "copy" {
    const heard = {
      path,
      primary: "eth0",
      advert: advert(over),
      ownAddress: path === "eth0" ? OWN : BEAT[OWN],
    };
    const now = us(Math.round(at * S));
    const { router } = this;
    const result = hearOnPath(this.paths, heard, now, router.state, router.config);
    this.paths = result.paths;
    this.identity = result.identity;
    if (!result.deliver) return "copy";
    return router.at(at, { kind: "advert", advert: heard.advert, ownAddress: heard.ownAddress });
  }
  /** One advertisement as it arrives over both paths, 2 ms apart. */
  both(at: number, source: typeof HIGHER | typeof LOWER, priority: number) {
    return [
      this.hear(at, "eth0", { source, priority }),
      this.hear(at + 0.002, "eth1", { source: BEAT[source], priority }),
    ];
  }
  static master = (over: Partial<InstanceConfig> = {}) => new TwoPaths(Router.master(over));
  static backup = (over: Partial<InstanceConfig> = {}) => new TwoPaths(Router.backup(over));
}

describe("heartbeat paths", () => {
  it("a peer is lost only when it is lost on all: either path keeps the backup waiting", () => {
    const pair = TwoPaths.backup();
    for (let at = 1; at < 5; at++) pair.both(at, HIGHER, 200);
    for (let at = 5; at < 15; at++) pair.hear(at, "eth1", { source: BEAT[HIGHER], priority: 200 });
    for (let at = 15; at < 25; at++) pair.hear(at, "eth0", { source: HIGHER, priority: 200 });
    expect(pair.router.state.state).toBe("BACKUP");
    expect(pair.router.due).toBe(24 + DOWN);
  });
  it("copies of one advertisement are one router: a loser is answered once, by one name", () => {
    const pair = TwoPaths.master();
    expect(pair.both(4, HIGHER, 50)).toEqual([
      ["send-advert 100", "announce 5", "note lower-master"],
      "copy",
    ]);
    expect(pair.identity).toBe(HIGHER);
    expect(pair.both(5, HIGHER, 50)[1]).toBe("copy");
  });
  it("a resignation counts once, over whichever path it comes", () => {
    const pair = TwoPaths.master();
    expect(pair.both(4, HIGHER, 0)).toEqual([["send-advert 100"], "copy"]);
    expect(pair.hear(5, "eth1", { source: BEAT[HIGHER], priority: 0 })).toEqual(["send-advert 100"]);
  });
  it("the copy may come first; the router is still known by its primary address afterwards", () => {
    const pair = TwoPaths.master();
    pair.hear(4, "eth1", { source: BEAT[HIGHER], priority: 50 });
    expect(pair.identity).toBe(BEAT[HIGHER]);
    expect(pair.hear(4.001, "eth0", { source: HIGHER, priority: 50 })).toBe("copy");
    pair.hear(5, "eth1", { source: BEAT[HIGHER], priority: 50 });
    expect(pair.identity).toBe(HIGHER);
  });
  it("a better router is heard over any path", () => {
    expect(TwoPaths.master().hear(4, "eth1", { source: BEAT[HIGHER], priority: 200 })).toEqual([
      "remove-addresses",
      "MASTER -> BACKUP",
    ]);
  });
  it("two routers of different priority are two, however close their advertisements", () => {
    const pair = TwoPaths.master();
    pair.hear(4, "eth0", { source: LOWER, priority: 50 });
    expect(pair.hear(4.001, "eth1", { source: BEAT[HIGHER], priority: 60 })).toContain("send-advert 100");
  });
  it("case 35: equal priorities: the primary path decides, also where the other would say otherwise", () => {
    // HIGHER is greater than OWN on eth0 and smaller on eth1; LOWER the other way round.
    const wins = TwoPaths.master();
    expect(wins.hear(4, "eth0", { source: LOWER })).toContain("send-advert 100");
    expect(wins.hear(4.7, "eth1", { source: "198.51.100.200" })).toBe("copy");
    const loses = TwoPaths.master();
    expect(loses.hear(4, "eth0", { source: HIGHER })).toContain("MASTER -> BACKUP");
  });
  it("case 35: with the primary path dead the other decides, at the second advertisement", () => {
    const tie = { source: "198.51.100.200" };
    const pair = TwoPaths.master();
    expect(pair.hear(4, "eth1", tie)).toBe("copy");
    expect(pair.hear(5, "eth1", tie)).toContain("MASTER -> BACKUP");
    const late = TwoPaths.master();
    late.hear(4, "eth0", { source: LOWER });
    for (let at = 5; at < 9; at++) late.router.tick(at);
    late.hear(8, "eth1", tie);
    expect(late.hear(9, "eth1", tie)).toContain("MASTER -> BACKUP");
  });
  it("case 35: a copy that comes before its original does not decide (seed 3628 of the simulation)", () => {
    const pair = TwoPaths.master();
    // Greater than us on eth1, smaller on eth0.
    expect(pair.hear(4, "eth1", { source: "198.51.100.200" })).toBe("copy");
    expect(pair.hear(4.001, "eth0", { source: LOWER })).toContain("send-advert 100");
    expect(pair.hear(5, "eth1", { source: "198.51.100.200" })).toBe("copy");
    expect(pair.hear(5.001, "eth0", { source: LOWER })).toContain("send-advert 100");
  });
  it("a path on which nobody is heard is named, unless nobody is heard anywhere", () => {
    const pair = TwoPaths.backup();
    pair.both(1, HIGHER, 200);
    for (let at = 2; at < 7; at++) pair.hear(at, "eth1", { source: BEAT[HIGHER], priority: 200 });
    const silent = (at: number) => silentPaths(pair.paths, ["eth0", "eth1"], us(at * S), us(3 * S));
    expect([silent(3), silent(7), silent(60)]).toEqual([[], ["eth0"], []]);
    expect([lastHeardOn(pair.paths, "eth0"), lastHeardOn(pair.paths, "eth2")]).toEqual([S, undefined]);
  });
  it("invented sources do not fill the memory", () => {
    const pair = TwoPaths.backup();
    for (let n = 0; n < 1000; n++) pair.hear(1 + n / 1000, "eth1", { source: `10.0.${n >> 8}.${n & 255}` });
    expect(pair.paths.routers).toHaveLength(32);
  });
});
