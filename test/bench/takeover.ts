/**
 * How much later than the protocol's own master-down time a backup takes over:
 *
 *   scripted master --advert, advert, silence--> [veth] --> backup: vipward idle | vipward checking | keepalived
 *                                                   |
 *                                             tcpdump's clock
 *
 * lateness = backup's first advert - master's last advert - master-down interval
 */
import { setTimeout as sleep } from "node:timers/promises";
import { it } from "vitest";
import { type Capture, Lab, TAKEOVER_FILTER } from "../support/lab.ts";
import { SUBJECTS, type Subject } from "./support/backups.ts";
import { type Election, MASTER_ADDRESS, masterDownMs, ScriptedMaster } from "./support/master.ts";
import { median, millis, print, quantile, rounds, table, target, worst } from "./support/report.ts";

const ELECTIONS: readonly (Election & { name: string; rounds: number })[] = [
  { name: "v3, 0.01 s", version: 3, intervalMs: 10, rounds: rounds(20, 5) },
  { name: "v3, 0.1 s", version: 3, intervalMs: 100, rounds: rounds(20, 5) },
  { name: "v2, 1 s", version: 2, intervalMs: 1000, rounds: rounds(20, 2) },
];
const BACKUP_ADDRESS = "10.99.0.2";
/** Checkers start at random points of their interval, and a compiler needs a few turns. */
const SETTLE_MS = 2000;
const MEDIAN_TARGET_MS = 1;
const WORST_TARGET_MS = 5;

interface Takeovers {
  /** Milliseconds after the master-down time, one a round. */
  readonly lateness: readonly number[];
  /** Milliseconds from the first advert to the first gratuitous ARP. */
  readonly announce: readonly number[];
  readonly checkRate: number | undefined;
}

for (const election of ELECTIONS) {
  it(`takeover, ${election.name}`, async () => {
    const rows: string[][] = [];
    for (const subject of SUBJECTS) rows.push(row(subject, await measure(subject, election)));
    const down = millis(masterDownMs(election));
    const title = `Takeover later than master-down (${down}), VRRP ${election.name}, ${election.rounds} rounds`;
    const aim = `target: median <= ${MEDIAN_TARGET_MS} ms, worst <= ${WORST_TARGET_MS} ms`;
    print(table(title, ["", "median", "p95", "worst", "ARP after", "checks/s", aim], rows));
  });
}

async function measure(subject: Subject, election: Election & { rounds: number }): Promise<Takeovers> {
  const lab = new Lab();
  try {
    const lan = await lab.lan();
    const master = await lab.node("master", [{ lan, addresses: [`${MASTER_ADDRESS}/24`] }]);
    const backup = await lab.node("backup", [{ lan, addresses: [`${BACKUP_ADDRESS}/24`] }]);
    const capture = await lab.capture(backup, "eth0", TAKEOVER_FILTER);
    const sender = new ScriptedMaster(master, election);
    try {
      const daemon = await subject.start(lab, backup, election);
      await sleep(SETTLE_MS);
      daemon.checkRate?.();
      const starts: number[] = [];
      for (let n = 0; n < election.rounds; n++) {
        starts.push(Date.now() / 1000);
        await sender.advertise(n === 0 ? 5 : 3);
        // Away from the beat of any timer that was set at the last round.
        await sleep(masterDownMs(election) + 100 + Math.random() * 100);
      }
      const checkRate = daemon.checkRate?.();
      await daemon.stop();
      await capture.stop();
      return { ...evaluate(capture, starts, masterDownMs(election)), checkRate };
    } finally {
      sender.close();
    }
  } finally {
    await lab.close();
  }
}

function evaluate(capture: Capture, starts: readonly number[], downMs: number) {
  const adverts = capture.adverts();
  const arps = capture.arps().filter(({ gratuitous }) => gratuitous);
  const lateness: number[] = [];
  const announce: number[] = [];
  for (const [n, start] of starts.entries()) {
    const end = starts[n + 1] ?? Number.POSITIVE_INFINITY;
    const from = adverts.findIndex(({ source, time }) => source === MASTER_ADDRESS && time >= start);
    const taken = adverts.findIndex(({ source }, at) => at > from && source === BACKUP_ADDRESS);
    const [last, first] = [adverts[taken - 1], adverts[taken]];
    if (from < 0 || !last || !first || first.time >= end) throw new Error(`no takeover in round ${n + 1}`);
    lateness.push((first.time - last.time) * 1000 - downMs);
    const garp = arps.find(({ time }) => time >= first.time);
    if (garp) announce.push((garp.time - first.time) * 1000);
  }
  return { lateness, announce };
}

function row({ name }: Subject, { lateness, announce, checkRate }: Takeovers): string[] {
  const aims = [
    target(median(lateness), MEDIAN_TARGET_MS, "median"),
    target(worst(lateness), WORST_TARGET_MS, "worst"),
  ];
  return [
    name,
    millis(median(lateness)),
    millis(quantile(lateness, 0.95)),
    millis(worst(lateness)),
    millis(median(announce)),
    checkRate === undefined ? "" : checkRate.toFixed(0),
    name.startsWith("vipward") ? aims.join(", ") : "for comparison",
  ];
}
