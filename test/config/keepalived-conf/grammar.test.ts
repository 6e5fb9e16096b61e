// biome-ignore-all lint/suspicious/noTemplateCurlyInString: keepalived's own syntax
import { describe, expect, it } from "vitest";
import { applyConditions } from "../../../src/config/keepalived-conf/conditionals.ts";
import { expandBraces, findFiles, matches } from "../../../src/config/keepalived-conf/includes.ts";
import {
  plainWords,
  scriptWords,
  splitBraces,
  stripComment,
} from "../../../src/config/keepalived-conf/lexer.ts";
import { Notes } from "../../../src/config/keepalived-conf/notes.ts";
import { readLines } from "../../../src/config/keepalived-conf/reader.ts";
import { sourceFile } from "../../../src/config/keepalived-conf/source.ts";

const lines = (text: string, files: Record<string, string> = {}) => {
  const notes = new Notes();
  const readFile = (path: string): Uint8Array => {
    const found = files[path];
    if (found === undefined) throw Object.assign(new Error("gone"), { code: "ENOENT" });
    return new TextEncoder().encode(found);
  };
  const listDirectory = (path: string): string[] =>
    Object.keys(files).flatMap((name) => (name.startsWith(`${path}/`) ? [name.slice(path.length + 1)] : []));
  const options = { id: "node", readFile, listDirectory, random: () => 4, env: { SITE: "north" } };
  const read = readLines(sourceFile("main.conf", "/etc/main.conf", text), options, notes);
  return {
    texts: read.lines.map((line) => line.text),
    problems: notes.list().map(({ line, message }) => `${line}: ${message}`),
  };
};

describe("keepalived.conf(5): comments, braces, words", () => {
  it.each([
    ["a # b", "a"],
    ["a ! b", "a"],
    ["a#b", "a"],
    ['a "b # c ! d" # e', 'a "b # c ! d"'],
    ["a \\# b \\! c", "a # b ! c"],
    ['"a \\# b"', '"a \\# b"'],
    ["'a # b'", "'a"],
    ["   ", ""],
  ])("comment of %j", (line, text) => {
    expect(stripComment(line)).toBe(text);
  });

  it.each([
    ["a { b c }", ["a", "{", "b c", "}"]],
    ["a{b}c", ["a", "{", "b", "}", "c"]],
    ['a "{" b', ['a "{" b']],
    ["x${NAME}y {", ["x${NAME}y", "{"]],
    ["{}", ["{", "}"]],
  ])("braces of %j", (line, pieces) => {
    expect(splitBraces(line).map(({ text }) => text)).toEqual(pieces);
  });

  it("ordinary words know double quotes and no escapes", () => {
    expect(plainWords(`a "b c" 'd e' f\\g "" h"i j"k`)).toEqual({
      words: ["a", "b c", "'d", "e'", "f\\g", "", "hi jk"].map((text, i) => ({
        text,
        quoted: [1, 5, 6].includes(i),
      })),
    });
    expect(plainWords('a "b')).toEqual({ message: 'a " without its end' });
  });

  it("commands know both quotes and the escapes of the manual", () => {
    const read = scriptWords(String.raw`"a 'b'" 'c "d"' \x41\102\t\cA e\ f '\'' "\""`);
    expect("words" in read && read.words.map(({ text }) => text)).toEqual([
      "a 'b'",
      'c "d"',
      "AB\t\x01",
      "e f",
      "'",
      '"',
    ]);
    expect(scriptWords("it's")).toEqual({ message: "a ' without its end" });
  });
});

describe("keepalived.conf(5) conditional configuration", () => {
  it.each([
    ["@main a", "main", "a"],
    ["@main a", "backup", undefined],
    ["@^main a", "backup", "a"],
    ["@^main a", "main", undefined],
    ["@main @^backup a", "main", "a"],
    ["@main", "main", ""],
    ["plain", "main", "plain"],
  ])("%j for %s", (line, id, rest) => {
    expect(applyConditions(line, id)).toBe(rest);
  });
});

describe("keepalived.conf(5) parameter substitution", () => {
  it("is done when a parameter is used, and again inside of what it brings (the manual's example)", () => {
    const text = `$ADDRESS_BASE=10.2.\${ADDRESS_BASE_SUB}
$ADDRESS_BASE_SUB=0
\${ADDRESS_BASE}.100/32
$ADDRESS_BASE_SUB=10
\${ADDRESS_BASE}.100/32`;
    expect(lines(text).texts).toEqual(["10.2.0.100/32", "10.2.10.100/32"]);
  });

  it("a parameter without braces ends at a blank or the line's end", () => {
    expect(lines('$A=1\n"$A" $A\n$A/24\n$A').texts).toEqual(['"$A" 1', "$A/24", "1"]);
  });

  it("a line may become a condition, a definition's lines their own ones (the manual's $IF_MAIN)", () => {
    expect(
      lines("$IF_MAIN=@node\n$IF_MAIN priority 240\n$IF_MAIN=@other\n$IF_MAIN priority 1").texts,
    ).toEqual(["priority 240"]);
    expect(lines("$B= \\\n a \\\n $X=2 \\\n @other no \\\n c${X}\n$X=1\n$B\nd${X}").texts).toEqual([
      "a",
      "c2",
      "d2",
    ]);
  });

  it("a blank line or a comment ends a definition, as in keepalived", () => {
    expect(lines("$B= \\\n a \\\n\n b\n$B").texts).toEqual(["b", "a"]);
    expect(lines("$B= \\\n a \\\n # c \\\n b\n$B").texts).toEqual(["b", "a"]);
  });

  it("a definition for another node takes its lines with it", () => {
    expect(lines("@other $B= \\\n a \\\n b\nc").texts).toEqual(["c"]);
  });

  it("built-ins", () => {
    const text = "${_PWD} ${_INSTANCE} ${_HASH} ${_BANG} ${_ENVSITE} ${_RANDOM} ${_RANDOM 2 6}";
    expect(lines(text).texts).toEqual(["/etc node # ! north 4 4"]);
    expect(lines("include sub/a.conf", { "/etc/sub/a.conf": "x ${_PWD}" }).texts).toEqual(["x /etc/sub"]);
  });

  it("an unknown parameter stays and is named, outside quotes", () => {
    const { texts, problems } = lines('a ${NOPE}\nb "${NOPE} $HOME"');
    expect(texts).toEqual(["a ${NOPE}", 'b "${NOPE} $HOME"']);
    expect(problems).toEqual(["1: ${NOPE} is not defined and stays as it is"]);
  });

  it("a parameter that contains itself is refused", () => {
    expect(lines("$A=${A}\nx ${A}").problems).toEqual(["2: a parameter that contains itself"]);
    expect(lines("$A= \\\n b \\\n $A\n$A").problems.join()).toContain("nested too deeply");
  });
});

describe("keepalived.conf(5) sequence and list blocks", () => {
  const expand = (line: string) => lines(line).texts;
  it.each([
    ["~SEQ(S, 0, 3) 10.0.${S}.1", ["10.0.0.1", "10.0.1.1", "10.0.2.1", "10.0.3.1"]],
    ["~SEQ(S,-2) a${S}", ["a-1", "a-2"]],
    ["~SEQ(S,2) a${S}", ["a1", "a2"]],
    ["~SEQ(S,3,1) a${S}", ["a3", "a2", "a1"]],
    ["~SEQ(S,5,-2,0) a${S}", ["a5", "a3", "a1"]],
    ["~SEQx(S, 0x90, 0x10, 0xc0) fe80::20:${S}:1", ["90", "a0", "b0", "c0"].map((h) => `fe80::20:${h}:1`)],
    ["~SEQx(S, 144, 16, 192) ${S}", ["90", "a0", "b0", "c0"]],
    ["~LST({IP, IP1}, {10,1},{20,4}) 192.168.${IP}.${IP1}", ["192.168.10.1", "192.168.20.4"]],
    ["~LST(A, 1, 2) ~LST(B, 5,6) ${A}.${B}", ["1.5", "1.6", "2.5", "2.6"]],
    [
      "~LST({A, B}, {10,1},{8,2}) ~SEQ(C,168,2,170) ${C}.${A}.${B}",
      ["168.10.1", "170.10.1", "168.8.2", "170.8.2"],
    ],
  ])("%s", (line, out) => {
    expect(expand(line)).toEqual(out);
  });
});

describe("keepalived.conf(5) include", () => {
  it("braces nest", () => {
    expect(expandBraces("{foo/{,cat,dog},bar}.conf")).toEqual([
      "foo/.conf",
      "foo/cat.conf",
      "foo/dog.conf",
      "bar.conf",
    ]);
    expect(expandBraces("no{brace")).toEqual(["no{brace"]);
  });

  it.each([
    ["vip-1.conf", "vip-*.conf", true],
    ["vip-1.conf", "*", true],
    [".hidden", "*", false],
    [".hidden", ".*", true],
    ["a1", "a?", true],
    ["a1", "a[0-9]", true],
    ["a1", "a[!0-9]", false],
    ["ab", "a[bc]", true],
    ["a[", "a[", true],
    ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*a*a*a*a*c", false],
  ])("%s against %s: %s", (name, pattern, fits) => {
    expect(matches(name, pattern)).toBe(fits);
  });

  it("directories may have wildcards, too", () => {
    const tree: Record<string, string[]> = {
      "/": ["etc"],
      "/etc": ["a", "b", "c.conf"],
      "/etc/a": ["x.conf"],
      "/etc/b": ["y.txt"],
    };
    const list = (path: string): string[] => tree[path] ?? [];
    expect(findFiles({ variant: "", pattern: "*/*.conf" }, "/etc/main.conf", list).paths).toEqual([
      "/etc/a/x.conf",
    ]);
    expect(findFiles({ variant: "", pattern: "?/x.conf" }, "/etc/main.conf", list).paths).toEqual([
      "/etc/a/x.conf",
    ]);
    expect(findFiles({ variant: "w", pattern: "*.none" }, "/etc/main.conf", list).missing).toEqual([
      "*.none",
    ]);
    expect(findFiles({ variant: "m", pattern: "*.none" }, "/etc/main.conf", list).missing).toEqual([]);
  });

  it("a file that includes itself over another one is refused, the rest is read", () => {
    const { texts, problems } = lines("include a.conf\nend", {
      "/etc/a.conf": "one\ninclude main.conf\ninclude a.conf\ntwo",
    });
    expect(texts).toEqual(["one", "two", "end"]);
    expect(problems).toEqual([
      "2: include: /etc/main.conf includes itself",
      "3: include: /etc/a.conf includes itself",
    ]);
  });
});
