/**
 * One ipvsadm(8) command line -> what it asks for, or why it is refused.
 *
 *   words --popt--> tokens --draft--> values --rules--> Invocation
 */
import type { SyncDaemon, Timeouts } from "../wire/ipvs.ts";
import { type Draft, emptyDraft, MAX_TIMEOUT_S, take } from "./draft.ts";
import { build, type Invocation, Refused } from "./invocation.ts";
import type { Names } from "./names.ts";
import { type CommandName, LIST_CONFLICTS, type OptionName, RULES, type WordSpec } from "./options.ts";
import { type Token, tokens } from "./popt.ts";
import { numberIn } from "./values.ts";

const NO_COMMAND = "no command: see `ipvs -h`";

/** Without any word the table is listed. `restoring`: a line of -R, where -R itself is not known. Throws Refused. */
export async function parse(words: readonly string[], names: Names, restoring = false): Promise<Invocation> {
  const stream = tokens(words.length === 0 ? ["-L"] : words);
  const plain: string[] = [];
  const { command, argument } = findCommand(stream, plain, restoring);
  if (command === "help" || command === "version") return { command };
  const state = daemonState(command, argument);
  const draft = emptyDraft();
  const given = new Set<OptionName>();
  for (const token of stream) await takeToken(token, draft, given, plain, names);
  const timeouts = command === "set" ? takeTimeouts(plain) : undefined;
  if (plain[0] !== undefined) throw new Refused(`"${plain[0]}" is one argument too many`);
  checkRules(command, given);
  return build(command, draft, given, { timeouts, state });
}

/** The first option says what to do; anything else in its place is refused. */
function findCommand(
  stream: Generator<Token, void>,
  plain: string[],
  restoring: boolean,
): { command: CommandName; argument: string | undefined } {
  for (let next = stream.next(); !next.done; next = stream.next()) {
    const token = next.value;
    if (token.kind === "plain") {
      plain.push(token.word);
      continue;
    }
    if (token.kind === "error") throw new Refused(token.message, 255);
    const { means } = token.spec;
    if (!("command" in means) || (restoring && means.command === "restore")) break;
    return { command: means.command, argument: token.value };
  }
  throw new Refused(NO_COMMAND, 255);
}

async function takeToken(
  token: Token,
  draft: Draft,
  given: Set<OptionName>,
  plain: string[],
  names: Names,
): Promise<void> {
  if (token.kind === "plain") {
    plain.push(token.word);
    return;
  }
  // Of the wrong lines only these let -R go on.
  if (token.kind === "error") throw new Refused(token.message, 255, false);
  const { means }: WordSpec = token.spec;
  if ("command" in means) throw new Refused(`${token.word}: there is a command already`);
  const { option } = means;
  if (given.has(option) && option !== "sort" && option !== "ipv6") {
    throw new Refused(`${token.word}: ${option} is given twice`);
  }
  given.add(option);
  const wrong = await take(draft, option, token.value, means.value, names);
  if (wrong !== undefined) throw new Refused(wrong);
}

function daemonState(command: CommandName, argument: string | undefined): SyncDaemon["state"] | undefined {
  if (command !== "start-daemon" && command !== "stop-daemon") return undefined;
  if (argument === "master" || argument === "backup") return argument;
  throw new Refused(`--${command} master|backup, not "${argument}"`);
}

/** Removes the three timeouts from the plain words. */
function takeTimeouts(plain: string[]): Timeouts {
  const taken = plain.splice(0, 3);
  if (taken.length < 3) throw new Refused("--set takes three timeouts in seconds: tcp tcpfin udp");
  const [tcp, tcpFin, udp] = taken.map((text) => {
    const seconds = numberIn(text, 0, MAX_TIMEOUT_S);
    if (seconds === undefined) throw new Refused(`"${text}" is no timeout (0 to ${MAX_TIMEOUT_S} seconds)`);
    return seconds;
  });
  return { tcp: tcp ?? 0, tcpFin: tcpFin ?? 0, udp: udp ?? 0 };
}

function checkRules(command: CommandName, given: ReadonlySet<OptionName>): void {
  const { required, allowed } = RULES[command];
  for (const option of required) {
    if (!given.has(option)) throw new Refused(`${command} needs ${option}`);
  }
  for (const option of given) {
    if (option === "sort" || option === "ipv6") continue;
    if (!required.includes(option) && !allowed.includes(option))
      throw new Refused(`${option} does not go with ${command}`);
  }
  if (command !== "list") return;
  for (const [option, others] of LIST_CONFLICTS) {
    const other = given.has(option) && others.find((candidate) => given.has(candidate));
    if (other) throw new Refused(`list: ${option} and ${other} exclude each other`);
  }
}
