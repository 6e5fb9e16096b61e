// biome-ignore-all lint/suspicious/noTemplateCurlyInString: keepalived's own syntax
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { importRules } from "../../../src/config/ipvsadm-rules/import.ts";
import { importText } from "../../../src/config/keepalived-conf/import.ts";
import { importLdirectord } from "../../../src/config/ldirectord/import.ts";
import { corpus, HOSTNAME, readCorpus } from "./corpus.ts";

const options = {
  id: HOSTNAME,
  hostname: HOSTNAME,
  readFile: () => {
    throw Object.assign(new Error("no files here"), { code: "ENOENT" });
  },
  listDirectory: () => [],
  random: (min: number) => min,
};
const run = (text: string) => importText(text, "hostile.conf", options);
const messages = (text: string): string =>
  run(text)
    .notes.list()
    .map(({ message }) => message)
    .join("\n");

describe("hostile keepalived.conf", () => {
  it.each([
    ["NUL bytes", "global_defs {\0}", "NUL byte"],
    ["a sequence without end", "~SEQ(A, 1, 2000000000) a", "more than"],
    ["a sequence of nothing", "~SEQ(A, 1, 2000000000) @other a", "too many repetitions"],
    ["sequences in sequences", "~SEQ(A,99999) ~SEQ(B,99999) ~SEQ(C,99999) @other x", "too many repetitions"],
    ["a parameter that doubles", `$A0=xxxxxxxx\n${doubling(40)}\nrouter_id \${A40}`, "more than"],
    ["definitions that multiply", `$A0= \\\n a \\\n b\n${multiplying(40)}\n$A40`, "more than"],
    ["blocks a thousand deep", "a {\n".repeat(1000), "nest more than"],
    ["a line of a million words", `router_id ${"x ".repeat(600_000)}`, "characters"],
    ["a brace expansion bomb", `include ${"{a,b}".repeat(40)}`, "expansions"],
    ["ten thousand unknown keywords", "bogus\n".repeat(10_000), "unknown keyword"],
    ["ten thousand closing braces", "}\n".repeat(10_000), "a } without its {"],
  ])(
    "%s",
    (_, text, message) => {
      expect(messages(text)).toContain(message);
    },
    60_000,
  );

  it("a name like __proto__ is a name", () => {
    const { document } = run(
      "vrrp_script __proto__ { script /bin/x }\nvrrp_script constructor { script /bin/y }",
    );
    expect(JSON.stringify(document.entries.map(({ key }) => key))).toBe('["vrrp_script"]');
    expect(messages("__proto__ { a }\nconstructor x\nglobal_defs { toString 1 }")).toContain(
      'unknown keyword "toString"',
    );
  });

  it("secrets are shown in no message", () => {
    const text = `$PASSWORD=geheim1
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    authentication {
        auth_type PASS
        auth_pass geheim2 bogus
        auth_pass "geheim3
        auth_passs geheim4
        bogus { auth_pass geheim5 }
    }
    virtual_ipaddress { 192.0.2.10 }
}`;
    expect(JSON.stringify(run(text).notes.list())).not.toContain("geheim");
  });
});

function doubling(count: number): string {
  return Array.from({ length: count }, (_, i) => `$A${i + 1}=\${A${i}}\${A${i}}`).join("\n");
}
function multiplying(count: number): string {
  return Array.from({ length: count }, (_, i) => `$A${i + 1}= \\\n $A${i} \\\n $A${i}`).join("\n");
}

const TOKENS = [
  ..."{}\n\n\n\n\"'\\#!@~$ ",
  ..."vrrp_instance virtual_server real_server interface virtual_router_id priority state MASTER eth0 51 1.5 TCP protocol".split(
    " ",
  ),
  ..."virtual_ipaddress unicast_peer authentication auth_pass track_script vrrp_script script HTTP_GET url path / -1 192.0.2.1".split(
    " ",
  ),
  ...[
    "$A=",
    "$A",
    "${A}",
    "~SEQ(A, 1, 3)",
    "~LST(A, 1, 2)",
    "@lb01",
    "@^lb01",
    "include x",
    "80",
    "2001:db8::1",
    " \\\n",
  ],
];

describe("property: no text makes an import throw", () => {
  it("of keepalived.conf tokens", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...TOKENS), { maxLength: 80 }), (words) => {
        const { notes, result } = run(words.join(" "));
        expect(result.ok || notes.errors > 0).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it("of any characters, in any of the formats", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", maxLength: 300 }), async (text) => {
        run(text);
        importLdirectord(text, "x.cf", options);
        await importRules(text, "x.rules", options);
      }),
      { numRuns: 200 },
    );
  });

  it("of the corpus with pieces taken out, doubled and swapped", () => {
    const texts = corpus().map(readCorpus);
    fc.assert(
      fc.property(
        fc.constantFrom(...texts),
        fc.array(fc.tuple(fc.nat(), fc.nat(40)), { maxLength: 4 }),
        (text, cuts) => {
          let changed = text;
          for (const [at, length] of cuts) {
            const from = at % (changed.length + 1);
            const piece = changed.slice(from, from + length);
            changed =
              at % 2 === 0
                ? changed.slice(0, from) + changed.slice(from + length)
                : changed.slice(0, from) + piece + changed.slice(from);
          }
          const { notes, result } = run(changed);
          expect(result.ok || notes.errors > 0).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });
});
