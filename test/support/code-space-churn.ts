/** Program: locks itself in memory, then makes and drops machine code until V8's code space has grown and shrunk. */
import { setImmediate as turn } from "node:timers/promises";
import { lockProgram } from "../../src/net/locked-memory.ts";

function machineCode(seed: number): (a: number) => number {
  const steps = Array.from({ length: 60 }, (_, k) => `s = (s * ${k + 3} + ${seed}) % 1000003;`);
  return new Function("a", `let s = a; ${steps.join(" ")} return s;`) as (a: number) => number;
}

const locked = lockProgram();
for (let round = 0; round < 3; round++) {
  let functions: ((a: number) => number)[] = [];
  for (let i = 0; i < 600; i++) {
    const f = machineCode(i * 7 + round);
    for (let k = 0; k < 200; k++) f(k);
    functions.push(f);
  }
  functions = [];
  (globalThis as { gc?: () => void }).gc?.();
  await turn();
}
console.log(JSON.stringify({ locked }));
