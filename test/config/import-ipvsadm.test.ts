import { describe, expect, it } from "vitest";
import { exportRules } from "../../src/config/ipvsadm-rules/export.ts";
import { importRules } from "../../src/config/ipvsadm-rules/import.ts";
import { yaml } from "../../src/config/keepalived-conf/write.ts";
import { parseConfig } from "../../src/config/load.ts";

const options = { hostname: "lb01" };

/** What `ipvsadm -Sn` prints. */
const RULES = `-A -t 192.168.188.100:80 -s wlc
-a -t 192.168.188.100:80 -r 192.168.188.81:80 -g -w 1
-a -t 192.168.188.100:80 -r 192.168.188.82:80 -g -w 0
-A -t 192.168.188.200:80 -s wrr -p 360 -M 255.255.255.0
-a -t 192.168.188.200:80 -r 192.168.188.101:8080 -m -w 3
-a -t 192.168.188.200:80 -r 192.168.188.102:80 -i -w 6 --tun-type ipip
-A -u 192.168.188.200:80 -s rr
-a -u 192.168.188.200:80 -r 192.168.188.101:53 -m -w 1
`;

const run = async (text: string) => {
  const imported = await importRules(text, "rules", options);
  return {
    ...imported,
    yaml: yaml(imported.document, "rules"),
    said: imported.notes.list().map(({ severity, line, message }) => `${severity} ${line}: ${message}`),
  };
};

describe("import --ipvsadm", () => {
  it("ipvsadm -Sn: every service and real server, without checkers", async () => {
    const { yaml: text, said, result } = await run(RULES);
    expect(said).toEqual([]);
    expect(text).toMatchInlineSnapshot(`
      "# Made by vipward import from rules. vipward check validates it.
      virtual_server:
        192.168.188.100 80:
          lb_algo: wlc
          protocol: TCP
          lb_kind: DR
          real_server:
            192.168.188.81 80:
              weight: 1
            192.168.188.82 80:
              weight: 0
        192.168.188.200 80 tcp:
          lb_algo: wrr
          protocol: TCP
          persistence_timeout: 360
          persistence_granularity: 24
          lb_kind: NAT
          real_server:
            192.168.188.101 8080:
              weight: 3
            192.168.188.102 80:
              lb_kind: TUN
              weight: 6
        192.168.188.200 80 udp:
          lb_algo: rr
          protocol: UDP
          lb_kind: NAT
          real_server:
            192.168.188.101 53:
              weight: 1
      "
    `);
    const loaded = parseConfig(text, "x.yaml", options);
    expect(loaded.ok && loaded.config.hash).toBe(result.ok && result.config.hash);
  });

  it("export and import again is a fixed point, and the rules are those of ipvsadm", async () => {
    const { result } = await run(RULES);
    if (!result.ok) throw new Error("not imported");
    const { text, notes } = await exportRules(result.config);
    expect(text.split("\n").sort()).toEqual(RULES.split("\n").sort());
    expect(notes).toEqual([]);
    const again = await run(text);
    expect(again.result.ok && (await exportRules(again.result.config)).text).toBe(text);
  });

  it("what can't be carried over is named with its line", async () => {
    const { said, result } = await run(`# comment
-A -t 192.0.2.1:80 -s sh -b sh-port
-a -t 192.0.2.1:80 -r 192.0.2.2:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum
-a -t 192.0.2.1:80 -r 192.0.2.3:80 -m -w 1 -x 100 -y 50
-A -f 7 -s rr
`);
    expect(said).toEqual([
      "warning 2: left out: sh-port is not supported by this version of vipward yet",
      "warning 3: left out: a real server behind a GUE or GRE tunnel is not supported by this version of vipward yet",
      'warning 5: left out: virtual_server "fwmark ..." is not supported by this version of vipward yet',
    ]);
    expect(result.ok && result.config.services[0]?.realServers).toMatchObject([
      { key: "192.0.2.3:80", upperThreshold: 100, lowerThreshold: 50 },
    ]);
  });

  it("lines that are no rules are errors", async () => {
    const { said } = await run(
      "-A -t web:80 -s rr\n-C\n-a -t 192.0.2.9:80 -r 192.0.2.2:80 -m\nnonsense\n-A -t 192.0.2.1:80\n-A -t 192.0.2.1:80",
    );
    expect(said.map((line) => line.slice(0, 8))).toEqual([
      "error 1:",
      "error 2:",
      "error 3:",
      "error 4:",
      "error 6:",
    ]);
  });
});
