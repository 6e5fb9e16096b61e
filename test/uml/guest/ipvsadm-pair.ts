/**
 * The two sides of ipvsadm.ts. Importing this puts the process into our network namespace for good, with host
 * names of its own; the real program runs in the other one (or in ours, for questions), one shell per batch.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ipvsCommand } from "../../../src/cli/ipvs.ts";
import { check } from "../../../src/net/errors.ts";
import { libc } from "../../../src/net/libc.ts";
import { guestDir, sh } from "./harness.ts";
import type { CommandLine } from "./ipvsadm-words.ts";

const OURS = "vw-ours";
const REAL = "vw-real";
const CLONE_NEWNET = 0x40000000;
/** Tables are compared after so many command lines. */
const BATCH = 15;

const HOSTS = `127.0.0.1 localhost
::1 ip6-localhost
10.0.0.1 named.example other.example
10.0.0.3 a-very-long-name-of-a-director.some-department.some-organisation.example.com
2001:db8::1 six.example
2001:db8::11 a-very-long-name-of-a-real-server.some-department.some-organisation.example.com
92.0.2.4 four.example
`;

export interface Answer {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

export async function ours({ words, input = "" }: CommandLine): Promise<Answer> {
  let out = "";
  let err = "";
  const status = await ipvsCommand(words, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    input: () => [input],
  });
  return { status, out, err };
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
let batches = 0;

/** Runs the real one on each line, in one shell, and gives `ipvsadm -Sn` of its namespace at the end. */
function real(lines: readonly CommandLine[], namespace = REAL): { answers: Answer[]; table: string } {
  const dir = path.join(guestDir, `batch${++batches}`);
  mkdirSync(dir);
  const script = lines.map(({ words, input }, index) => {
    if (input !== undefined) writeFileSync(`${dir}/${index}.in`, input);
    const from = input === undefined ? "/dev/null" : `${dir}/${index}.in`;
    const program = ["ipvsadm", ...words].map(quote).join(" ");
    return `${program} < ${from} > ${dir}/${index}.out 2> ${dir}/${index}.err; echo $? > ${dir}/${index}.rc`;
  });
  writeFileSync(`${dir}/script`, `${script.join("\n")}\nipvsadm -Sn > ${dir}/table\n`);
  sh("ip", "netns", "exec", namespace, "bash", `${dir}/script`);
  const read = (name: string): string => readFileSync(`${dir}/${name}`, "utf8");
  const answers = lines.map((_, index) => ({
    status: Number(read(`${index}.rc`)),
    out: read(`${index}.out`),
    err: read(`${index}.err`),
  }));
  return { answers, table: read("table") };
}

export const realAnswer = (words: readonly string[], namespace = REAL): Answer =>
  real([{ words }], namespace).answers[0] as Answer;

export function assertSame(line: CommandLine, mine: Answer, theirs: Answer): void {
  const shown = `ipvsadm ${line.words.map(quote).join(" ")}${line.input === undefined ? "" : `\n${line.input}`}`;
  const message = `${shown}\nreal [${theirs.status}] ${theirs.err}ours [${mine.status}] ${mine.err}`;
  assert.equal(mine.status, theirs.status, message);
  assert.equal(sinceHelp(mine.out), sinceHelp(theirs.out), message);
}

/** Help and version are in our own words. */
function sinceHelp(out: string): string {
  const own = /^(ipvsadm v1\.31 |vipward ipvs )/m.exec(out);
  return own ? `${out.slice(0, own.index)}(help or version)` : out;
}

export async function assertSameLines(lines: readonly CommandLine[]): Promise<void> {
  for (let first = 0; first < lines.length; first += BATCH) {
    const batch = lines.slice(first, first + BATCH);
    const { answers, table } = real(batch);
    for (const [index, line] of batch.entries()) assertSame(line, await ours(line), answers[index] as Answer);
    assert.equal(realAnswer(["-Sn"], OURS).out, table, batch.map(({ words }) => words.join(" ")).join("\n"));
  }
}

export const line = (text: string): CommandLine => ({ words: text.split(" ").filter(Boolean) });
export const lines = (text: string): CommandLine[] => text.trim().split("\n").map(line);
export const clear = (): Promise<void> => assertSameLines([line("-C")]);

/** Questions about one table. Its seconds and rates may run on in between: then the question is asked again. */
export async function assertSameLists(questions: readonly string[]): Promise<void> {
  const { answers } = real(questions.map(line), OURS);
  for (const [index, question] of questions.entries()) {
    const words = line(question);
    let theirs = answers[index] as Answer;
    let mine = await ours(words);
    for (let attempt = 0; attempt < 20 && mine.out !== theirs.out; attempt++) {
      theirs = realAnswer(words.words, OURS);
      mine = await ours(words);
    }
    assertSame(words, mine, theirs);
  }
}

/** Names come from these files alone: no name server answers here. */
function ownNames(): void {
  writeFileSync("/run/hosts", HOSTS);
  writeFileSync("/run/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
  execFileSync("mount", ["--bind", "/run/hosts", "/etc/hosts"]);
  execFileSync("mount", ["--bind", "/run/resolv.conf", "/etc/resolv.conf"]);
}

ownNames();
for (const name of [OURS, REAL]) {
  sh("ip", "netns", "add", name);
  sh("ip", "-n", name, "link", "set", "lo", "up");
}
const namespace = openSync(`/run/netns/${OURS}`, "r");
check(libc().setns(namespace, CLONE_NEWNET), "setns", `enter ${OURS}`);
closeSync(namespace);
