import { describe, expect, it } from "vitest";
import { formatProblems, parseConfig } from "../../src/config/load.ts";

const parse = (text: string) => parseConfig(text, "h.yaml", { hostname: "h" });
const messages = (text: string) => parse(text).problems.map((problem) => problem.message);

describe("hostile files are refused with words, not with a crash", () => {
  it("alias bomb", () => {
    let text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (let i = 1; i < 30; i++)
      text += `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(", ")}]\n`;
    expect(messages(text)).toEqual(["aliases expand this file to more than 2,000,000 values"]);
  });
  it("merge bomb", () => {
    let text = `m0: &m { ${Array.from({ length: 5000 }, (_, i) => `k${i}: 1`).join(", ")} }\n`;
    for (let i = 0; i < 200; i++) text += `n${i}: { <<: *m }\n`;
    expect(messages(text)).toEqual(['merges ("<<") copy more than 500,000 keys']);
  });
  it("an alias inside its own anchor", () => {
    expect(messages("a: &a [ *a ]\n")[0]).toMatch(/no anchor before it/);
  });
  it("deep nesting, in flow and in block style", () => {
    expect(messages(`a: ${"[".repeat(100_000)}`)[0]).toMatch(/nesting/);
    expect(messages(`a: ${"{b: ".repeat(100_000)}`)[0]).toMatch(/nesting/);
    expect(messages("- ".repeat(100_000))[0]).toMatch(/nesting/);
  });
  it("NUL bytes", () => {
    expect(parse("a: b\nc: \0d\n").problems[0]).toMatchObject({ message: "NUL byte", line: 2, column: 4 });
  });
  it("a file too large, or of too many lines", () => {
    expect(messages("#".repeat(33 << 20))).toEqual(["the file is larger than 32 MiB"]);
    expect(messages("\n".repeat(3_000_000))).toEqual(["more than 2,000,000 lines and entries"]);
  });
  it("a line of many megabytes is cut around the place", () => {
    const [problem] = parse(`a: ${"x".repeat(5_000_000)}\n`).problems;
    expect(problem!.snippetLine.length).toBeLessThan(200);
    expect(problem!.snippetLine[problem!.caret]).toBe("a");
    const [late] = parse(`{ global_defs: {}, ${" ".repeat(3000)} zzz: 1 }`).problems;
    expect(late!.snippetLine.slice(late!.caret, late!.caret + 3)).toBe("zzz");
  });
  it("hundreds of thousands of unknown keys: the first 500, and a count", () => {
    const text = Array.from({ length: 200_000 }, (_, i) => `k${i}: 1`).join("\n");
    const found = messages(text);
    expect(found).toHaveLength(501);
    expect(found.at(-1)).toBe("199500 more errors not shown");
  });
  it("duplicate keys without end", () => {
    const found = messages("k: 1\n".repeat(100_000));
    expect(found).toHaveLength(501);
    expect(found.filter((message) => message.startsWith("duplicate"))).toHaveLength(500);
  });
  it("keys of Object.prototype are unknown keys like others", () => {
    for (const key of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      expect(messages(`${key}: { polluted: 1 }`)).toEqual([`unknown key "${key}" in the file`]);
      expect(messages(`${key}: 1\n${key}: 2`)[1] ?? messages(`${key}: 1\n${key}: 2`)[0]).toMatch(
        /duplicate|unknown/,
      );
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
  it("escape sequences do not reach the terminal", () => {
    const output = formatProblems(parse('"a\\e[31mb": 1\n').problems, { color: false });
    expect(output).not.toContain("\u001b");
    expect(output).toContain("unknown key");
    expect(formatProblems(parse("a: \u001b[31m\n").problems, { color: false })).not.toContain("\u001b");
  });
  it("tags do not build anything", () => {
    expect(messages("global_defs: !!js/function 'x'")[0]).toMatch(/tag/);
    expect(messages("global_defs: !!binary aGk=")[0]).toMatch(/tag/);
  });
  it("a request line can't be split through path or virtualhost", () => {
    for (const key of ["path", "virtualhost"])
      expect(
        messages(
          `virtual_server: { 192.0.2.1 80: { real_server: { 192.0.2.2 80: { HTTP_GET: { url: { path: /, ${key === "path" ? "" : `${key}: "x\\r\\nHost: y"`} } } } } } }`.replace(
            "path: /, ",
            key === "path" ? 'path: "/\\r\\nHost: y"' : "path: /, ",
          ),
        ).some((message) => message.includes("control characters")),
      ).toBe(true);
  });
});

describe("places", () => {
  const at = (text: string) => parse(text).problems.map((p) => [p.line, p.column, p.snippetLine[p.caret]]);
  it("are exact for keys in block, flow, quoted and tabbed text, with CRLF and a byte order mark", () => {
    expect(at("zz: 1\n")).toEqual([[1, 1, "z"]]);
    expect(at('{ "zz": 1 }\n')).toEqual([[1, 3, '"']]);
    expect(at("global_defs:\r\n  zz: 1\r\n")).toEqual([[2, 3, "z"]]);
    expect(at("global_defs: {\t\tzz: 1 }\n")).toEqual([[1, 17, "z"]]);
    expect(at("? global_defs\n: zz: 1\n")).toEqual([[2, 3, "z"]]);
    expect(at("\ufeffzz: 1\n")).toEqual([[1, 2, "z"]]);
  });
  it("are those of the value for wrong values, of the key for missing ones", () => {
    expect(at("global_defs:\n  vip_lease: 'maybe'\n")).toEqual([[2, 14, "'"]]);
    expect(at("global_defs:\n  dataplane:\n")).toEqual([[2, 3, "d"]]);
    expect(at("vrrp_instance:\n  A:\n    interface: eth0\n")).toEqual([[2, 3, "A"]]);
  });
  it("under an alias and a merge name both places", () => {
    const [problem] = parse(`global_defs: {}
vrrp_instance:
  A: { interface: eth0, virtual_router_id: 1, authentication: &x { auth_type: AH } }
  B: { interface: eth0, virtual_router_id: 2, authentication: *x }
`).problems;
    expect(problem).toMatchObject({ line: 3, column: 79 });
    expect(problem!.hint).toMatch(/reached through the alias at h\.yaml:4:63$/);
  });
});
