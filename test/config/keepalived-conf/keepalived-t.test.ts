/** The packaged keepalived's own judgement of the corpus, held against the table in README.md. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CORPUS, corpus, HOSTNAME, importFile, optionsOf, readCorpus, succeeded } from "./corpus.ts";

/** What it says differs from version to version. */
const VERSION = "v2.2.7";

function available(): boolean {
  if (process.getuid?.() !== 0) return false;
  const { stderr, stdout } = spawnSync("keepalived", ["--version"], { encoding: "utf8" });
  if (!`${stdout}${stderr}`.includes(`Keepalived ${VERSION}`)) return false;
  return (
    spawnSync("unshare", ["-n", "-m", "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "p0"])
      .status === 0
  );
}

/** In a network namespace of its own with the corpus's interfaces; it ends with the shell. */
const SCRIPT = `
ip link set lo up
n=1
for i in eth0 eth1 enp0s8; do
  ip link add $i type veth peer name p$i && ip link set $i up && ip link set p$i up
  ip addr add 203.0.113.$n/28 dev $i
  n=$((n+16))
done
mount -t tmpfs none /run
while read -r id file; do
  timeout -s KILL 2 keepalived -t -f "$file" -i "$id" > /dev/null 2>&1 < /dev/null
  echo "$? $file"
done
`;

function verdicts(): Map<string, number> {
  const input = corpus()
    .map((name) => `${optionsOf(readCorpus(name)).id} ${name}\n`)
    .join("");
  const output = execFileSync("unshare", ["-n", "-m", "sh", "-c", SCRIPT], {
    cwd: CORPUS,
    input,
    encoding: "utf8",
    stdio: ["pipe", "pipe", "ignore"],
    env: { ...process.env, SITE: "north" },
  });
  return new Map(
    output
      .trim()
      .split("\n")
      .map((line) => {
        const [status = "", name = ""] = line.split(" ");
        return [name, Number(status)];
      }),
  );
}

/** "| file | keepalived | vipward | why |" */
function table(): Map<string, string> {
  const text = readFileSync(new URL("README.md", import.meta.url), "utf8");
  const rows = text.matchAll(/^\| `([\w-]+\.conf)` \| (accepts|complains) \| (takes|refuses) \| \S.* \|$/gm);
  return new Map([...rows].map(([, name, keepalived, vipward]) => [name!, `${keepalived} ${vipward}`]));
}

describe.skipIf(!available())(`keepalived ${VERSION} -t (as ${HOSTNAME})`, () => {
  it("the table of differences is complete and right", () => {
    const differences = new Map<string, string>();
    for (const [name, status] of verdicts()) {
      const taken = succeeded(importFile(name));
      if ((status === 0) !== taken)
        differences.set(name, `${status === 0 ? "accepts" : "complains"} ${taken ? "takes" : "refuses"}`);
    }
    expect([...differences].sort()).toEqual([...table()].sort());
  }, 120_000);
});
