import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatProblems, loadConfig, parseConfig } from "../../src/config/load.ts";
import { schemas } from "../../src/config/schema.ts";

const words = [
  "global_defs",
  "vrrp_instance",
  "virtual_server",
  "real_server",
  "virtual_ipaddress",
  "virtual_ipaddress_excluded",
  "virtual_routes",
  "virtual_rules",
  "unicast_peer",
  "use_vmac",
  "transport",
  "heartbeat_interfaces",
  "auth_hmac",
  "key",
  "vrrp_sync_group",
  "group",
  "vrrp_script",
  "script",
  "vrrp_track_process",
  "process",
  "vrrp_track_file",
  "file",
  "track_gateway",
  "address",
  "track_interface",
  "track_script",
  "track_virtual_server",
  "notify",
  "default via 192.0.2.1 dev eth0 table 100",
  "from all table 7",
  "eth1 weight -20 reverse",
  "2001:db8::1/64",
  "fe80::1",
  "/bin/true 'a",
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

describe("any text gives a Config or placed problems", { timeout: 120_000 }, () => {
  it("random text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), holds), { numRuns: 500 });
  });
  it("text made of YAML's and our own words", () => {
    fc.assert(fc.property(yamlish, holds), { numRuns: 1500 });
  });
  it("trees of known keys (JSON is YAML)", () => {
    const root = fc.dictionary(
      fc.constantFrom(
        "global_defs",
        "vrrp_instance",
        "vrrp_sync_group",
        "vrrp_script",
        "vrrp_track_process",
        "vrrp_track_file",
        "track_gateway",
        "static_ipaddress",
        "static_routes",
        "static_rules",
        "virtual_server",
        "nodes",
      ),
      tree,
    );
    fc.assert(
      fc.property(root, (value) => holds(JSON.stringify(value))),
      { numRuns: 1500 },
    );
  });
  it("an instance with everything it needs, and odd values in all its other keys", () => {
    const keys = schemas().instance.keys.filter((key) => key !== "interface" && key !== "virtual_router_id");
    const instance = fc
      .dictionary(fc.constantFrom(...keys), tree, { maxKeys: 6 })
      .map((rest) => ({ interface: "eth0", virtual_router_id: "1", ...rest }));
    const definitions = fc.record(
      Object.fromEntries(
        ["vrrp_script", "vrrp_track_process", "track_file", "track_gateway", "static_routes"].map((key) => [
          key,
          tree,
        ]),
      ),
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(instance, definitions, (A, rest) =>
        holds(JSON.stringify({ vrrp_instance: { A }, vrrp_sync_group: { G: { group: ["A"] } }, ...rest })),
      ),
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
    const broken = fc.tuple(fc.constantFrom(...words), fc.nat(), fc.boolean(), fc.boolean(), fc.boolean());
    fc.assert(
      fc.property(broken, ([word, where, quoted, flow, signed]) => {
        const pass = quoted ? `"${secret}"` : secret;
        const hmac = flow
          ? `auth_hmac: { mode: enforce, key: { 1: ${pass} } }`
          : `auth_hmac:\n      mode: enforce\n      key:\n        1: ${pass}`;
        const plain = flow
          ? `authentication: { auth_type: PASS, auth_pass: ${pass} }`
          : `authentication:\n      auth_type: PASS\n      auth_pass: ${pass}`;
        const auth = signed ? hmac : plain;
        const text = `vrrp_instance:\n  A:\n    interface: eth0\n    virtual_router_id: 1\n    ${auth}\n    version: 2\n`;
        // Anywhere but inside the password's own key: without that name nobody can know it.
        const key = text.indexOf("auth");
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
