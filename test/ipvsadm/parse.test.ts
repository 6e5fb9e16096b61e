import { describe, expect, it } from "vitest";
import { type Invocation, Refused } from "../../src/ipvsadm/invocation.ts";
import { parse } from "../../src/ipvsadm/parse.ts";
import { NAMES } from "./names.ts";

/** A space separates words; '' is an empty one. */
const wordsOf = (line: string): string[] =>
  line === "" ? [] : line.split(" ").map((word) => (word === "''" ? "" : word));

async function outcome(line: string, restoring = false): Promise<Invocation | Refused> {
  try {
    return await parse(wordsOf(line), NAMES, restoring);
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
}

/** Exit status; 0 when it would go to the kernel. */
async function status(line: string): Promise<number> {
  const found = await outcome(line);
  return found instanceof Refused ? found.status : 0;
}

async function service(options: string) {
  const found = await outcome(`-A ${options}`);
  if (found instanceof Refused || found.command !== "add-service") throw found;
  return found.service;
}

async function dest(line: string) {
  const found = await outcome(line);
  if (found instanceof Refused || !("dest" in found)) throw found;
  return found.dest;
}

describe("popt: how options are written", () => {
  const id = { kind: "address", protocol: "tcp", family: 4, address: "192.0.2.1", port: 80 };
  const SAME = {
    command: "add-service",
    service: { id, scheduler: "rr", flags: 1, timeout: 50, netmask: 32, pe: "" },
  };
  it.each([
    "-A -t 192.0.2.1:80 -s rr -p 50",
    "-At 192.0.2.1:80 -srr -p50",
    "-At192.0.2.1:80 -s=rr -p=50",
    "-At=192.0.2.1:80 -p 50 -s rr",
    "--add-service --tcp-service 192.0.2.1:80 --scheduler rr --persistent 50",
    "--add-service --tcp-service=192.0.2.1:80 --scheduler=rr --persistent=50",
    "-A -s rr -p50 -t 192.0.2.1:http --sort --sort --",
    "-A -t director.example:www -s rr -p 50",
  ])("ipvsadm %s", async (line) => {
    expect(await outcome(line)).toEqual(SAME);
  });

  it("-p takes the next word unless it is an option", async () => {
    expect((await service("-u 192.0.2.1:53 -op")).timeout).toBe(360);
    expect((await service("-u 192.0.2.1:53 -op 44")).timeout).toBe(44);
    expect((await service("-u 192.0.2.1:53 -op=33")).timeout).toBe(33);
    expect((await service("-f 8 -6p 50")).timeout).toBe(50);
    expect(await status("-A -f 8 -p -")).toBe(2);
    expect(await status("-A -f 8 -po")).toBe(2);
    expect(await status("-A -f 8 -p ''")).toBe(2);
    expect(await status("-A -f 8 --persistent=")).toBe(2);
  });

  it.each([
    ["", 0],
    ["-Lnc", 0],
    ["-LnX", 0],
    ["foo", 255],
    ["''", 255],
    ["--", 255],
    ["-", 255],
    ["-V", 255],
    ["-n -L", 255],
    ["-s rr -A -t 192.0.2.1:80", 255],
    ["--lis", 255],
    ["--list=1", 255],
    ["-A=1 -t 192.0.2.1:80", 255],
    ["-- -L", 255],
    ["-L --num", 255],
    ["-L --numeric=1", 255],
    ["-Ln=", 255],
    ["-L -nXt", 255],
    ["-A -t", 255],
    ["-A --scheduler", 255],
    ["-A -t -- ", 2],
    ["-A -f -1", 2],
    ["-L -- -n", 2],
    ["-L -", 2],
    ["-L ''", 2],
    ["foo -L", 2],
    ["-A foo --nosuch", 255],
    ["-A -t 192.0.2.1:80x --nosuch", 2],
    ["-A -L", 2],
    ["-LL", 2],
    ["-L --help", 2],
    ["-h --nosuch", 0],
    ["-v foo", 0],
    ["--nosuch -h", 255],
    ["--set 1 2", 2],
    ["--set 1 2 3 4", 2],
    ["--set -- 1 2 3", 0],
    ["--set -1 2 3", 255],
    ["--set 2678400 0 0", 0],
    ["--set 2678401 0 0", 2],
    ["--start-daemon", 255],
    ["--start-daemon foo", 2],
    ["--start-daemon=master", 0],
  ])("ipvsadm %s: exit status %i", async (line, expected) => {
    expect(await status(line)).toBe(expected);
  });
});

describe("ipvsadm(8) virtual-service", () => {
  it.each([
    ["-t 192.0.2.1:80", { kind: "address", protocol: "tcp", family: 4, address: "192.0.2.1", port: 80 }],
    [
      "-u [2001:DB8::1]:domain",
      { kind: "address", protocol: "udp", family: 6, address: "2001:db8::1", port: 53 },
    ],
    [
      "--sctp-service 0xc0000201:7",
      { kind: "address", protocol: "sctp", family: 4, address: "192.0.2.1", port: 7 },
    ],
    ["-t 192.513:+8", { kind: "address", protocol: "tcp", family: 4, address: "192.0.2.1", port: 8 }],
    ["-f 4294967295", { kind: "fwmark", family: 4, mark: 4294967295 }],
    ["-f 7 -6", { kind: "fwmark", family: 6, mark: 7 }],
    ["-p -t 192.0.2.1", { kind: "address", protocol: "tcp", family: 4, address: "192.0.2.1", port: 0 }],
    ["-p -t [192.0.2.1]:80", { kind: "address", protocol: "tcp", family: 4, address: "192.0.2.1", port: 0 }],
    [
      "-p -t [192.0.2.1:9]:80",
      { kind: "address", protocol: "tcp", family: 4, address: "192.0.2.1", port: 9 },
    ],
    ["-p -t ::1:80", { kind: "address", protocol: "tcp", family: 6, address: "::1:80", port: 0 }],
  ] as const)("%s", async (options, id) => {
    expect((await service(options)).id).toEqual(id);
  });

  it.each([
    ...[
      "-t 192.0.2.1",
      "-t 192.0.2.1:",
      "-t 192.0.2.1:65536",
      "-t 192.0.2.1:-1",
      "-t 192.0.2.1:80:80",
      "-t :80",
    ],
    ...["-t 192.0.2.1:HTTP", "-t 192.0.2.1:tftp", "-t 256.0.0.1:80", "-t 08.0.0.1:80", "-t six.example:80"],
    ...["-t [::1]", "-t [::1", "-t [::1]80", "-t [::1]:", "-t [[::1]]:80", "-t ::1", "-t [six.example]:80"],
    ...["-f 0", "-f 4294967296", "-f 1x", "-f ''", "-6 -f 1", "-t 192.0.2.1:80 -6"],
    ...[
      "-t 192.0.2.1:80 -u 192.0.2.1:80",
      "-t 192.0.2.1:80 -o",
      "-f 1 -s rr -s rr",
      "-f 1 -p 2678401",
      "-f 1 -p 0",
    ],
    ...["-f 1 -M 300.0.0.0", "-f 1 -6 -M 0", "-f 1 -6 -M 129", "-f 1 -b bogus", "-f 1 -s rr -b sh-port", ""],
    ...["-f 1 -r 192.0.2.2", "-f 1 -g", "-f 1 -n", "-f 1 --stats"],
  ])("-A %s is refused with 2", async (options) => {
    expect(await status(`-A ${options}`.trim())).toBe(2);
  });

  it("its defaults: wlc, no persistence, a netmask of one host", async () => {
    const { id, ...rest } = await service("-t 192.0.2.1:80");
    expect(rest).toEqual({ scheduler: "wlc", flags: 0, timeout: 0, netmask: 32, pe: "" });
    expect(id).toMatchObject({ port: 80 });
  });

  it("a netmask is an IPv4 mask of any shape, or an IPv6 prefix length after the service", async () => {
    expect((await service("-f 1 -p -M 255.255.0.0")).netmask).toBe(16);
    expect((await service("-M 255.255.0.0 -f 1 -p")).netmask).toBe(16);
    expect((await service("-f 1 -p -M 24")).netmask).toBe(-24);
    expect((await service("-f 1 -6 -p -M 64")).netmask).toBe(64);
    expect((await service("-p -M 64 -f 1 -6")).netmask).toBe(128);
    expect((await service("-p -M 64 -t [::1]:80")).netmask).toBe(128);
  });

  it("flags of schedulers by their own names or as flag-1 to flag-3, before or after -s", async () => {
    expect((await service("-f 1 -s sh -b sh-port,sh-fallback")).flags).toBe(0x18);
    expect((await service("-f 1 -b mh-fallback -s mh")).flags).toBe(0x8);
    expect((await service("-f 1 -b flag-1,,flag-3,")).flags).toBe(0x28);
    expect((await service("-u 192.0.2.1:53 -o -p 7")).flags).toBe(0x5);
  });
});

describe("ipvsadm(8) real servers", () => {
  const DEFAULTS = { family: 4, forward: "route", weight: 1, upperThreshold: 0, lowerThreshold: 0 };

  it("the port is the service's, unless masquerading gives another", async () => {
    const at = "-a -t 192.0.2.1:80 -r";
    expect(await dest(`${at} 192.0.2.9`)).toMatchObject({ ...DEFAULTS, address: "192.0.2.9", port: 80 });
    expect(await dest(`${at} 192.0.2.9:81`)).toMatchObject({ port: 80 });
    expect(await dest(`${at} 192.0.2.9:81 -i`)).toMatchObject({ port: 80, forward: "tunnel" });
    expect(await dest(`${at} 192.0.2.9:81 -m`)).toMatchObject({ port: 81, forward: "masq" });
    expect(await dest(`${at} 192.0.2.9:0 -m`)).toMatchObject({ port: 0 });
    expect(await dest(`${at} 192.0.2.9 -m`)).toMatchObject({ port: 80 });
    expect(await dest("-a -r 192.0.2.9:81 -m -t 192.0.2.1:80")).toMatchObject({ port: 81 });
    expect(await dest("-a -f 1 -r 192.0.2.9:81")).toMatchObject({ port: 81 });
    expect(await dest("-a -f 1 -r 192.0.2.9")).toMatchObject({ port: 0 });
    expect(await dest("-e -t 192.0.2.1:80 -r 192.0.2.9:81")).toMatchObject({ port: 80 });
    expect(await dest("-d -t 192.0.2.1:80 -r 192.0.2.9:81")).toMatchObject({ port: 81 });
  });

  it("port names need the protocol to be known; a mark's are those of TCP", async () => {
    expect(await dest("-a -u 192.0.2.1:53 -m -r 192.0.2.9:tftp")).toMatchObject({ port: 69 });
    expect(await dest("-a -f 1 -r 192.0.2.9:http")).toMatchObject({ port: 80 });
    expect(await status("-a -f 1 -r 192.0.2.9:tftp")).toBe(2);
    expect(await status("-a -r 192.0.2.9:http -t 192.0.2.1:80")).toBe(2);
  });

  it("tunnels", async () => {
    const at = "-a -t 192.0.2.1:80 -r 192.0.2.9 -i --tun-type";
    expect(await dest(`${at} gue --tun-port 6080`)).toMatchObject({ tunType: 1, tunPort: 6080, tunFlags: 0 });
    expect(await dest(`${at} gue --tun-port 6080 --tun-remcsum`)).toMatchObject({ tunFlags: 2 });
    expect(await dest(`${at} gre --tun-csum`)).toMatchObject({ tunType: 2, tunPort: 0, tunFlags: 1 });
    expect(await dest("-a -t 192.0.2.1:80 -r [2001:db8::9]:80 -i")).toMatchObject({ family: 6, tunType: 0 });
  });

  it.each([
    ...[
      "-a -t 192.0.2.1:80",
      "-a -r 192.0.2.9",
      "-a -t 192.0.2.1:80 -r 192.0.2.9 -g -m",
      "-a -t 192.0.2.1:80 -r ''",
    ],
    ...["-a -t 192.0.2.1:80 -r 192.0.2.9 -w -1", "-a -t 192.0.2.1:80 -r 192.0.2.9 -w 2147483648"],
    ...["-a -t 192.0.2.1:80 -r 192.0.2.9 -x 1x", "-a -t 192.0.2.1:80 -r 192.0.2.9 -y ''"],
    ...["-a -t 192.0.2.1:80 -r [2001:db8::9]:80", "-a -t 192.0.2.1:80 -r [2001:db8::9]"],
    ...[
      "-a -t 192.0.2.1:80 -r 192.0.2.9 --tun-type gre",
      "-a -t 192.0.2.1:80 -r 192.0.2.9 -i --tun-type gue",
    ],
    ...[
      "-a -t 192.0.2.1:80 -r 192.0.2.9 -i --tun-csum",
      "-a -f 1 -r 192.0.2.9 -i --tun-type gre --tun-port 9",
    ],
    ...["-a -f 1 -r 192.0.2.9 -i --tun-type gre --tun-remcsum", "-a -f 1 -r 192.0.2.9 -i --tun-type GRE"],
    ...[
      "-a -f 1 -r 192.0.2.9 -i --tun-type gre --tun-csum --tun-nocsum",
      "-d -f 1 -r 192.0.2.9 -m",
      "-D -f 1 -n",
    ],
  ])("%s is refused with 2", async (line) => {
    expect(await status(line)).toBe(2);
  });
});

describe("ipvsadm(8) the other commands", () => {
  it("of several columns one wins; some things exclude each other", async () => {
    const request = { sorted: true, numeric: true, exact: false, json: false, what: "services" };
    const columns = { "--rate --stats": "stats", "--thresholds --rate": "rate", "--tun-info": "tunnels" };
    for (const [options, expected] of Object.entries({
      ...columns,
      "--tun-info --persistent-conn": "persistent",
    })) {
      const found = await outcome(`-Ln ${options}`);
      expect(found).toMatchObject({ command: "list", request: { ...request, columns: expected } });
    }
    expect(await outcome("-Lc --persistent-conn")).toMatchObject({
      request: { what: "connections", engineData: true },
    });
    const conflicts = [
      "-c --stats",
      "-c -t 192.0.2.1:80",
      "--timeout --daemon",
      "--daemon --rate",
      "-f 1 --timeout",
    ];
    for (const options of [...conflicts, "-n -n", "-s rr", "-o"])
      expect(await status(`-L ${options}`)).toBe(2);
  });

  it("synchronisation daemons", async () => {
    const options =
      "--mcast-interface abcdefghijklmnopq --syncid 5 --sync-maxlen 1000 --mcast-port 9 --mcast-ttl 7";
    expect(await outcome(`--start-daemon backup ${options} --mcast-group FF02::1`)).toEqual({
      command: "start-daemon",
      daemon: {
        ...{ state: "backup", interface: "abcdefghijklmno", syncId: 5, maxLength: 1000, port: 9, ttl: 7 },
        group: "ff02::1",
      },
    });
    expect(await outcome("--start-daemon master")).toMatchObject({ daemon: { interface: "", syncId: 0 } });
    expect(await outcome("--stop-daemon master --syncid 9")).toEqual({
      command: "stop-daemon",
      state: "master",
    });
    const wrong = [
      "--syncid 256",
      "--sync-maxlen 65508",
      "--mcast-port 0",
      "--mcast-ttl 256",
      "--mcast-group 192.0.2.1",
    ];
    for (const option of [...wrong, "--mcast-group 224.1"]) {
      expect(await status(`--start-daemon master --mcast-interface lo ${option}`)).toBe(2);
    }
  });

  it("-R: what cannot be read ends it, an unknown option does not, and -R is no command in it", async () => {
    const ends = async (line: string) => {
      const found = await outcome(line, true);
      return found instanceof Refused ? [found.status, found.ends] : "goes on";
    };
    expect(await ends("-A -f 1")).toBe("goes on");
    expect(await ends("-A --nosuch")).toEqual([255, false]);
    expect(await ends("-A -f")).toEqual([255, false]);
    expect(await ends("-A")).toEqual([2, true]);
    expect(await ends("foo")).toEqual([255, true]);
    expect(await ends("-R")).toEqual([255, true]);
    expect(await status("-R")).toBe(0);
  });
});
