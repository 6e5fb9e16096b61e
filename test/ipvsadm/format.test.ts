import { describe, expect, it } from "vitest";
import { connectionsHeading, formatConnection, parseConnection } from "../../src/ipvsadm/connections.ts";
import {
  formatDaemons,
  formatList,
  formatRules,
  formatTimeouts,
  type ListedService,
} from "../../src/ipvsadm/format.ts";
import { servicesJson } from "../../src/ipvsadm/json.ts";
import { type Names, NUMERIC } from "../../src/ipvsadm/names.ts";
import { parse } from "../../src/ipvsadm/parse.ts";
import type { Stats } from "../../src/lvs/table.ts";
import { NAMES } from "./names.ts";

const INFO = { version: "1.2.1", connTabSize: 4096 };
const OBSERVATION = { activeConns: 0, inactConns: 0, persistConns: 0 };

function stats(...[conns, inPkts, outPkts, inBytes, outBytes]: bigint[]): Stats {
  const zero = { cps: 0n, inPps: 0n, outPps: 0n, inBps: 0n, outBps: 0n };
  return {
    conns: conns ?? 0n,
    inPkts: inPkts ?? 0n,
    outPkts: outPkts ?? 0n,
    inBytes: inBytes ?? 0n,
    outBytes: outBytes ?? 0n,
    ...zero,
  };
}

/** The table that these lines of -R make. */
async function table(rules: string): Promise<ListedService[]> {
  const services: { spec: ListedService["spec"]; dests: ListedService["dests"][number][] }[] = [];
  for (const line of rules.trim().split("\n")) {
    const invocation = await parse(line.trim().split(/ +/), NUMERIC);
    if (invocation.command === "add-service") services.push({ spec: invocation.service, dests: [] });
    else if (invocation.command === "add-server")
      services.at(-1)?.dests.push({ spec: invocation.dest, observation: OBSERVATION });
    else throw new Error(line);
  }
  return services;
}

async function list(rules: string, options = "-Ln", names: Names = NUMERIC): Promise<string> {
  const invocation = await parse(options.split(" "), NUMERIC);
  if (invocation.command !== "list") throw new Error(options);
  const info = invocation.request.service ? undefined : INFO;
  return formatList(info, await table(rules), invocation.request, names);
}

/** Without its heading. */
const rows = async (...args: Parameters<typeof list>): Promise<string[]> =>
  (await list(...args)).split("\n").slice(3, -1);

const HEADING = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
`;

describe("the sessions of the documents", () => {
  it("add and list: DR beside NAT with weights; the blanks at the ends are ipvsadm's", async () => {
    const rules = `
-A -t 192.168.188.100:80
-a -t 192.168.188.100:80 -r 192.168.188.81:80
-a -t 192.168.188.100:80 -r 192.168.188.82:80
-A -t 192.168.188.200:80 -s wrr
-a -t 192.168.188.200:80 -r 192.168.188.101:8080 -m -w 3
-a -t 192.168.188.200:80 -r 192.168.188.102:6060 -m -w 6`;
    const b = "         ";
    expect(await list(rules)).toBe(`${HEADING}TCP  192.168.188.100:80 wlc
  -> 192.168.188.81:80            Route   1      0          0${b}
  -> 192.168.188.82:80            Route   1      0          0${b}
TCP  192.168.188.200:80 wrr
  -> 192.168.188.101:8080         Masq    3      0          0${b}
  -> 192.168.188.102:6060         Masq    6      0          0${b}
`);
  });

  it("-L names the port", async () => {
    expect(await list("-A -t 192.168.188.100:80", "-L", NAMES)).toBe(
      `${HEADING}TCP  192.168.188.100:http wlc\n`,
    );
  });

  it("-Sn prints rules that make the same table", async () => {
    const rules = `-A -t 192.168.10.100:80 -s rr
-a -t 192.168.10.100:80 -r 192.168.188.82:80 -m -w 1
-a -t 192.168.10.100:80 -r 192.168.188.83:80 -m -w 1
`;
    expect(await formatRules(await table(rules), NUMERIC)).toBe(rules);
  });

  it("-Ln --stats", async () => {
    const [service] = await table(
      "-A -t 192.168.10.100:80 -s rr\n-a -t 192.168.10.100 -r 192.168.188.82:80 -m",
    );
    const [dest] = service?.dests ?? [];
    if (!service || !dest) throw new Error("no table");
    const counted: ListedService = {
      spec: service.spec,
      stats: stats(76n, 455n, 300n, 30150n, 35700n),
      dests: [
        { spec: dest.spec, observation: { ...OBSERVATION, stats: stats(38n, 228n, 152n, 15124n, 18088n) } },
      ],
    };
    const request = { columns: "stats", exact: false, sorted: true } as const;
    expect(
      await formatList(INFO, [counted], request, NUMERIC),
    ).toBe(`IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  192.168.10.100:80                  76      455      300    30150    35700
  -> 192.168.188.82:80                  38      228      152    15124    18088
`);
  });
});

describe("ipvsadm 1.31's columns, as captured", () => {
  it("flags of a service", async () => {
    const rules = `
-A -t 1.2.3.4:21 -s sh -b sh-port,sh-fallback -p --pe sip
-A -t 1.2.3.4:80 -s rr -p 50 -M 255.255.255.0
-A -u 4.4.4.4:80 -s sh -b sh-port -p 88 --pe sip -M 255.255.0.0 -o
-A -t [2001:db8::1]:82 -s rr -p -M 64
-A -f 4 -s wrr -b flag-1,flag-2,flag-3
-A -f 5 -s mh -b flag-3
-A -f 44 -6 -s mh -b mh-port -p 88 --pe sip -M 16 -o`;
    expect(await rows(rules)).toEqual([
      "TCP  1.2.3.4:21 sh (sh-fallback,sh-port) persistent 360 pe sip",
      "TCP  1.2.3.4:80 rr persistent 50 mask 255.255.255.0",
      "UDP  4.4.4.4:80 sh (sh-port) persistent 88 mask 255.255.0.0 pe sip ops",
      "TCP  [2001:db8::1]:82 rr persistent 360 mask 64",
      "FWM  4 wrr (flag-1,flag-2,flag-3)",
      "FWM  5 mh ()",
      "FWM  44 IPv6 mh (mh-port) persistent 88 mask 16 pe sip ops",
    ]);
    expect(
      await formatRules(await table(rules), NUMERIC),
    ).toBe(`-A -t 1.2.3.4:21 -s sh -p 360 --pe sip -b sh-fallback,sh-port
-A -t 1.2.3.4:80 -s rr -p 50 -M 255.255.255.0
-A -u 4.4.4.4:80 -s sh -p 88 -M 255.255.0.0 --pe sip -o -b sh-port
-A -t [2001:db8::1]:82 -s rr -p 360 -M 64
-A -f 4 -s wrr -b flag-1,flag-2,flag-3
-A -f 5 -s mh -b${" "}
-A -f 44 -6 -s mh -p 88 -M 16 --pe sip -o -b mh-port
`);
  });

  it("an engine without persistence is in -S only", async () => {
    expect(await rows("-A -f 47 --pe sip")).toEqual(["FWM  47 wlc"]);
    expect(await formatRules(await table("-A -f 47 --pe sip"), NUMERIC)).toBe("-A -f 47 -s wlc --pe sip\n");
  });

  const WIDE = "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535";
  const TUNNELS = `
-A -t ${WIDE} -s rr
-a -t ${WIDE} -r 10.0.1.1 -i --tun-type gue --tun-port 6080 -x 2147483647 -y 2147483647 -w 2147483647
-a -t ${WIDE} -r 10.0.1.4 -i --tun-type gue --tun-port 65535 --tun-remcsum
-a -t ${WIDE} -r 10.0.1.7 -i --tun-type gre --tun-csum
-a -t ${WIDE} -r 10.0.1.9 -i
-a -t ${WIDE} -r [2001:db8:1234:5678:9abc:def0:1234:5679]:65535`;

  it("what is wider than its column moves the rest", async () => {
    expect(await rows(TUNNELS)).toContain(
      "  -> 10.0.1.1:65535               Tunnel  2147483647 0          0         ",
    );
    expect(await rows(TUNNELS, "-Ln --tun-info")).toEqual([
      `TCP  ${WIDE} rr`,
      "  -> 10.0.1.1:65535               Tunnel  gue:6080:-c   2147483647 0          0         ",
      "  -> 10.0.1.4:65535               Tunnel  gue:65535:r+c 1      0          0         ",
      "  -> 10.0.1.7:65535               Tunnel  gre:+c        1      0          0         ",
      "  -> 10.0.1.9:65535               Tunnel  ipip          1      0          0         ",
      "  -> [2001:db8:1234:5678:9abc:def0:1234:5679]:65535 Route   n/a           1      0          0         ",
    ]);
    expect((await list(TUNNELS, "-Ln --thresholds")).split("\n").slice(1, 5)).toEqual([
      "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn ",
      "  -> RemoteAddress:Port",
      `TCP  ${WIDE} rr`,
      "  -> 10.0.1.1:65535               2147483647 2147483647 0          0         ",
    ]);
    expect((await list(TUNNELS, "-Ln --persistent-conn")).split("\n").slice(1, 5)).toEqual([
      "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn ",
      "  -> RemoteAddress:Port",
      `TCP  ${WIDE} rr`,
      "  -> 10.0.1.1:65535               2147483647 0           0          0         ",
    ]);
    expect((await rows(TUNNELS, "-Ln --stats"))[0]).toBe(
      `TCP  ${WIDE}        0        0        0        0        0`,
    );
    expect((await rows("-A -f 6 -6", "-Ln --rate"))[0]).toBe(
      "FWM  6 IPv6                              0        0        0        0        0",
    );
  });

  it("names: IPv4 cut to 28 in lists, everything to 59; ports of marks stay numbers", async () => {
    const rules = `
-A -t 192.0.2.2:80
-a -t 192.0.2.2:80 -r 127.0.0.1
-A -u 192.0.2.2:80
-A -t [2001:db8::1]:8080
-A -f 7
-a -f 7 -r 127.0.0.1:80`;
    expect(await rows(rules, "-L", NAMES)).toEqual([
      "TCP  a-very-long-name-of-a-direct wlc",
      "  -> localhost:http               Route   1      0          0         ",
      "UDP  a-very-long-name-of-a-direct wlc",
      "TCP  [six.example]:http-alt wlc",
      "FWM  7 wlc",
      "  -> localhost:80                 Route   1      0          0         ",
    ]);
    expect((await formatRules(await table(rules), NAMES)).split("\n")[0]).toBe(
      "-A -t a-very-long-name-of-a-director.some-department.some-organis -s wlc",
    );
  });

  it("IPv6 as inet_ntop(3) prints it", async () => {
    const rules = "-A -t [::2]:1\n-A -t [::1.2.3.4]:1\n-A -t [::ffff:1.2.3.4]:1\n-A -t [1:0:2:3:4:5:6:7]:1";
    expect(await rows(rules)).toEqual([
      "TCP  [::2]:1 wlc",
      "TCP  [::1.2.3.4]:1 wlc",
      "TCP  [::ffff:1.2.3.4]:1 wlc",
      "TCP  [1:0:2:3:4:5:6:7]:1 wlc",
    ]);
  });

  it("a list of one service has no line with the version", async () => {
    expect((await list("-A -f 7", "-Ln -f 7")).split("\n")[0]).toBe("Prot LocalAddress:Port Scheduler Flags");
  });

  it.each([
    [99999999n, " 99999999", " 99999999"],
    [100000999n, "  100000K", " 100000999"],
    [999999999n, "  999999K", " 999999999"],
    [1000000000n, "    1000M", " 1000000000"],
    [99999999999n, "   99999M", " 99999999999"],
    [100000999999n, "     100G", " 100000999999"],
    [99999999999999n, "   99999G", " 99999999999999"],
    [100000000000000n, "     100T", " 100000000000000"],
    [18446744073709551615n, "18446744T", " 18446744073709551615"],
  ])("counter %s", async (value, rounded, exact) => {
    const [service] = await table("-A -f 7");
    if (!service) throw new Error("no table");
    const counted = { ...service, stats: stats(value) };
    const row = async (isExact: boolean) => {
      const request = { columns: "stats", exact: isExact, sorted: true } as const;
      return (await formatList(INFO, [counted], request, NUMERIC)).split("\n")[3]?.slice(33);
    };
    expect(await row(false)).toBe(`${rounded}${"        0".repeat(4)}`);
    expect(await row(true)).toBe(`${exact}${"        0".repeat(4)}`);
  });

  it("timeouts and daemons", () => {
    expect(formatTimeouts({ tcp: 900, tcpFin: 120, udp: 300 })).toBe(
      "Timeout (tcp tcpfin udp): 900 120 300\n",
    );
    const daemon = { interface: "lo", syncId: 5, maxLength: 1024, group: "224.1.2.3", port: 9999, ttl: 7 };
    expect(formatDaemons([{ state: "backup", ...daemon }])).toBe(
      "backup sync daemon (mcast=lo, syncid=5, maxlen=1024, group=224.1.2.3, port=9999, ttl=7)\n",
    );
  });
});

describe("/proc/net/ip_vs_conn and ipvsadm -Lc, as captured", () => {
  const show = (line: string, engineData = false, names: Names = NUMERIC) =>
    formatConnection(parseConnection(line), engineData, names);

  it.each([
    [
      "UDP 01020304 0035 01020304 0045 01020304 0045 UDP               0",
      "UDP 00:00  UDP         1.2.3.4:53         1.2.3.4:69         1.2.3.4:69\n",
    ],
    [
      "SCTP 01020304 0035 01020304 0045 01020304 0045 COOKIE_WAIT       7",
      "SCTP 00:07  COOKIE_WAIT 1.2.3.4:53         1.2.3.4:69         1.2.3.4:69\n",
    ],
    [
      "IP  7F000001 0000 00000007 0000 7F000001 2364 NONE            299",
      "IP  04:59  NONE        127.0.0.1:0        0.0.0.7:0          127.0.0.1:9060\n",
    ],
    [
      "TCP 0A010102 0050 0A010106 01BB 0A010101 0019 ESTABLISHED 2147483",
      "TCP 35791:23 ESTABLISHED 10.1.1.2:80        10.1.1.6:443       10.1.1.1:25\n",
    ],
    [
      "TCP 2001:0db8:0000:0000:0000:0000:0000:0007 ECE6 2001:0db8:0000:0000:0000:0000:0000:0006 1F90 0A010101 2382 SYN_RECV         59",
      "TCP 00:59  SYN_RECV    [2001:db8::7]:60646 [2001:db8::6]:8080 10.1.1.1:9090\n",
    ],
  ])("%s", async (line, expected) => {
    expect(await show(line)).toBe(expected);
  });

  it("names of TCP, UDP and SCTP", async () => {
    const line = "TCP 7F000001 0000 7F000001 1F90 7F000001 2382 ASSURED         299";
    expect(await show(line, false, NAMES)).toBe(
      "TCP 04:59  ASSURED     localhost:0        localhost:http-alt localhost:9090\n",
    );
  });

  it("--persistent-conn adds the data of persistence engines", async () => {
    const line = "UDP 7F000001 0000 7F000001 13C4 7F000001 2364 NONE            299 sip abcdef@host";
    expect(await show(line)).toMatch(/ 127\.0\.0\.1:9060\n$/);
    expect(await show(line, true)).toMatch(/ 127\.0\.0\.1:9060 {3}sip {16}abcdef@host\n$/);
    expect(connectionsHeading(true)).toBe(
      "IPVS connection entries\n" +
        "pro expire state       source             virtual            destination        pe name          pe_data\n",
    );
  });

  it.each(["", "garbage line", "TCP 7F000001 0000 7F000001 13C4 7F000001 2364 NONE"])(
    "refuses %j",
    (line) => {
      expect(() => parseConnection(line)).toThrow("unexpected line");
    },
  );
});

describe("-L --json", () => {
  it("has the facts as they are, without names", async () => {
    const rules = `
-A -t [2001:db8::1]:80 -s sh -b sh-port -p 50 -M 64
-a -t [2001:db8::1]:80 -r 192.0.2.1 -i --tun-type gue --tun-port 6080 --tun-csum -w 5 -x 9 -y 2
-A -f 4294967295`;
    const [sixth, marked] = await table(rules);
    if (!sixth || !marked) throw new Error("no table");
    expect(
      servicesJson(INFO, [{ ...sixth, stats: stats(1n, 2n, 3n, 4n, 18446744073709551615n) }, marked], true),
    ).toEqual({
      version: "1.2.1",
      size: 4096,
      services: [
        {
          ...{ protocol: "fwmark", family: 4, mark: 4294967295, scheduler: "wlc", schedulerFlags: [] },
          ...{ persistence: null, onePacket: false, stats: null, destinations: [] },
        },
        {
          ...{
            protocol: "tcp",
            family: 6,
            address: "2001:db8::1",
            port: 80,
            scheduler: "sh",
            onePacket: false,
          },
          schedulerFlags: ["sh-port"],
          persistence: { timeout: 50, netmask: 64, engine: null },
          stats: {
            ...{ conns: 1, inPkts: 2, outPkts: 3, inBytes: 4, outBytes: "18446744073709551615" },
            ...{ cps: 0, inPps: 0, outPps: 0, inBps: 0, outBps: 0 },
          },
          destinations: [
            {
              ...{ family: 4, address: "192.0.2.1", port: 80, forward: "tunnel", weight: 5 },
              ...{ upperThreshold: 9, lowerThreshold: 2 },
              ...{ activeConnections: 0, inactiveConnections: 0, persistentConnections: 0 },
              tunnel: { type: "gue", port: 6080, checksum: "checksum" },
              stats: null,
            },
          ],
        },
      ],
    });
  });
});
