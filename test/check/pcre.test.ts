import { describe, expect, it } from "vitest";
import { REGEX_OPTIONS, translatePcre } from "../../src/check/pcre.ts";

function found(pattern: string, subject: string, options: readonly string[] = []): number | undefined {
  const translated = translatePcre(pattern, options);
  if ("problem" in translated) throw new Error(translated.problem);
  const text = translated.utf ? subject : String.fromCharCode(...new TextEncoder().encode(subject));
  return new RegExp(translated.source, translated.flags).exec(text)?.index;
}

/** Places of the match by pcre2 10.42; undefined: none. */
describe("PCRE's meaning in JavaScript's words, pcre2pattern(3)", () => {
  it.each([
    ["a.c", "a\rc", 0],
    ["a.c", "a\u2028c", undefined],
    ["a.c", "a\nc", undefined],
    ["a\\Nc", "a\nc", undefined],
    ["ok$", "ok\n", 0],
    ["ok$", "ok\n\n", undefined],
    ["ok\\z", "ok\n", undefined],
    ["ok\\Z", "ok\n", 0],
    ["^b", "a\nb", undefined],
    ["\\Ab", "ab", undefined],
    ["a\\sb", "a\u00a0b", undefined],
    ["a\\hb", "a\tb", 0],
    ["a\\Rb", "a\r\nb", 0],
    ["[]a]+", "x]a", 1],
    ["[^]a]", "]ab", 2],
    ["[[:digit:][:alpha:]]+", "-a1", 1],
    ["[a[b]", "[", 0],
    ["[\\s]", " ", 0],
    ["\\Qa.b\\E+", "a.bb", 0],
    ["\\x41\\x{42}", "AB", 0],
    ["\\101\\0", "A\0", 0],
    ["\\e\\a", "\x1b\x07", 0],
    ["(?i)OK", "ok", 0],
    ["(?is)A.B", "a\nb", 0],
    ["(?<n>a)\\k<n>", "aa", 0],
    ["(?P<n>a)(?P=n)", "aa", 0],
    ["(?'n'a)\\k{n}", "aa", 0],
    ["(?#note)b", "ab", 1],
    ["a{,2}", "a{,2}", 0],
    ["a{2}", "baa", 1],
    ["}{", "}{", 0],
    ["é", "xé", 1],
    ["é+", "éé", 0],
    ["a\\/b\\-c\\:", "a/b-c:", 0],
    ["(?<=x)y(?!z)", "xyzxy", 4],
  ])("%s in %j", (pattern, subject, at) => {
    expect(found(pattern, subject)).toBe(at);
  });

  it.each([
    ["multiline", "^b$", "a\nb\nc", 2],
    ["multiline", "^", "\n", 0],
    ["dotall", "a.b", "a\nb", 0],
    ["caseless", "OK", "ok", 0],
    ["extended", "a b # comment\n c", "abc", 0],
    ["extended", "a[ ]b", "a b", 0],
    ["dollar_endonly", "a$", "a\n", undefined],
    ["utf", "^é.$", "é☃", 0],
    ["utf", "\\x{2603}", "☃", 0],
    ["utf", "\\p{Lu}", "aB", 1],
    ["no_auto_capture", "(a)(b)", "ab", 0],
  ])("%s: %s in %j", (option, pattern, subject, at) => {
    expect(found(pattern, subject, [option])).toBe(at);
  });

  it("ungreedy turns quantifiers round", () => {
    const translated = translatePcre("a+b*?", ["ungreedy"]);
    expect(translated).toMatchObject({ source: "a+?b*" });
  });

  it.each([
    ["a++", "possessive"],
    ["a{2}+", "possessive"],
    ["(?>a)", "not supported"],
    ["(?R)", "not supported"],
    ["(?(1)a)", "not supported"],
    ["(*UTF)a", "verbs"],
    ["a\\Kb", "\\K is not supported"],
    ["\\pL", "utf"],
    ["\\x{100}", "utf"],
    ["[\\S]", "in a class"],
    ["[[.a.]]", "not supported"],
    ["(a", "unterminated group"],
    ["a)", "unmatched"],
    ["[a", "without its end"],
    ["a\\", "a backslash"],
    ["*a", "nothing to repeat"],
    ["\\y", "\\y is not supported"],
    ["", "empty"],
  ])("%s is refused by name", (pattern, problem) => {
    expect(translatePcre(pattern, [])).toMatchObject({ problem: expect.stringContaining(problem) });
  });

  it("options: keepalived's without effect here are taken, others refused by name", () => {
    expect(REGEX_OPTIONS).toContain("no_auto_possess");
    expect(translatePcre("a", [...REGEX_OPTIONS])).not.toHaveProperty("problem");
    expect(translatePcre("a", ["firstline"])).toEqual({ problem: "regex option firstline is not supported" });
  });
});
