/** Reads what `vipward demo` prints where it has no terminal. */
import assert from "node:assert/strict";

const STEPS = [
  "steady state",
  "web1 dies (kill -9)",
  "web1 comes back",
  "lb01 is stopped (SIGTERM)",
  "lb01 returns, takes over",
  "lb01 dies (kill -9 of all)",
  "lb01 returns, takes over",
];

/** Fails unless every step is there, each with its measured outage within the bound it states. */
export function assertDemoSteps(output: string): void {
  const lines = [
    ...output.matchAll(/^(ok {2}|FAIL) (\d)\. (.+?) +lost (\d+) of (\d+), outage (\d+) ms \(bound (\d+)\)/gm),
  ];
  assert.deepEqual(
    lines.map(([, , number, title]) => `${number}. ${title}`),
    STEPS.map((title, index) => `${index + 1}. ${title}`),
    output,
  );
  for (const [line, verdict, , , , requests, outage, bound] of lines) {
    assert.equal(verdict, "ok  ", output);
    assert.ok(Number(requests) > 0 && Number(outage) <= Number(bound), line);
  }
  assert.match(output, /^all 7 steps within their bounds/m);
}
