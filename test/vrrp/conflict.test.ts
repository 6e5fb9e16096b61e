/** Conflicts between routers (spec section 4): found, named within 5 s, told once, withdrawn. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { InstanceConfig } from "../../src/config/model.ts";
import { us } from "../../src/units.ts";
import {
  activeConflicts,
  type Conflict,
  type ConflictEvent,
  noteConflict,
  type Sighting,
} from "../../src/vrrp/conflict.ts";
import { DROP_TEXT, type DropReason } from "../../src/vrrp/drop.ts";
import { advert, HIGHER, LOWER, OWN, Router, S, VIP } from "./support.ts";

/** A router that watches for conflicts as the daemon does. */
class Watcher {
  readonly router: Router;
  conflicts: readonly Conflict[] = [];
  readonly log: string[] = [];

  constructor(router: Router) {
    this.router = router;
  }
  see(at: number, sighting: Sighting): readonly ConflictEvent[] {
    const { state, config } = this.router;
    const noted = noteConflict(this.conflicts, sighting, us(Math.round(at * S)), { state, config });
    this.conflicts = noted.conflicts;
    for (const { change, conflict } of noted.events)
      this.log.push(`${at} ${change} ${conflict.kind} ${conflict.subject}`);
    return noted.events;
  }
  hear(at: number, over: NonNullable<Parameters<typeof advert>[0]>): void {
    this.router.hear(at, over);
    this.see(at, { kind: "advert", advert: advert(over), ownAddress: OWN });
  }
  drop(at: number, reason: DropReason, source = HIGHER): void {
    this.see(at, { kind: "drop", source, reason });
  }
  probe(at: number, ...macs: string[]): void {
    this.see(at, { kind: "probe", address: VIP, macs, own: ["02:00:00:00:00:01"] });
  }
  tick(at: number): void {
    this.router.tick(at);
    this.see(at, { kind: "tick" });
  }
  get texts(): string[] {
    return activeConflicts(this.conflicts).map(({ text }) => text);
  }
  static master(over: Partial<InstanceConfig> = {}): Watcher {
    return new Watcher(Router.master(over));
  }
  static backup(over: Partial<InstanceConfig> = {}): Watcher {
    return new Watcher(Router.backup(over));
  }
}

describe("a master that does not hear us", () => {
  it("is named after its second advertisement, told once, and withdrawn when it is gone", () => {
    const watcher = Watcher.master();
    for (const at of [4, 5, 6, 7]) {
      watcher.tick(at);
      watcher.hear(at, { priority: 50 });
    }
    expect(watcher.log).toEqual([`5 raised two-masters ${HIGHER}`]);
    expect(watcher.texts).toEqual([
      "192.0.2.12 is master beside us with priority 50, and does not yield to our advertisements: it probably does not receive or accept them",
    ]);
    for (let at = 8; at < 20; at++) watcher.tick(at);
    expect(watcher.log.at(-1)).toBe(`12 cleared two-masters ${HIGHER}`);
    expect(watcher.texts).toEqual([]);
  });
  it("an ordinary handover is none: one advertisement, or copies of one", () => {
    const watcher = Watcher.master();
    watcher.hear(4, { priority: 50 });
    watcher.hear(4.1, { priority: 50 });
    watcher.hear(4.2, { priority: 50 });
    watcher.hear(5, { priority: 0 });
    expect(watcher.log).toEqual([]);
  });
  it("is over at once when we yield", () => {
    const watcher = Watcher.master();
    for (const at of [4, 5]) watcher.hear(at, { priority: 50 });
    watcher.hear(5.5, { priority: 200, source: LOWER });
    expect(watcher.log.at(-1)).toBe(`5.5 cleared two-masters ${HIGHER}`);
  });
  it("case 44: our own address is named as such", () => {
    const watcher = Watcher.master();
    for (const at of [4, 5]) watcher.hear(at, { source: OWN });
    expect(watcher.log).toEqual([`5 raised same-address ${OWN}`]);
  });
});

describe("case 14: two owners", () => {
  it("are named at the first advertisement, by master and backup", () => {
    for (const watcher of [Watcher.master({ priority: 255 }), Watcher.backup({ priority: 255 })]) {
      watcher.hear(0.5, { priority: 255, source: LOWER, notes: ["owner-conflict"] });
      expect(watcher.log[0]).toBe(`0.5 raised two-owners ${LOWER}`);
    }
  });
});

describe("a foreign router with our VRID", () => {
  it("is told by addresses that are none of ours", () => {
    const watcher = Watcher.backup();
    watcher.hear(1, { notes: ["foreign-addresses"] });
    expect(watcher.log).toEqual([`1 raised foreign-router ${HIGHER}`]);
    expect(watcher.texts[0]).toContain("virtual_router_id 51");
  });
  it("case 16: keepalived check_unicast_src: by a source that is no peer, and is not one-way besides", () => {
    const watcher = Watcher.master();
    watcher.drop(4, "unicast-source");
    watcher.drop(5, "version");
    watcher.drop(6, "version");
    expect(watcher.log).toEqual([`4 raised foreign-router ${HIGHER}`]);
  });
});

describe("one-way deafness", () => {
  const reasons = Object.keys(DROP_TEXT) as DropReason[];
  const rubbish = ["ip-malformed", "ip-fragment", "not-vrrp", "vrid-unknown"];
  it.each(reasons.filter((reason) => !rubbish.includes(reason) && reason !== "unicast-source"))(
    "%s: named within two advertisements, with the reason",
    (reason) => {
      const watcher = Watcher.master();
      watcher.drop(4, reason);
      watcher.drop(5, reason);
      expect(watcher.log).toEqual([`5 raised one-way ${HIGHER}`]);
      expect(watcher.texts[0]).toBe(
        `we are master, and the advertisements of ${HIGHER} for virtual_router_id 51 are refused: ${DROP_TEXT[reason]}`,
      );
    },
  );
  it.each(rubbish)("%s: says nothing about a router", (reason) => {
    const watcher = Watcher.master();
    for (let at = 4; at < 9; at++) watcher.drop(at, reason as DropReason);
    expect(watcher.log).toEqual([]);
  });
  it("a backup is warned too: it will be master beside the other", () => {
    const watcher = Watcher.backup();
    watcher.drop(0.5, "auth-password");
    watcher.drop(1.5, "auth-password");
    expect(watcher.texts[0]).toMatch(/^we may become master beside it: .*auth_pass$/);
  });
  it("is over when the other is heard well, or silent", () => {
    const heard = Watcher.master();
    for (const at of [4, 5]) heard.drop(at, "hmac-mismatch");
    heard.hear(6, { priority: 50 });
    expect(heard.log).toEqual([`5 raised one-way ${HIGHER}`, `6 cleared one-way ${HIGHER}`]);
    const silent = Watcher.master();
    for (const at of [4, 5]) silent.drop(at, "hmac-mismatch");
    for (let at = 6; at < 20; at++) silent.tick(at);
    expect(silent.log.at(-1)).toBe(`10 cleared one-way ${HIGHER}`);
  });
  it("replays of a router that is heard well are not deafness", () => {
    const watcher = Watcher.backup();
    for (let at = 1; at < 9; at++) {
      watcher.hear(at, { priority: 200 });
      watcher.drop(at + 0.5, "hmac-replay");
    }
    expect(watcher.log).toEqual([]);
  });
});

describe("a peer that probably drops our advertisements", () => {
  const over = { version: 3, garpMasterDelay: us(0) } as const;
  it("keepalived: another checksum, either way round", () => {
    const watcher = Watcher.backup(over);
    watcher.hear(1, { priority: 200, checksumKind: "message-only" });
    expect(watcher.texts).toEqual([
      "192.0.2.12 computes the VRRPv3 checksum without pseudo-header (v3_checksum_as_v2): it may be ignoring our advertisements",
    ]);
    const reverse = Watcher.backup({ ...over, checksumMessageOnly: true });
    reverse.hear(1, { priority: 200, checksumKind: "pseudo-header" });
    expect(reverse.texts[0]).toContain("with the pseudo-header");
  });
  it("another list of addresses; both in one sentence", () => {
    const watcher = Watcher.backup(over);
    watcher.hear(1, { priority: 200, checksumKind: "message-only", notes: ["vip-list-differs"] });
    expect(watcher.texts[0]).toContain("(v3_checksum_as_v2) and advertises another list of addresses");
  });
  it("stands while the peer is silent as our backup, and ends when it advertises as we do", () => {
    const watcher = Watcher.backup(over);
    watcher.hear(1, { priority: 200, checksumKind: "message-only" });
    for (let at = 2; at < 50; at++) watcher.tick(at);
    expect(watcher.texts).toHaveLength(1);
    watcher.hear(50, { priority: 200, checksumKind: "pseudo-header" });
    expect(watcher.log).toEqual([
      `1 raised peer-may-ignore-us ${HIGHER}`,
      `50 cleared peer-may-ignore-us ${HIGHER}`,
    ]);
  });
  it("VRRPv2 knows one checksum", () => {
    const watcher = Watcher.backup();
    watcher.hear(1, { priority: 200, checksumKind: "message-only" });
    expect(watcher.log).toEqual([]);
  });
});

describe("a VIP answered by another MAC", () => {
  const [own, other] = ["02:00:00:00:00:01", "AA:00:00:00:00:02"];
  it("beside us, while we are master: named at the second probe, withdrawn by a clean one", () => {
    const watcher = Watcher.master();
    watcher.probe(4, own);
    watcher.probe(5, own, other);
    watcher.probe(6, other, own);
    expect(watcher.log).toEqual([`6 raised duplicate-address ${VIP}`]);
    expect(watcher.texts[0]).toContain(`${VIP} is answered by aa:00:00:00:00:02, not only by us`);
    watcher.probe(7, own);
    expect(watcher.log.at(-1)).toBe(`7 cleared duplicate-address ${VIP}`);
  });
  it("as backup one answer is the master's, two are one too many", () => {
    const watcher = Watcher.backup();
    for (const at of [1, 2]) watcher.probe(at, other);
    for (const at of [3, 4]) watcher.probe(at, other, "aa:00:00:00:00:03");
    expect(watcher.log).toEqual([`4 raised duplicate-address ${VIP}`]);
  });
  it("confirms that a router which was refused just once is master beside us", () => {
    const watcher = Watcher.master();
    watcher.drop(4, "auth-password");
    watcher.probe(5, own, other);
    expect(watcher.log).toEqual([]);
    watcher.probe(6, own, other);
    expect(watcher.log).toEqual([`6 raised one-way ${HIGHER}`, `6 raised duplicate-address ${VIP}`]);
    for (let at = 7; at < 40; at++) watcher.probe(at, own, other);
    expect(watcher.texts.join()).toContain("its password is not the configured auth_pass");
    for (let at = 40; at < 50; at++) watcher.probe(at, own);
    expect(watcher.log.slice(2)).toEqual([
      `40 cleared duplicate-address ${VIP}`,
      expect.stringMatching(`cleared one-way ${HIGHER}`),
    ]);
  });
  it("nobody answering is no conflict", () => {
    const watcher = Watcher.master();
    for (const at of [4, 5, 6]) watcher.probe(at);
    expect(watcher.log).toEqual([]);
  });
});

describe("rate and bounds", () => {
  it("what goes on is repeated once a minute", () => {
    const watcher = Watcher.master();
    for (let at = 4; at < 200; at++) {
      watcher.tick(at);
      watcher.hear(at, { priority: 50 });
    }
    expect(watcher.log).toEqual([
      `5 raised two-masters ${HIGHER}`,
      `65 ongoing two-masters ${HIGHER}`,
      `125 ongoing two-masters ${HIGHER}`,
      `185 ongoing two-masters ${HIGHER}`,
    ]);
    expect(activeConflicts(watcher.conflicts)[0]).toMatchObject({ first: 4 * S, last: 199 * S, count: 196 });
  });
  it("what comes and goes is not told each time, but shown in status", () => {
    const watcher = Watcher.master();
    const spell = (from: number) => {
      for (const at of [from, from + 1]) watcher.drop(at, "auth-password");
      expect(watcher.texts).toHaveLength(1);
      for (let at = from + 2; at < from + 8; at++) watcher.see(at, { kind: "tick" });
      expect(watcher.texts).toHaveLength(0);
    };
    for (const from of [10, 20, 30, 40]) spell(from);
    expect(watcher.log).toEqual([`11 raised one-way ${HIGHER}`, `16 cleared one-way ${HIGHER}`]);
    spell(80);
    expect(watcher.log.slice(2)).toEqual([`81 ongoing one-way ${HIGHER}`, `86 cleared one-way ${HIGHER}`]);
  });
  it("a flood of invented sources fills neither memory nor log, and does not hide a real conflict", () => {
    const watcher = Watcher.master();
    for (let n = 0; n < 5_000; n++) {
      watcher.drop(4 + n / 10_000, "checksum", `10.0.${n >> 8}.${n & 255}`);
      watcher.drop(4 + n / 10_000, "unicast-source", `10.1.${n >> 8}.${n & 255}`);
      watcher.see(4 + n / 10_000, {
        kind: "advert",
        advert: advert({ source: `10.2.${n >> 8}.${n & 255}`, priority: 1, notes: ["foreign-addresses"] }),
      });
    }
    expect(watcher.conflicts.length).toBeLessThanOrEqual(8 * 7);
    expect(watcher.log.length).toBeLessThanOrEqual(8);
    for (const at of [5, 6]) watcher.drop(at, "auth-password");
    expect(watcher.log.at(-1)).toBe(`6 raised one-way ${HIGHER}`);
  });
  it("everything ends by itself: nothing is kept for ever", () => {
    const kinds = fc.constantFrom<Sighting>(
      { kind: "advert", advert: advert({ priority: 50 }), ownAddress: OWN },
      { kind: "advert", advert: advert({ priority: 50, notes: ["foreign-addresses", "vip-list-differs"] }) },
      { kind: "drop", source: LOWER, reason: "auth-type" },
      { kind: "drop", source: LOWER, reason: "unicast-source" },
      { kind: "probe", address: VIP, macs: ["a", "b"], own: [] },
      { kind: "tick" },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(40), kinds), { maxLength: 40 }), (list) => {
        const watcher = Watcher.master();
        const open = new Set<string>();
        let at = 4;
        for (const [wait, sighting] of [
          ...list,
          [7_300, { kind: "tick" }],
          [61, { kind: "tick" }],
        ] as const) {
          at += wait / 4;
          for (const { change, conflict } of watcher.see(at, sighting)) {
            const key = `${conflict.kind} ${conflict.subject}`;
            // Raised or ongoing before it is withdrawn, never withdrawn twice.
            expect(change === "cleared" ? open.delete(key) : open.add(key)).toBeTruthy();
          }
        }
        at += 4_000;
        watcher.see(at, { kind: "tick" });
        watcher.see(at + 61, { kind: "tick" });
        expect(watcher.conflicts).toEqual([]);
      }),
    );
  });
});
