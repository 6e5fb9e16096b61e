import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatProblems, loadConfig, parseConfig } from "../../src/config/load.ts";

const words = [
  "global_defs",
  "vrrp_instance",
  "virtual_server",
  "real_server",
  "virtual_ipaddress",
  "authentication",
  "auth_type",
  "auth_pass",
  "PASS",
  "priority",
  "advert_int",
  "interface",
  "virtual_router_id",
  "HTTP_GET",
  "TCP_CHECK",
  "url",
  "path",
  "status_code",
  "nodes",
  "192.0.2.1 80",
  "192.0.2.1/24 dev eth0",
  "<<",
  "&a",
  "*a",
  "!t",
  "0",
  "1",
  "255",
  "-1",
  "1e9",
  ": ",
  ":\n  ",
  "\n",
  "\n    ",
  "- ",
  "{",
  "}",
  "[",
  "]",
  ",",
  '"',
  "'",
  "|",
  ">",
  "#",
  "\t",
  "---\n",
  "\u0000",
  "\ufeff",
  "é",
];
const yamlish = fc.array(fc.constantFrom(...words), { maxLength: 60 }).map((parts) => parts.join(""));

/** A tree of known keys and odd values: gets past the parser, into schemas and rules. */
const { tree } = fc.letrec<{ tree: unknown; leaf: unknown }>((tie) => ({
  leaf: fc.oneof(fc.constantFrom(...words), fc.integer(), fc.constant(null), fc.string()),
  tree: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    tie("leaf"),
    fc.array(tie("tree"), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...words), fc.string()), tie("tree"), { maxKeys: 6 }),
  ),
}));

function holds(text: string): void {
  const result = parseConfig(text, "f.yaml", { hostname: "h", env: {} });
  if (!result.ok) expect(result.problems.length).toBeGreaterThan(0);
  for (const problem of result.problems) {
    expect(problem.line).toBeGreaterThanOrEqual(1);
    expect(problem.column).toBeGreaterThanOrEqual(1);
    expect(problem.caret).toBeLessThanOrEqual(problem.snippetLine.length);
    expect(problem.message).not.toBe("");
  }
  formatProblems(result.problems, { color: true });
}

describe("any text gives a Config or placed problems", () => {
  it("random text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), holds), { numRuns: 500 });
  });
  it("text made of YAML's and our own words", () => {
    fc.assert(fc.property(yamlish, holds), { numRuns: 1500 });
  });
  it("trees of known keys (JSON is YAML)", () => {
    const root = fc.dictionary(
      fc.constantFrom("global_defs", "vrrp_instance", "virtual_server", "nodes"),
      tree,
    );
    fc.assert(
      fc.property(root, (value) => holds(JSON.stringify(value))),
      { numRuns: 1500 },
    );
  });
  it("random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const result = loadConfig("/f.yaml", { hostname: "h", env: {}, readFile: () => bytes });
        if (!result.ok) expect(result.problems.length).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });
  it("a password is in no problem, wherever the file breaks", () => {
    const secret = "S3cr3tPw";
    const broken = fc.tuple(fc.constantFrom(...words), fc.nat(), fc.boolean(), fc.boolean());
    fc.assert(
      fc.property(broken, ([word, where, quoted, flow]) => {
        const pass = quoted ? `"${secret}"` : secret;
        const auth = flow
          ? `authentication: { auth_type: PASS, auth_pass: ${pass} }`
          : `authentication:\n      auth_type: PASS\n      auth_pass: ${pass}`;
        const text = `vrrp_instance:\n  A:\n    interface: eth0\n    virtual_router_id: 1\n    ${auth}\n    version: 2\n`;
        // Anywhere but inside the password's own key: without that name nobody can know it.
        const key = text.indexOf("authentication");
        const end = text.indexOf(secret) + secret.length + (quoted ? 1 : 0);
        const at = where % (text.length + 1);
        const spot = at > key && at < end ? end : at;
        const result = parseConfig(text.slice(0, spot) + word + text.slice(spot), "f.yaml", {
          hostname: "h",
        });
        expect(formatProblems(result.problems, { color: false })).not.toContain(secret);
      }),
      { numRuns: 1500 },
    );
  });
});
