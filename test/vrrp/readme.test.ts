/** The conformance table of test/README.md names tests that exist. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const rows = [...read("README.md").matchAll(/^\| (\d+) \| .* \| `(.+)` \| (case \d+):? \|$/gm)];

describe("conformance table", () => {
  it("has a row for every case of the pure core", () => {
    const cases = rows.map(([, number]) => Number(number));
    const wanted = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 17, 18, 20, 23, 24];
    for (let n = 25; n <= 37; n++) wanted.push(n);
    expect(cases).toEqual(expect.arrayContaining([...wanted, 44]));
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
