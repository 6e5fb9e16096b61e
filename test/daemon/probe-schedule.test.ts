/** When VIPs are probed for other owners: the bound of 5 s on finding them is decided here. */
import { describe, expect, it } from "vitest";
import { ProbeSchedule } from "../../src/daemon/vrrp/probe-schedule.ts";
import { us } from "../../src/units.ts";
import type { VrrpState } from "../../src/vrrp/machine.ts";

interface Subject {
  state: VrrpState;
}
const seconds = (s: number) => us(Math.round(s * 1e6));

/** Every time somebody is asked for, in seconds, driven by the schedule's own deadlines. */
function asked(
  schedule: ProbeSchedule<Subject>,
  subjects: readonly Subject[],
  from: number,
  to: number,
  onAsk: (subject: Subject, round: number, at: number) => void = () => {},
): number[] {
  const times: number[] = [];
  for (let now = seconds(from); now <= seconds(to); now = us(Math.max(now + 1, schedule.deadline))) {
    for (const [subject, round] of schedule.due(subjects, now)) {
      times.push(now / 1e6);
      onAsk(subject, round, now);
    }
  }
  return times;
}

describe("probes of VIPs", () => {
  it("a new master asks once its predecessor has had time to yield, then every 2 s", () => {
    const subject: Subject = { state: "BACKUP" };
    const schedule = new ProbeSchedule<Subject>();
    asked(schedule, [subject], 0, 3.3);
    subject.state = "MASTER";
    schedule.hurry();
    expect(asked(schedule, [subject], 3.3, 8)).toEqual([3.4, 5.4, 7.4]);
  });

  it("an odd answer is followed by one more question at once, and not by a third", () => {
    const subject: Subject = { state: "MASTER" };
    const schedule = new ProbeSchedule<Subject>();
    const rounds: number[] = [];
    const odd = (one: Subject, round: number, at: number) => {
      rounds.push(round);
      schedule.odd(one, round, us(at + 300_000));
    };
    const times = asked(schedule, [subject], 0, 3, odd);
    expect(times).toHaveLength(4);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeLessThan(0.5);
    expect((times[2] ?? 0) - (times[1] ?? 0)).toBe(2);
    // The same VIPs again: one sighting alone is not told.
    expect(rounds).toEqual([0, 0, 1, 1]);
  });

  it("nobody asks while stopped or at fault", () => {
    const schedule = new ProbeSchedule<Subject>();
    expect(asked(schedule, [{ state: "INIT" }, { state: "FAULT" }], 0, 10)).toEqual([]);
  });

  it("a thousand masters of one moment each ask in every round, never many at once", () => {
    const subjects = Array.from({ length: 1020 }, (): Subject => ({ state: "MASTER" }));
    const schedule = new ProbeSchedule<Subject>();
    const perSubject = new Map<Subject, number>();
    const times = asked(schedule, subjects, 0, 10, (subject) => {
      perSubject.set(subject, (perSubject.get(subject) ?? 0) + 1);
    });
    const perTurn = new Map<number, number>();
    for (const time of times) perTurn.set(time, (perTurn.get(time) ?? 0) + 1);
    expect(Math.max(...perTurn.values())).toBeLessThanOrEqual(64);
    expect(perSubject.size).toBe(1020);
    expect(Math.min(...perSubject.values())).toBeGreaterThanOrEqual(4);
  });
});
