/** `npm run sim -- --seeds N [--from S]`: many lives; the first that breaks an invariant is printed. */
import { parseArgs } from "node:util";
import { live } from "./life.ts";

const { values } = parseArgs({
  options: { seeds: { type: "string", default: "10000" }, from: { type: "string", default: "1" } },
});
const [seeds, from] = [Number(values.seeds), Number(values.from)];
if (!Number.isSafeInteger(seeds) || seeds < 1 || !Number.isSafeInteger(from) || from < 0) {
  console.error("usage: npm run sim -- --seeds N [--from S]: N seeds from S on, whole numbers");
  process.exit(2);
}
const started = performance.now();
const perSeed = (done: number) => `${((performance.now() - started) / done).toFixed(2)} ms a seed`;
for (let n = 0; n < seeds; n++) {
  const seed = from + n;
  if (n > 0 && n % 100_000 === 0) console.log(`${n} seeds, ${perSeed(n)}`);
  if (!live(seed)) continue;
  const failure = live(seed, { logging: true });
  console.log(failure?.transcript.join("\n"));
  console.log(
    `seed ${seed} failed: ${failure?.what ?? "not the same twice: something is not deterministic"}`,
  );
  console.log(`again: npm run sim -- --seeds 1 --from ${seed}`);
  process.exit(1);
}
console.log(`${seeds} seeds from ${from} on: every invariant held (${perSeed(seeds)})`);
