/** argv -> command -> exit status. Each command loads only what it needs. */
import { Command, CommanderError, Option } from "commander";
import { leaveOnSignals } from "./cli/early-signals.ts";
import { VERSION } from "./cli/version.ts";

/** sysexits.h EX_USAGE. */
const USAGE = 64;
/** Where the bundler puts the entry points of the child processes: beside this file. */
const ENTRIES = new URL(".", import.meta.url);
const DEFAULT_CONFIG = "/etc/vipward/vipward.yaml";

function program(done: (status: Promise<number>) => void): Command {
  const vipward = new Command("vipward")
    .description(
      "Elects the owner of virtual IPs with VRRP, checks real servers, keeps the kernel's IPVS table right",
    )
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError("(vipward --help lists the commands)")
    .configureHelp({ sortSubcommands: false });
  const directories = (command: Command) =>
    command
      .option(
        "--run-dir <dir>",
        "lock, socket and run-time state (default /run/vipward, per network namespace)",
      )
      .option(
        "--state-dir <dir>",
        "state kept over restarts (default /var/lib/vipward, per network namespace)",
      );

  directories(
    vipward
      .command("run")
      .description("run the daemon in the foreground; SIGTERM stops it cleanly, SIGHUP reloads")
      .option("-c, --config <file>", "configuration", DEFAULT_CONFIG)
      .option("--node <name>", "which of the file's nodes this is (default: the host name)"),
  )
    .addOption(
      new Option("--dataplane <which>", "where connections are balanced").choices([
        "kernel",
        "userspace",
        "auto",
      ]),
    )
    .addOption(new Option("--log-format <format>").choices(["text", "json"]).default("text"))
    .addOption(
      new Option("--log-level <level>").choices(["debug", "info", "warn", "error", "fatal"]).default("info"),
    )
    .action((options) =>
      done(import("./cli/run.ts").then(({ runCommand }) => runCommand({ ...options, entries: ENTRIES }))),
    );

  vipward
    .command("check")
    .description("validate a configuration: every problem at once, with its place")
    .option("-c, --config <file>", "configuration", DEFAULT_CONFIG)
    .argument("[file]", "the same, as a plain word")
    .option("--node <name>", "which of the file's nodes to check (default: the host name)")
    .action((file, options) =>
      done(
        import("./cli/check.ts").then(({ checkCommand }) =>
          checkCommand({ ...options, config: file ?? options.config }),
        ),
      ),
    );

  directories(
    vipward
      .command("status")
      .description("what the running daemon holds, checks and balances")
      .argument("[what]", "instances, services, or the name of one"),
  )
    .addOption(new Option("-o, --output <format>").choices(["table", "wide", "json"]).default("table"))
    .option("--watch", "repeat every second")
    .action((what, options) =>
      done(import("./cli/status.ts").then(({ statusCommand }) => statusCommand(what, options))),
    );

  directories(vipward.command("reload").description("read the configuration again, or say why not")).action(
    (options) => done(import("./cli/reload.ts").then(({ reloadCommand }) => reloadCommand(options))),
  );

  vipward
    .command("import")
    .description("keepalived.conf, ipvsadm -Sn or ldirectord.cf as vipward's YAML; exit 3: with warnings")
    .argument("[file]", "keepalived.conf")
    .option("--ipvsadm <file>", "the output of ipvsadm -Sn (- for standard input)")
    .option("--ldirectord <file>", "ldirectord.cf")
    .option("-o, --output <file>", "where to write (default: standard output)")
    .option("-i, --id <id>", "which @id lines of a keepalived.conf count (default: the host name)")
    .action((file, options) =>
      done(import("./cli/import.ts").then(({ importCommand }) => importCommand({ file, ...options }))),
    );

  vipward
    .command("export")
    .description("the configuration for keepalived or ipvsadm; exit 3: with warnings")
    .addOption(new Option("--format <format>").choices(["keepalived", "ipvsadm"]).makeOptionMandatory())
    .option("-c, --config <file>", "configuration", DEFAULT_CONFIG)
    .option("--node <name>", "which of the file's nodes (default: the host name)")
    .option("-o, --output <file>", "where to write (default: standard output)")
    .action((options) => done(import("./cli/export.ts").then(({ exportCommand }) => exportCommand(options))));

  // For the help only: main() takes this command before commander, which would read ipvsadm's options.
  vipward
    .command("ipvs")
    .description("the kernel's IPVS table with ipvsadm's own command line: ipvs -Ln, ipvs -A ...")
    .argument("[words...]", "what ipvsadm(8) takes");

  vipward
    .command("demo")
    .description("two directors, two web servers and a client on this machine, failing over before your eyes")
    .addOption(new Option("--dataplane <which>").choices(["kernel", "userspace", "auto"]).default("auto"))
    .addOption(new Option("--inside").hideHelp())
    .addOption(new Option("--web <name>").hideHelp())
    .addOption(new Option("--client <url>").hideHelp())
    .addOption(new Option("--every <ms>").hideHelp())
    .addOption(new Option("--timeout <ms>").hideHelp())
    .action((options) =>
      done(import("./cli/demo.ts").then(({ demoCommand }) => demoCommand({ ...options, entries: ENTRIES }))),
    );
  return vipward;
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv[2] === "ipvs") return (await import("./cli/ipvs.ts")).ipvsCommand(argv.slice(3));
  let status: Promise<number> | undefined;
  try {
    program((command) => {
      status = command;
    }).parse([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    throw error;
  }
  return (await status) ?? USAGE;
}

if (process.pid === 1) leaveOnSignals();
try {
  process.exitCode = await main(process.argv);
} catch (error) {
  process.stderr.write(`vipward: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
