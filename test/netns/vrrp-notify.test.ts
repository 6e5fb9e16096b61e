/** Notify scripts: keepalived and ours go through the same and must call the same, in the same order. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { conf, type Edges, instance, unixNow, withEdges } from "../support/edges.ts";
import { waitFor } from "../support/lab.ts";

/** Appends its arguments to a file of its own: keepalived runs the specific and the general one side by side. */
function recorder(edges: Edges): { readonly script: string; lines(kind: string): string[] } {
  const out = path.join(edges.lab.dir, "notified");
  const script = path.join(edges.lab.dir, "notify.sh");
  writeFileSync(script, `#!/bin/sh\nkind=$1\nshift\necho "$*" >> ${out}.$kind\n`, { mode: 0o755 });
  const read = (kind: string) => (existsSync(`${out}.${kind}`) ? readFileSync(`${out}.${kind}`, "utf8") : "");
  return { script, lines: (kind) => read(kind).split("\n").filter(Boolean) };
}

const NOTIFY = (script: string) => ({
  notify_master: `"${script} own master 'two words'"`,
  notify_backup: `"${script} own backup"`,
  notify_fault: `"${script} own fault"`,
  notify_stop: `"${script} own stop"`,
  notify: `"${script} any first"`,
});

const unquoted = (commands: Record<string, string>) =>
  Object.fromEntries(Object.entries(commands).map(([key, value]) => [key, value.slice(1, -1)]));

/** BACKUP, MASTER, BACKUP (a better router), MASTER (it goes), FAULT, BACKUP, MASTER, stop. */
async function story(
  edges: Edges,
  daemon: "vipward" | "keepalived",
): Promise<{ own: string[]; any: string[] }> {
  const { script, lines } = recorder(edges);
  await edges.addLink("a", "eth1");
  const subject =
    daemon === "vipward"
      ? await edges.vipward("a", {
          global_defs: { script_user: "root" },
          vrrp_instance: {
            VI_1: instance({ priority: 100, track_interface: ["eth1"], ...unquoted(NOTIFY(script)) }),
          },
        })
      : await edges.keepalived(
          "a",
          conf(
            { priority: 100, track_interface: ["eth1"], ...NOTIFY(script) },
            "global_defs {\n  script_user root\n}",
          ),
        );
  const told = (count: number) =>
    waitFor(() => lines("own").length >= count && lines("any").length >= count, {
      timeout: 15_000,
      what: `${count} notifications; there are: ${lines("own")} and ${lines("any")}`,
    });
  await told(2);
  const better = await edges.vipward("b", { vrrp_instance: { VI_1: instance({ priority: 200 }) } });
  await told(3);
  await better.stop();
  await told(4);
  await edges.ip("a", "link set dev eth1 down");
  await told(5);
  const up = unixNow();
  await edges.ip("a", "link set dev eth1 up");
  await told(7);
  await edges.master("a", { since: up });
  await subject.stop();
  await told(8);
  return { own: lines("own"), any: lines("any") };
}

describe("notify scripts", () => {
  it("are called as keepalived calls them: the same arguments, the same order", async () => {
    const result: Record<string, { own: string[]; any: string[] }> = {};
    await Promise.all(
      (["vipward", "keepalived"] as const).map((daemon) =>
        withEdges(["a", "b"], async (edges) => {
          result[daemon] = await story(edges, daemon);
        })(),
      ),
    );
    expect(result.vipward).toEqual(result.keepalived);
    expect(result.vipward).toEqual({
      own: [
        "backup",
        "master two words",
        "backup",
        "master two words",
        "fault",
        "backup",
        "master two words",
        "stop",
      ],
      any: ["BACKUP", "MASTER", "BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER", "STOP"].map(
        (state) => `first INSTANCE VI_1 ${state} 100`,
      ),
    });
  });
});
