/** Command lines for ipvsadm, sensible and wrong, from a seed. Addresses lie less than 2^31 apart: see sort.ts. */

/** 0 <= value < 1; mulberry32. */
export type Random = () => number;

export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface CommandLine {
  readonly words: readonly string[];
  /** Lines of -R. */
  readonly input?: string;
}

const V4 = ["10.0.0.1:80", "10.0.0.1:443", "10.0.0.2:53", "10.0.0.3:http", "10.0.0.3:0"];
const V6 = ["[2001:db8::1]:80", "[2001:db8::2]:https", "[::1]:53"];
const ODD_SERVICES = [
  ...["10.0.0.1", "10.0.0.1:", ":80", "", "10.0.0.1:65536", "10.0.0.1:80x", "10.0.0.1:+80", "[10.0.0.1]:80"],
  ...["2001:db8::1", "[2001:db8::1]", "[::1", "0x0a000001:80", "10.1:80", "named.example:80", "08.1.1.1:80"],
  ...["10.0.0.1:80:80", "10.0.0.1:nosuchport", "nosuch.invalid:80", "[named.example]:80", "10.0.0.1:tftp"],
];
const SERVERS = [
  ...["192.0.2.1", "192.0.2.1:80", "192.0.2.2:8080", "192.0.2.3:0", "192.0.2.4:443", "127.0.0.1"].map(
    (text) => text.replace("192", "92"),
  ),
  ...["[2001:db8::11]:80", "2001:db8::12", "[2001:db8::13]:8080", "named.example", "named.example:http"],
];
const ODD_SERVERS = [
  "",
  ":80",
  "92.0.2.1:",
  "92.0.2.1:99999",
  "[2001:db8::11]",
  "224.0.0.1",
  "nosuch.invalid",
];
const SCHEDULERS = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf"];
const FLAGS = ["flag-1", "flag-2", "flag-3", "sh-port", "sh-fallback", "mh-port", "mh-fallback", "bogus", ""];
const NUMBERS = [
  "0",
  "1",
  "5",
  "100",
  "65535",
  "65536",
  "2147483647",
  "2147483648",
  "-1",
  "x",
  "",
  "7x",
  " 9",
];
const MARKS = ["1", "2", "77", "2147483647", "0", "x", "-3", "4294967296"];
const MASKS = [
  "255.255.255.0",
  "255.255.255.255",
  "0.0.0.0",
  "24",
  "64",
  "128",
  "129",
  "255.0.255.0",
  "x",
  "",
];

/** Draws command lines; the same seed gives the same ones. */
export class WordSource {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  next(): CommandLine {
    if (this.#chance(0.05)) return this.#restore();
    const words = this.#sensible();
    return { words: this.#chance(0.3) ? this.#spoil(words) : words };
  }

  #sensible(): string[] {
    const draw = this.#random() * 100;
    if (draw < 30) return this.#addService();
    if (draw < 60) return this.#server();
    if (draw < 64) return [this.#pick(["-D", "--delete-service"]), ...this.#service()];
    if (draw < 84) return this.#list();
    if (draw < 87) return [this.#pick(["-S", "--save"]), ...this.#maybe(0.5, ["-n"])];
    if (draw < 90) return [this.#pick(["-Z", "--zero"]), ...this.#maybe(0.5, this.#service())];
    if (draw < 93) return ["--set", this.#seconds(), this.#seconds(), this.#seconds()];
    if (draw < 95) return this.#daemon();
    return draw < 96
      ? [this.#pick(["-C", "--clear"])]
      : [this.#pick(["-h", "-v", "", "--", "-", "-V", "foo"])];
  }

  #addService(): string[] {
    const service = this.#service();
    const options = [
      ...this.#maybe(0.7, this.#option("-s", "--scheduler", this.#pick(SCHEDULERS))),
      ...this.#maybe(0.4, this.#persistence()),
      ...this.#maybe(0.15, this.#option("-M", "--netmask", this.#pick(MASKS))),
      ...this.#maybe(0.15, this.#option("-b", "--sched-flags", this.#flags())),
      ...this.#maybe(0.1, [this.#pick(["-o", "--ops"])]),
      ...this.#maybe(0.05, ["--pe", this.#pick(["sip", "nosuch", ""])]),
    ];
    const command = this.#pick(["-A", "-A", "-A", "--add-service", "-E", "--edit-service"]);
    return [command, ...(this.#chance(0.8) ? [...service, ...options] : [...options, ...service])];
  }

  #server(): string[] {
    const command = this.#pick([
      "-a",
      "-a",
      "-a",
      "--add-server",
      "-e",
      "--edit-server",
      "-d",
      "--delete-server",
    ]);
    const server = this.#option(
      "-r",
      "--real-server",
      this.#pick(this.#chance(0.93) ? SERVERS : ODD_SERVERS),
    );
    const service = this.#service();
    const words = [command, ...(this.#chance(0.9) ? [...service, ...server] : [...server, ...service])];
    if (command === "-d" || command === "--delete-server") return words;
    return [
      ...words,
      ...this.#maybe(0.7, this.#forward()),
      ...this.#maybe(0.5, this.#option("-w", "--weight", this.#number())),
      ...this.#maybe(0.2, this.#option("-x", "--u-threshold", this.#number())),
      ...this.#maybe(0.1, this.#option("-y", "--l-threshold", this.#number())),
    ];
  }

  #forward(): string[] {
    const words = [this.#pick(["-g", "-i", "-m", "-m", "--gatewaying", "--ipip", "--masquerading"])];
    if (words[0] !== "-i" && !this.#chance(0.05)) return words;
    return [
      ...words,
      ...this.#maybe(0.6, ["--tun-type", this.#pick(["ipip", "gue", "gue", "gre", "x"])]),
      ...this.#maybe(0.4, ["--tun-port", this.#pick(["6080", "1", "0", "65536", "x"])]),
      ...this.#maybe(0.4, [this.#pick(["--tun-csum", "--tun-nocsum", "--tun-remcsum"])]),
    ];
  }

  #list(): string[] {
    const command = this.#pick(["-L", "-L", "-l", "--list"]);
    const columns = ["--stats", "--rate", "--thresholds", "--persistent-conn", "--tun-info", "--exact"];
    const others = ["-c", "--timeout", "--daemon", "--sort", "--syncid=4", "-X"];
    return [
      ...(command.length === 2 && this.#chance(0.5) ? [`${command}n`] : [command]),
      ...this.#maybe(0.3, this.#service()),
      ...this.#maybe(0.6, [this.#pick(columns)]),
      ...this.#maybe(0.2, [this.#pick(columns)]),
      ...this.#maybe(0.2, [this.#pick(others)]),
    ];
  }

  #daemon(): string[] {
    const state = this.#pick(["master", "backup", "foo"]);
    if (this.#chance(0.5)) return ["--stop-daemon", state, ...this.#maybe(0.2, ["--syncid", this.#number()])];
    return [
      "--start-daemon",
      state,
      ...this.#maybe(0.9, ["--mcast-interface", this.#pick(["lo", "lo", "nosuch"])]),
      ...this.#maybe(0.3, ["--syncid", this.#number()]),
      ...this.#maybe(0.2, ["--sync-maxlen", this.#number()]),
      ...this.#maybe(0.2, [
        "--mcast-group",
        this.#pick(["224.0.0.99", "10.0.0.1", "ff02::1", "x", "2001:db8::1"]),
      ]),
      ...this.#maybe(0.2, ["--mcast-port", this.#number()]),
      ...this.#maybe(0.2, ["--mcast-ttl", this.#number()]),
    ];
  }

  #service(): string[] {
    if (this.#chance(0.15)) {
      const mark = this.#option(
        "-f",
        "--fwmark-service",
        this.#pick(this.#chance(0.8) ? ["1", "2", "77"] : MARKS),
      );
      return [...mark, ...this.#maybe(0.3, [this.#pick(["-6", "--ipv6"])])];
    }
    const address = this.#pick(this.#chance(0.9) ? [...V4, ...V6] : ODD_SERVICES);
    const draw = this.#random();
    if (draw < 0.7) return this.#option("-t", "--tcp-service", address);
    return draw < 0.95 ? this.#option("-u", "--udp-service", address) : ["--sctp-service", address];
  }

  #persistence(): string[] {
    const seconds = this.#pick(["50", "300", "0", "2678400", "2678401", "x", "-1"]);
    return this.#pick([["-p"], ["-p", "60"], [`-p${seconds}`], [`--persistent=${seconds}`], ["-p", seconds]]);
  }

  #flags(): string {
    return (
      Array.from({ length: 1 + Math.floor(this.#random() * 2) }, () => this.#pick(FLAGS)).join(",") ||
      "sh-port"
    );
  }

  #seconds(): string {
    return this.#pick(["0", "1", "60", "900", "2678400", "2678401", "x", "-1", "+5"]);
  }

  #number(): string {
    return this.#chance(0.6) ? String(Math.floor(this.#random() * 300)) : this.#pick(NUMBERS);
  }

  /** Any of the ways to write an option and its argument. */
  #option(short: string, long: string, value: string): string[] {
    return this.#pick([
      [short, value],
      [short, value],
      value === "" ? [short, value] : [`${short}${value}`],
      [`${short}=${value}`],
      [long, value],
      [`${long}=${value}`],
    ]);
  }

  #restore(): CommandLine {
    const lines = Array.from({ length: 1 + Math.floor(this.#random() * 6) }, () => {
      const { words } = this.next();
      const line = words.filter((word) => word !== "" && word !== "-R" && word !== "--restore").join(" ");
      return this.#pick(["", "", "", "ipvsadm ", " "]) + line + this.#pick(["", "", " ", "\r"]);
    });
    return {
      words: [this.#pick(["-R", "--restore"])],
      input: `${lines.join("\n")}${this.#pick(["\n", ""])}`,
    };
  }

  /** Loses, doubles, adds, joins or misspells a word. */
  #spoil(words: readonly string[]): string[] {
    const spoilt = [...words];
    const at = Math.floor(this.#random() * spoilt.length);
    const extra = [
      "-n",
      "--stats",
      "-6",
      "-p",
      "foo",
      "-w",
      "-c",
      "-A",
      "-L",
      "--",
      "--nosuch",
      "-q",
      "-r",
      "--exact=1",
    ];
    switch (Math.floor(this.#random() * 6)) {
      case 0:
        spoilt.splice(at, 1);
        break;
      case 1:
        spoilt.splice(at, 0, spoilt[at] ?? "");
        break;
      case 2:
        spoilt.push(this.#pick(extra));
        break;
      case 3:
        spoilt.splice(at, 0, this.#pick(extra));
        break;
      case 4:
        spoilt.splice(at, 2, `${spoilt[at]}${(spoilt[at + 1] ?? "").replace(/^-/, "")}`);
        break;
      case 5:
        spoilt[at] = (spoilt[at] ?? "").slice(0, -1);
        break;
    }
    // A flag list of commas only ends the real one with a segmentation fault.
    return spoilt;
  }

  #maybe(chance: number, words: readonly string[]): readonly string[] {
    return this.#chance(chance) ? words : [];
  }

  #chance(of: number): boolean {
    return this.#random() < of;
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }
}
