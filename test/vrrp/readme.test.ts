/** The conformance table of test/README.md names tests that exist. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const rows = [...read("README.md").matchAll(/^\| (\d+) \| .* \| `(.+)` \| (case \d+):? \|$/gm)];

describe("conformance table", () => {
  it("has a row for every case but the kernel's (22) and the one that is not used (39)", () => {
    const cases = rows.map(([, number]) => Number(number));
    const wanted = Array.from({ length: 44 }, (_, n) => n + 1).filter((n) => n !== 22 && n !== 39);
    expect(cases).toEqual(wanted);
  });
  it.each(rows.map(([, number, file, title]) => [number, file, title]))(
    "case %s is in %s",
    (number, file, title) => {
      expect(title).toBe(`case ${number}`);
      // In the title of a test, alone or in a list: "cases 17, 20: ...".
      const named = new RegExp(`\\bcases? (\\d+, )*${number}\\b`);
      expect(read(file!)).toMatch(named);
    },
  );
});
