import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Notifier, type Subject } from "../../src/daemon/notify/notifier.ts";

const dir = mkdtempSync(join(tmpdir(), "vw-notify-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let files = 0;
const setUp = () => {
  const out = join(dir, `out-${files++}`);
  writeFileSync(out, "");
  const said: string[] = [];
  return { out, said, notifier: new Notifier(undefined, (_level, text) => said.push(text)) };
};
/** Slow for MASTER, quick for the rest: in parallel the later state would be written first. */
const script = (out: string) => [
  "/bin/sh",
  "-c",
  `[ "$3" = MASTER ] && sleep 0.2; echo "$@" >> ${out}`,
  "notify",
];
const subject = (out: string, name = "VI_1"): Subject => ({
  kind: "INSTANCE",
  name,
  notify: { any: script(out) },
});
const lines = (out: string) => readFileSync(out, "utf8").trim().split("\n");

describe("notify scripts", () => {
  it("get keepalived's arguments: TYPE NAME STATE PRIORITY", async () => {
    const { out, notifier } = setUp();
    notifier.notify(subject(out), "BACKUP", 100);
    await notifier.settle(5_000);
    expect(lines(out)).toEqual(["INSTANCE VI_1 BACKUP 100"]);
  });

  it("never report MASTER after a later BACKUP", async () => {
    const { out, notifier } = setUp();
    notifier.notify(subject(out), "MASTER", 100);
    notifier.notify(subject(out), "BACKUP", 100);
    await notifier.settle(5_000);
    expect(lines(out)).toEqual(["INSTANCE VI_1 MASTER 100", "INSTANCE VI_1 BACKUP 100"]);
  });

  it("of one subject don't wait for another's", async () => {
    const { out, notifier } = setUp();
    notifier.notify(subject(out, "SLOW"), "MASTER", 100);
    notifier.notify(subject(out, "QUICK"), "BACKUP", 100);
    await notifier.settle(5_000);
    expect(lines(out)[0]).toContain("QUICK");
  });

  it("run the state's own script before the general one", async () => {
    const { out, notifier } = setUp();
    const notify = { fault: ["/bin/sh", "-c", `echo fault >> ${out}`], any: script(out) };
    notifier.notify({ kind: "GROUP", name: "G", notify }, "FAULT", 0);
    await notifier.settle(5_000);
    expect(lines(out)).toEqual(["fault", "GROUP G FAULT 0"]);
  });

  it("that fail are told, and the next one still runs", async () => {
    const { out, said, notifier } = setUp();
    const notify = { master: ["/bin/sh", "-c", "exit 3"], backup: ["/bin/sh", "-c", `echo later >> ${out}`] };
    notifier.notify({ kind: "INSTANCE", name: "VI_1", notify }, "MASTER", 1);
    notifier.notify({ kind: "INSTANCE", name: "VI_1", notify }, "BACKUP", 1);
    await notifier.settle(5_000);
    expect(lines(out)).toEqual(["later"]);
    expect(said).toEqual([expect.stringContaining("exit status 3")]);
  });

  it("are bounded: a flapping instance drops its oldest untold states and counts them", async () => {
    const { out, notifier } = setUp();
    for (let n = 0; n < 40; n++) notifier.notify(subject(out), "BACKUP", n);
    await notifier.settle(10_000);
    expect(notifier.dropped).toBe(23);
    expect(lines(out).at(-1)).toBe("INSTANCE VI_1 BACKUP 39");
  });
});
