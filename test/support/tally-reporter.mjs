/**
 * A vitest reporter for test/run.mjs: one JSON line per event, written at once, so that the counts survive a
 * run that is killed at its time limit. The file's name comes in VIPWARD_TALLY.
 */
import { appendFileSync } from "node:fs";

const MAX_ERRORS = 3;

export default class TallyReporter {
  #file = process.env.VIPWARD_TALLY;

  onTestModuleQueued(module) {
    this.#write({ event: "file", file: module.relativeModuleId });
  }

  onTestCaseReady(test) {
    this.#write({ event: "ready", ...place(test) });
  }

  onTestCaseResult(test) {
    const { state, errors, note } = test.result();
    this.#write({ event: "result", ...place(test), state, error: text(errors) ?? note });
  }

  /** Errors of a hook belong to no test; without this they would only show as skipped tests. */
  onTestSuiteResult(suite) {
    const error = text(suite.errors());
    if (error)
      this.#write({ event: "broken", file: suite.module.relativeModuleId, name: suite.fullName, error });
  }

  onTestModuleEnd(module) {
    const error = text(module.errors());
    if (error) this.#write({ event: "broken", file: module.relativeModuleId, name: "(the file)", error });
    this.#write({ event: "done", file: module.relativeModuleId });
  }

  onTestRunEnd(_modules, unhandled, reason) {
    for (const error of unhandled) {
      this.#write({ event: "broken", file: "", name: "unhandled error", error: text([error]) });
    }
    this.#write({ event: "end", reason });
  }

  #write(entry) {
    if (this.#file) appendFileSync(this.#file, `${JSON.stringify(entry)}\n`);
  }
}

function place(test) {
  return { file: test.module.relativeModuleId, name: test.fullName };
}

function text(errors) {
  if (!errors || errors.length === 0) return undefined;
  return errors
    .slice(0, MAX_ERRORS)
    .map((error) => `${error.name ?? "Error"}: ${error.message}`)
    .join("\n");
}
