/**
 * The words ipvsadm(8) 1.31 knows: commands, options, and which option goes with which command. Where the
 * manual is silent (-X, -v), the table is what the packaged program was seen to take.
 */

export type CommandName =
  | "add-service"
  | "edit-service"
  | "delete-service"
  | "clear"
  | "restore"
  | "save"
  | "add-server"
  | "edit-server"
  | "delete-server"
  | "list"
  | "zero"
  | "set"
  | "start-daemon"
  | "stop-daemon"
  | "help"
  | "version";

/** Options that exclude each other because they say the same thing share one name. */
export type OptionName =
  | "service-address"
  | "scheduler"
  | "persistent"
  | "netmask"
  | "pe"
  | "sched-flags"
  | "ops"
  | "ipv6"
  | "real-server"
  | "forwarding-method"
  | "weight"
  | "u-threshold"
  | "l-threshold"
  | "tun-type"
  | "tun-port"
  | "tun-nocsum"
  | "tun-csum"
  | "tun-remcsum"
  | "connection"
  | "timeout"
  | "daemon"
  | "stats"
  | "rate"
  | "exact"
  | "thresholds"
  | "persistent-conn"
  | "tun-info"
  | "nosort"
  | "sort"
  | "numeric"
  | "json"
  | "syncid"
  | "sync-maxlen"
  | "mcast-interface"
  | "mcast-group"
  | "mcast-port"
  | "mcast-ttl";

export interface WordSpec {
  readonly long: string;
  readonly short?: string;
  readonly argument: "none" | "required" | "optional";
  readonly means:
    | { readonly command: CommandName }
    /** `value`: what a word without an argument stands for, or which kind an argument is of. */
    | { readonly option: OptionName; readonly value?: string };
}

function command(name: CommandName, short?: string, long: string = name): WordSpec {
  const argument = name === "start-daemon" || name === "stop-daemon" ? "required" : "none";
  return { long, argument, means: { command: name }, ...(short === undefined ? {} : { short }) };
}

function option(
  name: OptionName,
  argument: WordSpec["argument"],
  short?: string,
  long: string = name,
  value?: string,
): WordSpec {
  return {
    long,
    argument,
    means: { option: name, ...(value === undefined ? {} : { value }) },
    ...(short === undefined ? {} : { short }),
  };
}

export const WORDS: readonly WordSpec[] = [
  command("add-service", "A"),
  command("edit-service", "E"),
  command("delete-service", "D"),
  command("clear", "C"),
  command("restore", "R"),
  command("save", "S"),
  command("add-server", "a"),
  command("edit-server", "e"),
  command("delete-server", "d"),
  command("list", "L"),
  command("list", "l"),
  command("zero", "Z"),
  command("set"),
  command("start-daemon"),
  command("stop-daemon"),
  command("help", "h"),
  command("version", "v"),
  option("service-address", "required", "t", "tcp-service", "tcp"),
  option("service-address", "required", "u", "udp-service", "udp"),
  option("service-address", "required", undefined, "sctp-service", "sctp"),
  option("service-address", "required", "f", "fwmark-service", "fwmark"),
  option("scheduler", "required", "s"),
  option("persistent", "optional", "p"),
  option("netmask", "required", "M"),
  option("pe", "required"),
  option("sched-flags", "required", "b"),
  option("ops", "none", "o"),
  option("ipv6", "none", "6"),
  option("real-server", "required", "r"),
  option("forwarding-method", "none", "g", "gatewaying", "route"),
  option("forwarding-method", "none", "i", "ipip", "tunnel"),
  option("forwarding-method", "none", "m", "masquerading", "masq"),
  option("weight", "required", "w"),
  option("u-threshold", "required", "x"),
  option("l-threshold", "required", "y"),
  option("tun-type", "required"),
  option("tun-port", "required"),
  option("tun-nocsum", "none"),
  option("tun-csum", "none"),
  option("tun-remcsum", "none"),
  option("connection", "none", "c"),
  option("timeout", "none"),
  option("daemon", "none"),
  option("stats", "none"),
  option("rate", "none"),
  option("exact", "none", "X"),
  option("thresholds", "none"),
  option("persistent-conn", "none"),
  option("tun-info", "none"),
  option("nosort", "none"),
  option("sort", "none"),
  option("numeric", "none", "n"),
  option("json", "none"),
  option("syncid", "required"),
  option("sync-maxlen", "required"),
  option("mcast-interface", "required"),
  option("mcast-group", "required"),
  option("mcast-port", "required"),
  option("mcast-ttl", "required"),
];

export interface CommandRules {
  readonly required: readonly OptionName[];
  readonly allowed: readonly OptionName[];
}

const NEW_SERVICE: CommandRules = {
  required: ["service-address"],
  allowed: ["scheduler", "persistent", "netmask", "pe", "sched-flags", "ops"],
};
const NEW_SERVER: CommandRules = {
  required: ["service-address", "real-server"],
  allowed: [
    ...(["forwarding-method", "weight", "u-threshold", "l-threshold"] as const),
    ...(["tun-type", "tun-port", "tun-nocsum", "tun-csum", "tun-remcsum"] as const),
  ],
};
const NOTHING: CommandRules = { required: [], allowed: [] };

/** `sort` and `ipv6` go with every command as far as this table is concerned; `ipv6` must follow -f. */
export const RULES: Readonly<Record<CommandName, CommandRules>> = {
  "add-service": NEW_SERVICE,
  "edit-service": NEW_SERVICE,
  "delete-service": { required: ["service-address"], allowed: [] },
  clear: NOTHING,
  restore: NOTHING,
  save: { required: [], allowed: ["numeric"] },
  "add-server": NEW_SERVER,
  "edit-server": NEW_SERVER,
  "delete-server": { required: ["service-address", "real-server"], allowed: [] },
  list: {
    required: [],
    allowed: [
      ...(["service-address", "connection", "timeout", "daemon", "stats", "rate", "exact"] as const),
      ...(["thresholds", "persistent-conn", "tun-info", "nosort", "numeric", "json", "syncid"] as const),
    ],
  },
  zero: { required: [], allowed: ["service-address"] },
  set: NOTHING,
  "start-daemon": {
    required: [],
    allowed: ["mcast-interface", "syncid", "sync-maxlen", "mcast-group", "mcast-port", "mcast-ttl"],
  },
  "stop-daemon": { required: [], allowed: ["syncid"] },
  help: NOTHING,
  version: NOTHING,
};

/** `list` shows one thing: each of these excludes the ones beside it. */
export const LIST_CONFLICTS: readonly (readonly [OptionName, readonly OptionName[]])[] = [
  ["connection", ["service-address", "timeout", "daemon", "stats", "rate", "thresholds"]],
  ["timeout", ["service-address", "daemon", "stats", "rate", "thresholds", "persistent-conn"]],
  ["daemon", ["service-address", "stats", "rate", "thresholds", "persistent-conn"]],
];
