import { describe, expect, it } from "vitest";
import { exportKeepalived } from "../../../src/config/keepalived-conf/export.ts";
import { formatProblems } from "../../../src/config/load.ts";
import {
  CORPUS,
  corpus,
  HOSTNAME,
  importFile,
  importString,
  load,
  optionsOf,
  problemsText,
  readCorpus,
  succeeded,
  yamlText,
} from "./corpus.ts";

describe("corpus of keepalived.conf files (vitest -u rewrites the expected files)", () => {
  it.each(corpus())("%s: what is said about it", async (name) => {
    await expect(problemsText(importFile(name))).toMatchFileSnapshot(`${CORPUS}${name}.problems`);
  });

  const good = corpus().filter((name) => succeeded(importFile(name)));

  it("most of it can be imported", () => {
    expect(good.length).toBeGreaterThanOrEqual(35);
  });

  it.each(good)("%s: the YAML, which loads without errors as the very same configuration", async (name) => {
    const imported = importFile(name);
    const text = yamlText(imported, name);
    await expect(text).toMatchFileSnapshot(`${CORPUS}${name}.yaml`);
    const loaded = load(text);
    expect(
      formatProblems(
        loaded.problems.filter(({ severity }) => severity === "error"),
        { color: false },
      ),
    ).toBe("");
    expect(loaded.ok && loaded.config.hash).toBe(imported.result.ok && imported.result.config.hash);
  });

  it.each(good)("%s: import, export, import is a fixed point", (name) => {
    const imported = importFile(name);
    if (!imported.result.ok) throw new Error("not imported");
    const first = exportKeepalived(imported.result.config, HOSTNAME);
    const again = importString(first.text, optionsOf(readCorpus(name)));
    expect(problemsText(again)).toBe("");
    if (!again.result.ok) throw new Error("not imported again");
    expect({ ...again.result.config, files: [] }).toEqual({ ...imported.result.config, files: [] });
    const second = exportKeepalived(again.result.config, HOSTNAME);
    expect(second.text).toBe(first.text);
    expect(first.notes).toEqual([]);
  });
});
